/*
 * AF_UNIX: a zero read is no proof that the peer has closed where both directions were shut
 * before, by the program itself (shutdown() and close() is an old habit) or by the peer's close.
 * The kernel tells whether there is still a socket at the other end.
 */
#include "reaper_test.h"

#include <sys/un.h>

static check_socket sock, peer;
static int in_two;

static void local_pair(void)
{
    int ends[2];
    CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    sock = ends[0];
    peer = ends[1];
    CHECK_IS(check_send(sock, "hello", 5), 5);
}

static void shut(void)
{
    if (in_two) {
        CHECK_IS(shutdown(sock, SHUT_WR), 0);
        CHECK_IS(shutdown(sock, SHUT_RD), 0);
    } else
        CHECK_IS(shutdown(sock, SHUT_RDWR), 0);
}

static void peer_reads_and_closes(void *after_ms)
{
    char bytes[8];
    check_sleep((unsigned int)(size_t)after_ms);
    CHECK_IS(recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT), 5);
    check_close(peer);
}

static int outcome_by(int way, gc_report *report)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = 200;
    if (way == 0) return gc_close_with(sock, &options, report);
    if (way == 1) {
        CHECK(gc_close_many(&sock, 1, &options, report) >= 0);
        return report->outcome;
    } else {
        gc_closing *closing;
        int outcome;
        CHECK_IS(gc_closing_new(sock, &options, &closing), 0);
        while ((outcome = gc_closing_step(closing)) == GC_PENDING) {
            struct pollfd entry;
            entry.fd = gc_closing_wants_read(closing) ? gc_closing_socket(closing) : -1;
            entry.events = POLLIN;
            poll(&entry, 1, (int)gc_closing_timeout_ms(closing));
        }
        CHECK_IS(gc_closing_report(closing, report), 0);
        gc_closing_free(closing);
        return outcome;
    }
}

static void the_program_had_shut_it(int way)
{
    gc_report report = GC_REPORT_INIT;
    check_thread thread;
    double start;
    local_pair();
    shut();
    start = check_now();
    CHECK_IS(outcome_by(way, &report), GC_UNCERTAIN);
    CHECK_ELAPSED(start, 200, 5000);
    CHECK_IS(report.peer_closed, 0);
    CHECK_IS(report.closed, 1);
    check_close(peer);

    local_pair();
    shut();
    check_thread_start(&thread, peer_reads_and_closes, (void *)(size_t)30);
    CHECK_IS(outcome_by(way, &report), GC_GRACEFUL);
    CHECK_IS(report.peer_closed, 1);
    check_thread_join(&thread);
}

static void the_peer_had_closed(int way)
{
    gc_report report = GC_REPORT_INIT;
    double start;
    local_pair();
    peer_reads_and_closes(NULL);
    start = check_now();
    CHECK_IS(outcome_by(way, &report), GC_GRACEFUL);
    CHECK_ELAPSED(start, 0, 150);
    CHECK_IS(report.peer_closed, 1);
}

/* connected, but nobody has taken it out of the backlog */
static void nobody_has_accepted_it(int way)
{
    gc_report report = GC_REPORT_INIT;
    struct sockaddr_un address;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    memset(&address, 0, sizeof(address));
    address.sun_family = AF_UNIX;
    sprintf(address.sun_path + 1, "graceful-close-%ld-%d-%d", (long)getpid(), way, in_two);
    CHECK_IS(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_IS(listen(listener, 4), 0);
    sock = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_IS(connect(sock, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_IS(check_send(sock, "hello", 5), 5);
    shut();
    CHECK_IS(outcome_by(way, &report), GC_UNCERTAIN);
    close(listener);
}

int main(void)
{
    int way;
    check_start();
    for (way = 0; way < 3; way++)
        for (in_two = 0; in_two < 2; in_two++) {
            check_round = way * 10 + in_two;
            check_doing = "the program had shut it";
            the_program_had_shut_it(way);
            check_doing = "the peer had closed";
            the_peer_had_closed(way);
            check_doing = "nobody has accepted it";
            nobody_has_accepted_it(way);
        }
    return 0;
}
