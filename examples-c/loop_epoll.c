/*
 * loop_epoll.c - closing many connections at once in an edge-triggered epoll loop (Linux)
 *
 * Each socket is registered once, when it is accepted, and never touched again: the
 * close of the library takes it out of the epoll set, as any close does. An edge does
 * not come twice, so the first step follows at once upon gc_closing_new(): what arrived
 * before is told to nobody any more. In return gc_closing_wants_read() need not be asked
 * here, because an edge does not spin; and the last acknowledgement is an edge, too, so
 * that a close ends the moment it comes.
 */
#include "loop_server.h"

#include <sys/epoll.h>

#define MAX_EVENTS 16

/* 0, or -1 and the reason is in errno */
static int watch(int poller, SOCKET sock, unsigned int events, struct client *client)
{
    struct epoll_event event;

    memset(&event, 0, sizeof(event));
    event.events = events;
    event.data.ptr = client;
    return epoll_ctl(poller, EPOLL_CTL_ADD, sock, &event);
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

static void begin_closing(struct client *client)
{
    gc_options options = GC_OPTIONS_INIT;
    int error;

    options.timeout_ms = CLOSE_TIMEOUT_MS;
    error = gc_closing_new(client->sock, &options, &client->closing);
    if (error == 0) {
        step(client);
    } else { /* the socket is still ours */
        closesocket(client->sock);
        client_ended(client, error);
    }
}

/* Reads as long as there is something: the next edge tells only of what is new. */
static void serve(struct client *client)
{
    size_t before;

    do {
        before = client->request_size;
        if (serve_client(client)) {
            begin_closing(client);
            return;
        }
    } while (client->request_size != before);
}

static void accept_all(int poller)
{
    struct client *client;

    while ((client = accept_client()) != NULL) {
        if (watch(poller, client->sock, EPOLLIN | EPOLLRDHUP | EPOLLET, client) == 0)
            continue;
        net_complain("epoll_ctl");
        closesocket(client->sock);
        client_ended(client, GC_ERR_SYSTEM);
    }
}

/* Milliseconds for epoll_wait; -1: no end. */
static int patience(void)
{
    unsigned int least = GC_INFINITE, ms;
    size_t i;

    for (i = 0; i < MAX_CLIENTS; i++)
        if (clients[i].closing != NULL) {
            ms = gc_closing_timeout_ms(clients[i].closing);
            least = ms < least ? ms : least;
        }
    return least > 0x7FFFFFFFU ? -1 : (int)least;
}

static int run(int poller)
{
    struct epoll_event events[MAX_EVENTS];
    int count = epoll_wait(poller, events, MAX_EVENTS, patience());
    int i;

    if (count < 0 && errno != EINTR) {
        net_complain("epoll_wait");
        return -1;
    }
    for (i = 0; i < count; i++) {
        struct client *client = (struct client *)events[i].data.ptr;

        if (client == NULL) /* the listening socket */
            continue;
        if (client->closing != NULL)
            step(client);
        else
            serve(client);
    }
    for (i = 0; i < MAX_CLIENTS; i++)
        if (clients[i].closing != NULL && gc_closing_timeout_ms(clients[i].closing) == 0)
            step(&clients[i]);
    accept_all(poller); /* also when a place has become free */
    return 0;
}

int main(int argc, char **argv)
{
    int poller = epoll_create(1);

    if (poller < 0) {
        net_complain("epoll_create");
        return EXIT_FAILURE;
    }
    if (server_start(argc, argv) != 0)
        return EXIT_FAILURE;
    if (watch(poller, listener, EPOLLIN | EPOLLET, NULL) != 0) {
        net_complain("epoll_ctl");
        return EXIT_FAILURE;
    }
    while (!server_is_done() && run(poller) == 0)
        ;
    close(poller);
    return server_end();
}
