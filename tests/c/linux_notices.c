/*
 * What was sent with MSG_ZEROCOPY, or is to be time-stamped, leaves notices on the
 * socket, and poll() returns at once as long as one of them is there. Nobody fetches
 * them once the program has given the socket away: waiting for a silent peer costs
 * nothing all the same, and whoever watches the socket himself does not spin. Where the program
 * gets the socket back, they are still there.
 */
#include "reaper_test.h"

/* linux/net_tstamp.h, which a compiler for musl does not find */
enum { TX_ACK = 1 << 9, SOFTWARE = 1 << 4, ONLY_THE_STAMP = 1 << 11 };

#define WAIT_MS 200U
#define SIZE 20000

static const char *const kinds[] = {"none", "time stamps", "zero copy"};

/* connected; the peer has read what was sent, and there is something to be told of it */
static void with_notices(int kind, check_socket *ours, check_socket *peer)
{
    static char data[SIZE];
    int stamps = TX_ACK | SOFTWARE | ONLY_THE_STAMP;
    int on = 1, flags = 0;
    struct pollfd entry;
    size_t bytes = 0;
    check_doing = kinds[kind];
    check_pair(ours, peer);
    if (kind == 1)
        CHECK_IS(setsockopt(*ours, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)), 0);
    if (kind == 2) {
        if (setsockopt(*ours, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) != 0)
            check_skip("the rest: this kernel has no SO_ZEROCOPY");
        flags = MSG_ZEROCOPY;
    }
    CHECK_IS(send(*ours, data, SIZE / 2, flags), SIZE / 2);
    CHECK_IS(send(*ours, data, SIZE / 2, flags), SIZE / 2);
    while (bytes < SIZE) {
        long now = check_receive(*peer, data, sizeof(data));
        CHECK(now > 0);
        bytes += (size_t)now;
    }
    if (kind == 0) return;
    entry.fd = *ours;
    entry.events = POLLIN;
    CHECK_IS(poll(&entry, 1, 10000), 1);
    CHECK_IS(entry.revents, POLLERR);
}

/* what a wait may cost; one that spins costs all of its time */
static double little(void)
{
    return check_is_slow() ? WAIT_MS * 3 / 4 : WAIT_MS / 4;
}

static gc_options patient(void)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = WAIT_MS;
    return options;
}

static void blocking(int kind, int many)
{
    check_socket sock, peer;
    gc_options options = patient();
    gc_report report = GC_REPORT_INIT;
    double used;
    with_notices(kind, &sock, &peer);
    used = processor_time();
    if (many)
        CHECK_IS(gc_close_many(&sock, 1, &options, &report), 0);
    else
        CHECK_IS(gc_close_with(sock, &options, &report), GC_TIMED_OUT);
    used = processor_time() - used;
    CHECK_IS(report.outcome, GC_TIMED_OUT);
    CHECK_IS(report.unacked_bytes, 0);
    CHECK_IS(report.system_error, 0);
    CHECK_BETWEEN(used, 0, little());
    check_close(peer);
}

static long waits(void)
{
    struct rusage usage;
    CHECK_IS(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_nvcsw;
}

/* several, which are waited for by poll(): a notice that is left there would end each wait */
static void several(int kind)
{
    check_socket socks[3], peers[3];
    gc_options options = patient();
    gc_report reports[3] = {GC_REPORT_INIT, GC_REPORT_INIT, GC_REPORT_INIT};
    double used;
    long before;
    int i;
    for (i = 0; i < 3; i++) with_notices(kind, &socks[i], &peers[i]);
    before = waits();
    used = processor_time();
    CHECK_IS(gc_close_many(socks, 3, &options, reports), 0);
    used = processor_time() - used;
    CHECK_BETWEEN(used, 0, little());
    CHECK_BETWEEN(waits() - before, 0, WAIT_MS / 4);
    for (i = 0; i < 3; i++) {
        CHECK_IS(reports[i].outcome, GC_TIMED_OUT);
        check_close(peers[i]);
    }
}

/* the smallest level-triggered loop */
static void in_a_loop(int kind, int ends)
{
    check_socket sock, peer;
    gc_options options = patient();
    gc_closing *closing = NULL;
    int steps = 0, code;
    with_notices(kind, &sock, &peer);
    CHECK_IS(gc_closing_new(sock, &options, &closing), 0);
    if (ends) check_close(peer);
    while ((code = gc_closing_step(closing)) == GC_PENDING) {
        struct pollfd entry;
        entry.fd = gc_closing_wants_read(closing) ? gc_closing_socket(closing) : -1;
        entry.events = POLLIN;
        steps++;
        CHECK(poll(&entry, 1, (int)gc_closing_timeout_ms(closing)) >= 0);
    }
    CHECK_IS(code, ends ? GC_GRACEFUL : GC_TIMED_OUT);
    CHECK_BETWEEN(steps, 0, 20);
    gc_closing_free(closing);
    if (!ends) check_close(peer);
}

/* the buffers of what was sent with MSG_ZEROCOPY are free only when the program is told */
static void kept_open(int kind)
{
    check_socket sock, peer;
    struct msghdr message;
    double used;
    with_notices(kind, &sock, &peer);
    used = processor_time();
    CHECK_IS(gc_finish(sock, WAIT_MS), GC_TIMED_OUT);
    used = processor_time() - used;
    CHECK_BETWEEN(used, 0, little());
    memset(&message, 0, sizeof(message));
    if (kind > 0) CHECK(recvmsg(sock, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0);
    check_close(sock);
    check_close(peer);
}

/* a handle whose time is up at its first step has not waited: nothing was in its way */
static void kept_by_a_handle(int kind)
{
    check_socket sock, peer;
    struct msghdr message;
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing = NULL;
    with_notices(kind, &sock, &peer);
    options.timeout_ms = 0;
    options.flags = GC_KEEP_OPEN;
    CHECK_IS(gc_closing_new(sock, &options, &closing), 0);
    CHECK_IS(gc_closing_step(closing), GC_TIMED_OUT);
    gc_closing_free(closing);
    memset(&message, 0, sizeof(message));
    if (kind > 0) CHECK(recvmsg(sock, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0);
    check_close(sock);
    check_close(peer);
}

static void in_the_background(int kind)
{
    check_socket sock, peer;
    gc_options options = patient();
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    told end;
    double used;
    with_notices(kind, &sock, &peer);
    told_start(&end, sock);
    used = processor_time();
    CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    used = processor_time() - used;
    CHECK_IS(end.report.outcome, GC_TIMED_OUT);
    CHECK_BETWEEN(used, 0, little());
    check_close(peer);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

int main(void)
{
    int kind;
    check_start();
    for (kind = 0; kind < 3; kind++) {
        blocking(kind, 0);
        blocking(kind, 1);
        several(kind);
        kept_open(kind);
        kept_by_a_handle(kind);
        in_a_loop(kind, 0);
        in_a_loop(kind, 1);
        in_the_background(kind);
    }
    return 0;
}
