/* A module that closes sockets on its own. */
#include <winsock2.h>

__declspec(dllexport) int WSAAPI close_in_module(SOCKET s);

__declspec(dllexport) int WSAAPI close_in_module(SOCKET s)
{
    return closesocket(s);
}
