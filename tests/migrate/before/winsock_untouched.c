#include "winsock_names.h"

/* nothing in here is a connection */
SOCKET make_listener(struct sockaddr *address)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);

    if (s == INVALID_SOCKET) return s;
    if (bind(s, address, 16) != 0) {
        closesocket(s);
        return INVALID_SOCKET;
    }
    if (listen(s, 5) != 0) {
        closesocket(s);
        return INVALID_SOCKET;
    }
    return s;
}

void serve_once(SOCKET listener)
{
    listen(listener, 1);
    closesocket(listener);
}
