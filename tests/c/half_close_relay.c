/*
 * A relay between client and server that takes a half-close for the end of the whole
 * connection, as some proxies and NATs do: it closes both sides and drops the answer that
 * is still to come. A client that receives its answer inside the close loses it, and to
 * the client the relay's own FIN looks like a graceful end; peer_first_ms is the way past it.
 * In each form of a close.
 */
#include "check.h"

#include "graceful_close.h"

#define ANSWER 50000
#define REQUEST 20
#define FORMS 4

static const char *const forms[FORMS] = { "blocking", "many", "handle", "background" };

/* a connection through a relay, or straight to the server */
typedef struct {
    check_socket listener; /* the server's */
    struct sockaddr_in address;
    check_socket entrance; /* the relay's */
    struct sockaddr_in at_relay;
    unsigned int thinks_ms;
} route;

/* Answers after a moment, at once when the end of the stream comes; closes then. */
static void serves(void *argument)
{
    route *self = (route *)argument;
    check_socket sock = accept(self->listener, NULL, NULL);
    unsigned char request[REQUEST];
    static unsigned char answer[ANSWER];
    size_t sent = 0;
    CHECK(sock != CHECK_NO_SOCKET);
    CHECK_IS(check_receive(sock, request, sizeof(request)), REQUEST);
    check_readable(sock, self->thinks_ms);
    check_fill(answer, ANSWER, 0);
    while (sent < ANSWER) {
        long now = check_send(sock, answer + sent, ANSWER - sent);
        if (now <= 0) break; /* the relay has gone */
        sent += (size_t)now;
    }
    CHECK(gc_close(sock, 5000) >= 0);
}

static check_socket connected(const struct sockaddr_in *address)
{
    check_socket sock = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(sock != CHECK_NO_SOCKET);
    CHECK_IS(connect(sock, (const struct sockaddr *)address, (check_length)sizeof(*address)), 0);
    return sock;
}

static void send_on(check_socket to, const unsigned char *data, long size)
{
    while (size > 0) {
        long now = check_send(to, data, (size_t)size);
        if (now <= 0) return;
        data += now;
        size -= now;
    }
}

/* 0 at the end of that stream */
static int passes_on(check_socket from, check_socket to)
{
    static unsigned char data[65536];
    long got = check_receive(from, data, sizeof(data));
    if (got <= 0) return 0;
    send_on(to, data, got);
    return 1;
}

static void relays(void *argument)
{
    route *self = (route *)argument;
    check_socket client = accept(self->entrance, NULL, NULL), server = connected(&self->address);
    CHECK(client != CHECK_NO_SOCKET);
    for (;;) {
        if (check_readable(client, 5) && !passes_on(client, server)) break;
        if (check_readable(server, 5) && !passes_on(server, client)) break;
    }
    check_close(client);
    check_close(server);
}

static size_t got;
static gc_report told;

static int GRACEFUL_CLOSE_CALLBACK receives(void *user, const void *data, size_t size)
{
    (void)user;
    CHECK(check_is_filled((const unsigned char *)data, size, got));
    got += size;
    return 0;
}

static void GRACEFUL_CLOSE_CALLBACK tell(void *user, gc_socket sock, const gc_report *report)
{
    (void)user;
    (void)sock;
    told = *report;
}

static void by_handle(check_socket sock, const gc_options *options)
{
    gc_closing *closing;
    CHECK_IS(gc_closing_new(sock, options, &closing), 0);
    while (gc_closing_step(closing) == GC_PENDING) {
        unsigned int ms = gc_closing_timeout_ms(closing);
        if (ms > 1000) ms = 1000;
        if (gc_closing_wants_read(closing)) check_readable(sock, ms);
        else check_sleep(ms);
    }
    CHECK_IS(gc_closing_report(closing, &told), 0);
    gc_closing_free(closing);
}

static void end(int form, check_socket sock, const gc_options *options)
{
    gc_socket socks[1];
    socks[0] = sock;
    switch (form) {
    case 0: CHECK(gc_close_with(sock, options, &told) >= 0); break;
    case 1: CHECK(gc_close_many(socks, 1, options, &told) >= 0); break;
    case 2: by_handle(sock, options); break;
    default:
        CHECK_IS(gc_close_async_with(sock, options, tell, NULL), 0);
        CHECK_IS(gc_flush(20000), 0);
    }
}

/* One request. How many bytes of the answer came. */
static size_t ask(int form, int through_relay, unsigned int peer_first_ms, unsigned int thinks_ms)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report empty = GC_REPORT_INIT;
    unsigned char request[REQUEST];
    check_thread server, relay;
    check_socket sock;
    route way;
    check_doing = forms[form];
    way.thinks_ms = thinks_ms;
    way.listener = check_listener(&way.address);
    way.entrance = check_listener(&way.at_relay);
    check_thread_start(&server, serves, &way);
    if (through_relay) check_thread_start(&relay, relays, &way);
    sock = connected(through_relay ? &way.at_relay : &way.address);
    check_fill(request, REQUEST, 0);
    CHECK_IS(check_send(sock, request, REQUEST), REQUEST);
    got = 0;
    told = empty;
    options.timeout_ms = 20000;
    options.peer_first_ms = peer_first_ms;
    options.on_data = receives;
    end(form, sock, &options);
    check_thread_join(&server);
    if (through_relay) check_thread_join(&relay);
    check_close(way.listener);
    check_close(way.entrance);
    CHECK_IS(told.drained_bytes, got);
    return got;
}

int main(void)
{
    int form;
    check_start();
    for (form = 0; form < FORMS; form++) {
        double start;
        CHECK_IS(ask(form, 0, 0, 20000), ANSWER); /* TCP itself has no trouble with a half-close */
        CHECK_IS(ask(form, 1, 0, 20000), 0);
        CHECK_IS(told.outcome, GC_GRACEFUL); /* with the relay, that is */
        start = check_now();
        CHECK_IS(ask(form, 1, 15000, 100), ANSWER);
        CHECK_IS(told.outcome, GC_GRACEFUL);
        CHECK_ELAPSED(start, 0, 10000); /* it ends with the answer, not with the wait */
        CHECK_IS(ask(form, 0, 15000, 100), ANSWER);
        CHECK_IS(ask(form, 1, 30, 20000), 0); /* too short for this server */
    }
    return 0;
}
