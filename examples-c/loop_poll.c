/*
 * loop_poll.c - closing many connections at once in a poll() or WSAPoll() loop
 *
 * One thing is special about poll(): it reports the end of a stream for as long as it is
 * there, asked for or not. While gc_closing_wants_read() is 0 the socket must not stand
 * in the array at all; the time-out alone says when to step again.
 */
#include "loop_server.h"

#ifdef _WIN32
typedef WSAPOLLFD poll_entry;
#define POLL_READABLE POLLRDNORM
#define poll_wait(entries, count, ms) WSAPoll((entries), (ULONG)(count), (ms))
#else
#include <poll.h>
typedef struct pollfd poll_entry;
#define POLL_READABLE POLLIN
#define poll_wait(entries, count, ms) poll((entries), (nfds_t)(count), (ms))
#endif

/* What is waited for in this round. */
struct watch {
    poll_entry entries[MAX_CLIENTS + 1];
    struct client *who[MAX_CLIENTS + 1]; /* NULL: the listening socket */
    size_t count;
    unsigned int ms;
};

/* Nothing happens to the socket before the first step. */
static void begin_closing(struct client *client)
{
    gc_options options = GC_OPTIONS_INIT;
    int error;

    options.timeout_ms = CLOSE_TIMEOUT_MS;
    error = gc_closing_new(client->sock, &options, &client->closing);
    if (error != 0) { /* the socket is still ours */
        closesocket(client->sock);
        client_ended(client, error);
    }
}

static void step(struct client *client)
{
    int outcome = gc_closing_step(client->closing);

    if (outcome == GC_PENDING)
        return;
    if (outcome < 0) /* an error: the socket is still ours */
        closesocket(client->sock);
    gc_closing_free(client->closing);
    client_ended(client, outcome);
}

static void add(struct watch *watch, SOCKET sock, struct client *client)
{
    watch->entries[watch->count].fd = sock;
    watch->entries[watch->count].events = POLL_READABLE;
    watch->entries[watch->count].revents = 0;
    watch->who[watch->count] = client;
    watch->count++;
}

static void collect(struct watch *watch)
{
    unsigned int ms;
    size_t i;

    watch->count = 0;
    watch->ms = GC_INFINITE;
    if (server_accepts())
        add(watch, listener, NULL);
    for (i = 0; i < MAX_CLIENTS; i++) {
        if (clients[i].sock == INVALID_SOCKET)
            continue;
        if (clients[i].closing == NULL || gc_closing_wants_read(clients[i].closing))
            add(watch, clients[i].sock, &clients[i]);
        if (clients[i].closing != NULL) {
            ms = gc_closing_timeout_ms(clients[i].closing);
            watch->ms = ms < watch->ms ? ms : watch->ms;
        }
    }
}

/* -1: poll does not work. */
static int wait_for(struct watch *watch)
{
    int ms = watch->ms > 0x7FFFFFFFU ? -1 : (int)watch->ms;

#ifdef _WIN32
    if (watch->count == 0) { /* WSAPoll wants something to watch */
        Sleep(watch->ms);
        return 0;
    }
#endif
    if (poll_wait(watch->entries, watch->count, ms) >= 0)
        return 0;
    watch->count = 0;
    if (would_block()) /* a signal */
        return 0;
    net_complain("poll");
    return -1;
}

static void go_on(struct client *client)
{
    if (client->closing != NULL)
        step(client);
    else if (serve_client(client))
        begin_closing(client);
}

static void round_of(const struct watch *watch)
{
    size_t i;

    for (i = 0; i < watch->count; i++)
        if (watch->who[i] != NULL && watch->entries[i].revents != 0)
            go_on(watch->who[i]);
    for (i = 0; i < MAX_CLIENTS; i++)
        if (clients[i].closing != NULL && gc_closing_timeout_ms(clients[i].closing) == 0)
            step(&clients[i]);
    while (accept_client() != NULL)
        ;
}

int main(int argc, char **argv)
{
    struct watch watch;

    if (server_start(argc, argv) != 0)
        return EXIT_FAILURE;
    while (!server_is_done()) {
        collect(&watch);
        if (wait_for(&watch) != 0)
            break;
        round_of(&watch);
    }
    return server_end();
}
