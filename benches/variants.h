/*
 * variants.h - who closes in the background, by one face: the library in two ways, its peers, and two loops.
 * One program uses it, bench_background.c; its parts measure different things of the same variants.
 */
#ifndef VARIANTS_H
#define VARIANTS_H

#include "background.h"
#include "crowd.h"

enum { GC, DEFERRED, LIBUV, SAME, ASIO, THREAD, GO, BARE, SHUTDOWN, VARIANTS };
enum { CPU, SWITCHES, RSS, IDLE, LATE50, LATE99, LATE_MAX, EARLY, HAND50, HAND99, OUTS };

static const char *names[VARIANTS] = {
    "gc_close_async", "GC_DEFERRED", "libuv", "C, same calls", "Boost.Asio", "a thread per close", "Go", "bare close()",
    "shutdown, close",
};

struct task {
    int variant, n;
    enum peers_do peers;
    int timeout_ms, per_second; /* 0: all at once, and all due at one instant */
};

static const char *go_program;
static gc_reaper *reaper;
static struct crowd *crowd;
static atomic_long done;

void background_done(long id)
{
    crowd->seen[id] = now_ns();
    atomic_fetch_add(&done, 1);
}

static void gc_done(void *user, gc_socket sock, const gc_report *report)
{
    (void)sock;
    (void)report;
    background_done((long)(intptr_t)user);
}

static const struct background *by(int variant)
{
    const struct background *others[VARIANTS] = {[LIBUV] = &by_libuv, [SAME] = &by_same_calls, [ASIO] = &by_asio, [THREAD] = &by_thread};
    return others[variant];
}

static int is_there(int variant)
{
    if (variant == LIBUV || variant == ASIO)
        return by(variant) != NULL;
    return variant != GO || go_program != NULL;
}

static void start(int variant)
{
    if (variant == GC || variant == DEFERRED) {
        if (gc_reaper_new(NULL, &reaper) != 0 || gc_flush(0) != 0)
            die("gc_reaper_new");
    } else if (by(variant)) {
        by(variant)->start();
    }
}

/* with_callback: the end of each is wanted */
static void hand_over(int variant, int fd, unsigned timeout_ms, long id, int with_callback)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = timeout_ms;
    options.flags = variant == DEFERRED ? GC_DEFERRED : 0;
    int result = 0;
    if (variant == SHUTDOWN)
        shutdown(fd, SHUT_WR);
    if (variant == SHUTDOWN || variant == BARE)
        result = close(fd);
    else if (variant == GC && !with_callback)
        result = gc_close_async(fd, timeout_ms);
    else if (variant == GC || variant == DEFERRED)
        result = gc_reaper_close(reaper, fd, &options, with_callback ? gc_done : NULL, (void *)(intptr_t)id);
    else
        by(variant)->close(fd, timeout_ms, id);
    if (result != 0)
        die("hand-over");
}

static void wait_for_all(int variant, int n, int with_callback)
{
    if ((variant == GC || variant == DEFERRED) && !with_callback) {
        if (gc_flush(60000) != 0 || gc_reaper_flush(reaper, 60000) != 0)
            die("flush");
    } else if (variant != BARE && variant != SHUTDOWN) {
        while (atomic_load(&done) < n)
            sleep_ms(5);
    }
}

#endif
