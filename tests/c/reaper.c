/*
 * Closing in the background: every answer arrives whole although nobody waits, our FIN
 * leaves in the call, and ends come when they are due and never before.
 */
#include "reaper_test.h"

static house home;

typedef struct {
    check_socket peer;
    size_t size, got;
    unsigned int pause;
    int end;
} reader;

static void reads(void *argument)
{
    reader *self = (reader *)argument;
    self->end = check_read_to_end(self->peer, &self->got, self->pause);
    check_close(self->peer);
}

/* way: 0 gc_close_async, 1 gc_reaper_close, 2 deferred */
static void answers_arrive(int way)
{
    static const size_t sizes[] = {1, 1000, 100000, 4000000};
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    unsigned int i, unread;
    options.timeout_ms = 60000;
    options.flags = way == 2 ? GC_DEFERRED : 0;
    check_doing = way == 0 ? "answers, async" : way == 1 ? "answers" : "answers, deferred";
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (unread = 0; unread < 2; unread++) {
            check_thread thread;
            check_socket sock;
            reader peer;
            told end;
            check_round = (long)sizes[i];
            house_pair(&home, &sock, &peer.peer);
            peer.pause = sizes[i] == 100000 ? 5 : 0;
            if (unread) CHECK_IS(check_send(peer.peer, "unread", 6), 6);
            if (unread) check_wait_readable(sock);
            told_start(&end, sock);
            check_thread_start(&thread, reads, &peer);
            check_send_pattern(sock, sizes[i], 0);
            if (way == 0)
                CHECK_IS(gc_close_async(sock, 60000), 0);
            else
                CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
            check_thread_join(&thread);
            CHECK_IS(peer.end, 0);
            CHECK_IS(peer.got, sizes[i]);
            if (way == 0) {
                CHECK_IS(gc_flush(PATIENCE), 0);
                continue;
            }
            CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
            CHECK_IS(end.calls, 1);
            CHECK_IS(end.report.outcome, GC_GRACEFUL);
            CHECK_IS(end.report.peer_closed, 1);
            CHECK_IS(end.report.drained_bytes, unread ? 6 : 0);
        }
    }
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

/* nobody does anything more, and the peer sees the end */
static void the_fin_leaves(unsigned int flags)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer;
    char byte;
    check_doing = flags ? "the FIN, deferred" : "the FIN";
    options.timeout_ms = GC_INFINITE;
    options.flags = flags;
    house_pair(&home, &sock, &peer);
    CHECK_IS(gc_reaper_close(reaper, sock, &options, NULL, NULL), 0);
    CHECK(check_readable(peer, 2000));
    CHECK_IS(check_receive(peer, &byte, 1), 0);
    CHECK_IS(gc_reaper_pending(reaper), 1);
    CHECK_IS(gc_reaper_flush(reaper, 0), GC_TIMED_OUT);
    CHECK_IS(gc_reaper_flush(reaper, 30), GC_TIMED_OUT);
    check_close(peer);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

#define DEADLINES 40

/* on time, each by its own */
static void deadlines(void)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peers[DEADLINES];
    double started[DEADLINES];
    told ends[DEADLINES];
    unsigned int due[DEADLINES], i;
    check_doing = "deadlines";
    for (i = 0; i < DEADLINES; i++) {
        house_pair(&home, &sock, &peers[i]);
        told_start(&ends[i], sock);
        due[i] = 1 + i * 97 % 400;
        options.timeout_ms = due[i];
        options.idle_timeout_ms = 0;
        options.flags = i % 2 ? GC_DEFERRED : 0;
        options.fallback = i % 4 < 2 ? GC_THEN_CLOSE : GC_THEN_ABORT;
        if (i % 5 == 0) { /* by idleness */
            options.timeout_ms = 60000;
            options.idle_timeout_ms = due[i];
        }
        started[i] = check_now();
        CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &ends[i]), 0);
    }
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    for (i = 0; i < DEADLINES; i++) {
        check_round = (long)i;
        CHECK_IS(ends[i].calls, 1);
        CHECK_IS(ends[i].report.outcome, GC_TIMED_OUT);
        CHECK_BETWEEN(ends[i].when - started[i], due[i], due[i] + 2000.0);
        CHECK_BETWEEN(ends[i].report.elapsed_us, due[i] * 1000.0, due[i] * 1000.0 + 2000000.0);
        check_close(peers[i]);
    }
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

static size_t heard;

static int hears(void *user, const void *data, size_t size)
{
    CHECK(user == (void *)&heard);
    CHECK(size > 0);
    CHECK(check_is_filled((const unsigned char *)data, size, heard));
    heard += size;
    return heard >= 400000;
}

/* in order, to the last byte, until it says stop; meanwhile the peer is given time */
static void data_and_peer_first(unsigned int flags)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer;
    told end;
    double start;
    check_doing = flags ? "data, deferred" : "data";
    options.timeout_ms = 60000;
    options.flags = flags;
    options.on_data = hears;
    options.user = (void *)&heard;
    heard = 0;
    house_pair(&home, &sock, &peer);
    check_send_pattern(peer, 1000, 0);
    check_wait_readable(sock);
    told_start(&end, sock);
    CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
    check_send_pattern(peer, 299000, 1000);
    check_close(peer);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(heard, 300000);
    CHECK_IS(end.report.drained_bytes, 300000);
    CHECK_IS(end.report.outcome, GC_GRACEFUL);

    check_doing = "data, stopped";
    heard = 0;
    house_pair(&home, &sock, &peer);
    told_start(&end, sock);
    CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
    check_send_pattern(peer, 400000, 0);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(end.report.outcome, GC_STOPPED);
    CHECK_IS(heard, end.report.drained_bytes);
    check_close(peer);
    options.on_data = NULL;

    check_doing = "data, limited";
    options.max_drain_bytes = 1000;
    house_pair(&home, &sock, &peer);
    told_start(&end, sock);
    CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
    check_send_pattern(peer, 1001, 0);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(end.report.outcome, GC_DRAIN_LIMIT);
    check_close(peer);
    options.max_drain_bytes = 0;

    check_doing = "peer first";
    options.peer_first_ms = 150;
    house_pair(&home, &sock, &peer);
    told_start(&end, sock);
    start = check_now();
    CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
    CHECK(!check_readable(peer, 50));
    check_wait_readable(peer);
    CHECK_ELAPSED(start, 150, 3000);
    check_close(peer);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(end.report.outcome, GC_GRACEFUL);
    options.peer_first_ms = 30000;
    house_pair(&home, &sock, &peer);
    told_start(&end, sock);
    start = check_now();
    CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
    check_half_close(peer);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_ELAPSED(start, 0, 5000);
    CHECK_IS(end.report.outcome, GC_GRACEFUL);
    check_close(peer);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

/* nothing to negotiate, or over already: told all the same */
static void other_states(unsigned int flags)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    struct sockaddr_in address;
    check_socket socks[5], peers[2];
    static const int outcomes[5] = {GC_NOT_CONNECTED, GC_NOT_CONNECTED, GC_NOT_CONNECTED,
                                    GC_GRACEFUL, GC_RESET};
    told ends[5];
    int i;
    check_doing = flags ? "other states, deferred" : "other states";
    options.timeout_ms = 60000;
    options.flags = flags;
    socks[0] = socket(AF_INET, SOCK_DGRAM, 0);
    socks[1] = socket(AF_INET, SOCK_STREAM, 0);
    socks[2] = check_listener(&address);
    house_pair(&home, &socks[3], &peers[0]);
    check_close(peers[0]);
    house_pair(&home, &socks[4], &peers[1]);
    check_reset(peers[1]);
    check_wait_readable(socks[3]);
    check_wait_readable(socks[4]);
    check_set_linger(socks[3], 1, 100);
    for (i = 0; i < 5; i++) {
        told_start(&ends[i], socks[i]);
        CHECK_IS(gc_reaper_close(reaper, socks[i], &options, tell, &ends[i]), 0);
    }
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    for (i = 0; i < 5; i++) {
        check_round = i;
        CHECK_IS(ends[i].calls, 1);
        CHECK_IS(ends[i].report.outcome, outcomes[i]);
        CHECK(!check_is_socket(socks[i]));
    }
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

int main(void)
{
    int way;
    check_start();
    house_open(&home);
    CHECK_IS(gc_flush(GC_INFINITE), 0);
    for (way = 0; way < 3; way++) answers_arrive(way);
    the_fin_leaves(0);
    the_fin_leaves(GC_DEFERRED);
    deadlines();
    data_and_peer_first(0);
    data_and_peer_first(GC_DEFERRED);
    other_states(0);
    other_states(GC_DEFERRED);
    check_close(home.listener);
    return 0;
}
