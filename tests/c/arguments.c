/*
 * Wrong arguments are refused with GC_ERR_ARGUMENT, nothing is done to the
 * socket, and no byte is written that is not the caller's to have written.
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

static check_socket ours, peer;

static int is_one_of(size_t size, const size_t *sizes, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (sizes[i] == size) return 1;
    return 0;
}

static int is_option_size(size_t size)
{
    if (size > sizeof(gc_options)) return size <= LARGEST;
    return is_one_of(size, option_sizes, COUNT(option_sizes));
}

static int is_report_size(size_t size)
{
    if (size > sizeof(gc_report)) return size <= LARGEST;
    return is_one_of(size, report_sizes, COUNT(report_sizes));
}

/* the rules again, told in another way */
static int is_acceptable(const space *given)
{
    size_t size = given->struct_size, at;
    gc_options known;
    if (!is_option_size(size)) return 0;
    memset(&known, 0, sizeof(known));
    memcpy(&known, given, size < sizeof(known) ? size : sizeof(known));
    for (at = sizeof(known); at < size; at++)
        if (given->bytes[at] != 0) return 0;
    if (known.fallback == GC_THEN_BACKGROUND && (known.flags & GC_KEEP_OPEN)) return 0;
    return known.fallback <= GC_THEN_BACKGROUND && known.if_shared <= GC_SHARED_RELEASE &&
           (known.flags & ~(GC_DEFERRED | GC_UNTIL_ACKED | GC_KEEP_OPEN)) == 0;
}

/* open, both ways, its linger as it was set in main */
static void check_untouched(void)
{
    struct linger linger;
    check_length length = (check_length)sizeof(linger);
    char byte = 0;
    CHECK_IS(getsockopt(ours, SOL_SOCKET, SO_LINGER, (char *)&linger, &length), 0);
    CHECK(linger.l_onoff != 0 && linger.l_linger == 7);
    CHECK_IS(check_send(ours, "a", 1), 1);
    CHECK_IS(check_receive(peer, &byte, 1), 1);
    CHECK(byte == 'a');
    CHECK_IS(check_send(peer, "b", 1), 1);
    CHECK_IS(check_receive(ours, &byte, 1), 1);
    CHECK(byte == 'b');
}

static void check_refused(const space *options, space *report)
{
    check_set_last_error(0);
    CHECK_IS(gc_close_with(ours, options == NULL ? NULL : &options->options,
                           report == NULL ? NULL : &report->report),
             GC_ERR_ARGUMENT);
    CHECK_IS(check_last_error(), CHECK_EINVAL);
}

/* all but the size is zero */
static void clear(space *given, size_t struct_size)
{
    memset(given, 0, sizeof(*given));
    given->struct_size = struct_size;
}

static void option_sizes_are_checked(void)
{
    space given;
    size_t size, at;
    check_doing = "size of the options";
    for (size = 0; size <= LARGEST + 40; size++) {
        check_round = (long)size;
        clear(&given, size);
        if (!is_option_size(size)) {
            check_refused(&given, NULL);
            continue;
        }
        CHECK_IS(gc_close_with(CHECK_NO_SOCKET, &given.options, NULL), GC_ERR_NOT_A_SOCKET);
        /* what this library does not know must be zero */
        for (at = sizeof(gc_options); at < size; at += 1 + (size - at) / 3) {
            given.bytes[at] = 1;
            check_refused(&given, NULL);
            given.bytes[at] = 0;
        }
        if (size > sizeof(gc_options)) {
            given.bytes[size - 1] = 0x80;
            check_refused(&given, NULL);
            /* and what is behind it does not count */
            given.bytes[size - 1] = 0;
            given.bytes[size] = 1;
            CHECK_IS(gc_close_with(CHECK_NO_SOCKET, &given.options, NULL), GC_ERR_NOT_A_SOCKET);
        }
    }
    check_round = -1;
    clear(&given, (size_t)-1);
    check_refused(&given, NULL);
    clear(&given, (size_t)-1 / 2 + 1);
    check_refused(&given, NULL);
    check_untouched();
}

static void values_are_checked(void)
{
    static const unsigned int wrong[] = { 2, 3, 4, 255, 256, 0x10000, 0x80000000U, 0xFFFFFFFFU };
    static const unsigned int flags[] = { 8, 16, 256, 0x10000, 0x80000000U, 0xFFFFFFFFU };
    size_t i;
    check_doing = "values of the options";
    for (i = 0; i < COUNT(wrong); i++) {
        space given;
        check_round = (long)i;
        clear(&given, sizeof(gc_options));
        given.options.if_shared = wrong[i];
        check_refused(&given, NULL);
        clear(&given, sizeof(gc_options));
        given.options.fallback = wrong[i] <= GC_THEN_BACKGROUND ? 5 : wrong[i];
        check_refused(&given, NULL);
    }
    for (i = 0; i < COUNT(flags); i++) {
        space given;
        check_round = (long)i;
        clear(&given, sizeof(gc_options));
        given.options.flags = flags[i];
        check_refused(&given, NULL);
        given.options.flags = flags[i] | GC_DEFERRED;
        check_refused(&given, NULL);
        given.options.flags = flags[i] | GC_UNTIL_ACKED | GC_KEEP_OPEN;
        check_refused(&given, NULL);
    }
    check_untouched();
}

static unsigned long seed = 20240229UL;

static unsigned int arbitrary(unsigned int below)
{
    seed = (seed * 1103515245UL + 12345UL) & 0xFFFFFFFFUL;
    return (unsigned int)(seed >> 8) % below;
}

static void garbage_is_refused(void)
{
    space given;
    int i;
    size_t at;
    check_doing = "garbage";
    memset(&given, 0xCC, sizeof(given));
    check_refused(&given, NULL);
    check_refused(NULL, &given);
    memset(&given, 0xFF, sizeof(given));
    check_refused(&given, NULL);
    check_refused(NULL, &given);
    for (i = 0; i < 10000; i++) {
        unsigned int kind = arbitrary(4);
        check_round = i;
        /* from noise everywhere to a struct that is nearly in order */
        for (at = 0; at < sizeof(given); at++)
            given.bytes[at] = (unsigned char)(arbitrary(kind * kind * 30 + 1) == 0 ? arbitrary(256) : 0);
        if (kind > 0) given.struct_size = arbitrary(sizeof(gc_options) * 2);
        if (kind > 1) given.struct_size = option_sizes[arbitrary(COUNT(option_sizes))];
        if (is_acceptable(&given))
            CHECK_IS(gc_close_with(CHECK_NO_SOCKET, &given.options, NULL), GC_ERR_NOT_A_SOCKET);
        else
            check_refused(&given, NULL);
        if (i % 200 == 0) check_untouched();
    }
    check_untouched();
}

static void only_so_much_is_written(void)
{
    space given, before;
    size_t size, at;
    check_doing = "size of the report";
    for (size = 0; size <= LARGEST + 40; size++) {
        check_round = (long)size;
        memset(&given, 0xA5, sizeof(given));
        given.struct_size = size;
        before = given;
        if (!is_report_size(size)) {
            check_refused(NULL, &given);
            CHECK(memcmp(&given, &before, sizeof(given)) == 0);
            continue;
        }
        CHECK_IS(gc_close_with(CHECK_NO_SOCKET, NULL, &given.report), GC_ERR_NOT_A_SOCKET);
        CHECK_IS(given.struct_size, size);
        for (at = size; at < sizeof(given); at++) CHECK(given.bytes[at] == 0xA5);
        if (size > offsetof(gc_report, outcome)) CHECK_IS(given.report.outcome, GC_ERR_NOT_A_SOCKET);
        if (size > offsetof(gc_report, system_error)) CHECK(given.report.system_error == check_last_error());
        if (size > offsetof(gc_report, closed)) CHECK_IS(given.report.closed, 0);
        if (size > offsetof(gc_report, peer_closed)) CHECK_IS(given.report.peer_closed, 0);
        if (size > offsetof(gc_report, drained_bytes)) CHECK_IS(given.report.drained_bytes, 0);
    }
    check_round = -1;
    memset(&given, 0xA5, sizeof(given));
    given.struct_size = (size_t)-1;
    check_refused(NULL, &given);
    check_untouched();
}

static void refusal_is_reported(void)
{
    space options, report;
    check_doing = "report of a refusal";
    clear(&options, sizeof(gc_options));
    options.options.fallback = 77;
    memset(&report, 0x5A, sizeof(report));
    report.struct_size = sizeof(gc_report);
    check_refused(&options, &report);
    CHECK_IS(report.report.outcome, GC_ERR_ARGUMENT);
    CHECK_IS(report.report.system_error, CHECK_EINVAL);
    CHECK_IS(report.report.closed, 0);
    CHECK_IS(report.report.peer_closed, 0);
    CHECK_IS(report.report.drained_bytes, 0);
    check_untouched();
}

int main(void)
{
    check_start();
    check_pair(&ours, &peer);
    check_set_linger(ours, 1, 7);
    option_sizes_are_checked();
    values_are_checked();
    garbage_is_refused();
    only_so_much_is_written();
    refusal_is_reported();
    check_half_close(peer);
    CHECK_IS(gc_close(ours, 10000), GC_GRACEFUL);
    check_close(peer);
    return 0;
}
