#include "winsock_names.h"
#include "graceful_close.h"

/* the bare call, its value unused and used */
void bare(SOCKET s)
{
    gc_close(s, 5000);
}

int checked(SOCKET s)
{
    if (gc_closesocket(s) == SOCKET_ERROR) return -1;
    return 0;
}

int returned(SOCKET s)
{
    return gc_closesocket(s);
}

struct peer {
    SOCKET sock;
    int (*close_socket)(SOCKET);
};

void member(struct peer *p)
{
    gc_close(p->sock, 5000);
    p->sock = INVALID_SOCKET;
}

void pointer(struct peer *p)
{
    p->close_socket = gc_closesocket;
}

void array(SOCKET *all, int count)
{
    int i;

    for (i = 0; i < count; i++)
        gc_close(all[i], 5000);
}

void on_both_ways(SOCKET s, int bad)
{
    if (bad)
        gc_close(s, 5000);
    else
        send(s, "bye", 3, 0);
}
