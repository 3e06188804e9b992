/*
 * example_tls_blocking.h - what the HTTPS servers that block share: one client after the
 * other, and a wait within the deadline of the close
 *
 * Include example_net.h, example_clock.h, example_tls.h and graceful_close.h before it.
 */
#ifndef EXAMPLE_TLS_BLOCKING_H
#define EXAMPLE_TLS_BLOCKING_H

#include <stdlib.h>

#define CLOSE_TIMEOUT_MS 5000U

/* The head of a request ends with an empty line. */
static int tls_is_whole_head(const char *head)
{
    return strstr(head, "\r\n\r\n") != NULL || strstr(head, "\n\n") != NULL;
}

/* So many milliseconds are left; never negative. */
static unsigned int left_until(double deadline)
{
    double left = deadline - now_ms();

    return left <= 0.0 ? 0U : (unsigned int)left;
}

/* Waits until the socket can take bytes, or the time is up. */
static void wait_writable(SOCKET sock, unsigned int ms)
{
    struct timeval time;
    fd_set set;

    FD_ZERO(&set);
#ifndef _WIN32
    if (sock >= (SOCKET)FD_SETSIZE) /* select() cannot watch it */
        return;
#endif
    FD_SET(sock, &set);
    time.tv_sec = (long)(ms / 1000U);
    time.tv_usec = (long)(ms % 1000U) * 1000L;
    select((int)sock + 1, NULL, &set, NULL, &time);
}

/* graceful|bare PORT [COUNT]: 0 if that is what was asked for, and sockets can be used. */
static int tls_begin(int argc, char **argv, const char *name)
{
    if (argc < 3 || (strcmp(argv[1], "bare") != 0 && strcmp(argv[1], "graceful") != 0)) {
        fprintf(stderr, "usage: %s graceful|bare PORT [COUNT]\n", name);
        return -1;
    }
    tls_make_answer();
    return net_start();
}

/* serve() takes one connection and returns what gc_close() said of its end. */
static int tls_serve_clients(int argc, char **argv, int (*serve)(void *user, SOCKET sock, int bare),
                             void *user)
{
    int bare = strcmp(argv[1], "bare") == 0;
    long count = argc > 3 ? atol(argv[3]) : 0, done, graceful = 0;
    SOCKET listener = tls_listen(atoi(argv[2]));

    if (listener == INVALID_SOCKET)
        return 1;
    for (done = 0; count == 0 || done < count; done++) {
        SOCKET sock = accept(listener, NULL, NULL);

        if (sock == INVALID_SOCKET) {
            net_complain("accept");
            break;
        }
        graceful += serve(user, sock, bare) == GC_GRACEFUL;
    }
    if (!bare)
        printf("%ld of %ld ended gracefully\n", graceful, done);
    closesocket(listener);
    return 0;
}

#endif
