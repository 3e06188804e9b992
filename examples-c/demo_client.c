/*
 * demo_client.c - a plain HTTP client that tells whether the whole answer came
 *
 * It sends its whole request, then reads the answer, and gives up when sending fails:
 * the way most small clients are written. It knows what early_answer sends, so it
 * notices a single missing byte.
 *
 *   demo_client PORT upload|file [requests]
 *
 *   upload   POST of 5 MB, expects a 413
 *   file     GET with a body of 20 kB, expects 1 MiB of numbered lines
 *
 * Prints how many answers were whole and the median time of a request; on stderr what
 * happened to the first answer that was not. Exits 0 only if all were whole.
 */
#include "example_net.h"

#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <time.h>
#endif

#define UPLOAD_SIZE 5000000UL
#define BODY_SIZE 20000UL
#define LINE_SIZE 16UL
#define FILE_SIZE (LINE_SIZE * 65536UL)
#define ANSWER_MAX (FILE_SIZE + 4096UL)

struct exchange {
    const char *status;       /* what the answer must begin with */
    char *file;               /* the numbered lines that it must hold */
    size_t file_size;         /* 0: any content will do */
    char *request;
    size_t request_size;
    char *answer;
    size_t answer_size;
};

static double now_ms(void)
{
#ifdef _WIN32
    LARGE_INTEGER ticks, per_second;

    QueryPerformanceFrequency(&per_second);
    QueryPerformanceCounter(&ticks);
    return 1000.0 * (double)ticks.QuadPart / (double)per_second.QuadPart;
#else
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0.0;
    return 1000.0 * (double)now.tv_sec + (double)now.tv_nsec / 1.0e6;
#endif
}

/* The same as the server's: a loss anywhere shows in the comparison. */
static void make_file(char *file)
{
    unsigned long at;

    for (at = 0; at < FILE_SIZE; at += LINE_SIZE)
        sprintf(file + at, "%015lu\n", at / LINE_SIZE);
}

static int make_exchange(struct exchange *exchange, int upload)
{
    unsigned long body_size = upload ? UPLOAD_SIZE : BODY_SIZE;

    exchange->status = upload ? "HTTP/1.1 413 " : "HTTP/1.1 200 ";
    exchange->file_size = upload ? 0 : FILE_SIZE;
    exchange->file = (char *)malloc(FILE_SIZE + 1);
    exchange->request = (char *)malloc(body_size + 256);
    exchange->answer = (char *)malloc(ANSWER_MAX + 1);
    if (exchange->file == NULL || exchange->request == NULL || exchange->answer == NULL) {
        fprintf(stderr, "no memory for a request of %lu bytes\n", body_size);
        return -1;
    }
    make_file(exchange->file);
    sprintf(exchange->request,
            "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: %lu\r\n\r\n",
            upload ? "POST /upload" : "GET /file", body_size);
    exchange->request_size = strlen(exchange->request);
    memset(exchange->request + exchange->request_size, 'x', body_size);
    exchange->request_size += body_size;
    return 0;
}

static SOCKET connect_to(unsigned int port)
{
    struct sockaddr_in address;
    SOCKET sock = socket(AF_INET, SOCK_STREAM, 0);

    if (sock == INVALID_SOCKET) {
        net_complain("socket");
        return INVALID_SOCKET;
    }
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(0x7F000001UL); /* 127.0.0.1 */
    if (connect(sock, (struct sockaddr *)&address, sizeof(address)) != 0) {
        net_complain("connect");
        closesocket(sock);
        return INVALID_SOCKET;
    }
    return sock;
}

/* How large the answer says it is, header included; 0 while the header is not complete. */
static size_t announced_size(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *length = strstr(answer, "\r\nContent-Length: ");

    if (end == NULL || length == NULL || length > end)
        return 0;
    return (size_t)(end + 4 - answer) + (size_t)strtoul(length + 18, NULL, 10);
}

/* Reads until the announced size, the end, or an error. 0 unless it was an error. */
static int read_answer(SOCKET sock, struct exchange *exchange)
{
    size_t expected = 0;

    exchange->answer_size = 0;
    exchange->answer[0] = '\0';
    while (exchange->answer_size < ANSWER_MAX) {
        long got = net_recv(sock, exchange->answer + exchange->answer_size,
                            ANSWER_MAX - exchange->answer_size);
        if (got < 0)
            return -1;
        if (got == 0)
            return 0;
        exchange->answer_size += (size_t)got;
        exchange->answer[exchange->answer_size] = '\0';
        if (expected == 0)
            expected = announced_size(exchange->answer);
        if (expected != 0 && exchange->answer_size >= expected)
            return 0;
    }
    return 0;
}

static int is_whole(const struct exchange *exchange)
{
    size_t size = announced_size(exchange->answer);
    const char *body = strstr(exchange->answer, "\r\n\r\n");

    if (size == 0 || body == NULL || exchange->answer_size != size)
        return 0;
    if (strncmp(exchange->answer, exchange->status, strlen(exchange->status)) != 0)
        return 0;
    if (exchange->file_size == 0)
        return 1;
    body += 4;
    return size - (size_t)(body - exchange->answer) == exchange->file_size
           && memcmp(body, exchange->file, exchange->file_size) == 0;
}

/* 1: the answer came whole. 0: it did not; the first time, `explain` says on stderr why. */
static int exchange_on(SOCKET sock, struct exchange *exchange, int explain)
{
    if (net_send_all(sock, exchange->request, exchange->request_size) != 0) {
        if (explain)
            net_complain("not whole: the request cannot be sent");
        return 0;
    }
    if (read_answer(sock, exchange) != 0 && explain)
        net_complain("the answer cannot be read");
    if (is_whole(exchange))
        return 1;
    if (explain)
        fprintf(stderr, "not whole: %lu bytes of %lu came\n", (unsigned long)exchange->answer_size,
                (unsigned long)announced_size(exchange->answer));
    return 0;
}

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

/* How many answers came whole; fills in how long each request took. -1: no connection */
static long run(struct exchange *exchange, unsigned int port, size_t requests, double *times)
{
    long whole = 0;
    size_t i;

    for (i = 0; i < requests; i++) {
        double start = now_ms();
        SOCKET sock = connect_to(port);

        if (sock == INVALID_SOCKET)
            return -1;
        whole += exchange_on(sock, exchange, whole == (long)i);
        if (closesocket(sock) != 0)
            net_complain("closesocket");
        times[i] = now_ms() - start;
    }
    return whole;
}

int main(int argc, char **argv)
{
    struct exchange exchange;
    unsigned long port = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    size_t requests = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 1;
    int upload = argc > 2 && strcmp(argv[2], "upload") == 0;
    double *times;
    long whole;

    if (argc < 3 || port < 1 || port > 65535UL || requests < 1
        || (!upload && strcmp(argv[2], "file") != 0)) {
        fprintf(stderr, "usage: demo_client PORT upload|file [requests]\n");
        return EXIT_FAILURE;
    }
    if (net_start() != 0 || make_exchange(&exchange, upload) != 0)
        return EXIT_FAILURE;
    times = (double *)malloc(requests * sizeof(*times));
    if (times == NULL) {
        fprintf(stderr, "no memory for %lu times\n", (unsigned long)requests);
        return EXIT_FAILURE;
    }
    whole = run(&exchange, (unsigned int)port, requests, times);
    if (whole >= 0) {
        qsort(times, requests, sizeof(*times), by_size);
        printf("whole %ld of %lu, median %.2f ms\n", whole, (unsigned long)requests,
               times[requests / 2]);
    }
    free(times);
    free(exchange.file);
    free(exchange.request);
    free(exchange.answer);
    return whole == (long)requests ? EXIT_SUCCESS : EXIT_FAILURE;
}
