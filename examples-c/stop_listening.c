/*
 * stop_listening.c - a server stops, and nobody who already waits is reset
 *
 * The system completes connections before the program accepts them. Those that wait in
 * the backlog when the listening socket is closed are reset, by a bare close and by
 * gc_close alike: the program has never had their sockets. So accept what is there
 * first, tell each client that it came too late, close them in the background, and
 * close the listening socket last.
 *
 *     stop_listening           20 clients wait; prints how many were answered
 *     stop_listening bare      the same with a bare close of the listening socket
 */
#include "example_net.h"
#ifndef _WIN32
#include <fcntl.h>
#endif
#include "graceful_close.h"

#define CLIENTS 20
#define LONGEST_MS 5000U

static const char sorry[] = "503 this server is going away\r\n";

/* accept() must not wait for a client that does not come. 0 is success. */
static int make_nonblocking(SOCKET sock)
{
#ifdef _WIN32
    unsigned long yes = 1;

    return ioctlsocket(sock, (long)FIONBIO, &yes);
#else
    int flags = fcntl(sock, F_GETFL);

    return flags < 0 ? -1 : fcntl(sock, F_SETFL, flags | O_NONBLOCK);
#endif
}

/* The backlog is empty: nothing else would be a reason to stop accepting. */
static int nobody_waits(void)
{
#ifdef _WIN32
    return WSAGetLastError() == WSAEWOULDBLOCK;
#else
    return errno == EAGAIN || errno == EWOULDBLOCK;
#endif
}

/* A client that has gone again while it waited is no reason to stop, either. */
static int has_gone_again(void)
{
#ifdef _WIN32
    return WSAGetLastError() == WSAECONNRESET;
#else
    return errno == ECONNABORTED || errno == EINTR;
#endif
}

/* Takes the listening socket. How many waited, or -1. */
static int drain_and_close(SOCKET listener)
{
    int count = 0, failed = make_nonblocking(listener);

    while (!failed) {
        SOCKET client = accept(listener, NULL, NULL);

        if (client == INVALID_SOCKET) {
            if (has_gone_again())
                continue;
            failed = !nobody_waits();
            break;
        }
        count++;
        /* it has just been accepted: so few bytes always find room */
        if (net_send_all(client, sorry, sizeof(sorry) - 1) != 0)
            net_complain("send");
        if (gc_close_async(client, LONGEST_MS) < 0 && gc_close(client, LONGEST_MS) < 0)
            closesocket(client);
    }
    if (failed)
        net_complain("the backlog cannot be emptied");
    if (gc_close(listener, 0) < 0) {
        net_complain("the listening socket cannot be closed");
        failed = 1;
    }
    return failed ? -1 : count;
}

/* --- the clients of this demonstration --- */

static SOCKET listen_somewhere(struct sockaddr_in *address)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
#ifdef _WIN32
    int size = (int)sizeof(*address);
#else
    socklen_t size = (socklen_t)sizeof(*address);
#endif

    if (listener == INVALID_SOCKET)
        return listener;
    memset(address, 0, sizeof(*address));
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)address, sizeof(*address)) != 0 ||
        listen(listener, CLIENTS) != 0 ||
        getsockname(listener, (struct sockaddr *)address, &size) != 0) {
        closesocket(listener);
        return INVALID_SOCKET;
    }
    return listener;
}

/* Connects and sends a request; nobody has accepted it yet. */
static SOCKET ask(const struct sockaddr_in *address)
{
    SOCKET sock = socket(AF_INET, SOCK_STREAM, 0);

    if (sock == INVALID_SOCKET)
        return sock;
    if (connect(sock, (const struct sockaddr *)address, sizeof(*address)) != 0 ||
        net_send_all(sock, "GET / HTTP/1.0\r\n\r\n", 18) != 0) {
        closesocket(sock);
        return INVALID_SOCKET;
    }
    return sock;
}

/* Whether the whole answer came, and its end. */
static int was_answered(SOCKET sock)
{
    char data[sizeof(sorry)];
    size_t bytes = 0;
    long got;

    while ((got = net_recv(sock, data, sizeof(data))) > 0)
        bytes += (size_t)got;
    return got == 0 && bytes == sizeof(sorry) - 1;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    SOCKET clients[CLIENTS], listener;
    int at, answered = 0, bare = argc > 1 && strcmp(argv[1], "bare") == 0;

    if (net_start() != 0)
        return 1;
    listener = listen_somewhere(&address);
    if (listener == INVALID_SOCKET) {
        net_complain("cannot listen");
        return 1;
    }
    for (at = 0; at < CLIENTS; at++) {
        clients[at] = ask(&address);
        if (clients[at] == INVALID_SOCKET) {
            net_complain("cannot connect");
            return 1;
        }
    }
    if (bare ? closesocket(listener) != 0 : drain_and_close(listener) < 0)
        return 1;
    for (at = 0; at < CLIENTS; at++) {
        answered += was_answered(clients[at]);
        closesocket(clients[at]);
    }
    if (gc_flush(LONGEST_MS) != 0) /* before the program exits */
        fprintf(stderr, "some clients did not close in time\n");
    printf("%d of %d waiting clients were answered\n", answered, CLIENTS);
    return answered == CLIENTS || bare ? 0 : 1;
}
