/*
 * loop_server.h - the server behind the loop_ examples, apart from its event loop
 *
 * It answers early: as soon as the header of a request is there it sends 100 kB of
 * numbered lines and wants to close, whatever the client still has on its way. How a
 * loop waits, and how it closes many connections at once without ever blocking, is in
 * each example itself.
 *
 *   loop_... [connections [port]]
 *
 * Without a number of connections it serves until it is stopped. Port 0, the default,
 * lets the system choose one; the port is printed. The program ends with 0 only if
 * every connection ended GC_GRACEFUL.
 *
 * LOOP_OVERLAPPED leaves the receiving to the program.
 */
#ifndef LOOP_SERVER_H
#define LOOP_SERVER_H

#include "example_net.h"
#include "graceful_close.h"

#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <fcntl.h>
#endif

#define MAX_CLIENTS 32
#define REQUEST_SIZE 512
#define LINE_SIZE 16UL
#define ANSWER_SIZE (LINE_SIZE * 6400UL)
#define CLOSE_TIMEOUT_MS 20000U

struct client {
    SOCKET sock;            /* INVALID_SOCKET: the place is free */
    gc_closing *closing;    /* NULL until everything is said */
    size_t request_size;
    char request[REQUEST_SIZE];
};

static struct client clients[MAX_CLIENTS];
static SOCKET listener = INVALID_SOCKET;
static unsigned long wanted; /* connections; 0: no end */
static unsigned long accepted;
static unsigned long count_graceful;
static unsigned long count_other;
static char answer[ANSWER_SIZE + 1];

static int set_nonblocking(SOCKET sock)
{
#ifdef _WIN32
    u_long on = 1;

    return ioctlsocket(sock, (long)FIONBIO, &on);
#else
    int flags = fcntl(sock, F_GETFL);

    return flags < 0 ? -1 : fcntl(sock, F_SETFL, flags | O_NONBLOCK);
#endif
}

/* Numbered lines of 16 bytes, so that a client notices any piece that is missing. */
static void make_answer(void)
{
    unsigned long line;

    for (line = 0; line < ANSWER_SIZE / LINE_SIZE; line++)
        sprintf(answer + line * LINE_SIZE, "%015lu\n", line);
}

static int listen_on(unsigned int port)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(0x7F000001UL); /* 127.0.0.1: this is an example */
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener == INVALID_SOCKET || bind(listener, (struct sockaddr *)&address, size) != 0
        || listen(listener, 64) != 0 || set_nonblocking(listener) != 0
        || getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        net_complain("the port cannot be listened on");
        return -1;
    }
    printf("listening on port %u\n", (unsigned int)ntohs(address.sin_port));
    fflush(stdout); /* whoever started us may be reading a pipe */
    return 0;
}

/* From the arguments of the program. 0 is success. */
static int server_start(int argc, char **argv)
{
    unsigned long port = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    size_t i;

    wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    if (argc > 3 || port > 65535UL) {
        fprintf(stderr, "usage: %s [connections [port]]\n", argv[0]);
        return -1;
    }
    for (i = 0; i < MAX_CLIENTS; i++)
        clients[i].sock = INVALID_SOCKET;
    make_answer();
    return net_start() == 0 ? listen_on((unsigned int)port) : -1;
}

static struct client *free_place(void)
{
    size_t i;

    for (i = 0; i < MAX_CLIENTS; i++)
        if (clients[i].sock == INVALID_SOCKET)
            return &clients[i];
    return NULL;
}

/* Whether to watch the listening socket: one that is watched and not accepted from spins. */
static int server_accepts(void)
{
    return (wanted == 0 || accepted < wanted) && free_place() != NULL;
}

static int server_is_done(void)
{
    return wanted != 0 && count_graceful + count_other >= wanted;
}

/* What the program returns. */
static int server_end(void)
{
    closesocket(listener);
    printf("closed gracefully: %lu, otherwise: %lu\n", count_graceful, count_other);
    return count_other == 0 && server_is_done() ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Gives a new connection a place. There must be one: ask server_accepts() before. */
static struct client *take_client(SOCKET sock)
{
    struct client *client = free_place();
    int room = (int)(2 * ANSWER_SIZE);

    /* The whole answer fits into the send buffer, so that sending never waits. A larger
       one is sent when the socket is writable; that has nothing to do with
       closing. */
    if (set_nonblocking(sock) != 0
        || setsockopt(sock, SOL_SOCKET, SO_SNDBUF, (const char *)&room, sizeof(room)) != 0)
        net_complain("the connection cannot be set up");
    accepted++;
    client->sock = sock;
    client->closing = NULL;
    client->request_size = 0;
    return client;
}

/* The socket is closed, by the library or by the program. */
static void client_ended(struct client *client, int outcome)
{
    if (outcome == GC_GRACEFUL) {
        count_graceful++;
    } else {
        count_other++;
        fprintf(stderr, "not closed gracefully: %s\n", gc_outcome_name(outcome));
    }
    client->sock = INVALID_SOCKET;
    client->closing = NULL;
}

/* More of the request is there. 1: there is nothing more to say, close now. */
static int request_grew(struct client *client, size_t bytes)
{
    client->request_size += bytes;
    client->request[client->request_size] = '\0';
    if (strstr(client->request, "\r\n\r\n") == NULL) {
        if (client->request_size < REQUEST_SIZE - 1)
            return 0;
        fprintf(stderr, "the header of a request is too long\n");
        return 1;
    }
    if (net_send_all(client->sock, answer, ANSWER_SIZE) != 0)
        net_complain("the answer cannot be sent");
    return 1;
}

#ifndef LOOP_OVERLAPPED

/* Nothing there, or nothing yet. */
static int would_block(void)
{
#ifdef _WIN32
    return WSAGetLastError() == WSAEWOULDBLOCK;
#else
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
#endif
}

/* The next connection that waits, or NULL. */
static struct client *accept_client(void)
{
    SOCKET sock;

    if (!server_accepts())
        return NULL;
    sock = accept(listener, NULL, NULL);
    if (sock != INVALID_SOCKET)
        return take_client(sock);
    if (!would_block())
        net_complain("accept");
    return NULL;
}

/* Reads the request and answers it. 1: there is nothing more to say, close now. */
static int serve_client(struct client *client)
{
    long got = net_recv(client->sock, client->request + client->request_size,
                        REQUEST_SIZE - 1 - client->request_size);

    if (got > 0)
        return request_grew(client, (size_t)got);
    if (got < 0 && would_block())
        return 0;
    if (got < 0)
        net_complain("the request cannot be read");
    return 1;
}

#endif

#endif
