/*
 * A connection whose descriptor belongs to an object of another library. The peer sends what
 * nobody reads, so that the object's own close would reset it; after gc_finish() that close
 * must lose nothing.
 */
#ifndef OWNER_H
#define OWNER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "graceful_close.h"

#define OWNER_UNREAD 20000
#define OWNER_ANSWER 2000000

#define OWNER_CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
            exit(1); \
        } \
    while (0)

static struct sockaddr_in owner_address;
static size_t owner_received;
static int owner_error;
static char owner_answer[OWNER_ANSWER];

static void *owner_peer(void *unused)
{
    static char data[65536];
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    ssize_t got;

    (void)unused;
    OWNER_CHECK(connect(sock, (struct sockaddr *)&owner_address, sizeof(owner_address)) == 0);
    OWNER_CHECK(send(sock, data, OWNER_UNREAD, MSG_NOSIGNAL) == OWNER_UNREAD);
    while ((got = recv(sock, data, sizeof(data), 0)) > 0) {
        owner_received += (size_t)got;
        usleep(200);
    }
    owner_error = got < 0 ? errno : 0;
    close(sock);
    return NULL;
}

/* The descriptor for the object; the peer is on its way. */
static int owner_accept(pthread_t *peer)
{
    socklen_t size = sizeof(owner_address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), sock;

    owner_address.sin_family = AF_INET;
    owner_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    OWNER_CHECK(listener >= 0);
    OWNER_CHECK(bind(listener, (struct sockaddr *)&owner_address, size) == 0);
    OWNER_CHECK(listen(listener, 1) == 0);
    OWNER_CHECK(getsockname(listener, (struct sockaddr *)&owner_address, &size) == 0);
    OWNER_CHECK(pthread_create(peer, NULL, owner_peer, NULL) == 0);
    sock = accept(listener, NULL, NULL);
    OWNER_CHECK(sock >= 0);
    close(listener);
    return sock;
}

/* The connection is finished, the descriptor is not closed. */
static void owner_finish(int sock)
{
    int outcome = gc_finish(sock, 20000);

    if (outcome != GC_GRACEFUL)
        fprintf(stderr, "%s\n", gc_outcome_name(outcome));
    OWNER_CHECK(outcome == GC_GRACEFUL);
    OWNER_CHECK(fcntl(sock, F_GETFD) >= 0);
}

/* After the object's own close. */
static void owner_check(pthread_t peer, int sock)
{
    OWNER_CHECK(fcntl(sock, F_GETFD) < 0 && errno == EBADF);
    OWNER_CHECK(pthread_join(peer, NULL) == 0);
    printf("the peer received %lu bytes, error %d\n", (unsigned long)owner_received, owner_error);
    OWNER_CHECK(owner_received == OWNER_ANSWER && owner_error == 0);
}

#endif
