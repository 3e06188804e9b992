#include <sys/types.h>
#include <sys/socket.h>
#include <unistd.h>
#include "graceful_close.h"

/* a connection: accepted, or talked on */
int serve_one(int listener)
{
    int s = accept(listener, NULL, NULL);

    if (s < 0) return -1;
    send(s, "hello", 5, 0);
    gc_close(s, 5000);
    return 0;
}

int checked(int s)
{
    if (send(s, "x", 1, 0) != 1) return -1;
    if (gc_closesocket(s) < 0) return -1;
    return 0;
}

void both(int s)
{
    gc_close(s, 5000);
}

void drained(int s)
{
    char buf[512];

    gc_close(s, 5000);
}

void resets(int s)
{
    struct linger l;

    send(s, "x", 1, 0);
    l.l_onoff = 1;
    l.l_linger = 0;
    /* graceful_close: it was a reset on purpose; gc_close(s, 5000) if it was not meant so */
    gc_abort(s);
}

struct conn {
    int client_fd;
    int log_fd;
};

/* whether these are connections is not seen here */
void members(struct conn *c)
{
    /* graceful_close: a connection? then gc_close(...) */
    close(c->client_fd);
    close(c->log_fd);
}

int members_checked(struct conn *c)
{
    /* graceful_close: a connection? then gc_closesocket(...) */
    if (close(c->client_fd) < 0) return -1;
    return 0;
}
