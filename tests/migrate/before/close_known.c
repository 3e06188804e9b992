#include <sys/types.h>
#include <sys/socket.h>
#include <unistd.h>

/* a connection: accepted, or talked on */
int serve_one(int listener)
{
    int s = accept(listener, NULL, NULL);

    if (s < 0) return -1;
    send(s, "hello", 5, 0);
    close(s);
    return 0;
}

int checked(int s)
{
    if (send(s, "x", 1, 0) != 1) return -1;
    if (close(s) < 0) return -1;
    return 0;
}

void both(int s)
{
    shutdown(s, SHUT_RDWR);
    close(s);
}

void drained(int s)
{
    char buf[512];

    shutdown(s, SHUT_WR);
    while (read(s, buf, sizeof(buf)) > 0)
        ;
    close(s);
}

void resets(int s)
{
    struct linger l;

    send(s, "x", 1, 0);
    l.l_onoff = 1;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(s);
}

struct conn {
    int client_fd;
    int log_fd;
};

/* whether these are connections is not seen here */
void members(struct conn *c)
{
    close(c->client_fd);
    close(c->log_fd);
}

int members_checked(struct conn *c)
{
    if (close(c->client_fd) < 0) return -1;
    return 0;
}
