#include "winsock_names.h"

void waits_in_close(SOCKET s)
{
    struct linger l;

    l.l_onoff = 1;
    l.l_linger = 30;
    setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&l, sizeof(l));
    closesocket(s);
}

void resets(SOCKET s)
{
    struct linger l;

    l.l_onoff = 1;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&l, sizeof(l));
    closesocket(s);
}

/* an option that is set for later stays */
void set_only(SOCKET s, struct linger *l)
{
    setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)l, sizeof(*l));
}
