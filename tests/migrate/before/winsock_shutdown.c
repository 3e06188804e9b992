#include "winsock_names.h"

void both(SOCKET s)
{
    shutdown(s, SD_BOTH);
    closesocket(s);
}

void send_side(SOCKET s)
{
    shutdown(s, SD_SEND);
    closesocket(s);
}

void drained(SOCKET s)
{
    char buf[512];
    int n;

    shutdown(s, SD_SEND);
    while ((n = recv(s, buf, sizeof(buf), 0)) > 0)
        ;
    closesocket(s);
}

/* a loop that the tool cannot match: a person has to look */
void drained_by_do(SOCKET s)
{
    char buf[512];
    int n;

    shutdown(s, SD_SEND);
    do {
        n = recv(s, buf, sizeof(buf), 0);
    } while (n > 0);
    closesocket(s);
}

void waited(SOCKET s)
{
    fd_set set;
    struct timeval wait = {2, 0};

    shutdown(s, SD_SEND);
    FD_ZERO(&set);
    FD_SET(s, &set);
    select((int)s + 1, &set, NULL, NULL, &wait);
    closesocket(s);
}

/* what is received here is not thrown away: a person has to look */
int received(SOCKET s, char *answer, int size)
{
    int n;

    shutdown(s, SD_SEND);
    n = recv(s, answer, size, 0);
    closesocket(s);
    return n;
}

/* another socket's shutdown stays */
void two(SOCKET a, SOCKET b)
{
    shutdown(a, SD_BOTH);
    closesocket(b);
}
