/*
 * A small server that answers before it has read the request, and closes. One thread.
 *
 *   server COUNT                     requests of the kinds that demo_client makes
 *   server 1 exit|_exit|ExitProcess  ends itself so, right after the close
 *   server COUNT AcceptEx|mswsock    accepts by AcceptEx, had from WSAIoctl or by its name, and updates
 *                                    no context; at the last close the listener has a linger time
 *                                    of zero, which an update takes over
 *
 * Prints its port first; ends after COUNT connections.
 */
#include "net.h"
#include <mswsock.h>

#define LINES 65536

static char file[LINES * 16 + 1];

static void answer(SOCKET s)
{
    static char reply[sizeof file + 256];
    char request[5];
    int got = recv(s, request, 4, MSG_WAITALL);
    int size, sent = 0;

    if (got == 4 && memcmp(request, "POST", 4) == 0) {
        size = sprintf(reply, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbig\n");
    } else {
        size = sprintf(reply, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", LINES * 16, file);
    }
    while (sent < size) {
        int part = send(s, reply + sent, size - sent, 0);

        if (part <= 0)
            break;
        sent += part;
    }
}

/* With a completion port or an event it is the same: the context is the program's to update. */
static SOCKET accept_into(SOCKET listening, LPFN_ACCEPTEX function)
{
    static char names[2 * (sizeof(struct sockaddr_in) + 16)];
    SOCKET s = tcp_socket();
    OVERLAPPED overlapped;
    DWORD bytes = 0, flags = 0;

    memset(&overlapped, 0, sizeof overlapped);
    overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    if (!function(listening, s, names, 0, sizeof names / 2, sizeof names / 2, &bytes, &overlapped)) {
        CHECK(WSAGetLastError() == ERROR_IO_PENDING);
    }
    CHECK(WSAGetOverlappedResult(listening, &overlapped, &bytes, TRUE, &flags));
    CloseHandle(overlapped.hEvent);
    return s;
}

static LPFN_ACCEPTEX accept_ex_of(SOCKET s)
{
    static const GUID id = WSAID_ACCEPTEX;
    LPFN_ACCEPTEX function = NULL;
    GUID guid = id;
    DWORD bytes = 0;

    CHECK(WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof guid, &function, sizeof function, &bytes, NULL,
                   NULL) == 0);
    return function;
}

static void reset_by_inheritance(SOCKET listening)
{
    struct linger linger;

    linger.l_onoff = 1;
    linger.l_linger = 0;
    CHECK(setsockopt(listening, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof linger) == 0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    SOCKET listening;
    LPFN_ACCEPTEX function = NULL;
    int i, count = argc > 1 ? atoi(argv[1]) : 1;
    const char *end = argc > 2 ? argv[2] : "";

    for (i = 0; i < LINES; i++) {
        sprintf(file + i * 16, "%015d\n", i);
    }
    start_winsock();
    listening = listen_on(&address);
    if (strcmp(end, "AcceptEx") == 0)
        function = accept_ex_of(listening);
    if (strcmp(end, "mswsock") == 0)
        function = AcceptEx;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (i = 0; i < count; i++) {
        SOCKET s = function != NULL ? accept_into(listening, function) : accept(listening, NULL, NULL);

        CHECK(s != INVALID_SOCKET);
        set_buffer(s, SO_SNDBUF, 2 * (int)sizeof file);
        answer(s);
        if (function != NULL && i == count - 1)
            reset_by_inheritance(listening);
        closesocket(s);
    }
    if (strcmp(end, "exit") == 0)
        exit(0);
    if (strcmp(end, "_exit") == 0)
        _exit(0);
    if (strcmp(end, "ExitProcess") == 0)
        ExitProcess(0);
    return 0;
}
