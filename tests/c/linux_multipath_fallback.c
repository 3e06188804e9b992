/*
 * Multipath TCP, and a peer that has plain TCP: the connection as a whole is called closed while all is
 * under way, and once its one path is gone nothing is counted any more, as if it had been acknowledged. A
 * reset behind the peer's FIN is told as one, when it comes and not before, and is no graceful end where
 * another thread of the program has taken the error.
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

enum { MULTIPATH = 262, ROUNDS = 40, MUCH = 6000 }; /* IPPROTO_MPTCP: older headers do not have it */

static check_socket listener, ours, peer;
static struct sockaddr_in address;

static void start_listening(void)
{
    check_length length = (check_length)sizeof(address);
    int small = 4096;
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(listener >= 0);
    CHECK_IS(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    CHECK_IS(bind(listener, (struct sockaddr *)&address, length), 0);
    CHECK_IS(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    CHECK_IS(listen(listener, 8), 0);
}

static void make_pair(void)
{
    char bytes[1000] = {0};
    ours = socket(AF_INET, SOCK_STREAM, MULTIPATH);
    if (ours < 0) check_skip("this kernel has no MPTCP");
    CHECK_IS(connect(ours, (struct sockaddr *)&address, (check_length)sizeof(address)), 0);
    peer = accept(listener, NULL, NULL);
    CHECK(peer >= 0);
    CHECK_IS(check_send(ours, bytes, sizeof(bytes)), (long)sizeof(bytes));
    CHECK_IS(check_receive(peer, bytes, sizeof(bytes)), (long)sizeof(bytes));
    CHECK_IS(check_send(peer, bytes, 1), 1);
    CHECK_IS(check_receive(ours, bytes, 1), 1);
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

/* closed with bytes that it has not read */
static void resets_soon(void *unused)
{
    (void)unused;
    check_sleep(100);
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
    check_thread_start(&other, resets_soon, NULL);
    if (takes) check_thread_start(&thief, takes_the_error, &own);
    report = closed(is_asked_first ? 50 : 0);
    check_thread_join(&other);
    if (takes) check_thread_join(&thief);
    check_close(own);
    if (!takes || report.outcome != GC_UNCERTAIN) CHECK_IS(report.outcome, GC_RESET);
    CHECK(report.unacked_bytes != 0);
    CHECK(report.elapsed_us >= 80000);
}

static void reads_all_and_closes(void *unused)
{
    size_t bytes;
    (void)unused;
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    check_close(peer);
}

static void closes_soon(void *unused)
{
    (void)unused;
    check_sleep(20);
    check_close(peer);
}

/* The peer closes before us, while it is given the time to, or after us. It often cannot be told any more
   that it was no reset whose error somebody has taken. */
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
            if (!is_asked_first) check_send_pattern(ours, MUCH, 0);
            check_thread_start(&other, is_asked_first ? closes_soon : reads_all_and_closes, NULL);
        }
        report = closed(is_asked_first ? 2000 : 0);
        if (!is_first) check_thread_join(&other);
        if (report.outcome != GC_UNCERTAIN) CHECK_IS(report.outcome, GC_GRACEFUL);
        CHECK(report.outcome == GC_UNCERTAIN || report.peer_closed);
        if (is_first) CHECK_IS(report.peer_closed, 1);
    }
}

int main(void)
{
    check_start();
    start_listening();
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
