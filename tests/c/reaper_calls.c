/*
 * Callbacks: exactly one for each socket that was taken over, however it ended, on the
 * reaper's thread; none for one that was refused. Inside one the program may do what it
 * likes: hand over more, close, ask, flush, free another reaper.
 */
#include "reaper_test.h"

#define MANY 200

static house home;

#ifdef _WIN32
typedef DWORD thread_id;
#define this_thread() GetCurrentThreadId()
#define same_thread(a, b) ((a) == (b))
#else
typedef pthread_t thread_id;
#define this_thread() pthread_self()
#define same_thread(a, b) pthread_equal(a, b)
#endif

/* counts by outcome what a whole group is told */
typedef struct {
    volatile long calls, by_outcome[10];
    thread_id thread;
    volatile int threads;
} tally;

static void counts(void *user, gc_socket sock, const gc_report *report)
{
    tally *self = (tally *)user;
    (void)sock;
    if (self->threads == 0 || !same_thread(self->thread, this_thread())) self->threads++;
    self->thread = this_thread();
    CHECK(report->outcome >= 0 && report->outcome < 10);
    CHECK_IS(report->closed, 1);
    self->by_outcome[report->outcome]++;
    self->calls++;
}

static int stops(void *user, const void *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
    return 1;
}

/* every kind of end, and those that are pending when the reaper is freed */
static void exactly_once(unsigned int flags)
{
    gc_reaper *reaper = new_reaper(20, GC_FULL_EVICT_OLDEST);
    check_socket sock, peers[MANY];
    thread_id own = this_thread();
    tally told_all;
    long taken = 0, i;
    int free_code;
    check_doing = flags ? "exactly once, deferred" : "exactly once";
    memset((void *)&told_all, 0, sizeof(told_all));
    for (i = 0; i < MANY; i++) {
        gc_options options = GC_OPTIONS_INIT;
        int code;
        check_round = i;
        options.flags = flags;
        options.timeout_ms = 60000;
        options.fallback = i % 2 ? GC_THEN_ABORT : GC_THEN_CLOSE;
        peers[i] = CHECK_NO_SOCKET;
        if (i % 9 == 0) {
            sock = socket(AF_INET, SOCK_DGRAM, 0);
        } else {
            house_pair(&home, &sock, &peers[i]);
        }
        switch (i % 9) {
        case 1: /* over already: closed in the call */
            check_half_close(peers[i]);
            check_wait_readable(sock);
            break;
        case 2: options.timeout_ms = 5; break;
        case 3: options.timeout_ms = 0; break;
        case 4:
            check_reset(peers[i]);
            peers[i] = CHECK_NO_SOCKET;
            break;
        case 5:
            options.on_data = stops;
            CHECK_IS(check_send(peers[i], "stop", 4), 4);
            break;
        case 6: options.fallback = GC_THEN_KEEP; break; /* refused */
        default: break;                                 /* silent */
        }
        code = gc_reaper_close(reaper, sock, &options, counts, &told_all);
        if (options.fallback == GC_THEN_KEEP) {
            CHECK_IS(code, GC_ERR_ARGUMENT);
            check_close(sock);
        } else {
            CHECK_IS(code, 0);
            taken++;
        }
    }
    free_code = gc_reaper_free(reaper, flags ? 0 : 100);
    CHECK_IS(free_code, GC_TIMED_OUT);
    CHECK_IS(told_all.calls, taken);
    CHECK_IS(told_all.threads, 1);
    CHECK(!same_thread(told_all.thread, own));
    CHECK(told_all.by_outcome[GC_EVICTED] > 0);
    CHECK(told_all.by_outcome[GC_NOT_CONNECTED] > 0);
    CHECK(told_all.by_outcome[GC_GRACEFUL] > 0);
    for (i = 0; i < MANY; i++)
        if (peers[i] != CHECK_NO_SOCKET) check_close(peers[i]);
}

typedef struct {
    gc_reaper *reaper, *other;
    int left; /* to be handed over inside */
    volatile long calls;
    check_socket peer;
} chain;

static void goes_on(void *user, gc_socket sock, const gc_report *report)
{
    chain *self = (chain *)user;
    gc_stats stats = GC_STATS_INIT;
    check_socket ours, peer;
    double start = check_now();
    (void)sock;
    CHECK_IS(report->outcome, GC_GRACEFUL);
    CHECK_STORE(self->calls, self->calls + 1);
    /* it would wait for itself, which is pending until it returns */
    CHECK_IS(gc_reaper_flush(self->reaper, GC_INFINITE), GC_TIMED_OUT);
    CHECK_IS(gc_reaper_free(self->reaper, 0), GC_ERR_ARGUMENT);
    CHECK(gc_reaper_pending(self->reaper) >= 1);
    CHECK_IS(gc_get_stats(&stats), 0);
    CHECK(stats.pending >= 1);
    CHECK(gc_flush(PATIENCE) >= 0);
    house_pair(&home, &ours, &peer);
    check_half_close(peer);
    CHECK_IS(gc_close(ours, 20000), GC_GRACEFUL);
    check_close(peer);
    if (self->other != NULL) {
        house_pair(&home, &ours, &peer);
        CHECK_IS(gc_reaper_close(self->other, ours, NULL, NULL, NULL), 0);
        check_close(peer);
        CHECK_IS(gc_reaper_flush(self->other, PATIENCE), 0);
        CHECK_IS(gc_reaper_free(self->other, PATIENCE), 0);
        self->other = NULL;
    }
    CHECK_ELAPSED(start, 0, 5000);
    check_close(self->peer);
    if (self->left == 0) return;
    self->left--;
    house_pair(&home, &ours, &self->peer);
    if (self->left % 2) { /* over in the call */
        check_half_close(self->peer);
        check_wait_readable(ours);
    } else {
        gc_options options = GC_OPTIONS_INIT;
        options.flags = self->left % 3 ? GC_DEFERRED : 0;
        check_half_close(self->peer);
        CHECK_IS(gc_reaper_close(self->reaper, ours, &options, goes_on, self), 0);
        return;
    }
    CHECK_IS(gc_reaper_close(self->reaper, ours, NULL, goes_on, self), 0);
}

static void calls_inside(void)
{
    chain self;
    check_socket sock;
    double start = check_now();
    check_doing = "calls inside";
    self.reaper = new_reaper(0, GC_FULL_REFUSE);
    self.other = new_reaper(0, GC_FULL_REFUSE);
    self.left = 20;
    self.calls = 0;
    house_pair(&home, &sock, &self.peer);
    check_half_close(self.peer);
    CHECK_IS(gc_reaper_close(self.reaper, sock, NULL, goes_on, &self), 0);
    while (CHECK_LOAD(self.calls) < 21) {
        CHECK(check_now() - start < PATIENCE);
        check_sleep(1);
    }
    CHECK_IS(gc_reaper_flush(self.reaper, PATIENCE), 0);
    CHECK_IS(gc_reaper_pending(self.reaper), 0);
    CHECK_IS(gc_reaper_free(self.reaper, 0), 0);
    CHECK_IS(self.calls, 21);
}

static volatile int may_go_on, in_callback;
static volatile int code_inside;

static void takes_its_time(void *user, gc_socket sock, const gc_report *report)
{
    gc_reaper *reaper = *(gc_reaper **)user;
    check_socket ours, peer;
    (void)sock;
    (void)report;
    CHECK_STORE(in_callback, 1);
    while (!CHECK_LOAD(may_go_on)) check_sleep(1);
    /* it is being freed by now */
    house_pair(&home, &ours, &peer);
    code_inside = gc_reaper_close(reaper, ours, NULL, NULL, NULL);
    if (code_inside != 0) check_works(ours, peer);
    if (code_inside != 0) check_close(ours);
    check_close(peer);
    in_callback = 0;
}

static void lets_go_on(void *argument)
{
    (void)argument;
    check_sleep(100);
    CHECK_STORE(may_go_on, 1);
}

/* freed while a callback runs: it is waited for, and can hand over nothing more */
static void freed_meanwhile(void)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_thread helper;
    check_socket sock, peer, silent;
    told end;
    check_doing = "freed meanwhile";
    options.timeout_ms = GC_INFINITE;
    may_go_on = in_callback = 0;
    house_pair(&home, &sock, &silent);
    told_start(&end, sock);
    CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
    house_pair(&home, &sock, &peer);
    CHECK_IS(gc_reaper_close(reaper, sock, NULL, takes_its_time, &reaper), 0);
    check_close(peer);
    while (!CHECK_LOAD(in_callback)) check_sleep(1);
    CHECK_IS(gc_reaper_flush(reaper, 10), GC_TIMED_OUT);
    check_thread_start(&helper, lets_go_on, NULL);
    CHECK_IS(gc_reaper_free(reaper, 10), GC_TIMED_OUT);
    CHECK_IS(in_callback, 0);
    CHECK_IS(code_inside, GC_ERR_STOPPED);
    CHECK_IS(end.calls, 1);
    CHECK_IS(end.report.outcome, GC_EVICTED);
    check_thread_join(&helper);
    CHECK_IS(end_at(silent), 0);
    check_close(silent);
}

#define SET 60

/* all ways to an end, over and over: nothing is left open, and nothing closed that is
   somebody else's */
static void descriptors(void)
{
    unsigned long before = 0;
    int rounds = check_is_slow() ? 4 : 25, round, i;
#ifdef _WIN32
    rounds = 4;
#endif
    check_doing = "descriptors";
    for (round = 0; round < rounds; round++) {
        gc_reaper *reaper = new_reaper(SET / 2, round % 2 ? GC_FULL_EVICT_OLDEST : GC_FULL_REFUSE);
        check_socket socks[SET], peers[SET], guards[2 * SET][2];
        int guarded = 0;
        check_round = round;
        for (i = 0; i < SET; i++) house_pair(&home, &socks[i], &peers[i]);
        for (i = 0; i < SET; i++) {
            gc_options options = GC_OPTIONS_INIT;
            options.flags = i % 3 == 0 ? GC_DEFERRED : 0;
            options.fallback = i % 2 ? GC_THEN_ABORT : GC_THEN_CLOSE;
            options.timeout_ms = i % 5 == 0 ? 3 : 60000;
            if (i % 4 == 0) shutdown(peers[i], 1);
            if (gc_reaper_close(reaper, socks[i], &options, NULL, NULL) != 0) check_close(socks[i]);
            if (i % 2) { /* takes the numbers that are free now */
                house_pair(&home, &guards[guarded][0], &guards[guarded][1]);
                guarded++;
            }
        }
        for (i = 0; i < SET; i++)
            if (i % 3) shutdown(peers[i], 1); /* some are gone */
        gc_reaper_free(reaper, round % 3 ? 20 : 0);
        for (i = 0; i < guarded; i++) {
            check_works(guards[i][0], guards[i][1]);
            check_close(guards[i][0]);
            check_close(guards[i][1]);
        }
        for (i = 0; i < SET; i++) check_close(peers[i]);
        if (round == 1) before = open_descriptors();
    }
#ifdef _WIN32
    CHECK_BETWEEN(open_descriptors(), before - 10, before + 10);
#else
    CHECK_IS(open_descriptors(), before);
#endif
}

int main(void)
{
    check_start();
    house_open(&home);
    exactly_once(0);
    exactly_once(GC_DEFERRED);
    calls_inside();
    freed_meanwhile();
    descriptors();
    check_close(home.listener);
    return 0;
}
