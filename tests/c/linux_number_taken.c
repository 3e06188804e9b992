/*
 * The program closes a descriptor while a call of the library is at work on it, by mistake or in
 * a callback, and a new connection gets its number: that one is not touched. The library may be
 * waiting since a moment only, reading from a peer that floods, looking through /proc for other
 * holders, or calling on_data.
 */
#include "reaper_test.h"

#include <sys/resource.h>

static house home;
static check_socket number, next, next_peer;
static int stop_at_once;
static volatile int begun; /* the call that the number is taken from */
static int taken_too_late; /* the call had closed the number itself */

/* a program with so many descriptors is looked through for some ten milliseconds */
enum { DESCRIPTORS = 8000 };

static void take_the_number(void)
{
    CHECK_IS(close(number), 0);
    put_under(number, next);
    close(next);
}

static void takes_soon(void *after_us)
{
    while (!begun) continue;
    usleep((useconds_t)(size_t)after_us);
    taken_too_late = close(number) != 0;
    put_under(number, next);
    close(next);
}

static void floods(void *peer)
{
    static char bytes[1 << 16];
    while (send(*(int *)peer, bytes, sizeof(bytes), CHECK_SEND_FLAGS) > 0) continue;
}

static void sleeps_in_recv(void *sock)
{
    char byte;
    (void)recv(*(int *)sock, &byte, 1, 0);
}

static int takes_in_on_data(void *calls, const void *data, size_t size)
{
    (void)data;
    (void)size;
    if (++*(int *)calls == 1) take_the_number();
    return stop_at_once;
}

static void put_next_ready(void)
{
    house_pair(&home, &next, &next_peer);
    CHECK_IS(check_send(next_peer, "mine!", 5), 5);
}

static void check_next_is_untouched(void)
{
    char bytes[8];
    CHECK(fcntl(number, F_GETFD) != -1);
    CHECK_IS(recv(number, bytes, sizeof(bytes), MSG_DONTWAIT), 5);
    CHECK_IS(recv(next_peer, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
    close(number);
    close(next_peer);
}

enum { WAITING, FLOODED, LOOKING, LOOKING_FOR_THREADS, LOOKING_IN_THE_CALL, SITUATIONS };

static const char *const situations[] = {
    "a wait that has begun just now", "a peer that floods", "the search for other holders",
    "the search before threads are woken", "the search before signals are ended"
};

/* 0: the call closed the new connection. On a busy machine it had not begun when the number was taken. */
static int is_taken_while(int situation, long after_us)
{
    static check_thread sleeper; /* stays there, as after close() */
    check_thread taker, other;
    check_socket peer;
    int code, error;
    check_doing = situations[situation];
    house_pair(&home, &number, &peer);
    put_next_ready();
    if (situation == FLOODED) {
        check_thread_start(&other, floods, &peer);
        check_sleep(20);
    } else if (situation == LOOKING_FOR_THREADS) {
        struct sockaddr_in address;
        close(number);
        number = check_bound(SOCK_DGRAM, &address);
        check_thread_start(&sleeper, sleeps_in_recv, &number);
        check_sleep(50);
    } else if (situation == LOOKING_IN_THE_CALL)
        CHECK_IS(fcntl(number, F_SETOWN, getpid()), 0);
    begun = 0;
    check_thread_start(&taker, takes_soon, (void *)(size_t)after_us);
    begun = 1;
    if (situation == LOOKING)
        code = gc_closesocket(number);
    else if (situation == LOOKING_IN_THE_CALL)
        code = gc_close_async(number, 500);
    else
        code = gc_close(number, 500);
    error = errno;
    check_thread_join(&taker);
    CHECK_IS(gc_flush(PATIENCE), 0);
    close(peer);
    if (situation == FLOODED) check_thread_join(&other);
    if (!taken_too_late && fcntl(number, F_GETFD) == -1) {
        close(next_peer);
        return 0;
    }
    /* the hand-over is complete, with a duplicate, before the number itself is closed */
    if (taken_too_late || (situation == LOOKING_IN_THE_CALL && code == 0))
        printf("%s: the number was taken too late on this machine\n", check_doing);
    else {
        CHECK_IS(code, situation == LOOKING ? -1 : GC_ERR_NOT_A_SOCKET);
        CHECK_IS(error, EBADF);
    }
    check_next_is_untouched();
    return 1;
}

/* what works on somebody else's socket does so each time, also when there was more time to begin */
static void taken_while(int situation)
{
    long after_us = situation == FLOODED ? 30000 : situation == WAITING ? 300 : 2000;
    int attempt;
    for (attempt = 0; attempt < 8; attempt++, after_us *= 2)
        if (is_taken_while(situation, after_us)) return;
    check_doing = situations[situation];
    CHECK(attempt < 8);
}

enum { BLOCKING, BATCH, HANDLE, REAPER, WAYS };

static const char *const ways[] = {
    "gc_close_with", "gc_close_many", "gc_closing", "gc_reaper_close"
};

static void taken_by_on_data(int way)
{
    check_socket peer;
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    gc_closing *closing;
    gc_reaper *reaper;
    int calls = 0;
    check_doing = ways[way];
    house_pair(&home, &number, &peer);
    put_next_ready();
    CHECK_IS(check_send(peer, "0123456789", 10), 10);
    check_wait_readable(number);
    options.timeout_ms = 300;
    options.on_data = takes_in_on_data;
    options.user = &calls;
    switch (way) {
    case BLOCKING:
        CHECK_IS(gc_close_with(number, &options, &report), GC_ERR_NOT_A_SOCKET);
        break;
    case BATCH:
        CHECK_IS(gc_close_many(&number, 1, &options, &report), 0);
        break;
    case HANDLE:
        CHECK_IS(gc_closing_new(number, &options, &closing), 0);
        CHECK_IS(gc_closing_step(closing), GC_ERR_NOT_A_SOCKET);
        CHECK_IS(gc_closing_report(closing, &report), 0);
        gc_closing_free(closing);
        break;
    case REAPER:
        reaper = new_reaper(0, GC_FULL_REFUSE);
        CHECK_IS(gc_reaper_close(reaper, number, &options, NULL, NULL), GC_ERR_NOT_A_SOCKET);
        report.outcome = GC_ERR_NOT_A_SOCKET;
        CHECK_IS(gc_reaper_free(reaper, 0), 0);
        break;
    }
    CHECK_IS(report.outcome, GC_ERR_NOT_A_SOCKET);
    CHECK_IS(report.closed, 0);
    CHECK_IS(calls, 1);
    check_next_is_untouched();
    close(peer);
}

/* with a callback that is slow about the first one, the second is closed and its number taken */
static void taken_before_its_turn(void)
{
    check_socket socks[2], first_peer, peer;
    gc_options options = GC_OPTIONS_INIT;
    gc_report reports[2];
    int calls = 0, i;
    check_doing = "gc_close_many, the second";
    house_pair(&home, &socks[0], &first_peer);
    house_pair(&home, &socks[1], &peer);
    put_next_ready();
    number = socks[1];
    CHECK_IS(check_send(first_peer, "0123456789", 10), 10);
    check_wait_readable(socks[0]);
    options.timeout_ms = 300;
    options.on_data = takes_in_on_data;
    options.user = &calls;
    for (i = 0; i < 2; i++) {
        memset(&reports[i], 0, sizeof(reports[i]));
        reports[i].struct_size = sizeof(reports[i]);
    }
    CHECK_IS(gc_close_many(socks, 2, &options, reports), 0);
    CHECK_IS(reports[1].outcome, GC_ERR_NOT_A_SOCKET);
    check_next_is_untouched();
    close(first_peer);
    close(peer);
}

int main(void)
{
    struct rlimit limit;
    int situation, way, i, nothing;
    check_start();
    /* a number is taken within microseconds */
    if (check_is_slow()) check_skip("not under a sanitizer or Valgrind");
    house_open(&home);
    for (situation = 0; situation < LOOKING; situation++) taken_while(situation);
    for (way = 0; way < WAYS; way++)
        for (stop_at_once = 0; stop_at_once < 2; stop_at_once++) taken_by_on_data(way);
    stop_at_once = 0;
    taken_before_its_turn();
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < DESCRIPTORS + 100) {
        printf("SKIPPED: the searches: no more than %lu descriptors\n",
               (unsigned long)limit.rlim_max);
        return 77;
    }
    limit.rlim_cur = DESCRIPTORS + 100;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    nothing = open("/dev/null", O_RDONLY);
    for (i = 0; i < DESCRIPTORS; i++) CHECK(dup(nothing) != -1);
    for (; situation < SITUATIONS; situation++) taken_while(situation);
    check_close(home.listener);
    return 0;
}
