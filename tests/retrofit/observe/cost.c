/* How long a close takes: the median of many, in nanoseconds, and that of one call of getsockopt(), as a
 * measure of the machine. The close is five functions deep, and the connection as after a request that
 * was read and an answer that has arrived.
 * usage: cost COUNT */
#include "site.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

SITE_OF(innermost, close(fd))
SITE_OF(inner, innermost(fd))
SITE_OF(middle, inner(fd))
SITE_OF(outer, middle(fd))
SITE_OF(outermost, outer(fd))

APART int one_question(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
}

static long took(int (*call)(int), int fd)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    call(fd);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec - begin.tv_nsec;
}

static int less(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int at, count = argc > 1 ? atoi(argv[1]) : 10000;
    long *closes = calloc(count, sizeof *closes), *questions = calloc(count, sizeof *questions);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 8);
    getsockname(listener, (struct sockaddr *)&address, &size);
    for (at = 0; at < count; at++) {
        char byte = 0;
        int server, client = socket(AF_INET, SOCK_STREAM, 0);
        struct linger reset = {1, 0};
        if (connect(client, (struct sockaddr *)&address, size) != 0)
            return 2;
        server = accept(listener, NULL, NULL);
        if (write(client, &byte, 1) + read(server, &byte, 1) + write(server, &byte, 1) + read(client, &byte, 1) != 4)
            return 3;
        questions[at] = took(one_question, server);
        closes[at] = took(outermost, server);
        /* no TIME_WAIT for each of them */
        setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(client);
    }
    qsort(closes, count, sizeof *closes, less);
    qsort(questions, count, sizeof *questions, less);
    printf("%ld %ld\n", closes[count / 2], questions[count / 2]);
    return 0;
}
