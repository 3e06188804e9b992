/*
 * Without memory the background says so, and the socket stays the caller's; or it does
 * without. No program dies of it, neither in the call nor on the reaper's thread.
 */
#include "check_heap.h"
#include "reaper_test.h"

#ifdef HEAP_WHY_NOT

int main(void)
{
    check_skip(HEAP_WHY_NOT);
    return 0;
}

#else

#include <sys/wait.h>

#define SOME 200

static void hears(void *user, int outcome, const char *line)
{
    (void)outcome;
    (void)line;
    ++*(volatile long *)user;
}

/* either it is refused and works on, or it is taken over and ends */
static void either_way(check_socket sock, check_socket peer, int code)
{
    if (code == 0) {
        CHECK_IS(end_at(peer), 0);
    } else {
        CHECK_IS(code, GC_ERR_RESOURCES);
        check_works(sock, peer);
        check_close(sock);
    }
    check_close(peer);
}

static void in_the_call(void)
{
    check_socket socks[2], peers[2];
    gc_reaper *reaper = NULL;
    gc_options options = GC_OPTIONS_INIT;
    gc_report reports[2] = {GC_REPORT_INIT, GC_REPORT_INIT};
    volatile long heard = 0;
    told end;
    int code, i;
    heap_is_empty = 1;

    check_doing = "gc_reaper_new";
    heap_watch_start();
    code = gc_reaper_new(NULL, &reaper);
    heap_watch_end();
    CHECK_IS(code, GC_ERR_RESOURCES);
    CHECK(reaper == NULL);

    check_doing = "gc_close_async, the first";
    check_pair(&socks[0], &peers[0]);
    heap_watch_start();
    code = gc_close_async(socks[0], 5000);
    heap_watch_end();
    CHECK_IS(code, GC_ERR_RESOURCES);
    either_way(socks[0], peers[0], code);

    reaper = new_reaper(0, GC_FULL_REFUSE);
    options.timeout_ms = 20000;
    for (i = 0; i < 8; i++) {
        check_doing = "gc_reaper_close";
        check_round = i;
        gc_set_log(i & 4 ? hears : NULL, (void *)&heard);
        options.flags = i & 2 ? GC_DEFERRED : 0;
        check_pair(&socks[0], &peers[0]);
        told_start(&end, socks[0]);
        heap_watch_start();
        code = gc_reaper_close(reaper, socks[0], &options, i & 1 ? tell : NULL, &end);
        heap_watch_end();
        either_way(socks[0], peers[0], code);
        CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
        CHECK_IS(end.calls, code == 0 && (i & 1));
    }

    for (i = 0; i < 2; i++) {
        check_doing = "gc_close_many";
        check_round = i;
        gc_set_log(i & 1 ? hears : NULL, (void *)&heard);
        check_pair(&socks[0], &peers[0]);
        check_pair(&socks[1], &peers[1]);
        options.timeout_ms = 20;
        options.flags = 0;
        heap_watch_start();
        code = gc_close_many(socks, 2, &options, reports);
        heap_watch_end();
        CHECK_IS(code == 0 || code == GC_ERR_RESOURCES, 1);
        either_way(socks[0], peers[0], code);
        either_way(socks[1], peers[1], code);
    }
    gc_set_log(NULL, NULL);

    check_doing = "gc_set_log";
    heap_watch_start();
    gc_set_log(hears, (void *)&heard);
    gc_set_log(NULL, NULL);
    heap_watch_end();
    heap_is_empty = 0;
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
}

enum { HANDED_OVER, WITH_IDLE, WITH_DONE, WITH_READER, STEPPED, MANY, DROP_IN, WAYS };

static int reads(void *user, const void *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
    return 0;
}

/* closes the first of two by this way; a call that is refused leaves it as it was */
static int close_by(int way, gc_reaper *reaper, check_socket *socks, gc_options *options, told *end)
{
    gc_closing *closing = NULL;
    int code;
    if (way == WITH_IDLE) options->idle_timeout_ms = 20000;
    if (way == WITH_READER) options->on_data = reads;
    if (way == STEPPED) {
        code = gc_closing_new(socks[0], options, &closing);
        if (code == 0) CHECK(gc_closing_step(closing) >= 0);
        gc_closing_free(closing);
        return code;
    }
    if (way == MANY) {
        options->timeout_ms = 0;
        code = gc_close_many(socks, 2, options, NULL);
        return code < 0 ? code : 0;
    }
    if (way == DROP_IN) return gc_closesocket(socks[0]);
    return gc_reaper_close(reaper, socks[0], options, way == WITH_DONE ? tell : NULL, end);
}

/* The first so many pieces of memory are to be had and then none, from none to as many as it
   wants: whatever is asked for last is not there, also where more was there a moment ago. */
static void piece_by_piece(int way, int variant)
{
    const gc_options good = GC_OPTIONS_INIT;
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    volatile long heard = 0;
    int left;
    check_doing = "piece by piece";
    check_round = way * 10 + variant;
    gc_set_default_timeout(0);
    gc_set_log(variant & 1 ? hears : NULL, (void *)&heard);
    for (left = 0; left < 100; left++) {
        check_socket socks[2], peers[2];
        gc_options options = good;
        told end;
        int code;
        options.timeout_ms = 20000;
        options.flags = variant & 2 ? GC_DEFERRED : 0;
        check_pair(&socks[0], &peers[0]);
        check_pair(&socks[1], &peers[1]);
        told_start(&end, socks[0]);
        heap_is_empty = 1;
        heap_left = left;
        heap_watch_start();
        code = close_by(way, reaper, socks, &options, &end);
        heap_watch_end();
        heap_is_empty = 0;
        heap_left = 0;
        either_way(socks[0], peers[0], code);
        CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
        CHECK_IS(end.calls, code == 0 && way == WITH_DONE);
        if (way != MANY || code != 0) check_close(socks[1]);
        check_close(peers[1]);
        if (heap_refused == 0) break;
    }
    CHECK(left < 100);
    gc_set_log(NULL, NULL);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
}

#define REFUSED_SOME 3 /* a failed check exits with 1 */

enum { NEW_REAPER, FIRST_OF_THE_PROCESS, CONTINUED, STARTS };

/* in a child, which has no reaper of its own yet; 0: all that was asked for was there */
static int starts_with(int way, int left)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_reaper *reaper = NULL;
    check_socket sock, peer;
    int code;
    check_pair(&sock, &peer);
    options.timeout_ms = 0;
    options.fallback = GC_THEN_BACKGROUND;
    heap_is_empty = 1;
    heap_left = left;
    heap_watch_start();
    if (way == NEW_REAPER) code = gc_reaper_new(NULL, &reaper);
    else if (way == FIRST_OF_THE_PROCESS) code = gc_close_async(sock, 20000);
    else code = gc_close_with(sock, &options, NULL);
    heap_watch_end();
    heap_is_empty = 0;
    if (way == CONTINUED) {
        CHECK(code == GC_CONTINUED || code == GC_TIMED_OUT);
        CHECK_IS(end_at(peer), 0);
    } else if (way == FIRST_OF_THE_PROCESS) {
        either_way(sock, peer, code);
    } else {
        CHECK(code == 0 || code == GC_ERR_RESOURCES);
        CHECK((reaper != NULL) == (code == 0));
        if (code == 0) CHECK_IS(gc_reaper_free(reaper, 0), 0);
    }
    if (heap_refused == 0) CHECK_IS(code, way == CONTINUED ? GC_CONTINUED : 0);
    return heap_refused == 0 ? 0 : REFUSED_SOME;
}

static void starts_piece_by_piece(int way)
{
    int left, status = 1;
    check_doing = "a start, piece by piece";
    for (left = 0; left < 100 && status != 0; left++) {
        pid_t child = fork();
        check_round = way * 1000 + left;
        CHECK(child >= 0);
        if (child == 0) _exit(starts_with(way, left));
        CHECK_IS(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status) && (status == 0 || WEXITSTATUS(status) == REFUSED_SOME));
    }
    CHECK_IS(status, 0);
    CHECK(left > 2);
}

static void empties_the_heap(void *user, gc_socket sock, const gc_report *report)
{
    (void)user;
    (void)sock;
    (void)report;
    heap_is_empty = 1;
    heap_watch_start(); /* of this thread: the reaper's */
}

/* what has been taken over comes to its end all the same */
static void on_the_thread(unsigned int flags)
{
    gc_reaper *reaper = new_reaper(SOME, GC_FULL_EVICT_OLDEST);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peers[SOME];
    told ends[SOME];
    long ended = 0;
    int i;
    check_doing = flags ? "on the thread, deferred" : "on the thread";
    options.timeout_ms = 20000;
    options.flags = flags;
    check_pair(&sock, &peers[0]);
    CHECK_IS(gc_reaper_close(reaper, sock, NULL, empties_the_heap, NULL), 0);
    check_close(peers[0]);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK(heap_is_watched);
    for (i = 0; i < SOME; i++) {
        check_pair(&sock, &peers[i]);
        told_start(&ends[i], sock);
        CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &ends[i]), 0);
        if (i % 3 == 0) check_close(peers[i]);
    }
    for (i = 0; i < SOME; i++) {
        if (i % 3 == 0) continue;
        CHECK_IS(end_at(peers[i]), 0);
        check_close(peers[i]);
    }
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    heap_watch_end();
    heap_is_empty = 0;
    for (i = 0; i < SOME; i++) ended += ends[i].calls;
    CHECK_IS(ended, SOME);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

int main(void)
{
    int way, variant;
    check_start();
    heap_check_watch();
    on_the_thread(0);
    on_the_thread(GC_DEFERRED);
    in_the_call();
    for (way = 0; way < WAYS; way++)
        for (variant = 0; variant < 4; variant++) piece_by_piece(way, variant);
    for (way = 0; way < STARTS; way++) starts_piece_by_piece(way);
    heap_check_watch();
    return 0;
}

#endif
