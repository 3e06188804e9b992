/*
 * Multipath TCP, and a peer that has plain TCP: the connection as a whole is called closed while all is
 * under way, and once its one path is gone nothing is counted any more, as if it had been acknowledged. A
 * reset behind the peer's FIN is told as one, when it comes and not before, and is no graceful end where
 * another thread of the program has taken the error.
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

enum { ROUNDS = 40, MUCH = 6000 };

static int peer_closes;

/* closed with bytes that it has not read */
static void resets_soon(void *unused)
{
    (void)unused;
    check_sleep(100);
    CHECK_STORE(peer_closes, 1);
    check_close(peer);
}

static void takes_the_error(void *own)
{
    int error = 0, tries;
    check_length size = (check_length)sizeof(error);
    for (tries = 0; tries < 100000 && error == 0; tries++) {
        CHECK_IS(getsockopt(*(check_socket *)own, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    }
}

/* The peer's FIN is there, and more of ours under way than it takes. */
static void reset_behind_its_fin(int takes, int is_asked_first)
{
    check_thread other, thief;
    check_socket own;
    gc_report report;
    make_pair();
    CHECK_IS(shutdown(peer, SHUT_WR), 0);
    check_wait_readable(ours);
    check_send_pattern(ours, MUCH, 0);
    own = dup(ours);
    CHECK_STORE(peer_closes, 0);
    check_thread_start(&other, resets_soon, NULL);
    if (takes) check_thread_start(&thief, takes_the_error, &own);
    report = closed(is_asked_first ? 50 : 0);
    CHECK(CHECK_LOAD(peer_closes)); /* not before */
    check_thread_join(&other);
    if (takes) check_thread_join(&thief);
    check_close(own);
    if (!takes || report.outcome != GC_UNCERTAIN) CHECK_IS(report.outcome, GC_RESET);
    CHECK(report.unacked_bytes != 0);
}

/* It often cannot be told any more that the end was no reset whose error somebody has taken. */
static void both_close(void)
{
    check_doing = "both close";
    for (check_round = 0; check_round < ROUNDS; check_round++) {
        gc_report report = both_closed(MUCH);
        if (report.outcome != GC_UNCERTAIN) CHECK_IS(report.outcome, GC_GRACEFUL);
        if (report.outcome != GC_UNCERTAIN || check_round % 4 == 0) CHECK_IS(report.peer_closed, 1);
    }
}

int main(void)
{
    check_start();
    start_listening(0, 4096);
    both_close();
    for (check_round = 0; check_round < 6; check_round++) {
        check_doing = "reset behind its FIN";
        reset_behind_its_fin(0, check_round % 2 == 1);
        check_doing = "reset behind its FIN, the error taken";
        reset_behind_its_fin(1, check_round % 2 == 1);
    }
    check_close(listener);
    return 0;
}

#endif
