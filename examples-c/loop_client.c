/*
 * loop_client.c - the clients that make a close difficult, for the loop_ servers
 *
 * Opens all its connections at once, sends a request with a body that the server never
 * reads, and compares each answer byte for byte. An answer must end with an end of
 * stream; a reset, or a byte that is missing or wrong, is a failure. Does not use the
 * library.
 *
 *   loop_client PORT slow|chatty|hasty [connections]
 *
 *   slow     has a small receive buffer, and takes its time
 *   chatty   goes on sending while it receives, and after it has everything
 *   hasty    as slow, but half-closes right after its request: the server's close has
 *            to wait until the answer is acknowledged, long after the client's end
 */
#include "example_net.h"

#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 16UL
#define ANSWER_SIZE (LINE_SIZE * 6400UL)
#define BODY_SIZE 20000
#define PORTION 4096
#define SMALL_BUFFER 8192
#define PAUSE_MS 20U
#define MAX_CONNECTIONS 64

enum manner { SLOW, CHATTY, HASTY };

struct connection {
    SOCKET sock;
    size_t received;
    int is_over;
};

static char answer[ANSWER_SIZE + 1];

static void make_answer(void)
{
    unsigned long line;

    for (line = 0; line < ANSWER_SIZE / LINE_SIZE; line++)
        sprintf(answer + line * LINE_SIZE, "%015lu\n", line);
}

static void pause_for(unsigned int ms)
{
#ifdef _WIN32
    Sleep(ms);
#else
    struct timeval time;

    time.tv_sec = 0;
    time.tv_usec = (long)ms * 1000L;
    select(0, NULL, NULL, NULL, &time);
#endif
}

static SOCKET connect_to(unsigned int port, enum manner manner)
{
    struct sockaddr_in address;
    int size = SMALL_BUFFER;
    SOCKET sock = socket(AF_INET, SOCK_STREAM, 0);

    if (sock == INVALID_SOCKET) {
        net_complain("socket");
        return INVALID_SOCKET;
    }
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(0x7F000001UL); /* 127.0.0.1 */
    if ((manner != CHATTY
         && setsockopt(sock, SOL_SOCKET, SO_RCVBUF, (const char *)&size, sizeof(size)) != 0)
        || connect(sock, (struct sockaddr *)&address, sizeof(address)) != 0) {
        net_complain("connect");
        closesocket(sock);
        return INVALID_SOCKET;
    }
    return sock;
}

static int send_request(SOCKET sock, enum manner manner)
{
    static char request[BODY_SIZE + 256];
    size_t size;

    sprintf(request, "POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n", BODY_SIZE);
    size = strlen(request);
    memset(request + size, 'x', BODY_SIZE);
    if (net_send_all(sock, request, size + BODY_SIZE) != 0) {
        net_complain("the request cannot be sent");
        return -1;
    }
    if (manner == HASTY && shutdown(sock, SD_SEND) != 0) {
        net_complain("shutdown");
        return -1;
    }
    return 0;
}

/* A server that is full answers some only after others have closed. */
static int is_readable(SOCKET sock)
{
    struct timeval at_once;
    fd_set set;

    at_once.tv_sec = 0;
    at_once.tv_usec = 0;
    FD_ZERO(&set);
    FD_SET(sock, &set);
    return select((int)sock + 1, &set, NULL, NULL, &at_once) != 0;
}

/* One portion. -1: it went wrong, and stderr says how. */
static int receive(struct connection *connection)
{
    char portion[PORTION];
    long got = net_recv(connection->sock, portion, sizeof(portion));

    if (got < 0) {
        net_complain("the answer cannot be read");
        return -1;
    }
    if (got == 0) {
        connection->is_over = 1;
        if (connection->received == ANSWER_SIZE)
            return 0;
        fprintf(stderr, "%lu bytes of %lu came\n", (unsigned long)connection->received,
                ANSWER_SIZE);
        return -1;
    }
    if (connection->received + (size_t)got > ANSWER_SIZE
        || memcmp(portion, answer + connection->received, (size_t)got) != 0) {
        fprintf(stderr, "wrong bytes after %lu\n", (unsigned long)connection->received);
        return -1;
    }
    connection->received += (size_t)got;
    return 0;
}

/* -1: at least one answer was not whole. */
static int talk(struct connection *connections, size_t count, enum manner manner)
{
    static const char more[PORTION] = { 0 };
    size_t left = count, i;

    while (left > 0) {
        for (i = 0; i < count; i++) {
            struct connection *one = &connections[i];

            if (one->is_over || !is_readable(one->sock))
                continue;
            if (receive(one) != 0)
                return -1;
            if (manner == CHATTY && net_send_all(one->sock, more, sizeof(more)) != 0) {
                net_complain("not everything could be said");
                return -1;
            }
            left -= one->is_over ? 1U : 0U;
            if (one->is_over && closesocket(one->sock) != 0)
                net_complain("closesocket");
        }
        pause_for(manner == CHATTY ? 1U : PAUSE_MS);
    }
    return 0;
}

static int parse_manner(const char *word, enum manner *manner)
{
    if (strcmp(word, "slow") == 0)
        *manner = SLOW;
    else if (strcmp(word, "chatty") == 0)
        *manner = CHATTY;
    else if (strcmp(word, "hasty") == 0)
        *manner = HASTY;
    else
        return -1;
    return 0;
}

int main(int argc, char **argv)
{
    static struct connection connections[MAX_CONNECTIONS];
    enum manner manner = SLOW;
    unsigned long port = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    size_t count = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 1;
    size_t i;

    if (argc < 3 || argc > 4 || port < 1 || port > 65535UL || count < 1
        || count > MAX_CONNECTIONS || parse_manner(argv[2], &manner) != 0) {
        fprintf(stderr, "usage: loop_client PORT slow|chatty|hasty [connections]\n");
        return EXIT_FAILURE;
    }
    if (net_start() != 0)
        return EXIT_FAILURE;
    make_answer();
    for (i = 0; i < count; i++) {
        connections[i].sock = connect_to((unsigned int)port, manner);
        if (connections[i].sock == INVALID_SOCKET
            || send_request(connections[i].sock, manner) != 0)
            return EXIT_FAILURE;
    }
    if (talk(connections, count, manner) != 0)
        return EXIT_FAILURE;
    printf("whole answers: %lu\n", (unsigned long)count);
    return EXIT_SUCCESS;
}
