/*
 * loop_libuv.c - closing many connections at once in a libuv loop
 *
 * A closing needs what every loop library has: a watcher for readability (uv_poll_t) and
 * a timer (uv_timer_t). libuv must not watch a descriptor that is being closed, and the
 * step that ends a close is the one that closes it: so the watcher is stopped before each
 * step and started again after it, if gc_closing_wants_read() says so.
 *
 *   cc -I INCLUDE loop_libuv.c LIB/libgraceful_close.a -luv -lpthread -ldl
 */
#include "loop_server.h"

#include <uv.h>

/* The handles that belong to a place in clients[]. */
struct handles {
    struct client *client;
    uv_poll_t poll;
    uv_timer_t timer;
    int open;               /* handles that libuv has not let go of */
    int outcome;
};

static struct handles handles[MAX_CLIENTS];
static uv_poll_t accept_poll;

static void on_news(uv_poll_t *poll, int status, int events);
static void on_timer(uv_timer_t *timer);
static void watch_listener(void);

static void complain(const char *what, int error)
{
    if (error != 0)
        fprintf(stderr, "%s: %s\n", what, uv_strerror(error));
}

/* The place becomes free once libuv has let go of both handles. */
static void on_let_go(uv_handle_t *handle)
{
    struct handles *mine = (struct handles *)handle->data;

    mine->open--;
    if (mine->open > 0)
        return;
    client_ended(mine->client, mine->outcome);
    watch_listener();
}

static void end_client(struct handles *mine, int outcome)
{
    if (outcome < 0) /* an error: the socket is still ours */
        closesocket(mine->client->sock);
    mine->outcome = outcome;
    uv_close((uv_handle_t *)&mine->poll, on_let_go);
    uv_close((uv_handle_t *)&mine->timer, on_let_go);
}

static void step(struct handles *mine)
{
    gc_closing *closing = mine->client->closing;
    unsigned int ms;
    int outcome;

    uv_poll_stop(&mine->poll);
    outcome = gc_closing_step(closing);
    if (outcome != GC_PENDING) {
        gc_closing_free(closing);
        mine->client->closing = NULL;
        end_client(mine, outcome);
        return;
    }
    if (gc_closing_wants_read(closing))
        complain("uv_poll_start", uv_poll_start(&mine->poll, UV_READABLE, on_news));
    ms = gc_closing_timeout_ms(closing);
    if (ms == GC_INFINITE)
        uv_timer_stop(&mine->timer);
    else
        complain("uv_timer_start", uv_timer_start(&mine->timer, on_timer, ms, 0));
}

static void begin_closing(struct handles *mine)
{
    gc_options options = GC_OPTIONS_INIT;
    int error;

    options.timeout_ms = CLOSE_TIMEOUT_MS;
    error = gc_closing_new(mine->client->sock, &options, &mine->client->closing);
    if (error == 0) {
        step(mine);
    } else {
        uv_poll_stop(&mine->poll);
        end_client(mine, error);
    }
}

static void on_timer(uv_timer_t *timer)
{
    step((struct handles *)timer->data);
}

/* An error is told by the socket itself: whatever it is, go on. */
static void on_news(uv_poll_t *poll, int status, int events)
{
    struct handles *mine = (struct handles *)poll->data;

    (void)status;
    (void)events;
    if (mine->client->closing != NULL)
        step(mine);
    else if (serve_client(mine->client))
        begin_closing(mine);
}

static void watch_client(struct client *client)
{
    struct handles *mine = &handles[client - clients];
    int error = uv_poll_init_socket(accept_poll.loop, &mine->poll, client->sock);

    mine->client = client;
    if (error != 0) {
        complain("uv_poll_init_socket", error);
        closesocket(client->sock);
        client_ended(client, GC_ERR_RESOURCES);
        return;
    }
    complain("uv_timer_init", uv_timer_init(accept_poll.loop, &mine->timer));
    mine->poll.data = mine->timer.data = mine;
    mine->open = 2;
    complain("uv_poll_start", uv_poll_start(&mine->poll, UV_READABLE, on_news));
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct client *client;

    (void)poll;
    (void)status;
    (void)events;
    while ((client = accept_client()) != NULL)
        watch_client(client);
    watch_listener();
}

/* With nothing to watch the loop ends: that is how the program does. */
static void watch_listener(void)
{
    if (server_accepts())
        complain("uv_poll_start", uv_poll_start(&accept_poll, UV_READABLE, on_connection));
    else
        uv_poll_stop(&accept_poll);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    int error;

    if (server_start(argc, argv) != 0)
        return EXIT_FAILURE;
    error = uv_poll_init_socket(loop, &accept_poll, listener);
    if (error != 0) {
        complain("uv_poll_init_socket", error);
        return EXIT_FAILURE;
    }
    watch_listener();
    uv_run(loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&accept_poll, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    return server_end();
}
