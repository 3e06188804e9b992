/*
 * A close takes no memory from the heap, not even the first one of the process: it
 * works when nothing is left, and does not queue for the allocator among many threads. Nor does
 * the line of the log about one that was not graceful, or was refused.
 * (Looking for other holders of the connection, GC_SHARED_RELEASE, is another matter:
 * see out_of_memory.c.)
 */
#include "check_heap.h"

#include "graceful_close.h"

#ifdef HEAP_WHY_NOT

int main(void)
{
    check_skip(HEAP_WHY_NOT);
    return 0;
}

#else

static const gc_options initial = GC_OPTIONS_INIT;

/* a log, or none */
static int is_logged = 0;
static int lines, last_number;

static void counts(void *user, int number, const char *line)
{
    (void)user;
    CHECK(*line != '\0');
    lines++;
    last_number = number;
}

/* closes and tells how it ended; not one call may be counted */
static int closes(const char *what, check_socket sock, const gc_options *options)
{
    gc_report report = GC_REPORT_INIT;
    int outcome;
    check_doing = what;
    lines = 0;
    heap_watch_start();
    outcome = gc_close_with(sock, options, &report);
    CHECK_IS(heap_watch_end(), 0);
    CHECK_IS(report.closed, 1);
    CHECK_IS(lines, is_logged && outcome != GC_GRACEFUL);
    if (lines != 0) CHECK_IS(last_number, outcome);
    return outcome;
}

static void sends_4_mb(void *argument)
{
    check_socket peer = *(check_socket *)argument;
    check_send_pattern(peer, 4000000, 0);
    check_half_close(peer);
}

static int takes(void *user, const void *data, size_t size)
{
    (void)data;
    *(size_t *)user += size;
    return 0;
}

static void refusals(void)
{
    gc_options options = initial;
    options.struct_size = 0;
    check_doing = "an error";
    lines = 0;
    heap_watch_start();
    CHECK_IS(gc_close(-1, 100), GC_ERR_NOT_A_SOCKET);
    CHECK_IS(gc_abort(-1), GC_ERR_NOT_A_SOCKET);
    CHECK_IS(gc_close_with(-1, &options, NULL), GC_ERR_ARGUMENT);
    CHECK(gc_outcome_name(0) != NULL && gc_version_string() != NULL);
    CHECK_IS(heap_watch_end(), 0);
    CHECK_IS(lines, is_logged ? 3 : 0);
}

static void closes_of_all_kinds(void)
{
    gc_options options;
    check_thread sender;
    check_socket sock, peer;
    size_t taken = 0;

    check_pair(&sock, &peer);
    check_half_close(peer);
    check_wait_readable(sock);
    CHECK_IS(closes("the first close", sock, NULL), GC_GRACEFUL);
    check_close(peer);

    options = initial;
    options.timeout_ms = 50;
    check_pair(&sock, &peer);
    CHECK_IS(closes("a silent peer", sock, &options), GC_TIMED_OUT);
    check_close(peer);

    options.timeout_ms = 60000;
    check_pair(&sock, &peer);
    check_thread_start(&sender, sends_4_mb, &peer);
    CHECK_IS(closes("4 MB", sock, &options), GC_GRACEFUL);
    check_thread_join(&sender);
    check_close(peer);

    options.on_data = takes;
    options.user = &taken;
    check_pair(&sock, &peer);
    check_thread_start(&sender, sends_4_mb, &peer);
    CHECK_IS(closes("4 MB and a reader", sock, &options), GC_GRACEFUL);
    CHECK_IS(taken, 4000000);
    check_thread_join(&sender);
    check_close(peer);

    check_pair(&sock, &peer);
    check_reset(peer);
    CHECK_IS(closes("reset", sock, NULL), GC_RESET);

    options = initial;
    options.timeout_ms = 50;
    options.fallback = GC_THEN_ABORT;
    check_pair(&sock, &peer);
    CHECK_IS(closes("timed out and reset", sock, &options), GC_TIMED_OUT);
    check_close(peer);

    CHECK_IS(closes("UDP", socket(AF_INET, SOCK_DGRAM, 0), NULL), GC_NOT_CONNECTED);

    refusals();
}

int main(void)
{
    check_start();
    closes_of_all_kinds();
    gc_set_log(counts, NULL);
    is_logged = 1;
    closes_of_all_kinds();
    heap_check_watch();
    return 0;
}

#endif
