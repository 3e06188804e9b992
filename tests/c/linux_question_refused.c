/*
 * A sandbox refuses (seccomp, EPERM) what tells the library's descriptors and the program's from later
 * ones of the same number. That is no answer: an open socket is closed normally, and not let go
 * half-closed; and the library neither leaves its own descriptors nor makes new ones again and again.
 */
#include "reaper_test.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* linux/filter.h and linux/seccomp.h, which not every compiler finds */
struct instruction {
    unsigned short code;
    unsigned char if_true, if_false;
    unsigned int value;
};
struct program {
    unsigned short count;
    struct instruction *instructions;
};
#define LOAD_NUMBER 0x20 /* of the call, at offset 0 */
#define IF_EQUAL 0x15
#define ANSWER 0x06
#define ALLOWED 0x7fff0000U
#define REFUSED 0x00050000U /* and the error */

#define SET_FILTER 1U
#define OF_ALL_THREADS 1UL

static void refuse(long number)
{
    struct instruction all[4] = {
        { LOAD_NUMBER, 0, 0, 0 },
        { IF_EQUAL, 0, 1, 0 },
        { ANSWER, 0, 0, REFUSED | EPERM },
        { ANSWER, 0, 0, ALLOWED }
    };
    struct program filter;
    all[1].value = (unsigned int)number;
    filter.count = 4;
    filter.instructions = all;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SET_FILTER, OF_ALL_THREADS, &filter) != 0) {
        puts("SKIPPED: no seccomp filter to be had");
        exit(77);
    }
}

static void closes_late(void *user)
{
    check_sleep(100);
    check_close(*(check_socket *)user);
}

/* what tells sockets from one another */
static void fstat_is_refused(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    gc_closing *closing = NULL;
    check_socket sock, peer;
    check_thread thread;
    int way;

#ifdef SYS_newfstatat
    refuse(SYS_newfstatat);
#endif
    refuse(SYS_fstat);
    for (way = 0; way < 4; way++) {
        int outcome = GC_PENDING;
        check_round = way;
        check_pair(&sock, &peer);
        check_thread_start(&thread, closes_late, &peer);
        if (way == 0)
            outcome = gc_close_with(sock, &options, &report);
        else if (way == 1) {
            CHECK_IS(gc_close_many(&sock, 1, &options, &report), 1);
            outcome = report.outcome;
        } else if (way == 2) {
            CHECK_IS(gc_closing_new(sock, &options, &closing), 0);
            while ((outcome = gc_closing_step(closing)) == GC_PENDING) check_sleep(5);
            CHECK_IS(gc_closing_report(closing, &report), 0);
            gc_closing_free(closing);
        } else {
            CHECK_IS(gc_close_async(sock, 5000), 0);
            CHECK_IS(gc_flush(20000), 0);
            outcome = GC_GRACEFUL;
        }
        CHECK_IS(outcome, GC_GRACEFUL);
        CHECK(!check_is_socket(sock));
        check_thread_join(&thread);
    }
}

/* what tells the reaper's own descriptors, once it is at work */
static void timerfd_gettime_is_refused(void)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    check_socket socks[2], peers[2];
    unsigned long before;
    int i;
    for (i = 0; i < 2; i++) check_pair(&socks[i], &peers[i]);
    CHECK_IS(gc_reaper_close(reaper, socks[0], NULL, NULL, NULL), 0);
    before = open_descriptors();
    refuse(SYS_timerfd_gettime);
    CHECK_IS(gc_reaper_close(reaper, socks[1], NULL, NULL, NULL), 0);
    check_sleep(1500); /* it looks once a second */
    CHECK_IS(open_descriptors(), before);
    for (i = 0; i < 2; i++) check_close(peers[i]);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
    CHECK_IS(open_descriptors(), before - 6);
}

/* what a blocking close waits by for a change of state */
static void epoll_wait_is_refused(void)
{
    unsigned long before = open_descriptors();
#ifdef SYS_epoll_wait
    refuse(SYS_epoll_wait);
#endif
    refuse(SYS_epoll_pwait);
    for (check_round = 0; check_round < 20; check_round++) {
        check_socket sock, peer;
        check_pair(&sock, &peer);
        CHECK_IS(shutdown(sock, SHUT_RD), 0);
        CHECK_IS(gc_close(sock, 5), GC_UNCERTAIN);
        check_close(peer);
        CHECK_IS(open_descriptors(), before);
    }
}

#if defined(SYS_getsockopt) && !defined(SYS_socketcall) /* by which the C library may ask */
static int refuses_what_it_is(void *user, const void *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
#ifdef SYS_newfstatat
    refuse(SYS_newfstatat);
#endif
    refuse(SYS_fstat);
    refuse(SYS_getsockopt);
    return 0;
}

/* what a background asks before it begins: without one it is an ordinary close, and not left open */
static void background_is_refused(void)
{
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer;
    check_pair(&sock, &peer);
    CHECK_IS(check_send(peer, "x", 1), 1);
    check_wait_readable(sock);
    options.timeout_ms = 200;
    options.fallback = GC_THEN_BACKGROUND;
    options.on_data = refuses_what_it_is;
    CHECK_IS(gc_close_with(sock, &options, NULL), GC_TIMED_OUT);
    CHECK_IS(fcntl(sock, F_GETFD), -1);
    check_close(peer);
}

/* what tells of a connection anything: what is handed over is closed, and counted, all the same */
static void all_options_are_refused(void)
{
    gc_options options = GC_OPTIONS_INIT;
    unsigned long before;
    size_t bytes;
    check_socket sock, peer, listener;
    struct sockaddr_in address;
    struct rlimit limit;
    gc_stats stats = GC_STATS_INIT;
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    check_pair(&sock, &peer);
    check_close(peer);
    CHECK_IS(gc_close_async(sock, 5000), 0);
    CHECK_IS(gc_flush(20000), 0); /* its thread is there */
    listener = check_listener(&address);
    before = open_descriptors();
    refuse(SYS_getsockopt);
    for (check_round = 0; check_round < 20; check_round++) {
        options.flags = check_round % 2 == 0 ? 0 : GC_DEFERRED;
        sock = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_IS(connect(sock, (struct sockaddr *)&address, sizeof(address)), 0);
        peer = accept(listener, NULL, NULL);
        CHECK_IS(gc_close_async_with(sock, &options, NULL, NULL), 0);
        CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
        check_close(peer);
    }
    CHECK_IS(gc_flush(20000), 0);
    CHECK_IS(open_descriptors(), before);
    CHECK_IS(gc_get_stats(&stats), 0);
    CHECK_IS(stats.closed, 21);
    CHECK_IS(stats.by_outcome[GC_GRACEFUL] + stats.by_outcome[GC_UNCERTAIN], 21);
}

#endif

/* no filter can be taken back: each in a process of its own */
static void in_a_child(const char *what, void (*run)(void))
{
    int status;
    pid_t child;
    check_doing = what;
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        run();
        exit(0);
    }
    CHECK_IS(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) exit(77);
    CHECK_IS(status, 0);
}

int main(void)
{
    check_start();
    in_a_child("fstat", fstat_is_refused);
    in_a_child("timerfd_gettime", timerfd_gettime_is_refused);
    in_a_child("epoll_wait", epoll_wait_is_refused);
#if defined(SYS_getsockopt) && !defined(SYS_socketcall)
    in_a_child("a background", background_is_refused);
    in_a_child("getsockopt", all_options_are_refused);
#endif
    return 0;
}
