/*
 * loop_wsaeventselect.c - closing many connections at once with WSAEventSelect (Windows)
 *
 * Each socket has an event; the program waits for all of them and for the shortest
 * gc_closing_timeout_ms(). The selection that the program has made stays in force until
 * the socket is closed. FD_CLOSE is signalled once: it is no proof that everything has
 * been read, so what it leads to is a step and not a closesocket().
 */
#include "loop_server.h"

/* One per place; the last is the listening socket's. */
static WSAEVENT events[MAX_CLIENTS + 1];

static void end_client(struct client *client, int outcome)
{
    if (outcome < 0) /* an error: the socket is still ours */
        closesocket(client->sock);
    WSAResetEvent(events[client - clients]);
    client_ended(client, outcome);
}

static void step(struct client *client)
{
    int outcome = gc_closing_step(client->closing);

    if (outcome == GC_PENDING)
        return;
    gc_closing_free(client->closing);
    end_client(client, outcome);
}

static void begin_closing(struct client *client)
{
    gc_options options = GC_OPTIONS_INIT;
    int error;

    options.timeout_ms = CLOSE_TIMEOUT_MS;
    error = gc_closing_new(client->sock, &options, &client->closing);
    if (error == 0)
        step(client);
    else
        end_client(client, error);
}

static void go_on(struct client *client)
{
    if (client->closing != NULL)
        step(client);
    else if (serve_client(client))
        begin_closing(client);
}

/* Whether something has happened to a socket; resets its event. */
static int has_news(SOCKET sock, WSAEVENT event)
{
    WSANETWORKEVENTS news;

    if (WSAEnumNetworkEvents(sock, event, &news) != 0) {
        net_complain("WSAEnumNetworkEvents");
        return 0;
    }
    return news.lNetworkEvents != 0;
}

static DWORD patience(void)
{
    unsigned int least = GC_INFINITE, ms;
    size_t i;

    for (i = 0; i < MAX_CLIENTS; i++)
        if (clients[i].closing != NULL) {
            ms = gc_closing_timeout_ms(clients[i].closing);
            least = ms < least ? ms : least;
        }
    return least; /* GC_INFINITE is WSA_INFINITE */
}

static void accept_all(void)
{
    struct client *client;

    while ((client = accept_client()) != NULL) {
        if (WSAEventSelect(client->sock, events[client - clients], FD_READ | FD_CLOSE) == 0)
            continue;
        net_complain("WSAEventSelect");
        end_client(client, GC_ERR_SYSTEM);
    }
}

static int run(void)
{
    size_t i;

    if (WSAWaitForMultipleEvents(MAX_CLIENTS + 1, events, FALSE, patience(), FALSE)
        == WSA_WAIT_FAILED) {
        net_complain("WSAWaitForMultipleEvents");
        return -1;
    }
    for (i = 0; i < MAX_CLIENTS; i++) {
        struct client *client = &clients[i];

        if (client->sock == INVALID_SOCKET)
            continue;
        if (has_news(client->sock, events[i]))
            go_on(client);
        else if (client->closing != NULL && gc_closing_timeout_ms(client->closing) == 0)
            step(client);
    }
    has_news(listener, events[MAX_CLIENTS]);
    accept_all(); /* also when a place has become free */
    return 0;
}

int main(int argc, char **argv)
{
    size_t i;

    if (server_start(argc, argv) != 0)
        return EXIT_FAILURE;
    for (i = 0; i <= MAX_CLIENTS; i++) {
        events[i] = WSACreateEvent();
        if (events[i] == WSA_INVALID_EVENT) {
            net_complain("WSACreateEvent");
            return EXIT_FAILURE;
        }
    }
    if (WSAEventSelect(listener, events[MAX_CLIENTS], FD_ACCEPT) != 0) {
        net_complain("WSAEventSelect");
        return EXIT_FAILURE;
    }
    while (!server_is_done() && run() == 0)
        ;
    for (i = 0; i <= MAX_CLIENTS; i++)
        WSACloseEvent(events[i]);
    return server_end();
}
