/*
 * What happens between the last look at a connection and its registration with epoll, which tells
 * of changes once and only of those that come later: it must not be missed. The program's own
 * epoll_create1() and epoll_ctl() make it happen just there.
 */
#include "reaper_test.h"

#ifndef __linux__

int main(void)
{
    check_skip("Linux only: puts functions in front of those of the C library");
    return 0;
}

#else

#include <dlfcn.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

static house home;

enum { NOWHERE, AT_CREATION, BEFORE_ADDING, AFTER_ADDING };

static int place = NOWHERE;     /* where it happens */
static void (*happens)(void);   /* what */
static double happened;         /* when */
static pthread_t caller;

static void let_it_happen(int here)
{
    if (CHECK_LOAD(place) != here || !pthread_equal(pthread_self(), caller)) return;
    CHECK_STORE(place, NOWHERE);
    happens();
    happened = check_now();
}

#ifdef __cplusplus
extern "C" {
#endif
int __NTH(epoll_create1(int flags))
{
    int (*real)(int) = NULL;
    let_it_happen(AT_CREATION);
    *(void **)&real = dlsym(RTLD_NEXT, "epoll_create1");
    return real(flags);
}

int __NTH(epoll_ctl(int epoll, int how, int fd, struct epoll_event *event))
{
    int (*real)(int, int, int, struct epoll_event *) = NULL;
    int result;
    if (how == EPOLL_CTL_ADD) let_it_happen(BEFORE_ADDING);
    *(void **)&real = dlsym(RTLD_NEXT, "epoll_ctl");
    result = real(epoll, how, fd, event);
    if (how == EPOLL_CTL_ADD) let_it_happen(AFTER_ADDING);
    return result;
}
#ifdef __cplusplus
}
#endif

static check_socket ours, peer;
static size_t queued;

/* more than the peer's system takes is on its way */
static void fill(void)
{
    static char bytes[65536];
    long now;
    check_set_blocking(ours, 0);
    for (queued = 0; (now = check_send(ours, bytes, sizeof(bytes))) > 0;) queued += (size_t)now;
    CHECK(queued > 0);
}

/* the peer's program reads all of it, our FIN too, and all is acknowledged */
static void peer_takes_all(void)
{
    static char bytes[65536];
    size_t taken = 0;
    long now;
    check_set_blocking(peer, 1);
    while ((now = check_receive(peer, bytes, sizeof(bytes))) > 0) taken += (size_t)now;
    CHECK_IS(now, 0);
    CHECK_IS(taken, queued);
    check_sleep(100); /* also for what a thread may do meanwhile */
}

/* the peer's FIN is here; only the acknowledgement of ours is waited for */
static void unacked_pair(void)
{
    house_pair(&home, &ours, &peer);
    fill();
    check_half_close(peer);
    check_wait_readable(ours);
}

/* a blocking close registers for the acknowledgement alone */
static void blocking(int where)
{
    gc_report report = GC_REPORT_INIT;
    gc_options options = GC_OPTIONS_INIT;
    check_doing = "a blocking close";
    check_round = where;
    unacked_pair();
    happens = peer_takes_all;
    caller = pthread_self();
    options.timeout_ms = 20000;
    CHECK_STORE(place, where);
    CHECK_IS(gc_close_with(ours, &options, &report), GC_GRACEFUL);
    CHECK_IS(place, NOWHERE);
    CHECK_ELAPSED(happened, 0, 5000);
    check_close(peer);
}

static void peer_ends(void)
{
    check_close(peer);
    check_sleep(100); /* the thread takes the event, and does not know yet whose it is */
}

/* Handing over to a thread that sleeps, as another one is pending. It looks up once a second by
   itself: the end must come much sooner. Not three times running is this machine so slow. */
static void handed_over(int where, void (*what)(void))
{
    int attempt;
    check_doing = "a hand-over";
    for (attempt = 0; attempt < 3; attempt++) {
        gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
        gc_options options = GC_OPTIONS_INIT;
        check_socket quiet, quiet_peer;
        told end;
        double took;
        check_round = where * 10 + attempt;
        options.timeout_ms = 20000;
        house_pair(&home, &quiet, &quiet_peer);
        CHECK_IS(gc_reaper_close(reaper, quiet, &options, NULL, NULL), 0);
        if (what == peer_takes_all) unacked_pair();
        else house_pair(&home, &ours, &peer);
        check_sleep(50); /* it sleeps, for another 950 ms */
        told_start(&end, ours);
        happens = what;
        caller = pthread_self();
        CHECK_STORE(place, where);
        CHECK_IS(gc_reaper_close(reaper, ours, &options, tell, &end), 0);
        if (place != NOWHERE) { /* so slow that it was awake, and registers by itself */
            place = NOWHERE;
            what();
            happened = 0;
        }
        await_told(&end);
        CHECK_IS(end.report.outcome, GC_GRACEFUL);
        took = end.when - happened;
        if (what == peer_takes_all) check_close(peer);
        check_close(quiet_peer);
        CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
        if (took < 400) return;
    }
    CHECK(!"told at once");
}

int main(void)
{
    check_start();
    house_open(&home);
    blocking(AT_CREATION);
    blocking(BEFORE_ADDING);
    blocking(AFTER_ADDING);
    handed_over(BEFORE_ADDING, peer_ends);
    handed_over(AFTER_ADDING, peer_ends);
    handed_over(BEFORE_ADDING, peer_takes_all);
    handed_over(AFTER_ADDING, peer_takes_all);
    check_close(home.listener);
    return 0;
}

#endif /* __linux__ */
