/*
 * The peer has said its FIN, and takes a second to read what is left: no event tells
 * that it has acknowledged everything. A level-triggered loop that does as it is told
 * neither spins nor oversleeps. (Winsock does not tell what is acknowledged: there the
 * FIN counts, and this ends at once.)
 */
#include "closing_test.h"

#define SIZE 200000
#define PORTIONS 20
#define PAUSE_MS 50

typedef struct {
    check_socket sock;
    size_t bytes;
} reader;

/* takes a second */
static void read_slowly(void *argument)
{
    static unsigned char portion[SIZE / PORTIONS];
    reader *self = (reader *)argument;
    long now;
    int i;
    for (i = 0; i < PORTIONS; i++) {
        check_sleep(PAUSE_MS);
        now = check_receive(self->sock, portion, sizeof(portion));
        CHECK(now > 0);
        CHECK(check_is_filled(portion, (size_t)now, self->bytes));
        self->bytes += (size_t)now;
    }
    while ((now = check_receive(self->sock, portion, sizeof(portion))) > 0) {
        CHECK(check_is_filled(portion, (size_t)now, self->bytes));
        self->bytes += (size_t)now;
    }
    CHECK_IS(now, 0);
    check_close(self->sock);
}

static void set_buffer(check_socket sock, int which, int size)
{
    CHECK_IS(setsockopt(sock, SOL_SOCKET, which, (const char *)&size, sizeof(size)), 0);
}

/* a connection whose peer takes little at a time */
static void narrow_pair(check_socket *ours, check_socket *peer)
{
    struct sockaddr_in address;
    check_socket listener = check_listener(&address);
    *peer = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(*peer != CHECK_NO_SOCKET);
    set_buffer(*peer, SO_RCVBUF, 8192);
    CHECK_IS(connect(*peer, (struct sockaddr *)&address, (check_length)sizeof(address)), 0);
    *ours = accept(listener, NULL, NULL);
    CHECK(*ours != CHECK_NO_SOCKET);
    set_buffer(*ours, SO_SNDBUF, 2 * SIZE);
    check_close(listener);
}

/* The smallest loop there is: one socket, level-triggered. */
static void wait_in_poll(const gc_closing *closing, unsigned int ms)
{
#ifdef _WIN32
    wait_as_told(closing);
    (void)ms;
#else
    struct pollfd entry;
    entry.fd = gc_closing_socket(closing);
    entry.events = POLLIN;
    entry.revents = 0;
    CHECK(poll(&entry, gc_closing_wants_read(closing) ? 1 : 0, ms > 60000 ? -1 : (int)ms) >= 0);
#endif
}

static void does_not_spin(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing;
    check_thread thread;
    check_socket ours;
    reader peer;
    long steps = 1, confirming = 0;
    unsigned int ms, first = 0, longest = 0;
    double start;
    check_doing = "a peer that reads for a second";
    narrow_pair(&ours, &peer.sock);
    check_half_close(peer.sock);
    check_send_pattern(ours, SIZE, 0);
    peer.bytes = 0;
    check_thread_start(&thread, read_slowly, &peer);
    start = check_now();
    options.timeout_ms = 60000;
    closing = new_closing(ours, &options);
    while (timed_step(closing) == GC_PENDING) {
        ms = gc_closing_timeout_ms(closing);
        if (!gc_closing_wants_read(closing)) {
            CHECK_BETWEEN(ms, 0, 50);
            if (confirming == 0) first = ms;
#ifdef __linux__
            if (confirming == 0) CHECK_BETWEEN(report_of(closing).unacked_bytes, 1, SIZE);
#endif
            if (ms > longest) longest = ms;
            confirming++;
            CHECK_IS(report_of(closing).peer_closed, 1);
        }
        wait_in_poll(closing, ms);
        steps++;
    }
    CHECK_BETWEEN(steps, 1, 10 + (check_now() - start) / 40); /* 35 in a second */
#ifdef __linux__
    CHECK_BETWEEN(confirming, 10, steps);
    CHECK_BETWEEN(first, 0, 2);
    CHECK_BETWEEN(longest, 33, 50);
    CHECK_ELAPSED(start, PAUSE_MS * PORTIONS / 2, 5000);
    CHECK_IS(report_of(closing).unacked_bytes, check_is_generic() ? GC_UNKNOWN : 0);
    CHECK_IS(report_of(closing).peer_closed, 1);
    if (check_now() - start < 1200) CHECK_BETWEEN(steps, 1, 40);
#else
    (void)first;
#endif
    free_ended(closing, GC_GRACEFUL);
    check_thread_join(&thread);
    CHECK_IS(peer.bytes, SIZE);
}

#ifdef __linux__
/* The deadline counts in this phase, too; what is not acknowledged is told. */
static void ends_with_the_time(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing;
    check_socket ours, peer;
    gc_report report;
    double start;
    check_doing = "a peer that does not read";
    narrow_pair(&ours, &peer);
    check_half_close(peer);
    check_send_pattern(ours, SIZE, 0);
    options.timeout_ms = 180;
    options.fallback = GC_THEN_ABORT;
    start = check_now();
    closing = new_closing(ours, &options);
    CHECK_IS(driven(closing), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 180, 1000);
    report = report_of(closing);
    CHECK_IS(report.peer_closed, 1);
    CHECK_BETWEEN(report.unacked_bytes, 1, SIZE);
    free_ended(closing, GC_TIMED_OUT);
    CHECK(is_reset_within(peer, 10000));
    check_close(peer);
}
#endif

int main(void)
{
    check_start();
    does_not_spin();
#ifdef __linux__
    ends_with_the_time();
#endif
    return 0;
}
