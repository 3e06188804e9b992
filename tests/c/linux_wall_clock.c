/*
 * The clock on the wall is set back and forth by a day, as by a time server or by hand: no close ends
 * earlier or later for that. The program's own clock_gettime() says so to everything in the process.
 */
#include "check.h"

#include "graceful_close.h"

#ifndef __linux__

int main(void)
{
    check_skip("Linux only: puts a function in front of that of the C library");
    return 0;
}

#else

#include <sys/syscall.h>

#define TIME_MS 200U
#define DAY 86400

static volatile long asked_of_the_wall, asked_of_others;

#ifdef __cplusplus
extern "C" {
#endif
int __NTH(clock_gettime(clockid_t which, struct timespec *now))
{
    long result = syscall(SYS_clock_gettime, which, now);
    if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)
        now->tv_sec += ++asked_of_the_wall % 2 != 0 ? DAY : -DAY;
    else
        asked_of_others++;
    return (int)result;
}
#ifdef __cplusplus
}
#endif

static void silent_peer(void)
{
    check_socket sock, peer;
    double start;
    long asked;
    check_doing = "silent peer";
    check_pair(&sock, &peer);
    start = check_now();
    asked = asked_of_others;
    CHECK_IS(gc_close(sock, TIME_MS), GC_TIMED_OUT);
    CHECK(asked_of_others > asked); /* the library asks this program's function */
    CHECK_ELAPSED(start, TIME_MS, 5000);
    check_close(peer);
}

static void idle_peer(void)
{
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer;
    double start;
    check_doing = "idle peer";
    options.idle_timeout_ms = TIME_MS;
    options.timeout_ms = 60000;
    check_pair(&sock, &peer);
    start = check_now();
    CHECK_IS(gc_close_with(sock, &options, NULL), GC_TIMED_OUT);
    CHECK_ELAPSED(start, TIME_MS, 5000);
    check_close(peer);
}

static void in_the_background(void)
{
    check_socket sock, peer;
    double start;
    check_doing = "in the background";
    check_pair(&sock, &peer);
    start = check_now();
    CHECK_IS(gc_close_async(sock, TIME_MS), 0);
    CHECK_IS(gc_flush(60000), 0);
    CHECK_ELAPSED(start, TIME_MS, 5000);
    check_close(peer);
}

int main(void)
{
    struct timespec now;
    check_start();
    silent_peer();
    idle_peer();
    in_the_background();
    CHECK_IS(clock_gettime(CLOCK_REALTIME, &now), 0);
    CHECK(asked_of_the_wall > 0);
    return 0;
}

#endif
