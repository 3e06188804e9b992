/*
 * A DLL that is linked with libgraceful_close_override.a: its close is finished in the background, and the
 * end of the process, which has ended all other threads by then, is not delayed by it.
 */
#include <winsock2.h>
#include <string.h>

__declspec(dllexport) int plugin_closes(void);

/* one end of a connection whose peer stays silent for ever, with something unread and something sent */
__declspec(dllexport) int plugin_closes(void)
{
    struct sockaddr_in address;
    int size = (int)sizeof(address);
    SOCKET listening = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), peer, sock;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listening, (struct sockaddr *)&address, size) != 0 || listen(listening, 1) != 0) return 1;
    if (getsockname(listening, (struct sockaddr *)&address, &size) != 0) return 2;
    peer = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (connect(peer, (struct sockaddr *)&address, size) != 0) return 3;
    sock = accept(listening, NULL, NULL);
    if (send(peer, "?", 1, 0) != 1 || send(sock, "!", 1, 0) != 1) return 4;
    return closesocket(sock) == 0 ? 0 : 5;
}
