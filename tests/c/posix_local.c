/*
 * AF_UNIX on every POSIX system: where the peer closes, the close ends at once and not with its
 * time; where the program itself has shut both directions before, a zero read proves nothing.
 * What Linux tells beyond that: linux_local.c.
 */
#include "closing_test.h"
#include "reaper_test.h"

#define WAYS 5

static check_socket sock, peer;

static void local_pair(void)
{
    int ends[2];
    CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    sock = ends[0];
    peer = ends[1];
}

static gc_report by_steps(const gc_options *options)
{
    gc_closing *closing = new_closing(sock, options);
    int outcome = driven(closing);
    gc_report report = report_of(closing);
    CHECK_IS(report.outcome, outcome);
    gc_closing_free(closing);
    return report;
}

static gc_report in_the_background(const gc_options *options)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    told end;
    told_start(&end, sock);
    CHECK_IS(gc_reaper_close(reaper, sock, options, tell, &end), 0);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
    CHECK_IS(end.calls, 1);
    return end.report;
}

static gc_report closed_by(int way, unsigned int timeout_ms)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    options.timeout_ms = timeout_ms;
    if (way == 0) {
        int outcome = gc_close_with(sock, &options, &report);
        CHECK_IS(report.outcome, outcome);
    } else if (way == 1)
        CHECK(gc_close_many(&sock, 1, &options, &report) >= 0);
    else if (way == 2)
        report = by_steps(&options);
    else {
        options.flags = way == 3 ? 0 : GC_DEFERRED;
        report = in_the_background(&options);
    }
    CHECK_IS(report.closed, 1);
    return report;
}

static void reads_and_closes(void *unused)
{
    size_t bytes;
    (void)unused;
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    CHECK_IS(bytes, 100000);
    check_close(peer);
}

static void the_peer_closes(int way)
{
    check_thread reader;
    double start;
    gc_report report;
    check_doing = "the peer closes";
    local_pair();
    check_thread_start(&reader, reads_and_closes, NULL);
    check_send_pattern(sock, 100000, 0);
    start = check_now();
    report = closed_by(way, 30000);
    CHECK_ELAPSED(start, 0, 15000);
    CHECK_IS(report.outcome, GC_GRACEFUL);
    CHECK_IS(report.peer_closed, 1);
    check_thread_join(&reader);
}

static void the_program_had_shut_it(int way)
{
    gc_report report;
    check_doing = "the program had shut it";
    local_pair();
    CHECK_IS(check_send(sock, "unread", 6), 6);
    CHECK_IS(shutdown(sock, SHUT_RDWR), 0);
    report = closed_by(way, 200);
    CHECK_IS(report.outcome, GC_UNCERTAIN);
    CHECK_IS(report.peer_closed, 0);
    check_close(peer);
}

int main(void)
{
    int way;
    check_start();
    for (way = 0; way < WAYS; way++) {
        check_round = way;
        the_peer_closes(way);
        the_program_had_shut_it(way);
    }
    return 0;
}
