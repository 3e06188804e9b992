/*
 * Takes the place of Winsock's closesocket in a program that is linked with this before
 * -lws2_32. Calls that were compiled against winsock2.h go through __imp_closesocket, others
 * call closesocket: both are here. What DLLs call, and GetProcAddress, stays the system's.
 *
 * The library itself asks ws2_32.dll for the real one at run time, and does not come back here.
 * Licence: MIT OR Apache-2.0.
 */
/* winsock2.h declares it dllimport, which what is defined here cannot be */
#define closesocket closesocket_of_the_header
#include <winsock2.h>
#undef closesocket

#include <string.h>

#include "settings.h"

int WSAAPI closesocket(SOCKET sock);

typedef int (WSAAPI *closer)(SOCKET);

/* 32 bit: the size of the arguments is part of the name of a stdcall function */
#ifdef _WIN64
#define IMPORTED __asm__("__imp_closesocket")
#else
#define IMPORTED __asm__("__imp__closesocket@4")
#endif
extern const closer gco_imported IMPORTED;
const closer gco_imported = closesocket;

static int real_closesocket(SOCKET sock)
{
    HMODULE winsock = GetModuleHandleA("ws2_32.dll");
    FARPROC address = winsock == NULL ? NULL : GetProcAddress(winsock, "closesocket");
    closer function;

    if (address == NULL) {
        SetLastError(WSANOTINITIALISED);
        return SOCKET_ERROR;
    }
    memcpy(&function, &address, sizeof(function));
    return function(sock);
}

/* SO_LINGER {1, 0}: the program asks for a reset, or what looks like one to its peer */
static int wants_reset(SOCKET sock)
{
    struct linger linger;
    int size = (int)sizeof(linger);

    return getsockopt(sock, SOL_SOCKET, SO_LINGER, (char *)&linger, &size) == 0 && linger.l_onoff != 0 &&
           linger.l_linger == 0;
}

int WSAAPI closesocket(SOCKET sock)
{
    const gco_settings *settings = gco_get_settings();
    int before = WSAGetLastError();

    if (!settings->off && !wants_reset(sock) && gco_take(sock, GC_SHARED_RELEASE, 0) == 0) {
        WSASetLastError(before);
        return 0;
    }
    WSASetLastError(before);
    /* refused: nothing was done to it, and the system's own says why */
    return real_closesocket(sock);
}
