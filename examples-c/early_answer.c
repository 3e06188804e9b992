/*
 * early_answer.c - a small HTTP server that answers before it has read the request
 *
 * Countless servers do this: they look at the header, know what to say, say it and
 * close. What the client still had on its way is never read, and that turns the close
 * into a reset which destroys the end of the answer. The one line that differs is in
 * close_connection().
 *
 *   POST or PUT, anything    413, because "too large" is known from the header alone
 *   GET, anything            a file of 1 MiB; a body of the request is left unread
 *
 *   early_answer bare|shutdown|graceful [port [connections]]
 *
 * Port 0, the default, lets the system choose one; the port is printed. Without a
 * number of connections it serves until it is stopped.
 */
#include "example_net.h"
#include "graceful_close.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE 8192
#define LINE_SIZE 16UL
#define FILE_LINES 65536UL
#define FILE_SIZE (LINE_SIZE * FILE_LINES)
#define CLOSE_TIMEOUT_MS 5000U

enum way { WAY_BARE, WAY_SHUTDOWN, WAY_GRACEFUL };

static char file_content[FILE_SIZE + 1];
static unsigned long count_graceful;
static unsigned long count_other;

/* Numbered lines of 16 bytes, so that a client notices any piece that is missing. */
static void make_file(void)
{
    unsigned long line;

    for (line = 0; line < FILE_LINES; line++)
        sprintf(file_content + line * LINE_SIZE, "%015lu\n", line);
}

/* Reads until the blank line that ends the header, and no further than it must. */
static int read_header(SOCKET sock, char *header)
{
    size_t have = 0;

    while (have < HEADER_SIZE - 1) {
        long got = net_recv(sock, header + have, HEADER_SIZE - 1 - have);

        if (got < 0) {
            net_complain("the request cannot be read");
            return -1;
        }
        if (got == 0) {
            fprintf(stderr, "the client left before its header was complete\n");
            return -1;
        }
        have += (size_t)got;
        header[have] = '\0';
        if (strstr(header, "\r\n\r\n") != NULL)
            return 0;
    }
    fprintf(stderr, "the header of the request is too long\n");
    return -1;
}

static void send_answer(SOCKET sock, const char *status, const char *type,
                        const char *body, size_t size)
{
    char head[256];

    sprintf(head,
            "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %lu\r\nConnection: close\r\n\r\n",
            status, type, (unsigned long)size);
    if (net_send_all(sock, head, strlen(head)) != 0 || net_send_all(sock, body, size) != 0)
        net_complain("the answer cannot be sent");
}

static void answer(SOCKET sock, const char *header)
{
    static const char too_large[] = "The upload is larger than this server takes.\n";

    if (strncmp(header, "POST ", 5) == 0 || strncmp(header, "PUT ", 4) == 0)
        send_answer(sock, "413 Content Too Large", "text/plain", too_large, strlen(too_large));
    else if (strncmp(header, "GET ", 4) == 0)
        send_answer(sock, "200 OK", "application/octet-stream", file_content, FILE_SIZE);
    else
        send_answer(sock, "501 Not Implemented", "text/plain", "", 0);
}

/* What most servers do: the kernel finds unread bytes and resets the connection. */
static void close_bare(SOCKET sock)
{
    if (closesocket(sock) != 0)
        net_complain("closesocket");
}

/* What many believe to be the cure. It is not: nobody has read the rest either. */
static void close_after_shutdown(SOCKET sock)
{
    if (shutdown(sock, SD_SEND) != 0)
        net_complain("shutdown");
    close_bare(sock);
}

/* Returns once the client has everything, or after the time-out. */
static void close_graceful(SOCKET sock)
{
    int outcome = gc_close(sock, CLOSE_TIMEOUT_MS);

    if (outcome == GC_GRACEFUL) {
        count_graceful++;
        return;
    }
    count_other++;
    fprintf(stderr, "gc_close: %s\n", gc_outcome_name(outcome));
    if (outcome < 0) /* an error: the socket is still ours */
        close_bare(sock);
}

static void close_connection(SOCKET sock, enum way way)
{
    if (way == WAY_GRACEFUL)
        close_graceful(sock);
    else if (way == WAY_SHUTDOWN)
        close_after_shutdown(sock);
    else
        close_bare(sock);
}

static SOCKET listen_on(unsigned int port)
{
    struct sockaddr_in address;
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);

    if (listener == INVALID_SOCKET) {
        net_complain("socket");
        return INVALID_SOCKET;
    }
#ifndef _WIN32
    { /* take a port back whose old connections are still in TIME_WAIT; means something else on Windows */
        int yes = 1;
        if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0)
            net_complain("SO_REUSEADDR");
    }
#endif
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(0x7F000001UL); /* 127.0.0.1: this is an example */
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0
        || listen(listener, 64) != 0) {
        net_complain("the port cannot be listened on");
        closesocket(listener);
        return INVALID_SOCKET;
    }
    return listener;
}

static int print_port(SOCKET listener)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);

    if (getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        net_complain("getsockname");
        return -1;
    }
    printf("listening on port %u\n", (unsigned int)ntohs(address.sin_port));
    fflush(stdout); /* whoever started us may be reading a pipe */
    return 0;
}

/* connections == 0: for ever */
static int serve(SOCKET listener, enum way way, unsigned long connections)
{
    static char header[HEADER_SIZE];
    unsigned long served = 0;

    while (connections == 0 || served < connections) {
        SOCKET sock = accept(listener, NULL, NULL);

        if (sock == INVALID_SOCKET) {
            net_complain("accept");
            return -1;
        }
        served++;
        if (read_header(sock, header) == 0)
            answer(sock, header);
        close_connection(sock, way);
    }
    if (way == WAY_GRACEFUL)
        printf("closed gracefully: %lu, otherwise: %lu\n", count_graceful, count_other);
    return 0;
}

static int parse_way(const char *word, enum way *way)
{
    if (strcmp(word, "bare") == 0)
        *way = WAY_BARE;
    else if (strcmp(word, "shutdown") == 0)
        *way = WAY_SHUTDOWN;
    else if (strcmp(word, "graceful") == 0)
        *way = WAY_GRACEFUL;
    else
        return -1;
    return 0;
}

int main(int argc, char **argv)
{
    enum way way = WAY_BARE;
    unsigned long port = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    unsigned long connections = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    SOCKET listener;
    int failed;

    if (argc < 2 || argc > 4 || port > 65535UL || parse_way(argv[1], &way) != 0) {
        fprintf(stderr, "usage: early_answer bare|shutdown|graceful [port [connections]]\n");
        return EXIT_FAILURE;
    }
    if (net_start() != 0)
        return EXIT_FAILURE;
    make_file();
    listener = listen_on((unsigned int)port);
    if (listener == INVALID_SOCKET)
        return EXIT_FAILURE;
    failed = print_port(listener) != 0 || serve(listener, way, connections) != 0;
    closesocket(listener);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
