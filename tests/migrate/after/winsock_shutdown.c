#include "winsock_names.h"
#include "graceful_close.h"

void both(SOCKET s)
{
    gc_close(s, 5000);
}

void send_side(SOCKET s)
{
    gc_close(s, 5000);
}

void drained(SOCKET s)
{
    char buf[512];
    int n;

    gc_close(s, 5000);
}

/* a loop that the tool cannot match: a person has to look */
void drained_by_do(SOCKET s)
{
    char buf[512];
    int n;

    /* graceful_close: gc_close does this itself, and drains */
    shutdown(s, SD_SEND);
    do {
        n = recv(s, buf, sizeof(buf), 0);
    } while (n > 0);
    gc_close(s, 5000);
}

void waited(SOCKET s)
{
    fd_set set;
    struct timeval wait = {2, 0};

    gc_close(s, 5000);
}

/* what is received here is not thrown away: a person has to look */
int received(SOCKET s, char *answer, int size)
{
    int n;

    /* graceful_close: gc_close does this itself, and drains */
    shutdown(s, SD_SEND);
    n = recv(s, answer, size, 0);
    gc_close(s, 5000);
    return n;
}

/* another socket's shutdown stays */
void two(SOCKET a, SOCKET b)
{
    shutdown(a, SD_BOTH);
    gc_close(b, 5000);
}
