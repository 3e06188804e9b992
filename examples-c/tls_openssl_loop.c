/*
 * tls_openssl_loop.c - the server of tls_openssl.c in one poll() or WSAPoll() loop
 *
 * Every connection is in one of five states, and in each of them the loop waits for what
 * OpenSSL or gc_closing asks for:
 *
 *     handshake -> request -> answer -> close_notify -> closing
 *
 * The deadline of the end counts from close_notify on, so that a client whose window is
 * full can hold neither of the last two for longer. gc_closing gets what is left of it.
 *
 *     tls_openssl_loop graceful|bare PORT [COUNT]     PORT 0: any, it is printed
 *
 * Ends after COUNT connections and prints how they ended. Needs OpenSSL 1.1.1 or newer.
 */
#include "example_net.h"
#include "example_clock.h"
#include "example_tls.h"
#include "example_openssl.h"
#include "graceful_close.h"
#include <stdlib.h>

#ifdef _WIN32
typedef WSAPOLLFD poll_entry;
#define poll_wait(entries, count, ms) WSAPoll((entries), (ULONG)(count), (ms))
#else
#include <poll.h>
typedef struct pollfd poll_entry;
#define poll_wait(entries, count, ms) poll((entries), (nfds_t)(count), (ms))
#endif

#define MAX_CLIENTS 100
#define CLOSE_TIMEOUT_MS 5000.0
#define REQUEST_TIMEOUT_MS 10000.0

enum state { UNUSED, HANDSHAKE, REQUEST, ANSWER, NOTIFY, CLOSING };

struct client {
    enum state state;
    SOCKET sock;
    SSL *ssl;
    gc_closing *closing;
    char head[2048];
    size_t head_size, sent;
    short events;    /* what to wait for */
    double deadline; /* of the request, later of the end */
};

static struct client clients[MAX_CLIENTS];
static int is_bare;
static long done, done_gracefully;

static void ended(struct client *client, int outcome)
{
    done_gracefully += outcome == GC_GRACEFUL;
    done++;
    client->state = UNUSED;
}

/* TLS is over: the bare socket goes to gc_closing, with the time that is left. */
static void begin_closing(struct client *client)
{
    gc_options options = GC_OPTIONS_INIT;
    double left = client->deadline - now_ms();
    int error;

    SSL_free(client->ssl); /* leaves the socket open */
    client->ssl = NULL;
    options.timeout_ms = left > 0.0 ? (unsigned int)left : 0U;
    error = gc_closing_new(client->sock, &options, &client->closing);
    if (error != 0) { /* the socket is still ours */
        net_complain("gc_closing_new");
        closesocket(client->sock);
        ended(client, error);
        return;
    }
    client->state = CLOSING;
}

static void step_closing(struct client *client)
{
    int outcome = gc_closing_step(client->closing);

    if (outcome == GC_PENDING)
        return;
    if (outcome < 0 && outcome != GC_ERR_NOT_A_SOCKET) /* an error: the socket is still ours */
        closesocket(client->sock);
    gc_closing_free(client->closing);
    ended(client, outcome);
}

/* The answer is sent, or there is none to be sent. */
static void begin_end(struct client *client)
{
    if (is_bare) {
        SSL_shutdown(client->ssl);
        SSL_free(client->ssl);
        closesocket(client->sock);
        ended(client, GC_GRACEFUL); /* nobody can tell */
        return;
    }
    client->deadline = now_ms() + CLOSE_TIMEOUT_MS;
    client->state = NOTIFY;
    client->events = POLLOUT;
}

/* What SSL_accept(), SSL_read() or SSL_write() has to wait for. 0: it has failed. */
static int waits_for(struct client *client, int result)
{
    switch (SSL_get_error(client->ssl, result)) {
    case SSL_ERROR_WANT_READ: client->events = POLLIN; return 1;
    case SSL_ERROR_WANT_WRITE: client->events = POLLOUT; return 1;
    default: break;
    }
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST)
        net_send_all(client->sock, tls_plain, sizeof(tls_plain) - 1);
    ERR_clear_error();
    return 0;
}

static int accept_tls(struct client *client)
{
    int result = SSL_accept(client->ssl);

    if (result != 1)
        return result;
    client->state = REQUEST;
    return 1;
}

static int read_head(struct client *client)
{
    size_t room = sizeof(client->head) - 1 - client->head_size;
    int got = SSL_read(client->ssl, client->head + client->head_size, (int)room);

    if (got <= 0)
        return got;
    client->head_size += (size_t)got;
    client->head[client->head_size] = '\0';
    if (strstr(client->head, "\r\n\r\n") != NULL || client->head_size == sizeof(client->head) - 1)
        client->state = ANSWER;
    return 1;
}

/* SSL_MODE_ENABLE_PARTIAL_WRITE: as send() does. */
static int write_answer(struct client *client)
{
    int sent = SSL_write(client->ssl, tls_answer + client->sent, (int)(tls_answer_size - client->sent));

    if (sent <= 0)
        return sent;
    client->sent += (size_t)sent;
    if (client->sent == tls_answer_size)
        begin_end(client);
    return 1;
}

/* Goes on as far as it can without waiting. */
static void work(struct client *client)
{
    int result = 1;

    while (result > 0) {
        ERR_clear_error(); /* SSL_get_error() looks at what is left there */
        switch (client->state) {
        case HANDSHAKE: result = accept_tls(client); break;
        case REQUEST: result = read_head(client); break;
        case ANSWER: result = write_answer(client); break;
        case NOTIFY:
            if (tls_send_notify(client->ssl) == TLS_WAITS && now_ms() < client->deadline)
                return;
            begin_closing(client);
            break;
        case CLOSING: step_closing(client); return;
        case UNUSED: return;
        }
    }
    if (!waits_for(client, result))
        begin_end(client); /* the next round goes on with it */
}

static void take(SSL_CTX *context, SOCKET sock)
{
    struct client *client = clients;

    while (client->state != UNUSED)
        client++; /* there is one: else nobody would have been accepted */
    memset(client, 0, sizeof(*client));
    client->sock = sock;
    client->ssl = SSL_new(context);
    if (client->ssl == NULL || SSL_set_fd(client->ssl, (int)sock) != 1 || net_unblock(sock) != 0) {
        tls_complain("no TLS for this connection");
        SSL_free(client->ssl);
        closesocket(sock);
        done++;
        return;
    }
    client->state = HANDSHAKE;
    client->events = POLLIN;
    client->deadline = now_ms() + REQUEST_TIMEOUT_MS;
    work(client);
}

/* When it wants to be looked at, whatever happens. */
static double due(const struct client *client)
{
    unsigned int ms;

    if (client->state != CLOSING)
        return client->deadline;
    ms = gc_closing_timeout_ms(client->closing);
    return ms == GC_INFINITE ? client->deadline : now_ms() + ms;
}

/* One round: waits, then works on those that have news or whose time has come. */
static void turn(SSL_CTX *context, SOCKET listener, int accepts)
{
    poll_entry entries[MAX_CLIENTS + 1];
    int place[MAX_CLIENTS];
    double wake = now_ms() + 1000.0;
    int i, count = 0, used = 0;

    for (i = 0; i < MAX_CLIENTS; i++) {
        struct client *client = &clients[i];

        place[i] = -1;
        if (client->state == UNUSED)
            continue;
        used++;
        if (due(client) < wake)
            wake = due(client);
        if (client->state == CLOSING && !gc_closing_wants_read(client->closing))
            continue; /* poll() would tell of its end for ever */
        place[i] = count;
        entries[count].fd = client->sock;
        entries[count].events = client->state == CLOSING ? (short)POLLIN : client->events;
        entries[count++].revents = 0;
    }
    entries[count].fd = listener;
    entries[count].events = POLLIN;
    entries[count].revents = 0;
    accepts = accepts && used < MAX_CLIENTS;
    wake -= now_ms();
    poll_wait(entries, count + accepts, wake > 0.0 ? (int)wake + 1 : 0);
    for (i = 0; i < MAX_CLIENTS; i++) {
        struct client *client = &clients[i];

        if (client->state == UNUSED)
            continue;
        if (now_ms() >= client->deadline && client->state < NOTIFY)
            begin_end(client); /* a client that asks for nothing */
        /* on any event, not on POLLIN alone */
        else if ((place[i] >= 0 && entries[place[i]].revents != 0) || now_ms() >= due(client))
            work(client);
    }
    if (accepts && entries[count].revents != 0) {
        SOCKET sock = accept(listener, NULL, NULL);

        if (sock != INVALID_SOCKET)
            take(context, sock);
    }
}

int main(int argc, char **argv)
{
    long count = argc > 3 ? atol(argv[3]) : 0, pending, i;
    SSL_CTX *context;
    SOCKET listener;

    is_bare = argc > 1 && strcmp(argv[1], "bare") == 0;
    if (argc < 3 || (!is_bare && strcmp(argv[1], "graceful") != 0)) {
        fprintf(stderr, "usage: tls_openssl_loop graceful|bare PORT [COUNT]\n");
        return 2;
    }
    if (net_start() != 0)
        return 1;
    tls_make_answer();
    context = tls_server();
    listener = context != NULL ? tls_listen(atoi(argv[2])) : INVALID_SOCKET;
    if (listener == INVALID_SOCKET)
        return 1;
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    while (count == 0 || done < count) {
        for (i = pending = 0; i < MAX_CLIENTS; i++)
            pending += clients[i].state != UNUSED;
        turn(context, listener, count == 0 || done + pending < count);
    }
    if (!is_bare)
        printf("%ld of %ld ended gracefully\n", done_gracefully, done);
    closesocket(listener);
    SSL_CTX_free(context);
    return 0;
}
