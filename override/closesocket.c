/*
 * Takes the place of Winsock's closesocket in a program that is linked with this before
 * -lws2_32. Calls that were compiled against winsock2.h go through __imp_closesocket, others
 * call closesocket: both are here. What DLLs call, and GetProcAddress, stays the system's.
 *
 * The library itself asks ws2_32.dll for the real one at run time, and does not come back here.
 * Licence: MIT OR Apache-2.0.
 */
/* CancelIoEx */
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0600
#endif
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

static int is_stream(SOCKET sock)
{
    int type = 0, size = (int)sizeof(type);

    return getsockopt(sock, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0 && type == SOCK_STREAM;
}

/* SO_LINGER {1, 0}: the program asks for a reset, or what looks like one to its peer */
static int wants_reset(SOCKET sock)
{
    struct linger linger;
    int size = (int)sizeof(linger);

    return getsockopt(sock, SOL_SOCKET, SO_LINGER, (char *)&linger, &size) == 0 && linger.l_onoff != 0 &&
           linger.l_linger == 0;
}

/* A call that sends waits for room in the buffer; or there is no buffer, which shows nothing. */
static int may_be_sending(SOCKET sock)
{
    int room = 0, size = (int)sizeof(room);
    struct timeval now;
    fd_set writable;

    now.tv_sec = 0;
    now.tv_usec = 0;
    writable.fd_count = 1;
    writable.fd_array[0] = sock;
    return getsockopt(sock, SOL_SOCKET, SO_SNDBUF, (char *)&room, &size) != 0 || room == 0 ||
           select(0, NULL, &writable, NULL, &now) != 1;
}

static int take(SOCKET sock)
{
    if (!is_stream(sock) || wants_reset(sock)) return 0;
    /* As closesocket: what waits for the socket comes back now, not when the peer is done, and
       nothing is written into the program's buffers any more. But nothing cancels receives
       alone, and a send that is cut before a clean end looks to the peer as if it had
       everything: it is finished first, or cut by a reset when the time is up. */
    if (!may_be_sending(sock)) CancelIoEx((HANDLE)sock, NULL);
    return gco_take(sock) == 0;
}

int WSAAPI closesocket(SOCKET sock)
{
    int before = WSAGetLastError();
    const gco_settings *settings = gco_get_settings();

    if (!settings->off && take(sock)) {
        WSASetLastError(before);
        return 0;
    }
    WSASetLastError(before);
    /* refused: nothing was done to it, and the system's own says why */
    return real_closesocket(sock);
}
