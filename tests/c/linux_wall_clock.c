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

#include <stdint.h>
#include <sys/syscall.h>

#define TIME_MS 200U
#define DAY 86400

static volatile long asked_of_the_wall, asked_of_others;

/* how far the wall's clock is off this time; the other clocks go right */
static int seconds_off(clockid_t which)
{
    if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)
        return __sync_add_and_fetch(&asked_of_the_wall, 1) % 2 != 0 ? DAY : -DAY;
    __sync_add_and_fetch(&asked_of_others, 1);
    return 0;
}

#ifdef __cplusplus
extern "C" {
#endif
int __NTH(clock_gettime(clockid_t which, struct timespec *now))
{
    long result = syscall(SYS_clock_gettime, which, now);
    now->tv_sec += seconds_off(which);
    return (int)result;
}
#ifdef SYS_clock_gettime64
/* what Rust asks where seconds have 32 bits: glibc's name for the same with 64 */
struct time_64 {
    int64_t seconds;
    int64_t nanoseconds;
};
int __clock_gettime64(clockid_t which, struct time_64 *now);
int __clock_gettime64(clockid_t which, struct time_64 *now)
{
    long result = syscall(SYS_clock_gettime64, which, now);
    now->seconds += seconds_off(which);
    return (int)result;
}
#endif
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
    asked = CHECK_LOAD(asked_of_others);
    CHECK_IS(gc_close(sock, TIME_MS), GC_TIMED_OUT);
    CHECK(CHECK_LOAD(asked_of_others) > asked); /* the library asks this program's function */
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
    CHECK(CHECK_LOAD(asked_of_the_wall) > 0);
    return 0;
}

#endif
