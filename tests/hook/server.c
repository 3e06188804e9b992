/*
 * A small server that answers before it has read the request, and closes. One thread.
 *
 *   server COUNT                     requests of the kinds that demo_client makes
 *   server 1 exit|_exit|ExitProcess  ends itself so, right after the close
 *
 * Prints its port first; ends after COUNT connections.
 */
#include "net.h"

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

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    SOCKET listening;
    int i, count = argc > 1 ? atoi(argv[1]) : 1;
    const char *end = argc > 2 ? argv[2] : "";

    for (i = 0; i < LINES; i++) {
        sprintf(file + i * 16, "%015d\n", i);
    }
    start_winsock();
    listening = listen_on(&address);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (i = 0; i < count; i++) {
        SOCKET s = accept(listening, NULL, NULL);

        CHECK(s != INVALID_SOCKET);
        set_buffer(s, SO_SNDBUF, 2 * (int)sizeof file);
        answer(s);
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
