/*
 * peers_thread.c - a thread per close, with the smallest stack there is.
 */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "background.h"

struct order {
    int fd;
    unsigned timeout_ms;
    long id;
};

static pthread_attr_t small;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *close_one(void *argument)
{
    struct order order = *(struct order *)argument;
    char scratch[4096];
    free(argument);
    int64_t deadline = now_ms() + 1 + order.timeout_ms, left;
    shutdown(order.fd, SHUT_WR);
    while ((left = deadline - now_ms()) > 0) {
        struct pollfd p = {order.fd, POLLIN, 0};
        if (poll(&p, 1, (int)left) == 1 && recv(order.fd, scratch, sizeof scratch, MSG_DONTWAIT) <= 0)
            break;
    }
    close(order.fd);
    background_done(order.id);
    return NULL;
}

static void start(void)
{
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 16384);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
}

static void hand_over(int fd, unsigned timeout_ms, long id)
{
    pthread_t thread;
    struct order *order = malloc(sizeof *order);
    if (!order)
        abort();
    *order = (struct order){fd, timeout_ms, id};
    if (pthread_create(&thread, &small, close_one, order)) {
        perror("bench: pthread_create");
        exit(1);
    }
}

const struct background by_thread = {"a thread per close", start, hand_over};
