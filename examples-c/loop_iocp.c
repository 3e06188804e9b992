/*
 * loop_iocp.c - closing many connections at once on a completion port (Windows)
 *
 * The server keeps one overlapped receive pending on each connection, as such servers do,
 * also while it closes: there is no need to cancel anything. What the client still sends
 * completes that receive, is thrown away, and leads to a step; the client's end completes
 * it with 0 bytes. Nothing of the library comes out of the port. The first step is posted
 * to the port by the program itself, and the time-out of GetQueuedCompletionStatus is the
 * shortest gc_closing_timeout_ms().
 *
 * Memory that the system writes to belongs to it until the completion is there, also after
 * the close: a place becomes free only then. A server with overlapped sends pending needs
 * no change; the half-close queues up behind them. It must not take their memory back
 * before they complete either.
 */
#define LOOP_OVERLAPPED
#include "loop_server.h"

#include <mswsock.h>

#define ADDRESS_ROOM (sizeof(struct sockaddr_in) + 16)

/* What AcceptEx and WSARecv write to; a receive for each place in clients[]. */
struct receive {
    WSAOVERLAPPED overlapped;
    int is_pending;
    int outcome;            /* GC_PENDING until the connection is closed */
    char data[REQUEST_SIZE / 2];
};

static struct receive receives[MAX_CLIENTS];
static HANDLE port;
static LPFN_ACCEPTEX accept_ex;
static WSAOVERLAPPED accept_overlapped;
static char accept_addresses[2 * ADDRESS_ROOM];
static SOCKET accept_sock = INVALID_SOCKET; /* INVALID_SOCKET: none is pending */

static struct receive *receive_of(const struct client *client)
{
    return &receives[client - clients];
}

/* The place becomes free once the system has let go of its memory. */
static void end_client(struct client *client, int outcome)
{
    struct receive *receive = receive_of(client);

    receive->outcome = outcome;
    if (!receive->is_pending)
        client_ended(client, outcome);
}

static void step(struct client *client)
{
    int outcome = gc_closing_step(client->closing);

    if (outcome == GC_PENDING)
        return;
    if (outcome < 0) /* an error: the socket is still ours */
        closesocket(client->sock);
    gc_closing_free(client->closing);
    client->closing = NULL;
    end_client(client, outcome);
}

static void begin_closing(struct client *client)
{
    gc_options options = GC_OPTIONS_INIT;
    int error;

    options.timeout_ms = CLOSE_TIMEOUT_MS;
    error = gc_closing_new(client->sock, &options, &client->closing);
    if (error != 0) {
        closesocket(client->sock);
        end_client(client, error);
    } else if (!PostQueuedCompletionStatus(port, 0, (ULONG_PTR)client, NULL)) {
        step(client); /* cannot be posted, then here and now */
    }
}

static void receive_more(struct client *client)
{
    struct receive *receive = receive_of(client);
    WSABUF buffer;
    DWORD flags = 0;

    buffer.buf = receive->data;
    buffer.len = (ULONG)sizeof(receive->data);
    memset(&receive->overlapped, 0, sizeof(receive->overlapped));
    receive->is_pending = 1;
    if (WSARecv(client->sock, &buffer, 1, NULL, &flags, &receive->overlapped, NULL) != 0
        && WSAGetLastError() != WSA_IO_PENDING)
        receive->is_pending = 0; /* nothing will complete */
}

/* Before more is received the program keeps what has come; afterwards it closes, if the
   request is complete, and does so with that receive pending. */
static void serve(struct client *client, DWORD bytes)
{
    size_t room = REQUEST_SIZE - 1 - client->request_size;
    size_t taken = bytes < room ? bytes : room;

    memcpy(client->request + client->request_size, receive_of(client)->data, taken);
    if (bytes > 0)
        receive_more(client);
    if (request_grew(client, taken) || !receive_of(client)->is_pending)
        begin_closing(client);
}

/* bytes is 0 at the end of the stream, and when the receive has failed. */
static void on_received(struct client *client, DWORD bytes)
{
    struct receive *receive = receive_of(client);

    receive->is_pending = 0;
    if (receive->outcome != GC_PENDING) {
        client_ended(client, receive->outcome);
        return;
    }
    if (client->closing == NULL) {
        serve(client, bytes);
        return;
    }
    step(client);
    if (client->closing != NULL && bytes > 0)
        receive_more(client);
}

static void accept_next(void)
{
    DWORD unused;

    if (accept_sock != INVALID_SOCKET || !server_accepts())
        return;
    accept_sock = socket(AF_INET, SOCK_STREAM, 0);
    memset(&accept_overlapped, 0, sizeof(accept_overlapped));
    if (accept_sock != INVALID_SOCKET
        && (accept_ex(listener, accept_sock, accept_addresses, 0, ADDRESS_ROOM, ADDRESS_ROOM,
                      &unused, &accept_overlapped)
            || WSAGetLastError() == WSA_IO_PENDING))
        return;
    net_complain("AcceptEx");
    exit(EXIT_FAILURE);
}

static void on_accepted(int is_connected)
{
    SOCKET sock = accept_sock;
    struct client *client;

    accept_sock = INVALID_SOCKET;
    if (!is_connected) { /* it came and went */
        closesocket(sock);
        return;
    }
    if (setsockopt(sock, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener,
                   sizeof(listener)) != 0)
        net_complain("SO_UPDATE_ACCEPT_CONTEXT");
    client = take_client(sock);
    receive_of(client)->outcome = GC_PENDING;
    receive_of(client)->is_pending = 0;
    if (CreateIoCompletionPort((HANDLE)sock, port, (ULONG_PTR)client, 0) == NULL)
        net_complain("CreateIoCompletionPort");
    else
        receive_more(client);
    if (!receive_of(client)->is_pending)
        begin_closing(client);
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
    return least; /* GC_INFINITE is INFINITE */
}

static int run(void)
{
    OVERLAPPED *overlapped = NULL;
    ULONG_PTR key = 0;
    DWORD bytes = 0;
    int is_good = GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, patience());
    struct client *client = (struct client *)key;
    size_t i;

    if (!is_good && overlapped == NULL && GetLastError() != WAIT_TIMEOUT) {
        net_complain("GetQueuedCompletionStatus");
        return -1;
    }
    if (overlapped == &accept_overlapped)
        on_accepted(is_good);
    else if (overlapped != NULL)
        on_received(client, is_good ? bytes : 0);
    else if (is_good && client->closing != NULL) /* posted by ourselves */
        step(client);
    for (i = 0; i < MAX_CLIENTS; i++)
        if (clients[i].closing != NULL && gc_closing_timeout_ms(clients[i].closing) == 0)
            step(&clients[i]);
    accept_next();
    return 0;
}

static int make_port(void)
{
    GUID guid = WSAID_ACCEPTEX;
    DWORD unused;

    port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    if (port == NULL || CreateIoCompletionPort((HANDLE)listener, port, 0, 0) == NULL
        || WSAIoctl(listener, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof(guid), &accept_ex,
                    sizeof(accept_ex), &unused, NULL, NULL) != 0) {
        net_complain("the completion port cannot be made");
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (server_start(argc, argv) != 0 || make_port() != 0)
        return EXIT_FAILURE;
    accept_next();
    while (!server_is_done() && run() == 0)
        ;
    CloseHandle(port);
    return server_end();
}
