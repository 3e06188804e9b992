/*
 * With nothing to do the background uses no processor time, and does not wake up: with thousands
 * pending, after a great many have ended in all ways, and while none is there. And one that floods
 * does not delay the others.
 */
#include "reaper_test.h"

#define MOST 5000

static house home;

#ifdef _WIN32
#define MANY 300
#else
#define MANY (check_is_slow() ? 300 : MOST)
#endif

#define OWN 100

/* Once a second it looks whether its descriptors are its own. */
static void check_sleeps(void)
{
#ifdef __linux__
    long times = 0;
    int attempt;
    if (check_is_slow()) return;
    for (attempt = 0; attempt < 5; attempt++) {
        struct rusage before, after;
        CHECK_IS(getrusage(RUSAGE_SELF, &before), 0);
        check_sleep(300);
        CHECK_IS(getrusage(RUSAGE_SELF, &after), 0);
        times = after.ru_nvcsw - before.ru_nvcsw;
        if (times < 10) return;
    }
    CHECK_BETWEEN(times, 0, 10);
#endif
}

/* What the program opens next gets the numbers of those that have ended: its own sockets,
   with something to be read, are no business of the reaper's. */
static void check_forgotten(gc_reaper *reaper)
{
    static check_socket socks[OWN], peers[OWN];
    check_socket sock, peer;
    int i;
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    for (i = 0; i < OWN; i++) {
        house_pair(&home, &socks[i], &peers[i]);
        CHECK_IS(check_send(socks[i], "x", 1), 1);
        CHECK_IS(check_send(peers[i], "x", 1), 1);
    }
    house_pair(&home, &sock, &peer); /* so that it looks at its table again */
    CHECK_IS(gc_reaper_close(reaper, sock, NULL, NULL, NULL), 0);
    check_sleep(50);
    check_is_quiet(300);
    check_close(peer);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    check_is_quiet(300);
    check_sleeps();
    for (i = 0; i < OWN; i++) {
        check_close(socks[i]);
        check_close(peers[i]);
    }
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

static void after_deferred_ones(void)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer;
    int i;
    check_doing = "after deferred ones";
    options.flags = GC_DEFERRED;
    options.timeout_ms = 20000;
    for (i = 0; i < 50; i++) {
        house_pair(&home, &sock, &peer);
        check_close(peer);
        check_wait_readable(sock);
        CHECK_IS(gc_reaper_close(reaper, sock, &options, NULL, NULL), 0);
    }
    check_forgotten(reaper);
}

static void hands_over(void *argument)
{
    gc_reaper *reaper = (gc_reaper *)argument;
    int i;
    for (i = 0; i < (check_is_slow() ? 50 : 400); i++) {
        check_socket sock, peer;
        check_pair(&sock, &peer);
        if (i % 2) check_close(peer);
        CHECK_IS(gc_reaper_close(reaper, sock, NULL, NULL, NULL), 0);
        if (i % 2 == 0) check_close(peer);
    }
}

/* numbers come back to life while the reaper is still at their former bearer */
static void after_many_at_once(void)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    check_thread threads[4];
    int i;
    check_doing = "after many at once";
    for (i = 0; i < 4; i++) check_thread_start(&threads[i], hands_over, reaper);
    for (i = 0; i < 4; i++) check_thread_join(&threads[i]);
    check_forgotten(reaper);
}

static void while_many_are_pending(void)
{
    static check_socket peers[MOST];
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock;
    int i, many = MANY;
    check_doing = "while many are pending";
    options.timeout_ms = GC_INFINITE;
#ifndef _WIN32
    {
        struct rlimit limit;
        CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
        if (limit.rlim_max < 2 * MOST + 100 && many == MOST) many = (int)limit.rlim_max / 2 - 60;
        limit.rlim_cur = limit.rlim_max < 20000 ? limit.rlim_max : 20000;
        CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
#endif
    for (i = 0; i < many; i++) {
        house_pair(&home, &sock, &peers[i]);
        if (i % 2) options.timeout_ms = 60000 + (unsigned int)i;
        options.flags = i % 3 ? 0 : GC_DEFERRED;
        CHECK_IS(gc_reaper_close(reaper, sock, &options, NULL, NULL), 0);
    }
    CHECK_IS(gc_reaper_pending(reaper), many);
    check_is_quiet(500);
    check_sleeps();
    for (i = 0; i < many; i++) check_close(peers[i]);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

static volatile int flooding;

static void floods(void *argument)
{
    static char block[65536];
    check_socket peer = *(check_socket *)argument;
    while (CHECK_LOAD(flooding) && check_send(peer, block, sizeof(block)) > 0) continue;
    check_close(peer);
}

static void beside_a_flood(void)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_thread flood;
    check_socket sock, peer, flooder;
    int i;
    check_doing = "beside a flood";
    options.timeout_ms = 60000;
    house_pair(&home, &sock, &flooder);
    flooding = 1;
    check_thread_start(&flood, floods, &flooder);
    CHECK_IS(gc_reaper_close(reaper, sock, &options, NULL, NULL), 0);
    for (i = 0; i < 20; i++) {
        told end;
        double start;
        check_round = i;
        house_pair(&home, &sock, &peer);
        told_start(&end, sock);
        CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
        check_sleep(5);
        start = check_now();
        check_close(peer);
        await_pending(reaper, 1);
        CHECK_IS(end.calls, 1);
        CHECK_BETWEEN(end.when - start, -1000, 500.0 * (check_is_slow() ? 10 : 1));
    }
    CHECK_STORE(flooding, 0);
    check_thread_join(&flood);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
}

int main(void)
{
    check_start();
    house_open(&home);
    after_deferred_ones();
    after_many_at_once();
    while_many_are_pending();
    beside_a_flood();
    check_close(home.listener);
    return 0;
}
