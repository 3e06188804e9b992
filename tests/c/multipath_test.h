/* A connection that we have made over Multipath TCP, and the two ways to close it that are tried. Linux alone. */
#ifndef MULTIPATH_TEST_H
#define MULTIPATH_TEST_H

#include "graceful_close.h"

enum { MULTIPATH = 262 }; /* IPPROTO_MPTCP: older headers do not have it */

static check_socket listener, ours, peer;
static struct sockaddr_in address;

/* `protocol`: what the peers have; 0 is plain TCP. `room`: for so many bytes unread, if it is not 0. */
static void start_listening(int protocol, int room)
{
    check_length length = (check_length)sizeof(address);
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, protocol);
    if (listener < 0) check_skip("this kernel has no MPTCP");
    if (room > 0) CHECK_IS(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
    CHECK_IS(bind(listener, (struct sockaddr *)&address, length), 0);
    CHECK_IS(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    CHECK_IS(listen(listener, 8), 0);
}

/* connected, and each has had something of the other */
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

static void closes_soon(void *unused)
{
    (void)unused;
    check_sleep(20);
    check_close(peer);
}

static void closes_at_the_end(void *unused)
{
    size_t bytes;
    (void)unused;
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    check_close(peer);
}

/* the peer closes before us, while it is given the time to, or after us and after so many bytes of ours */
static gc_report both_closed(size_t bytes)
{
    gc_report report;
    check_thread other;
    int is_first = check_round % 4 == 0, is_asked_first = check_round % 4 == 1;
    make_pair();
    if (is_first) {
        check_close(peer);
        check_wait_readable(ours);
    } else {
        if (!is_asked_first) check_send_pattern(ours, bytes, 0);
        check_thread_start(&other, is_asked_first ? closes_soon : closes_at_the_end, NULL);
    }
    report = closed(is_asked_first ? 2000 : 0);
    if (!is_first) check_thread_join(&other);
    return report;
}

#endif
