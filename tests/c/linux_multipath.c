/*
 * A connection over several paths (MPTCP) whose first path has gone lives on over the others. The state
 * of that first path is not the connection's: the close goes on as with any other connection.
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

#include <sched.h>
#include <sys/wait.h>

enum { MULTIPATH = 262, PORT = 7777 }; /* IPPROTO_MPTCP: older headers do not have it */

static const char set_up[] = "exec 2>/dev/null; ip link set lo up && echo 1 >/proc/sys/net/mptcp/enabled &&"
                             " ip addr add 10.0.1.1/32 dev lo && ip addr add 10.0.1.2/32 dev lo &&"
                             " ip addr add 10.0.2.2/32 dev lo && ip mptcp limits set subflows 4 &&"
                             " ip mptcp endpoint add 10.0.2.2 dev lo subflow";
static const char has_second[] = "ss -tnH state established src 10.0.2.2 2>/dev/null | grep -q .";
static const char has_first[] = "ss -tnH src 10.0.1.2 2>/dev/null | grep -q .";
static const char end_first[] = "ss -K src 10.0.1.2 dst 10.0.1.1 dport = 7777 >/dev/null 2>&1";

static check_socket listener;

static int is_so(const char *command)
{
    return system(command) == 0;
}

static int comes_to_be(const char *command, int wanted)
{
    int i;
    for (i = 0; i < 100; i++) {
        if (is_so(command) == wanted) return 1;
        check_sleep(20);
    }
    return 0;
}

static struct sockaddr_in address(const char *text, int port)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = inet_addr(text);
    address.sin_port = htons((unsigned short)port);
    return address;
}

static check_socket bound(const char *text, int port)
{
    struct sockaddr_in own = address(text, port);
    int on = 1;
    check_socket sock = socket(AF_INET, SOCK_STREAM, MULTIPATH);
    if (sock < 0) check_skip("this kernel has no MPTCP");
    CHECK_IS(setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    CHECK_IS(bind(sock, (struct sockaddr *)&own, sizeof(own)), 0);
    return sock;
}

/* connected by two paths, of which the first has gone */
static void pair_without_first(check_socket *ours, check_socket *peer)
{
    struct sockaddr_in there = address("10.0.1.1", PORT);
    char byte = 'x';
    *peer = bound("10.0.1.2", 0);
    CHECK_IS(connect(*peer, (struct sockaddr *)&there, sizeof(there)), 0);
    *ours = accept(listener, NULL, NULL);
    CHECK(*ours >= 0);
    CHECK_IS(check_send(*peer, &byte, 1), 1);
    CHECK_IS(check_receive(*ours, &byte, 1), 1);
    CHECK_IS(check_send(*ours, &byte, 1), 1);
    CHECK_IS(check_receive(*peer, &byte, 1), 1);
    if (!comes_to_be(has_second, 1)) check_skip("no second path comes to be");
    if (!is_so(end_first) || !comes_to_be(has_first, 0)) check_skip("ss cannot end a path here");
    /* it lives */
    CHECK_IS(check_send(*peer, &byte, 1), 1);
    check_wait_readable(*ours);
    CHECK_IS(check_receive(*ours, &byte, 1), 1);
}

static void silent_peer(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    check_socket ours, peer;
    double start;
    check_doing = "silent peer";
    pair_without_first(&ours, &peer);
    options.timeout_ms = 400;
    start = check_now();
    CHECK_IS(gc_close_with(ours, &options, &report), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 400, 5000);
    check_close(peer);
}

static void reads_all(void *argument)
{
    check_socket peer = *(check_socket *)argument;
    size_t bytes;
    check_sleep(100);
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    CHECK_IS(bytes, 100000);
    check_close(peer);
}

static void answer_arrives(void)
{
    check_socket ours, peer;
    check_thread reader;
    int code;
    check_doing = "answer";
    pair_without_first(&ours, &peer);
    check_send_pattern(ours, 100000, 0);
    check_thread_start(&reader, reads_all, &peer);
    code = gc_close(ours, 10000);
    check_thread_join(&reader);
    /* all of it has arrived; but the path that would prove the peer's FIN is the one that has gone */
    CHECK_IS(code, GC_UNCERTAIN);
}

static void in_a_network_of_its_own(void)
{
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        check_skip("no network of its own to be had");
    if (!is_so(set_up)) check_skip("MPTCP cannot be set up: an old kernel, or no ip mptcp");
    listener = bound("10.0.1.1", PORT);
    CHECK_IS(listen(listener, 5), 0);
    silent_peer();
    answer_arrives();
    check_close(listener);
}

int main(void)
{
    check_start();
    in_a_network_of_its_own();
    return 0;
}

#endif
