/*
 * peers_libuv.c - closing in the background as one writes it with libuv: a loop in a thread, a queue with a
 * mutex and uv_async_send, and for each connection a uv_tcp_t, a uv_shutdown_t and a uv_timer_t.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "background.h"

struct closing {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_shutdown_t shutdown;
    long id;
    int handles;
};

struct order {
    int fd;
    unsigned timeout_ms;
    long id;
};

static uv_loop_t loop;
static uv_async_t bell;
static uv_mutex_t lock;
static struct order *queue, *taken;
static size_t count, room, taken_room;
static char scratch[65536];

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "bench: %s: %s\n", what, uv_strerror(result));
        exit(1);
    }
}

static void closed(uv_handle_t *handle)
{
    struct closing *c = handle->data;
    if (--c->handles == 0) {
        long id = c->id;
        free(c);
        background_done(id);
    }
}

static void finish(struct closing *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) {
        uv_close((uv_handle_t *)&c->tcp, closed);
        uv_close((uv_handle_t *)&c->timer, closed);
    }
}

static void time_up(uv_timer_t *timer) { finish(timer->data); }

static void half_closed(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;
}

static void give_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    (void)handle;
    (void)wanted;
    *buffer = uv_buf_init(scratch, sizeof scratch);
}

static void has_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    (void)buffer;
    if (n < 0)
        finish(stream->data);
}

static void begin(const struct order *order)
{
    struct closing *c = malloc(sizeof *c);
    if (!c)
        abort();
    c->id = order->id;
    c->handles = 2;
    check(uv_tcp_init(&loop, &c->tcp), "uv_tcp_init");
    check(uv_timer_init(&loop, &c->timer), "uv_timer_init");
    c->tcp.data = c->timer.data = c;
    check(uv_tcp_open(&c->tcp, order->fd), "uv_tcp_open");
    check(uv_timer_start(&c->timer, time_up, order->timeout_ms, 0), "uv_timer_start");
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, half_closed) != 0)
        finish(c);
    else
        check(uv_read_start((uv_stream_t *)&c->tcp, give_buffer, has_read), "uv_read_start");
}

static void rung(uv_async_t *async)
{
    (void)async;
    uv_mutex_lock(&lock);
    struct order *orders = queue;
    size_t n = count, swap = room;
    queue = taken, room = taken_room, count = 0;
    taken = orders, taken_room = swap;
    uv_mutex_unlock(&lock);
    for (size_t i = 0; i < n; i++)
        begin(&orders[i]);
}

static void *thread_main(void *unused)
{
    (void)unused;
    uv_run(&loop, UV_RUN_DEFAULT);
    return NULL;
}

static void start(void)
{
    pthread_t thread;
    check(uv_loop_init(&loop), "uv_loop_init");
    check(uv_mutex_init(&lock), "uv_mutex_init");
    check(uv_async_init(&loop, &bell, rung), "uv_async_init");
    if (pthread_create(&thread, NULL, thread_main, NULL))
        abort();
}

static void hand_over(int fd, unsigned timeout_ms, long id)
{
    uv_mutex_lock(&lock);
    if (count == room) {
        room = room ? 2 * room : 64;
        queue = realloc(queue, room * sizeof *queue);
        if (!queue)
            abort();
    }
    queue[count++] = (struct order){fd, timeout_ms, id};
    uv_mutex_unlock(&lock);
    uv_async_send(&bell);
}

const struct background by_libuv = {"libuv", start, hand_over};
