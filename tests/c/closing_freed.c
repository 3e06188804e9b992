/*
 * gc_closing_free() of a close that is pending ends it by its fallback, stepped or
 * not; and on_data works as in a blocking close.
 */
#include "closing_test.h"

static gc_options with_fallback(unsigned int fallback)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = 30000;
    options.fallback = fallback;
    return options;
}

static gc_stats figures(void)
{
    gc_stats stats = GC_STATS_INIT;
    CHECK_IS(gc_get_stats(&stats), 0);
    return stats;
}

static void freed(unsigned int fallback, int stepped)
{
    gc_options options = with_fallback(fallback);
    gc_stats before = figures(), after;
    gc_closing *closing;
    check_socket ours, peer;
    size_t bytes;
    double start;
    check_round = stepped;
    check_pair(&ours, &peer);
    check_send_pattern(ours, 5000, 0);
    closing = new_closing(ours, &options);
    if (stepped) CHECK_IS(timed_step(closing), GC_PENDING);
    check_set_last_error(123);
    start = check_now();
    gc_closing_free(closing);
    CHECK_IS(check_last_error(), 123);
    CHECK_ELAPSED(start, 0, STEP_MOST);

    after = figures();
    CHECK_IS(after.by_outcome[GC_EVICTED], before.by_outcome[GC_EVICTED] + 1);
    CHECK_IS(after.aborted, before.aborted + (fallback == GC_THEN_ABORT ? 1 : 0));
    CHECK_IS(check_is_socket(ours), fallback == GC_THEN_KEEP);
    if (fallback == GC_THEN_ABORT) {
        CHECK(is_reset_within(peer, 10000));
        check_close(peer);
        return;
    }
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    CHECK_IS(bytes, 5000);
    CHECK(!is_reset_within(peer, 20));
    if (fallback == GC_THEN_KEEP) { /* half-closed, readable, and ours */
        unsigned char late[100];
        check_send_pattern(peer, 60, 0);
        check_wait_readable(ours);
        CHECK_IS(check_receive(ours, late, sizeof(late)), 60);
        CHECK(check_is_filled(late, 60, 0));
        check_close(peer);
        CHECK_IS(gc_close(ours, 20000), GC_GRACEFUL);
    } else {
        check_close(peer);
    }
}

static void freed_by_fallback(void)
{
    int stepped;
    for (stepped = 0; stepped < 2; stepped++) {
        check_doing = "freed: close";
        freed(GC_THEN_CLOSE, stepped);
        check_doing = "freed: abort";
        freed(GC_THEN_ABORT, stepped);
        check_doing = "freed: keep";
        freed(GC_THEN_KEEP, stepped);
    }
    check_round = 0;
}

/* The handle ends, the socket does not. */
static void kept_after_the_time(void)
{
    gc_options options = with_fallback(GC_THEN_KEEP);
    gc_stats before = GC_STATS_INIT, after = GC_STATS_INIT;
    gc_closing *closing;
    check_socket ours, peer;
    check_doing = "kept";
    options.timeout_ms = 30;
    CHECK_IS(gc_get_stats(&before), 0);
    check_pair(&ours, &peer);
    closing = new_closing(ours, &options);
    CHECK_IS(driven(closing), GC_TIMED_OUT);
    CHECK_IS(report_of(closing).closed, 0);
    free_ended(closing, GC_TIMED_OUT);
    CHECK(check_is_socket(ours));
    options.timeout_ms = 30000;
    closing = new_closing(ours, &options); /* once more */
    CHECK_IS(timed_step(closing), GC_PENDING);
    check_close(peer);
    CHECK_IS(driven(closing), GC_GRACEFUL);
    CHECK_IS(report_of(closing).closed, 1);
    free_ended(closing, GC_GRACEFUL);
    CHECK(!check_is_socket(ours));
    CHECK_IS(gc_get_stats(&after), 0);
    CHECK_IS(after.closed, before.closed + 2); /* the handles are freed after their ends */
}

static void freed_listener(void)
{
    gc_options options = with_fallback(GC_THEN_ABORT);
    struct sockaddr_in address;
    check_socket sock = check_listener(&address);
    check_doing = "freed: a listening socket";
    gc_closing_free(new_closing(sock, &options));
    CHECK(!check_is_socket(sock));
}

/* --- on_data --- */

typedef struct {
    size_t bytes, stop_at;
    gc_closing *closing; /* asked from within, if it is set */
} reader;

static int read_portion(void *user, const void *data, size_t size)
{
    reader *self = (reader *)user;
    CHECK(size > 0);
    CHECK(check_is_filled((const unsigned char *)data, size, self->bytes));
    self->bytes += size;
    if (self->closing != NULL) {
        gc_report report = report_of(self->closing);
        CHECK_IS(report.outcome, GC_PENDING);
        CHECK_IS(report.drained_bytes, self->bytes);
        CHECK(report.elapsed_us > 0);
#ifdef __linux__
        CHECK_IS(report.unacked_bytes, 0);
#endif
    }
    return self->stop_at != 0 && self->bytes >= self->stop_at;
}

static void on_data_gets_all(void)
{
    gc_options options = with_fallback(GC_THEN_CLOSE);
    gc_closing *closing;
    check_socket ours, peer;
    reader reads;
    size_t sent;
    check_doing = "on_data";
    memset(&reads, 0, sizeof(reads));
    options.on_data = read_portion;
    options.user = &reads;
    check_pair(&ours, &peer);
    closing = new_closing(ours, &options);
    reads.closing = closing;
    memset(&options, 0xEE, sizeof(options)); /* looked at during the call only */
    for (sent = 0; sent < 90000; sent += 3000) {
        check_send_pattern(peer, 3000, sent);
        check_wait_readable(ours);
        CHECK_IS(timed_step(closing), GC_PENDING);
    }
    check_half_close(peer);
    CHECK_IS(driven(closing), GC_GRACEFUL);
    CHECK_IS(reads.bytes, 90000);
    CHECK_IS(report_of(closing).drained_bytes, 90000);
    free_ended(closing, GC_GRACEFUL);
    CHECK_IS(reads.bytes, 90000);
    check_close(peer);
}

static void on_data_stops(void)
{
    gc_options options = with_fallback(GC_THEN_KEEP);
    gc_closing *closing;
    check_socket ours, peer;
    reader reads;
    check_doing = "on_data stops";
    memset(&reads, 0, sizeof(reads));
    reads.stop_at = 10000;
    options.on_data = read_portion;
    options.user = &reads;
    check_pair(&ours, &peer);
    closing = new_closing(ours, &options);
    check_send_pattern(peer, 30000, 0);
    CHECK_IS(driven(closing), GC_STOPPED);
    CHECK_IS(report_of(closing).closed, 0);
    CHECK_IS(report_of(closing).drained_bytes, reads.bytes);
    free_ended(closing, GC_STOPPED);

    reads.stop_at = 0; /* the rest is still there */
    closing = new_closing(ours, &options);
    check_half_close(peer);
    CHECK_IS(driven(closing), GC_GRACEFUL);
    CHECK_IS(reads.bytes, 30000);
    free_ended(closing, GC_GRACEFUL);
    check_close(peer);
}

int main(void)
{
    check_start();
    freed_by_fallback();
    kept_after_the_time();
    freed_listener();
    on_data_gets_all();
    on_data_stops();
    return 0;
}
