#include "winsock_names.h"
#include <string.h>

int WSADuplicateSocketA(SOCKET, unsigned long, void *);

void off_again(SOCKET s)
{
    struct linger l;

    l.l_onoff = 0;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&l, sizeof(l));
    closesocket(s);
}

void reset_by_initialiser(SOCKET s)
{
    struct linger l = {1, 0};

    setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&l, sizeof(l));
    closesocket(s);
}

void linger_then_shutdown(SOCKET s)
{
    struct linger l;
    l.l_onoff = 1;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&l, sizeof(l));
    shutdown(s, SD_BOTH);
    closesocket(s);
}

void set_then_used(SOCKET s)
{
    struct linger l;
    l.l_onoff = 1;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&l, sizeof(l));
    if (closesocket(s) != 0) return;
}

void reset_by_memset(SOCKET s)
{
    struct linger l;

    memset(&l, 0, sizeof(l));
    l.l_onoff = 1;
    setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&l, sizeof(l));
    closesocket(s);
}

/* the other process goes on with it */
void give(SOCKET s, unsigned long pid, void *info)
{
    WSADuplicateSocketA(s, pid, info);
    closesocket(s);
}

/* one function, a connection and a listener */
int serve(struct sockaddr *a)
{
    SOCKET l = socket(AF_INET, SOCK_STREAM, 0), s;

    listen(l, 5);
    s = accept(l, 0, 0);
    send(s, "x", 1, 0);
    shutdown(s, SD_BOTH);
    closesocket(s);
    closesocket(l);
    return 0;
}

void only_if(SOCKET s, int hard)
{
    struct linger l;

    if (hard) {
        l.l_onoff = 1;
        l.l_linger = 0;
        setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    }
    closesocket(s);
}

void variable(SOCKET s, int on)
{
    struct linger l;

    l.l_onoff = on;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    closesocket(s);
}

void timed_if(SOCKET s, SOCKET soft)
{
    struct linger l;

    l.l_onoff = 1;
    l.l_linger = 30;
    if (soft) setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    closesocket(s);
}
