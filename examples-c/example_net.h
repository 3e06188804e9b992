/*
 * example_net.h - what every example needs before its first socket
 *
 * Gives POSIX the few Winsock names that the examples use, so that one source reads
 * the same on both systems, starts Winsock where there is one, tells errors in words
 * and sends a buffer to its end. Include it first. Most examples need no more than this
 * file and graceful_close.h.
 */
#ifndef EXAMPLE_NET_H
#define EXAMPLE_NET_H

#ifdef _WIN32

#ifndef _CRT_SECURE_NO_WARNINGS
#define _CRT_SECURE_NO_WARNINGS /* sprintf is all that C89 has */
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
#include <stdio.h>
#ifdef _MSC_VER
#pragma comment(lib, "ws2_32.lib")
#endif

typedef int net_size; /* what send and recv take as a length */

#else

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200112L /* sockets and clocks in spite of -std=c89 */
#endif
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/select.h>
#include <sys/time.h>
#include <netinet/in.h>
#include <netdb.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef int SOCKET;
typedef size_t net_size;
#define INVALID_SOCKET (-1)
#define SOCKET_ERROR (-1)
#define SD_SEND SHUT_WR
#define SD_BOTH SHUT_RDWR
#define closesocket(sock) close(sock)

#endif

/* recv as a signed number on both systems: bytes, 0 at the end, negative on error */
#define net_recv(sock, buffer, size) ((long)recv((sock), (buffer), (net_size)(size), 0))

/* Says on stderr what failed and why, in the system's own words. */
static void net_complain(const char *what)
{
#ifdef _WIN32
    char text[256];
    int code = WSAGetLastError();

    if (FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                       (DWORD)code, 0, text, (DWORD)sizeof(text), NULL) == 0)
        text[0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    fprintf(stderr, "%s: %s (error %d)\n", what, text, code);
    WSASetLastError(code);
#else
    int code = errno;

    fprintf(stderr, "%s: %s (error %d)\n", what, strerror(code), code);
    errno = code;
#endif
}

/* Call once, before any socket is made. 0 is success. */
static int net_start(void)
{
#ifdef _WIN32
    WSADATA data;
    int error = WSAStartup(MAKEWORD(2, 2), &data);

    if (error != 0) {
        fprintf(stderr, "Winsock does not start (error %d)\n", error);
        return -1;
    }
#else
    /* A peer that has gone must be an error of send(), not the end of the program. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        net_complain("SIGPIPE cannot be ignored");
        return -1;
    }
#endif
    return 0;
}

/* send() may take less than it was given. 0 once everything is queued, -1 on error. */
static int net_send_all(SOCKET sock, const char *data, size_t size)
{
    while (size > 0) {
        long sent = (long)send(sock, data, (net_size)size, 0);

        if (sent < 0)
            return -1;
        data += sent;
        size -= (size_t)sent;
    }
    return 0;
}

#endif
