/*
 * gc_closing in an event loop: a step never waits and is bounded, and events that
 * come late, twice, for nothing or not at all change nothing but time.
 */
#include "closing_test.h"

#define LONG_MS 30000
#define MIB 1048576.0

static gc_options within(unsigned int timeout_ms)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = timeout_ms;
    return options;
}

static void ends_with_the_peers_fin(void)
{
    gc_options options = within(LONG_MS);
    gc_closing *closing;
    gc_report report;
    check_socket ours, peer;
    size_t bytes;
    check_doing = "the peer's FIN";
    check_pair(&ours, &peer);
    check_send_pattern(ours, 20000, 0);
    check_send_pattern(peer, 10000, 0); /* unread by us: a bare close would reset */
    closing = new_closing(ours, &options);
    CHECK_IS(gc_closing_timeout_ms(closing), 0);
    CHECK_IS(gc_closing_wants_read(closing), 1);
    CHECK_IS(report_of(closing).outcome, GC_PENDING);
    CHECK_IS(report_of(closing).closed, 0);

    CHECK_IS(timed_step(closing), GC_PENDING);
    CHECK_IS(gc_closing_wants_read(closing), 1);
    CHECK_BETWEEN(gc_closing_timeout_ms(closing), 1, LONG_MS);
    report = report_of(closing);
    CHECK_IS(report.peer_closed, 0);
    CHECK(check_is_socket(ours));

    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0); /* our FIN left with the step */
    CHECK_IS(bytes, 20000);
    check_half_close(peer);
    CHECK_IS(driven(closing), GC_GRACEFUL);
    CHECK(!check_is_socket(ours));
    CHECK(gc_closing_socket(closing) == ours);
    report = report_of(closing);
    CHECK_IS(report.closed, 1);
    CHECK_IS(report.peer_closed, 1);
    CHECK_IS(report.drained_bytes, 10000);
    CHECK_IS(report.system_error, 0);
    CHECK(report.unacked_bytes == 0 || report.unacked_bytes == GC_UNKNOWN);
    CHECK(report.elapsed_us > 0);
    free_ended(closing, GC_GRACEFUL);
    check_close(peer);
}

/* The event was there before the first step, or is looked at long after. */
static void late(void)
{
    gc_options options = within(LONG_MS);
    gc_closing *closing;
    check_socket ours, peer;
    check_doing = "late";
    check_pair(&ours, &peer);
    closing = new_closing(ours, &options);
    check_half_close(peer);
    check_sleep(60);
    CHECK_IS(driven(closing), GC_GRACEFUL);
    free_ended(closing, GC_GRACEFUL);
    check_close(peer);

    check_pair(&ours, &peer);
    closing = new_closing(ours, &options);
    CHECK_IS(timed_step(closing), GC_PENDING);
    check_send_pattern(peer, 5000, 0);
    check_half_close(peer);
    check_sleep(60);
    CHECK_IS(driven(closing), GC_GRACEFUL);
    CHECK_IS(report_of(closing).drained_bytes, 5000);
    free_ended(closing, GC_GRACEFUL);
    check_close(peer);
}

static void for_nothing(void)
{
    gc_options options = within(LONG_MS);
    gc_closing *closing;
    gc_report report;
    check_socket ours, peer;
    size_t bytes;
    int i;
    check_doing = "for nothing";
    check_pair(&ours, &peer);
    check_send_pattern(ours, 3000, 0);
    closing = new_closing(ours, &options);
    for (i = 0; i < 300; i++) {
        CHECK_IS(timed_step(closing), GC_PENDING);
        CHECK_IS(gc_closing_wants_read(closing), 1);
    }
    report = report_of(closing);
    CHECK_IS(report.drained_bytes, 0);
    CHECK_IS(report.system_error, 0);
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    CHECK_IS(bytes, 3000);
    check_half_close(peer);
    CHECK_IS(driven(closing), GC_GRACEFUL);
    free_ended(closing, GC_GRACEFUL);
    check_close(peer);
}

/* The loop has lost the event: the time-out finds what has come. */
static void never(void)
{
    gc_options options = within(150);
    gc_closing *closing;
    check_socket ours, peer;
    double start;
    check_doing = "never";
    check_pair(&ours, &peer);
    start = check_now();
    closing = new_closing(ours, &options);
    CHECK_IS(timed_step(closing), GC_PENDING);
    check_send_pattern(peer, 5000, 0);
    check_half_close(peer);
    while (timed_step(closing) == GC_PENDING) check_sleep(gc_closing_timeout_ms(closing));
    CHECK_ELAPSED(start, 0, 1000);
    CHECK_IS(gc_closing_step(closing), GC_GRACEFUL);
    CHECK_IS(report_of(closing).drained_bytes, 5000);
    free_ended(closing, GC_GRACEFUL);
    check_close(peer);

    check_doing = "only after the deadline";
    check_pair(&ours, &peer);
    closing = new_closing(ours, &options);
    CHECK_IS(timed_step(closing), GC_PENDING);
    check_half_close(peer);
    check_sleep(250);
    CHECK_IS(timed_step(closing), GC_GRACEFUL);
    free_ended(closing, GC_GRACEFUL);
    check_close(peer);
}

static void deadline_between_steps(void)
{
    gc_options options = within(50);
    gc_closing *closing;
    check_socket ours, peer;
    int stepped;
    check_doing = "deadline between steps";
    for (stepped = 0; stepped < 2; stepped++) {
        check_round = stepped;
        check_pair(&ours, &peer);
        closing = new_closing(ours, &options);
        if (stepped) CHECK_IS(timed_step(closing), GC_PENDING);
        check_sleep(120);
        CHECK_IS(gc_closing_timeout_ms(closing), 0);
        CHECK_IS(timed_step(closing), GC_TIMED_OUT);
        CHECK(!check_is_socket(ours));
        CHECK_BETWEEN(report_of(closing).elapsed_us, 120000, 1e9);
        free_ended(closing, GC_TIMED_OUT);
        CHECK(check_readable(peer, 10000)); /* our FIN, whenever it was sent */
        check_close(peer);
    }
    check_round = 0;
}

static void never_early(void)
{
    gc_closing *closing;
    gc_options options;
    check_socket ours, peer;
    double start;
    int by_idleness, spurious;
    check_doing = "never early";
    for (by_idleness = 0; by_idleness < 2; by_idleness++)
        for (spurious = 0; spurious < 2; spurious++) {
            unsigned int before = by_idleness ? 130 : GC_INFINITE;
            check_round = 2 * by_idleness + spurious;
            options = within(by_idleness ? LONG_MS : 130);
            options.idle_timeout_ms = by_idleness ? 130 : 0;
            check_pair(&ours, &peer);
            start = check_now();
            closing = new_closing(ours, &options);
            while (timed_step(closing) == GC_PENDING) {
                unsigned int ms = gc_closing_timeout_ms(closing);
                CHECK_BETWEEN(ms, 0, before); /* to the same moment */
                if (!by_idleness) before = ms; /* an acknowledgement begins the idle time anew */
                check_sleep(spurious ? 1 : ms);
            }
            CHECK_ELAPSED(start, 130, 1500);
            free_ended(closing, GC_TIMED_OUT);
            check_close(peer);
        }
    check_round = 0;
}

static void without_time(void)
{
    gc_options options = within(0);
    gc_closing *closing;
    check_socket ours, peer;
    check_doing = "timeout_ms 0";
    check_pair(&ours, &peer);
    closing = new_closing(ours, &options);
    CHECK_IS(timed_step(closing), GC_TIMED_OUT);
    free_ended(closing, GC_TIMED_OUT);
    check_close(peer);

    check_pair(&ours, &peer);
    check_send_pattern(peer, 3000, 0);
    check_half_close(peer);
    check_wait_readable(ours);
    check_sleep(20);
    closing = new_closing(ours, &options);
    CHECK_BETWEEN(timed_step(closing), GC_GRACEFUL, GC_TIMED_OUT);
    CHECK_IS(report_of(closing).drained_bytes, 3000);
    gc_closing_free(closing);
    check_close(peer);

    check_doing = "no time-out at all";
    options = within(GC_INFINITE);
    check_pair(&ours, &peer);
    closing = new_closing(ours, &options);
    CHECK_IS(timed_step(closing), GC_PENDING);
    CHECK(gc_closing_timeout_ms(closing) == GC_INFINITE);
    check_close(peer);
    CHECK_IS(driven(closing), GC_GRACEFUL);
    free_ended(closing, GC_GRACEFUL);
}

static void peer_first(void)
{
    gc_options options = within(LONG_MS);
    gc_closing *closing;
    check_socket ours, peer;
    double start;
    check_doing = "peer_first_ms";
    options.peer_first_ms = 100;
    check_pair(&ours, &peer);
    start = check_now();
    closing = new_closing(ours, &options);
    CHECK_IS(timed_step(closing), GC_PENDING);
    CHECK_BETWEEN(gc_closing_timeout_ms(closing), 0, 100);
    if (check_now() - start < 50) CHECK(!check_readable(peer, 0)); /* no FIN yet */
    do {
        unsigned int ms = gc_closing_timeout_ms(closing);
        check_sleep(ms < 20 ? ms : 20);
        CHECK_IS(timed_step(closing), GC_PENDING);
    } while (!check_readable(peer, 5));
    CHECK_ELAPSED(start, 100, 1500);
    check_close(peer);
    CHECK_IS(driven(closing), GC_GRACEFUL);
    free_ended(closing, GC_GRACEFUL);
}

/* --- a flood --- */

typedef struct {
    check_socket sock;
    double sent;
} flooder;

/* sends as fast as it can until it is cut off */
static void flood(void *argument)
{
    static const char portion[65536] = { 0 };
    flooder *self = (flooder *)argument;
    long now;
    while ((now = check_send(self->sock, portion, sizeof(portion))) > 0) self->sent += (double)now;
    check_close(self->sock);
}

static void bounded_under_a_flood(void)
{
    gc_options options = within(400);
    gc_closing *closing;
    check_socket ours;
    check_thread thread;
    flooder peer;
    double start, before = 0, now;
    check_doing = "flood";
    options.fallback = GC_THEN_ABORT;
    peer.sent = 0;
    check_pair(&ours, &peer.sock);
    check_thread_start(&thread, flood, &peer);
    start = check_now();
    closing = new_closing(ours, &options);
    while (timed_step(closing) == GC_PENDING) {
        now = (double)report_of(closing).drained_bytes;
        CHECK_BETWEEN(now - before, 0, 2 * MIB);
        /* a step that read all it may wants the next one at once; whether the flooder
           ever gets so far ahead is up to the machine */
        if (now - before >= MIB) CHECK_IS(gc_closing_timeout_ms(closing), 0);
        before = now;
        CHECK_IS(gc_closing_wants_read(closing), 1);
        wait_as_told(closing);
    }
    CHECK_ELAPSED(start, 400, 1500);
    CHECK(before > 0);
    free_ended(closing, GC_TIMED_OUT);
    check_thread_join(&thread);

    check_doing = "limit";
    options.timeout_ms = LONG_MS;
    options.max_drain_bytes = 300000;
    peer.sent = 0;
    check_pair(&ours, &peer.sock);
    check_thread_start(&thread, flood, &peer);
    closing = new_closing(ours, &options);
    CHECK_IS(driven(closing), GC_DRAIN_LIMIT);
    CHECK_IS(report_of(closing).drained_bytes, 300001);
    free_ended(closing, GC_DRAIN_LIMIT);
    check_thread_join(&thread);
}

/* --- many at once --- */

#define MANY 20

static void many_at_once(void)
{
    gc_options options = within(LONG_MS);
    gc_closing *closings[MANY];
    check_socket ours, peers[MANY];
    size_t i, bytes;
    int left = MANY, stepped = 0;
    check_doing = "many at once";
    for (i = 0; i < MANY; i++) {
        check_pair(&ours, &peers[i]);
        check_send_pattern(ours, 1000 * i, 0);
        check_send_pattern(peers[i], 500 * i, 0);
        closings[i] = new_closing(ours, &options);
        CHECK_IS(timed_step(closings[i]), GC_PENDING);
    }
    while (left > 0) {
        for (i = 0; i < MANY; i++) {
            if (closings[i] == NULL) continue;
            if ((int)i == stepped) { /* one peer after the other finishes */
                CHECK_IS(check_read_to_end(peers[i], &bytes, 0), 0);
                CHECK_IS(bytes, 1000 * i);
                check_close(peers[i]);
            }
            if (gc_closing_step(closings[i]) == GC_PENDING) continue;
            CHECK_BETWEEN(i, 0, stepped);
            CHECK_IS(report_of(closings[i]).drained_bytes, 500 * i);
            free_ended(closings[i], GC_GRACEFUL);
            closings[i] = NULL;
            left--;
        }
        stepped++;
        check_sleep(1);
    }
}

int main(void)
{
    check_start();
    ends_with_the_peers_fin();
    late();
    for_nothing();
    never();
    deadline_between_steps();
    never_early();
    without_time();
    peer_first();
    bounded_under_a_flood();
    many_at_once();
    return 0;
}
