/*
 * Multipath TCP: a reset by the peer is told as one, and no close is called graceful that was not,
 * also where another thread of the program has taken the error. Where both ends close, it is.
 */
#include "check.h"

#ifndef __linux__

int main(void)
{
    check_skip("Linux only: MPTCP");
    return 0;
}

#else

#include "multipath_test.h"

enum { ROUNDS = 40 };

static int error_was_taken;

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

static void both_close(void)
{
    check_doing = "both close";
    for (check_round = 0; check_round < ROUNDS; check_round++) {
        gc_report report = both_closed(0);
        CHECK_IS(report.outcome, GC_GRACEFUL);
        CHECK_IS(report.peer_closed, 1);
    }
}

int main(void)
{
    check_start();
    start_listening(MULTIPATH, 0);
    reset_by_the_peer();
    for (check_round = 0; check_round < 5; check_round++) error_taken();
    both_close();
    check_close(listener);
    return 0;
}

#endif
