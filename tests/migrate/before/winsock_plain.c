#include "winsock_names.h"

/* the bare call, its value unused and used */
void bare(SOCKET s)
{
    closesocket(s);
}

int checked(SOCKET s)
{
    if (closesocket(s) == SOCKET_ERROR) return -1;
    return 0;
}

int returned(SOCKET s)
{
    return closesocket(s);
}

struct peer {
    SOCKET sock;
    int (*close_socket)(SOCKET);
};

void member(struct peer *p)
{
    closesocket(p->sock);
    p->sock = INVALID_SOCKET;
}

void pointer(struct peer *p)
{
    p->close_socket = closesocket;
}

void array(SOCKET *all, int count)
{
    int i;

    for (i = 0; i < count; i++)
        closesocket(all[i]);
}

void on_both_ways(SOCKET s, int bad)
{
    if (bad)
        closesocket(s);
    else
        send(s, "bye", 3, 0);
}
