/*
 * Every wait: never shorter than asked, and over when it should be. What a close
 * without a graceful end leaves behind: closed, reset, or kept half-closed.
 */
#include "check.h"

#include "graceful_close.h"

static gc_options options;
static gc_report report;
static check_socket ours, peer;
static double start;

static void begin(const char *what)
{
    static const gc_options initial = GC_OPTIONS_INIT;
    check_doing = what;
    options = initial;
    options.timeout_ms = 20000;
    check_pair(&ours, &peer);
}

static int closes(void)
{
    static const gc_report initial = GC_REPORT_INIT;
    int outcome;
    report = initial;
    start = check_now();
    outcome = gc_close_with(ours, &options, &report);
    CHECK_BETWEEN((double)report.elapsed_us / 1000, 0, check_now() - start);
    return outcome;
}

/* the stream from ours has ended, and nothing is wrong with it */
static void check_peer_got_fin(void)
{
    char byte;
    check_wait_readable(peer);
    CHECK_IS(check_receive(peer, &byte, 1), 0);
}

static void silent_peer(void)
{
    begin("silent peer");
    options.timeout_ms = 100;
    CHECK_IS(closes(), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 100, 3000);
    CHECK_BETWEEN((double)report.elapsed_us / 1000, 100, 30000);
    CHECK_IS(report.closed, 1);
    CHECK_IS(report.peer_closed, 0);
    CHECK(!check_is_socket(ours));
    check_peer_got_fin();
    check_close(peer);

    begin("silent peer, gc_close");
    start = check_now();
    CHECK_IS(gc_close(ours, 1), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 1, 3000);
    check_close(peer);

    begin("silent peer, gc_close_async");
    start = check_now();
    CHECK_IS(gc_close_async(ours, 60), 0);
    CHECK_IS(gc_flush(20000), 0);
    CHECK_ELAPSED(start, 60, 3000);
    check_close(peer);

    begin("silent peer, default time-out");
    gc_set_default_timeout(80);
    start = check_now();
    CHECK_IS(gc_closesocket(ours), 0);
    CHECK_ELAPSED(start, 80, 3000);
    CHECK(!check_is_socket(ours));
    gc_set_default_timeout(5000);
    check_close(peer);

    begin("silent peer, nothing to wait for");
    options.timeout_ms = 0;
    CHECK_IS(closes(), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 0, 1000);
    check_peer_got_fin();
    check_close(peer);
}

static double last_said, longest_silence;

static void says_five_words(void *unused)
{
    int i;
    (void)unused;
    last_said = check_now();
    for (i = 0; i < 5; i++) {
        double before = last_said;
        check_sleep(40);
        last_said = check_now();
        check_send(peer, "x", 1);
        if (check_now() - before > longest_silence) longest_silence = check_now() - before;
    }
}

static void idle_peer(void)
{
    check_thread talker;
    begin("idle peer");
    options.idle_timeout_ms = 60;
    CHECK_IS(closes(), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 60, 3000);
    check_close(peer);

    begin("idle for longer than there is time");
    options.timeout_ms = 50;
    options.idle_timeout_ms = 5000;
    CHECK_IS(closes(), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 50, 3000);
    check_close(peer);

    begin("now and then a word");
    options.idle_timeout_ms = 200;
    longest_silence = 0;
    check_thread_start(&talker, says_five_words, NULL);
    CHECK_IS(closes(), GC_TIMED_OUT);
    {
        double end = check_now();
        check_thread_join(&talker);
        if (longest_silence < 150) {
            CHECK_BETWEEN(end - last_said, 200, 30000);
            CHECK_IS(report.drained_bytes, 5);
        } /* else the machine was too busy to tell */
    }
    check_close(peer);
}

static double closed_at;

static void closes_after_a_while(void *unused)
{
    (void)unused;
    check_sleep(60);
    closed_at = check_now();
    check_close(peer);
}

#ifdef __linux__
/* the state of the connection between two local ports, as the first one sees it;
   -1: there is none, -2: the system does not tell */
static int state_of(unsigned int from, unsigned int to)
{
    FILE *table = fopen("/proc/net/tcp", "r");
    char line[512];
    int found = -1;
    if (table == NULL) return -2;
    while (fgets(line, sizeof(line), table) != NULL) {
        unsigned int local, remote, state;
        if (sscanf(line, " %*u: %*x:%x %*x:%x %x", &local, &remote, &state) == 3 &&
            local == from && remote == to)
            found = (int)state;
    }
    fclose(table);
    return found;
}
#endif

static unsigned int port_of(check_socket sock)
{
    struct sockaddr_in address;
    check_length length = (check_length)sizeof(address);
    CHECK_IS(getsockname(sock, (struct sockaddr *)&address, &length), 0);
    return ((unsigned int)address.sin_port >> 8) | (((unsigned int)address.sin_port & 0xFF) << 8);
}

static void peer_first(void)
{
    check_thread closer;
    unsigned int our_port, peer_port;
    double end;

    begin("the peer closes first");
    options.peer_first_ms = 10000;
    our_port = port_of(ours);
    peer_port = port_of(peer);
    check_thread_start(&closer, closes_after_a_while, NULL);
    CHECK_IS(closes(), GC_GRACEFUL);
    end = check_now();
    CHECK_ELAPSED(start, 0, 5000);
    check_thread_join(&closer);
    CHECK(end >= closed_at);
    CHECK_IS(report.peer_closed, 1);
#ifdef __linux__
    CHECK(state_of(our_port, peer_port) < 0);
    if (state_of(our_port, peer_port) != -2)
        CHECK_IS(state_of(peer_port, our_port), 6); /* TIME_WAIT */
#else
    CHECK(our_port != peer_port);
#endif

    begin("the peer does not close first");
    options.peer_first_ms = 50;
    options.timeout_ms = 120;
    CHECK_IS(closes(), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 120, 3000);
    check_peer_got_fin();
    check_close(peer);

    begin("peer_first_ms is no longer than timeout_ms");
    options.peer_first_ms = 10000;
    options.timeout_ms = 50;
    CHECK_IS(closes(), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 50, 3000);
    check_peer_got_fin();
    check_close(peer);
}

/* the acknowledgement of our FIN may be a moment late on a busy machine */
static void everything_is_there(void)
{
    int i, graceful = 0;
    for (i = 0; i < 10; i++) {
        begin("no time, but all is there");
        check_round = i;
        options.timeout_ms = 0;
        if (i % 2 == 1) check_send_pattern(peer, 3000, 0);
        check_half_close(peer);
        check_wait_readable(ours);
        check_sleep(5);
        if (closes() == GC_GRACEFUL) {
            graceful++;
            CHECK_IS(report.drained_bytes, i % 2 == 1 ? 3000 : 0);
        }
        CHECK(report.outcome == GC_GRACEFUL || report.outcome == GC_TIMED_OUT);
        CHECK_ELAPSED(start, 0, 1000);
        check_close(peer);
    }
    CHECK_BETWEEN(graceful, 5, 10);
}

static void kept(void)
{
    char byte = 0;
    begin("kept");
    options.timeout_ms = 50;
    options.fallback = GC_THEN_KEEP;
    CHECK_IS(closes(), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 50, 3000);
    CHECK_IS(report.closed, 0);
    CHECK(check_is_socket(ours));
    check_peer_got_fin();
    CHECK_IS(check_send(ours, "x", 1), -1); /* half-closed */
    CHECK_IS(check_send(peer, "y", 1), 1);
    check_wait_readable(ours);
    CHECK_IS(check_receive(ours, &byte, 1), 1);
    CHECK(byte == 'y');
    /* and once more, to the end */
    check_close(peer);
    options.timeout_ms = 20000;
    CHECK_IS(closes(), check_is_generic() ? GC_NOT_CONNECTED : GC_GRACEFUL);
    CHECK_IS(report.closed, 1);
    CHECK(!check_is_socket(ours));

    begin("nothing to keep after a graceful end");
    options.fallback = GC_THEN_KEEP;
    check_close(peer);
    CHECK_IS(closes(), GC_GRACEFUL);
    CHECK_IS(report.closed, 1);
    CHECK(!check_is_socket(ours));
}

static void reset(void)
{
    begin("reset");
    options.timeout_ms = 50;
    options.fallback = GC_THEN_ABORT;
    CHECK_IS(closes(), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 50, 3000);
    CHECK_IS(report.closed, 1);
    CHECK(!check_is_socket(ours));
    check_sleep(50);
    /* behind an ordinary close the first one would go out and be answered by a reset */
    CHECK_IS(check_send(peer, "x", 1), -1);
    check_close(peer);
}

int main(void)
{
    check_start();
    silent_peer();
    idle_peer();
    peer_first();
    everything_is_there();
    kept();
    reset();
    return 0;
}
