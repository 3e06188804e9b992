/*
 * Programs that were compiled against another version of the header: a smaller
 * struct counts as zero where it ends, whatever lies behind it; a larger one works
 * as long as its unknown tail is zero; a report is filled as far as it goes.
 */
#include "check.h"

#include "graceful_close.h"

#define LARGEST 1024 /* no struct of ours grows beyond this */

typedef union {
    size_t struct_size;
    gc_options options;
    gc_report report;
    unsigned char bytes[LARGEST + 64];
} space;

/* where the fields end: the sizes that a header may ever have had */
static const size_t option_sizes[] = {
    offsetof(gc_options, timeout_ms), offsetof(gc_options, idle_timeout_ms),
    offsetof(gc_options, peer_first_ms), offsetof(gc_options, fallback),
    offsetof(gc_options, if_shared), offsetof(gc_options, flags),
    offsetof(gc_options, max_drain_bytes), offsetof(gc_options, on_data),
    offsetof(gc_options, user), offsetof(gc_options, background_ms),
    offsetof(gc_options, background_ms) + sizeof(unsigned int), sizeof(gc_options)
};
static const size_t report_sizes[] = {
    offsetof(gc_report, outcome), offsetof(gc_report, system_error), offsetof(gc_report, closed),
    offsetof(gc_report, peer_closed), offsetof(gc_report, drained_bytes),
    offsetof(gc_report, unacked_bytes), offsetof(gc_report, elapsed_us), sizeof(gc_report)
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* all but the size is zero */
static void clear(space *given, size_t struct_size)
{
    memset(given, 0, sizeof(*given));
    given->struct_size = struct_size;
}

static int called = 0;

static int not_to_be_called(void *user, const void *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
    called = 1;
    return 1;
}

/* closes a new connection whose peer has said 1000 bytes and its FIN */
static int close_with(const gc_options *options, gc_report *report)
{
    check_socket sock, other;
    int outcome;
    check_pair(&sock, &other);
    check_send_pattern(other, 1000, 0);
    check_half_close(other);
    check_wait_readable(sock);
    check_sleep(2);
    outcome = gc_close_with(sock, options, report);
    CHECK(outcome >= 0);
    CHECK(!check_is_socket(sock));
    check_close(other);
    return outcome;
}

static void other_versions_work(void)
{
    space options, report;
    size_t i, extra;
    check_doing = "structs of another version";
    for (i = 0; i < COUNT(option_sizes); i++) {
        int outcome;
        check_round = (long)option_sizes[i];
        /* what lies behind the caller's struct would break the close, were it looked at */
        memset(&options, 0xFF, sizeof(options));
        memset(&options, 0, option_sizes[i]);
        options.options.struct_size = option_sizes[i];
        if (option_sizes[i] > offsetof(gc_options, timeout_ms)) options.options.timeout_ms = 10000;
        if (option_sizes[i] <= offsetof(gc_options, on_data)) options.options.on_data = not_to_be_called;
        outcome = close_with(&options.options, NULL);
        CHECK(!called);
        /* without its timeout_ms there is no time to wait in */
        if (option_sizes[i] > offsetof(gc_options, timeout_ms)) CHECK_IS(outcome, GC_GRACEFUL);
    }
    for (extra = 1; sizeof(gc_options) + extra <= LARGEST; extra += extra < 20 ? 1 : 100) {
        check_round = (long)extra;
        clear(&options, sizeof(gc_options) + extra);
        options.options.timeout_ms = 10000;
        CHECK_IS(close_with(&options.options, NULL), GC_GRACEFUL);
    }
    for (i = 0; i < COUNT(report_sizes); i++) {
        size_t at;
        check_round = (long)report_sizes[i];
        memset(&report, 0xA5, sizeof(report));
        report.struct_size = report_sizes[i];
        CHECK_IS(close_with(NULL, &report.report), GC_GRACEFUL);
        for (at = report_sizes[i]; at < sizeof(report); at++) CHECK(report.bytes[at] == 0xA5);
    }
    CHECK_IS(report.report.closed, 1);
    CHECK_IS(report.report.drained_bytes, 1000);
    clear(&report, sizeof(gc_report) + 64);
    CHECK_IS(close_with(NULL, &report.report), GC_GRACEFUL);
    CHECK_IS(report.report.drained_bytes, 1000);
}

/* every field, and that the library takes them */
static void presets(void)
{
    static const gc_options plain = GC_OPTIONS_INIT, server = GC_OPTIONS_SERVER_INIT;
    gc_options expected;
    check_doing = "presets";
    memset(&expected, 0, sizeof(expected));
    expected.struct_size = sizeof(gc_options);
    expected.timeout_ms = 5000;
    CHECK(memcmp(&plain, &expected, offsetof(gc_options, background_ms)) == 0);
    CHECK_IS(plain.background_ms, 0);
    CHECK_IS(close_with(&plain, NULL), GC_GRACEFUL);
    expected.timeout_ms = 30000;
    expected.idle_timeout_ms = 5000;
    expected.max_drain_bytes = 67108864;
    CHECK(memcmp(&server, &expected, offsetof(gc_options, background_ms)) == 0);
    CHECK_IS(server.background_ms, 0);
    CHECK_IS(close_with(&server, NULL), GC_GRACEFUL);
}

int main(void)
{
    check_start();
    other_versions_work();
    presets();
    return 0;
}
