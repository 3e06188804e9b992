/*
 * GC_THEN_BACKGROUND: the caller's time is up, and the reaper of the process goes on. Nothing
 * is lost at the change of hands, in each form of a close; the statistics count the end once,
 * gc_flush() knows it; what makes no sense is refused. gc_close_async_with() is told its end.
 */
#include "closing_test.h"

#define SIZE 300000
#define UPLOAD 100000
#define FORMS 4

static const char *const forms[FORMS] = { "blocking", "many", "handle", "handle, freed" };

static int by_handle(check_socket sock, const gc_options *options, gc_report *report)
{
    gc_closing *closing = new_closing(sock, options);
    int code = driven(closing);
    *report = report_of(closing);
    free_ended(closing, code);
    return code;
}

/* no report is left of it */
static int by_free(check_socket sock, const gc_options *options)
{
    gc_closing *closing;
    CHECK_IS(gc_closing_new(sock, options, &closing), 0);
    CHECK_IS(gc_closing_step(closing), GC_PENDING);
    gc_closing_free(closing);
    return GC_CONTINUED;
}

static int end(int form, check_socket sock, const gc_options *options, gc_report *report)
{
    gc_socket socks[1];
    check_doing = forms[form];
    socks[0] = sock;
    switch (form) {
    case 0: return gc_close_with(sock, options, report);
    case 1:
        CHECK_IS(gc_close_many(socks, 1, options, report), 0);
        return report->outcome;
    case 2: return by_handle(sock, options, report);
    default: return by_free(sock, options);
    }
}

static gc_stats now(void)
{
    gc_stats stats = GC_STATS_INIT;
    CHECK_IS(gc_get_stats(&stats), 0);
    return stats;
}

typedef struct {
    check_socket sock;
    size_t bytes;
    int code;
} reader;

/* uploads on and on, and reads only then: later than the server has time for */
static void uploads_first(void *argument)
{
    reader *self = (reader *)argument;
    check_send_pattern(self->sock, UPLOAD, 0);
    check_sleep(300);
    check_send_pattern(self->sock, UPLOAD, 0);
    self->code = check_read_to_end(self->sock, &self->bytes, 0);
    check_close(self->sock);
}

static void nothing_is_lost(int form)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    gc_stats before = now(), after;
    check_thread thread;
    check_socket sock;
    reader peer;
    check_pair(&sock, &peer.sock);
    check_set_linger(sock, 1, 5);
    check_thread_start(&thread, uploads_first, &peer);
    check_send_pattern(sock, SIZE, 0);
    options.timeout_ms = 50;
    options.fallback = GC_THEN_BACKGROUND;
    options.background_ms = 20000;
    CHECK_IS(end(form, sock, &options, &report), GC_CONTINUED);
    if (form != 3) {
        CHECK_IS(report.outcome, GC_CONTINUED);
        CHECK_IS(report.closed, 1);
        CHECK(report.drained_bytes <= UPLOAD);
        CHECK(report.elapsed_us >= 50000);
    }
    after = now();
    CHECK_IS(after.pending, 1);
    CHECK_IS(after.closed, before.closed);
    CHECK_IS(gc_flush(20000), 0);
    check_thread_join(&thread);
    CHECK_IS(peer.code, 0);
    CHECK_IS(peer.bytes, SIZE);
    after = now();
    CHECK_IS(after.pending, 0);
    CHECK_IS(after.closed, before.closed + 1);
    CHECK_IS(after.by_outcome[GC_GRACEFUL], before.by_outcome[GC_GRACEFUL] + 1);
    CHECK_IS(after.by_outcome[GC_CONTINUED], 0);
    CHECK_IS(after.drained_bytes, before.drained_bytes + 2 * UPLOAD);
}

static char line_of_end[512];

static void GRACEFUL_CLOSE_CALLBACK hear(void *user, int outcome, const char *line)
{
    CHECK(user == line_of_end);
    CHECK_IS(outcome, GC_TIMED_OUT);
    strcpy(line_of_end, line);
}

/* with a log it says who the two were, which is known at the start alone */
static void the_background_ends_too(int form, int logs)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    gc_stats before = now(), after;
    check_socket sock, peer;
    double start = check_now();
    check_pair(&sock, &peer);
    options.timeout_ms = 30;
    options.fallback = GC_THEN_BACKGROUND;
    options.background_ms = 200;
    line_of_end[0] = '\0';
    if (logs) gc_set_log(hear, line_of_end);
    CHECK_IS(end(form, sock, &options, &report), GC_CONTINUED);
    CHECK_IS(gc_flush(20000), 0);
    CHECK_ELAPSED(start, form == 3 ? 200 : 230, 10000);
    gc_set_log(NULL, NULL);
    CHECK((strstr(line_of_end, "127.0.0.1:") != NULL) == logs);
    after = now();
    CHECK_IS(after.by_outcome[GC_TIMED_OUT], before.by_outcome[GC_TIMED_OUT] + 1);
    CHECK_IS(after.closed, before.closed + 1);
    check_close(peer);
}

static void in_time_it_is_as_ever(int form)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    check_socket sock, peer;
    if (form == 3) return;
    check_pair(&sock, &peer);
    check_half_close(peer);
    check_wait_readable(sock);
    options.fallback = GC_THEN_BACKGROUND;
    if (form == 1) {
        gc_socket socks[1];
        socks[0] = sock;
        CHECK_IS(gc_close_many(socks, 1, &options, &report), 1);
    } else {
        CHECK_IS(end(form, sock, &options, &report), GC_GRACEFUL);
    }
    CHECK_IS(now().pending, 0);
    check_close(peer);
}

static int calls;
static gc_report told;
static gc_socket told_sock;

static void GRACEFUL_CLOSE_CALLBACK tell(void *user, gc_socket sock, const gc_report *report)
{
    CHECK(user == &calls);
    calls++;
    told = *report;
    told_sock = sock;
}

static void what_makes_no_sense_is_refused(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    gc_reaper *reaper;
    check_socket sock, peer;
    check_doing = "refused";
    check_pair(&sock, &peer);
    CHECK_IS(gc_reaper_new(NULL, &reaper), 0);
    options.fallback = GC_THEN_BACKGROUND;
    CHECK_IS(gc_reaper_close(reaper, sock, &options, NULL, NULL), GC_ERR_ARGUMENT);
    CHECK_IS(gc_close_async_with(sock, &options, NULL, NULL), GC_ERR_ARGUMENT);
    options.flags = GC_KEEP_OPEN;
    CHECK_IS(gc_close_with(sock, &options, &report), GC_ERR_ARGUMENT);
    CHECK_IS(report.closed, 0);
    options.fallback = GC_THEN_CLOSE;
    CHECK_IS(gc_close_async_with(sock, &options, NULL, NULL), GC_ERR_ARGUMENT);
    options.flags = 0;
    options.fallback = GC_THEN_KEEP;
    CHECK_IS(gc_close_async_with(sock, &options, NULL, NULL), GC_ERR_ARGUMENT);
    CHECK_IS(gc_close_async_with(CHECK_NO_SOCKET, NULL, tell, &calls), GC_ERR_NOT_A_SOCKET);
    CHECK_IS(calls, 0);
    CHECK(check_is_socket(sock));
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
    check_close(sock);
    check_close(peer);
}

static void told_by_the_reaper_of_the_process(void)
{
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer;
    check_doing = "gc_close_async_with";
    check_pair(&sock, &peer);
    CHECK_IS(check_send(peer, "later", 5), 5);
    options.timeout_ms = 20000;
    CHECK_IS(gc_close_async_with(sock, &options, tell, &calls), 0);
    check_half_close(peer);
    CHECK_IS(gc_flush(20000), 0);
    CHECK_IS(calls, 1);
    CHECK(told_sock == (gc_socket)sock);
    CHECK_IS(told.outcome, GC_GRACEFUL);
    CHECK_IS(told.drained_bytes, 5);
    CHECK_IS(told.closed, 1);
    check_close(peer);
    /* the defaults, and nobody asks */
    check_pair(&sock, &peer);
    check_half_close(peer);
    CHECK_IS(gc_close_async_with(sock, NULL, NULL, NULL), 0);
    CHECK_IS(gc_flush(20000), 0);
    CHECK_IS(calls, 1);
    check_close(peer);
}

int main(void)
{
    int form;
    check_start();
    for (form = 0; form < FORMS; form++) {
        in_time_it_is_as_ever(form);
        nothing_is_lost(form);
        the_background_ends_too(form, 0);
        the_background_ends_too(form, 1);
    }
    what_makes_no_sense_is_refused();
    told_by_the_reaper_of_the_process();
    return 0;
}
