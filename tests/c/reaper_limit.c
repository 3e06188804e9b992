/*
 * A full reaper refuses the new one, which stays untouched and works on, or ends those
 * that have waited longest, in order, by their fallback; and never holds more than it
 * may, whatever comes at once.
 */
#include "reaper_test.h"

#define MOST 4
#define ALL 20

static house home;

static void refuses(unsigned int flags)
{
    gc_reaper *reaper = new_reaper(3, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket socks[4], peers[4];
    told ends[4];
    int i;
    check_doing = flags ? "refuse, deferred" : "refuse";
    options.timeout_ms = PATIENCE;
    options.flags = flags;
    for (i = 0; i < 4; i++) {
        house_pair(&home, &socks[i], &peers[i]);
        told_start(&ends[i], socks[i]);
    }
    for (i = 0; i < 3; i++) {
        CHECK_IS(gc_reaper_close(reaper, socks[i], &options, tell, &ends[i]), 0);
        CHECK_IS(gc_reaper_pending(reaper), i + 1);
    }
    for (i = 0; i < 5; i++) {
        check_set_last_error(0);
        CHECK_IS(gc_reaper_close(reaper, socks[3], &options, tell, &ends[3]), GC_ERR_RESOURCES);
        CHECK(check_last_error() != 0);
        CHECK_IS(gc_reaper_pending(reaper), 3);
    }
    check_works(socks[3], peers[3]);
    check_close(peers[1]);
    await_pending(reaper, 2);
    CHECK_IS(gc_reaper_close(reaper, socks[3], &options, tell, &ends[3]), 0);
    CHECK_IS(gc_reaper_pending(reaper), 3);
    CHECK_IS(end_at(peers[3]), 0);
    check_close(peers[0]);
    check_close(peers[2]);
    check_close(peers[3]);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    for (i = 0; i < 4; i++) {
        check_round = i;
        CHECK_IS(ends[i].calls, 1);
        CHECK_IS(ends[i].report.outcome, GC_GRACEFUL);
    }
}

#ifdef _WIN32
static int is_told_of_a_reset(check_socket peer)
{
    WSAPOLLFD entry;
    entry.fd = peer;
    entry.events = POLLRDNORM;
    entry.revents = 0;
    return WSAPoll(&entry, 1, 0) == 1 && (entry.revents & POLLERR) != 0;
}
#endif

/* A reset that comes after the FIN is an error at the peer, unlike an orphan that says
   nothing more. Windows may show it in the place of the FIN. */
static void check_fallback(check_socket peer, unsigned int fallback)
{
#ifdef _WIN32
    int end = end_at(peer);
    double start = check_now();
    if (check_hides_resets()) {
        CHECK_IS(end, 0);
    } else if (fallback == GC_THEN_ABORT) {
        CHECK(end == 0 || end == WSAECONNRESET || end == WSAECONNABORTED);
        while (!is_told_of_a_reset(peer)) {
            CHECK_ELAPSED(start, 0, PATIENCE);
            check_sleep(5);
        }
    } else {
        CHECK_IS(end, 0);
        check_sleep(20);
        CHECK(!is_told_of_a_reset(peer));
    }
#else
    CHECK_IS(end_at(peer), 0);
    {
        struct pollfd entry;
        entry.fd = peer;
        entry.events = 0;
        entry.revents = 0;
        CHECK_IS(poll(&entry, 1, fallback == GC_THEN_ABORT ? (int)PATIENCE : 20),
                 fallback == GC_THEN_ABORT);
    }
#endif
}

static void evicts(unsigned int flags, unsigned int fallback)
{
    gc_reaper *reaper = new_reaper(MOST, GC_FULL_EVICT_OLDEST);
    gc_options options = GC_OPTIONS_INIT;
    check_socket socks[ALL], peers[ALL];
    told ends[ALL];
    volatile long order = 0;
    int i;
    check_doing = flags ? "evict, deferred" : "evict";
    options.timeout_ms = PATIENCE;
    options.flags = flags;
    options.fallback = fallback;
    for (i = 0; i < ALL; i++) {
        check_round = i;
        house_pair(&home, &socks[i], &peers[i]);
        told_start(&ends[i], socks[i]);
        ends[i].order = &order;
        CHECK_IS(gc_reaper_close(reaper, socks[i], &options, tell, &ends[i]), 0);
        CHECK_IS(gc_reaper_pending(reaper), i < MOST ? i + 1 : MOST);
    }
    for (i = 0; i < ALL - MOST; i++) {
        check_round = i;
        await_told(&ends[i]);
        check_fallback(peers[i], fallback);
        check_close(peers[i]);
    }
    CHECK_IS(gc_reaper_pending(reaper), MOST);
    for (i = ALL - MOST; i < ALL; i++) check_close(peers[i]);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    for (i = 0; i < ALL; i++) {
        check_round = i;
        CHECK_IS(ends[i].calls, 1);
        CHECK_IS(ends[i].report.outcome, i < ALL - MOST ? GC_EVICTED : GC_GRACEFUL);
        if (i < ALL - MOST) CHECK_IS(ends[i].place, i);
    }
}

/* those that end by themselves in between do not disturb the order */
static void evicts_among_others(void)
{
    gc_reaper *reaper = new_reaper(MOST, GC_FULL_EVICT_OLDEST);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer, silent[6];
    told ends[6], other;
    volatile long order = 0;
    int i, k;
    check_doing = "evict among others";
    options.timeout_ms = PATIENCE;
    for (i = 0; i < 6; i++) {
        house_pair(&home, &sock, &silent[i]);
        told_start(&ends[i], sock);
        ends[i].order = &order;
        CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &ends[i]), 0);
        for (k = 0; k < 100 && i < MOST - 1; k++) {
            house_pair(&home, &sock, &peer);
            told_start(&other, sock);
            CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &other), 0);
            check_close(peer);
            await_pending(reaper, (size_t)i + 1);
            CHECK_IS(other.calls, 1);
            CHECK_IS(other.report.outcome, GC_GRACEFUL);
        }
    }
    CHECK_IS(gc_reaper_pending(reaper), MOST);
    for (i = 0; i < 2; i++) await_told(&ends[i]);
    for (i = 0; i < 6; i++) check_close(silent[i]);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    for (i = 0; i < 6; i++) {
        check_round = i;
        CHECK_IS(ends[i].calls, 1);
        CHECK_IS(ends[i].report.outcome, i < 2 ? GC_EVICTED : GC_GRACEFUL);
        CHECK_IS(ends[i].place < 2, i < 2);
    }
    CHECK_IS(ends[0].place, 0);
    CHECK_IS(ends[1].place, 1);
}

static int dawdle(void *user, const void *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
    check_sleep(100);
    return 0;
}

/* the new one is still being drained in its caller's thread when the oldest has to go */
static void evicts_for_a_slow_one(void)
{
    gc_reaper *reaper = new_reaper(1, GC_FULL_EVICT_OLDEST);
    gc_options options = GC_OPTIONS_INIT;
    check_socket socks[2], peers[2];
    told ends[2];
    int i;
    check_doing = "evict for a slow one";
    for (i = 0; i < 2; i++) {
        house_pair(&home, &socks[i], &peers[i]);
        told_start(&ends[i], socks[i]);
    }
    options.timeout_ms = PATIENCE;
    CHECK_IS(gc_reaper_close(reaper, socks[0], &options, tell, &ends[0]), 0);
    CHECK_IS(check_send(peers[1], "unread", 6), 6);
    check_wait_readable(socks[1]);
    options.on_data = dawdle;
    CHECK_IS(gc_reaper_close(reaper, socks[1], &options, tell, &ends[1]), 0);
    CHECK_IS(gc_reaper_pending(reaper), 1);
    check_sleep(200);
    CHECK_IS(gc_reaper_pending(reaper), 1);
    CHECK_IS(ends[0].calls, 1);
    CHECK_IS(ends[0].report.outcome, GC_EVICTED);
    check_close(peers[1]);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    CHECK_IS(ends[1].calls, 1);
    CHECK_IS(ends[1].report.outcome, GC_GRACEFUL);
    check_close(peers[0]);
}

#define THREADS 4
#define EACH 8

typedef struct {
    gc_reaper *reaper;
    volatile int *go;
    check_socket socks[EACH];
    long accepted;
} hand;

static void hands_over(void *argument)
{
    hand *self = (hand *)argument;
    int i;
    while (!CHECK_LOAD(*self->go)) check_sleep(0);
    for (i = 0; i < EACH; i++) {
        int code = gc_reaper_close(self->reaper, self->socks[i], NULL, NULL, NULL);
        if (code == 0) {
            self->accepted++;
        } else {
            CHECK_IS(code, GC_ERR_RESOURCES);
            CHECK_IS(gc_abort(self->socks[i]), 0);
        }
    }
}

static void many_at_once(unsigned int when_full)
{
    int rounds = check_is_slow() ? 3 : 40, round, t, i;
    for (round = 0; round < rounds; round++) {
        gc_reaper *reaper = new_reaper(2, when_full);
        check_thread threads[THREADS];
        hand hands[THREADS];
        check_socket peers[THREADS][EACH];
        volatile int go = 0;
        long accepted = 0;
        double start;
        check_doing = when_full == GC_FULL_REFUSE ? "many at once, refuse" : "many at once, evict";
        check_round = round;
        for (t = 0; t < THREADS; t++) {
            hands[t].reaper = reaper;
            hands[t].go = &go;
            hands[t].accepted = 0;
            for (i = 0; i < EACH; i++) house_pair(&home, &hands[t].socks[i], &peers[t][i]);
            check_thread_start(&threads[t], hands_over, &hands[t]);
        }
        CHECK_STORE(go, 1);
        for (t = 0; t < THREADS; t++) {
            check_thread_join(&threads[t]);
            accepted += hands[t].accepted;
        }
        if (when_full == GC_FULL_REFUSE)
            CHECK_IS(accepted, 2);
        else
            CHECK_IS(accepted, THREADS * EACH);
        CHECK_IS(gc_reaper_pending(reaper), 2);
        start = check_now();
        CHECK_IS(gc_reaper_free(reaper, 0), GC_TIMED_OUT);
        CHECK_ELAPSED(start, 0, 3000);
        for (t = 0; t < THREADS; t++)
            for (i = 0; i < EACH; i++) check_close(peers[t][i]);
    }
}

int main(void)
{
    check_start();
    house_open(&home);
    refuses(0);
    refuses(GC_DEFERRED);
    evicts(0, GC_THEN_ABORT);
    evicts(0, GC_THEN_CLOSE);
    evicts(GC_DEFERRED, GC_THEN_ABORT);
    evicts_among_others();
    evicts_for_a_slow_one();
    many_at_once(GC_FULL_REFUSE);
    many_at_once(GC_FULL_EVICT_OLDEST);
    check_close(home.listener);
    return 0;
}
