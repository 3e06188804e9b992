/*
 * Multipath TCP: a reset by the peer is told as one, and no close is called graceful that was not,
 * also where another thread of the program has taken the error. Where both ends close, it is.
 */
#include "check.h"

#include "graceful_close.h"

#ifndef __linux__

int main(void)
{
    check_skip("Linux only: MPTCP");
    return 0;
}

#else

enum { MULTIPATH = 262, ROUNDS = 40 }; /* IPPROTO_MPTCP: older headers do not have it */

static check_socket listener, ours, peer;
static struct sockaddr_in address;
static int error_was_taken;

static check_socket multipath(void)
{
    check_socket sock = socket(AF_INET, SOCK_STREAM, MULTIPATH);
    if (sock < 0) check_skip("this kernel has no MPTCP");
    return sock;
}

static void start_listening(void)
{
    check_length length = (check_length)sizeof(address);
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = multipath();
    CHECK_IS(bind(listener, (struct sockaddr *)&address, length), 0);
    CHECK_IS(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    CHECK_IS(listen(listener, 8), 0);
}

/* connected, and each has had something of the other */
static void make_pair(void)
{
    char bytes[1000] = {0};
    ours = multipath();
    CHECK_IS(connect(ours, (struct sockaddr *)&address, (check_length)sizeof(address)), 0);
    peer = accept(listener, NULL, NULL);
    CHECK(peer >= 0);
    CHECK_IS(check_send(ours, bytes, sizeof(bytes)), (long)sizeof(bytes));
    CHECK_IS(check_receive(peer, bytes, sizeof(bytes)), (long)sizeof(bytes));
    CHECK_IS(check_send(peer, bytes, 1), 1);
    CHECK_IS(check_receive(ours, bytes, 1), 1);
}

static void resets_soon(void *unused)
{
    (void)unused;
    check_sleep(60);
    check_set_linger(peer, 1, 0);
    check_close(peer);
}

static void takes_the_error(void *own)
{
    char byte;
    while (check_receive(*(check_socket *)own, &byte, 1) > 0) continue;
    error_was_taken = check_last_error() == ECONNRESET;
}

static gc_report closed(unsigned int peer_first_ms)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    int outcome;
    options.timeout_ms = 3000;
    options.peer_first_ms = peer_first_ms;
    outcome = gc_close_with(ours, &options, &report);
    CHECK_IS(outcome, report.outcome);
    return report;
}

static void reset_by_the_peer(void)
{
    check_thread other;
    gc_report report;
    check_doing = "reset by the peer";
    make_pair();
    check_thread_start(&other, resets_soon, NULL);
    report = closed(0);
    check_thread_join(&other);
    CHECK_IS(report.outcome, GC_RESET);
    CHECK_IS(report.system_error, ECONNRESET);
}

/* nobody can tell any more how it ended */
static void error_taken(void)
{
    check_thread other, thief;
    gc_report report;
    check_socket own;
    check_doing = "error taken";
    make_pair();
    own = dup(ours);
    error_was_taken = 0;
    check_thread_start(&thief, takes_the_error, &own);
    check_sleep(5);
    check_thread_start(&other, resets_soon, NULL);
    report = closed(0);
    check_thread_join(&other);
    check_thread_join(&thief);
    check_close(own);
    CHECK_IS(report.outcome, error_was_taken ? GC_UNCERTAIN : GC_RESET);
    CHECK_IS(report.peer_closed, 0);
}

static void closes_at_the_end(void *unused)
{
    char byte;
    (void)unused;
    while (check_receive(peer, &byte, 1) > 0) continue;
    check_close(peer);
}

static void closes_soon(void *unused)
{
    (void)unused;
    check_sleep(20);
    check_close(peer);
}

/* the peer closes before us, while it is given the time to, or after us */
static void both_close(void)
{
    check_thread other;
    check_doing = "both close";
    for (check_round = 0; check_round < ROUNDS; check_round++) {
        gc_report report;
        int is_first = check_round % 4 == 0, is_asked_first = check_round % 4 == 1;
        make_pair();
        if (is_first) {
            check_close(peer);
            check_wait_readable(ours);
        } else {
            check_thread_start(&other, is_asked_first ? closes_soon : closes_at_the_end, NULL);
        }
        report = closed(is_asked_first ? 2000 : 0);
        if (!is_first) check_thread_join(&other);
        CHECK_IS(report.outcome, GC_GRACEFUL);
        CHECK_IS(report.peer_closed, 1);
    }
}

int main(void)
{
    check_start();
    start_listening();
    reset_by_the_peer();
    for (check_round = 0; check_round < 5; check_round++) error_taken();
    both_close();
    check_close(listener);
    return 0;
}

#endif
