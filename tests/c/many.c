/*
 * Everything the program has, under one deadline: connections in all states in one
 * array, with gaps; each report is that of its socket; what is wrong with the call
 * touches none of them.
 */
#include "reaper_test.h"

#define STATES 10

static house home;

typedef struct {
    check_socket socks[STATES], peers[STATES];
    int expected[STATES];
} mixture;

static void mix(mixture *self)
{
    struct sockaddr_in address;
    int i;
    for (i = 0; i < STATES; i++) {
        self->peers[i] = CHECK_NO_SOCKET;
        if (i < 6) house_pair(&home, &self->socks[i], &self->peers[i]);
    }
    check_half_close(self->peers[0]);
    self->expected[0] = GC_GRACEFUL;
    check_send_pattern(self->peers[1], 1000, 0);
    check_half_close(self->peers[1]);
    self->expected[1] = GC_GRACEFUL;
    self->expected[2] = GC_TIMED_OUT;
    check_reset(self->peers[3]);
    self->peers[3] = CHECK_NO_SOCKET;
    self->expected[3] = GC_RESET;
    check_send_pattern(self->peers[4], 2001, 0);
    self->expected[4] = GC_DRAIN_LIMIT;
    self->expected[5] = GC_TIMED_OUT;
    check_wait_readable(self->socks[3]);
    check_wait_readable(self->socks[4]);
    self->socks[6] = CHECK_NO_SOCKET;
    self->expected[6] = GC_ERR_NOT_A_SOCKET;
    self->socks[7] = socket(AF_INET, SOCK_DGRAM, 0);
    self->expected[7] = GC_NOT_CONNECTED;
    self->socks[8] = CHECK_NO_SOCKET;
    self->expected[8] = GC_ERR_NOT_A_SOCKET;
    self->socks[9] = check_listener(&address);
    self->expected[9] = GC_NOT_CONNECTED;
}

static void part(mixture *self)
{
    int i;
    for (i = 0; i < STATES; i++) {
        CHECK(!check_is_socket(self->socks[i]));
        if (self->peers[i] != CHECK_NO_SOCKET) check_close(self->peers[i]);
    }
}

static void all_states(void)
{
    mixture all;
    gc_report reports[STATES];
    gc_options options = GC_OPTIONS_INIT;
    unsigned int limit_ms = check_is_slow() ? 2000 : 200;
    double start;
    int i;
    check_doing = "all states";
    mix(&all);
    for (i = 0; i < STATES; i++) {
        memset(&reports[i], 0xAA, sizeof(reports[i]));
        reports[i].struct_size = sizeof(gc_report);
    }
    options.timeout_ms = limit_ms;
    options.max_drain_bytes = 2000;
    start = check_now();
    CHECK_IS(gc_close_many(all.socks, STATES, &options, reports), 2);
    CHECK_ELAPSED(start, limit_ms, 3000);
    for (i = 0; i < STATES; i++) {
        check_round = i;
        CHECK_IS(reports[i].struct_size, sizeof(gc_report));
        CHECK_IS(reports[i].outcome, all.expected[i]);
        CHECK_IS(reports[i].closed, all.expected[i] >= 0);
        CHECK_IS(reports[i].system_error != 0,
                 reports[i].outcome == GC_RESET || reports[i].outcome == GC_ERR_NOT_A_SOCKET);
        CHECK_IS(reports[i].peer_closed, all.expected[i] == GC_GRACEFUL);
#ifdef __linux__
        /* somebody asks, so the system is asked at the end */
        if (reports[i].outcome == GC_TIMED_OUT) CHECK(reports[i].unacked_bytes != GC_UNKNOWN);
#endif
        if (i == 2 || i == 5)
            CHECK_BETWEEN(reports[i].elapsed_us, 1000.0 * limit_ms, 1000.0 * limit_ms + 2800000);
        else /* long before that */
            CHECK_BETWEEN(reports[i].elapsed_us, 0, 950.0 * limit_ms);
    }
    CHECK_IS(reports[1].drained_bytes, 1000);
    part(&all);

    check_doing = "all states, nobody asks";
    mix(&all);
    CHECK_IS(gc_close_many(all.socks, STATES, &options, NULL), 2);
    part(&all);
}

/* some come back, the others are closed */
static void kept(void)
{
    check_socket socks[3], peers[3];
    gc_report reports[3] = {GC_REPORT_INIT, GC_REPORT_INIT, GC_REPORT_INIT};
    gc_options options = GC_OPTIONS_INIT;
    char byte = 0;
    int i;
    check_doing = "kept";
    for (i = 0; i < 3; i++) house_pair(&home, &socks[i], &peers[i]);
    check_half_close(peers[1]);
    options.timeout_ms = 30;
    options.fallback = GC_THEN_KEEP;
    CHECK_IS(gc_close_many(socks, 3, &options, reports), 1);
    for (i = 0; i < 3; i++) {
        check_round = i;
        CHECK_IS(reports[i].closed, i == 1);
        CHECK_IS(check_is_socket(socks[i]), i != 1);
        if (i == 1) continue;
        CHECK_IS(reports[i].outcome, GC_TIMED_OUT);
        CHECK_IS(check_send(peers[i], "k", 1), 1);
        check_wait_readable(socks[i]);
        CHECK_IS(check_receive(socks[i], &byte, 1), 1);
        check_close(socks[i]);
    }
    for (i = 0; i < 3; i++) check_close(peers[i]);
}

static void touches_nothing(const check_socket *socks, size_t count, const gc_options *options,
                            gc_report *reports, check_socket sock, check_socket peer)
{
    check_set_last_error(0);
    CHECK_IS(gc_close_many(socks, count, options, reports), GC_ERR_ARGUMENT);
    CHECK_IS(check_last_error(), CHECK_EINVAL);
    check_works(sock, peer);
}

static void refusals(void)
{
    check_socket socks[4], peer, others[2];
    gc_report reports[4] = {GC_REPORT_INIT, GC_REPORT_INIT, GC_REPORT_INIT, GC_REPORT_INIT};
    gc_options options = GC_OPTIONS_INIT, good = GC_OPTIONS_INIT;
    check_doing = "refusals";
    house_pair(&home, &socks[0], &peer);
    house_pair(&home, &others[0], &others[1]);
    socks[1] = CHECK_NO_SOCKET;
    socks[2] = others[0];
    socks[3] = socks[0]; /* twice */
    touches_nothing(socks, 4, NULL, NULL, socks[0], peer);
    touches_nothing(socks, 4, NULL, reports, socks[0], peer);
    check_works(others[0], others[1]);
    socks[3] = CHECK_NO_SOCKET;
    touches_nothing(NULL, 1, NULL, NULL, socks[0], peer);
    touches_nothing(socks, (size_t)-1, NULL, NULL, socks[0], peer);
    touches_nothing(socks, (size_t)-1 / 2, NULL, NULL, socks[0], peer);
    options.fallback = 4;
    touches_nothing(socks, 4, &options, reports, socks[0], peer);
    options = good;
    options.flags = 8;
    touches_nothing(socks, 4, &options, reports, socks[0], peer);
    options = good;
    options.struct_size = 1;
    touches_nothing(socks, 4, &options, reports, socks[0], peer);
    reports[0].struct_size = 0;
    touches_nothing(socks, 4, NULL, reports, socks[0], peer);
    reports[0].struct_size = sizeof(gc_report);
    reports[2].struct_size = sizeof(gc_report) - 1;
    touches_nothing(socks, 4, NULL, reports, socks[0], peer);
    reports[2].struct_size = 0;
    touches_nothing(socks, 4, NULL, reports, socks[0], peer);
    CHECK_IS(gc_close_many(NULL, 0, NULL, NULL), 0);
    CHECK_IS(gc_close_many(socks, 0, NULL, NULL), 0);
    check_works(socks[0], peer);
    check_close(socks[0]);
    check_close(peer);
    check_close(others[0]);
    check_close(others[1]);
}

/* what an older program passes: an array of smaller structs */
static void older_reports(void)
{
    struct older {
        size_t struct_size;
        int outcome, system_error, closed, peer_closed;
    } reports[4];
    check_socket socks[3], peers[3];
    int i;
    check_doing = "older reports";
    CHECK_IS(offsetof(gc_report, drained_bytes), sizeof(struct older));
    for (i = 0; i < 3; i++) {
        house_pair(&home, &socks[i], &peers[i]);
        if (i != 1) check_half_close(peers[i]);
    }
    memset(reports, 0x55, sizeof(reports));
    for (i = 0; i < 3; i++) reports[i].struct_size = sizeof(struct older);
    {
        gc_options options = GC_OPTIONS_INIT;
        options.timeout_ms = 30;
        CHECK_IS(gc_close_many(socks, 3, &options, (gc_report *)(void *)reports), 2);
    }
    for (i = 0; i < 3; i++) {
        check_round = i;
        CHECK_IS(reports[i].struct_size, sizeof(struct older));
        CHECK_IS(reports[i].outcome, i == 1 ? GC_TIMED_OUT : GC_GRACEFUL);
        CHECK_IS(reports[i].closed, 1);
        CHECK_IS(reports[i].peer_closed, i != 1);
        check_close(peers[i]);
    }
    CHECK_IS(reports[3].outcome, 0x55555555);
}

static volatile int reading;
static size_t heard;

static int hears(void *user, const void *data, size_t size)
{
    (void)data;
    CHECK(user == (void *)&heard);
    CHECK_IS(reading++, 0); /* one at a time */
    heard += size;
    reading--;
    return 0;
}

#define TALKERS 6

static void talks(void *argument)
{
    check_socket *peers = (check_socket *)argument;
    int i, k;
    for (k = 0; k < 50; k++)
        for (i = 0; i < TALKERS; i++) check_send_pattern(peers[i], 1000, (size_t)k * 1000);
    for (i = 0; i < TALKERS; i++) {
        size_t bytes;
        CHECK_IS(check_read_to_end(peers[i], &bytes, 0), 0);
        CHECK_IS(bytes, 3000 + i);
        check_close(peers[i]);
    }
}

static void data_of_all(void)
{
    check_socket socks[TALKERS], peers[TALKERS];
    gc_report reports[TALKERS];
    gc_options options = GC_OPTIONS_INIT;
    check_thread talker;
    size_t drained = 0;
    int i;
    check_doing = "data of all";
    heard = 0;
    for (i = 0; i < TALKERS; i++) {
        reports[i].struct_size = sizeof(gc_report);
        house_pair(&home, &socks[i], &peers[i]);
        check_send_pattern(socks[i], (size_t)(3000 + i), 0);
    }
    options.timeout_ms = 60000;
    options.on_data = hears;
    options.user = (void *)&heard;
    check_thread_start(&talker, talks, peers);
    CHECK_IS(gc_close_many(socks, TALKERS, &options, reports), TALKERS);
    check_thread_join(&talker);
    for (i = 0; i < TALKERS; i++) drained += reports[i].drained_bytes;
    CHECK_IS(heard, TALKERS * 50000);
    CHECK_IS(drained, heard);
}

/* a flood in front does not keep the others from their end, nor all from the deadline */
static volatile int flooding;

static void floods(void *argument)
{
    static char block[65536];
    check_socket peer = *(check_socket *)argument;
    while (CHECK_LOAD(flooding) && check_send(peer, block, sizeof(block)) > 0) continue;
}

static void beside_a_flood(void)
{
    check_socket socks[3], peers[3];
    gc_report reports[3] = {GC_REPORT_INIT, GC_REPORT_INIT, GC_REPORT_INIT};
    gc_options options = GC_OPTIONS_INIT;
    check_thread flood;
    double start;
    int i;
    check_doing = "beside a flood";
    for (i = 0; i < 3; i++) house_pair(&home, &socks[i], &peers[i]);
    check_half_close(peers[1]);
    flooding = 1;
    check_thread_start(&flood, floods, &peers[0]);
    options.timeout_ms = 400;
    start = check_now();
    CHECK_IS(gc_close_many(socks, 3, &options, reports), 1);
    CHECK_ELAPSED(start, 400, 3000);
    CHECK_BETWEEN(reports[1].elapsed_us, 0, 390000);
    CHECK_IS(reports[0].outcome, GC_TIMED_OUT);
    CHECK_IS(reports[2].outcome, GC_TIMED_OUT);
    CHECK_STORE(flooding, 0);
    check_thread_join(&flood);
    for (i = 0; i < 3; i++) check_close(peers[i]);
}

int main(void)
{
    check_start();
    house_open(&home);
    all_states();
    kept();
    refusals();
    older_reports();
    data_of_all();
    beside_a_flood();
    check_close(home.listener);
    return 0;
}
