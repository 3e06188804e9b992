/*
 * bench_lateness.c - a silent peer and a time-out of 300 ms: how late does the close come back?
 *
 * Several threads close connections whose peers never answer. Lateness is the time from the call to its
 * return, less 300 ms; it includes the final close(). Coming back early is wrong behaviour and makes the
 * program fail, as does any outcome but GC_TIMED_OUT.
 *
 * Peer of the comparison: a hand-written shutdown, recv, poll(300 ms), close. Every thread does both by
 * turns (odd threads begin with the one, even ones with the other), so both meet the same load at
 * the same time. Threads start staggered, so that they do not all wake at one instant.
 *
 * Goal: p99 at most 2 ms.
 *
 * Arguments: --threads T (default 10), --each N closes of either kind per thread (default 21).
 */
#include "bench.h"

#define TIMEOUT_MS 300
#define THREADS_MAX 64

enum { GC, HAND, VARIANTS };

static struct series late[VARIANTS]; /* milliseconds */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int early, wrong, each;

static void close_by_hand(int fd)
{
    char byte;
    struct pollfd p = {fd, POLLIN, 0};
    hand_begin(fd);
    if (recv(fd, &byte, 1, MSG_DONTWAIT) < 0)
        poll(&p, 1, TIMEOUT_MS);
    close(fd);
}

static void *thread_main(void *argument)
{
    int me = (int)(intptr_t)argument;
    struct timespec stagger = {0, 1000000L + 29300000L * (me % 10)};
    nanosleep(&stagger, NULL);
    for (int i = 0; i < 2 * each; i++) {
        int fd, silent, outcome = GC_TIMED_OUT, v = (i + me) % VARIANTS;
        pairs_new(&fd, &silent, 1);
        int64_t start = now_ns();
        if (v == GC)
            outcome = gc_close(fd, TIMEOUT_MS);
        else
            close_by_hand(fd);
        double ms = (double)(now_ns() - start) / 1e6 - TIMEOUT_MS;
        close(silent);
        pthread_mutex_lock(&lock);
        series_add(&late[v], ms);
        early += v == GC && ms < 0;
        wrong += outcome != GC_TIMED_OUT;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static const char *names[VARIANTS] = {"gc_close", "C, poll"};
    pthread_t threads[THREADS_MAX];
    int count = argument(argc, argv, "--threads", 10);
    each = argument(argc, argv, "--each", 21);
    if (count < 1 || count > THREADS_MAX)
        count = THREADS_MAX;
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, thread_main, (void *)(intptr_t)i))
            die("pthread_create");
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);

    double by_hand_p99 = series_at(&late[HAND], 0.99);
    for (int v = 0; v < VARIANTS; v++) {
        double p99 = series_at(&late[v], 0.99), p50 = series_median(&late[v]);
        const char *said = "";
        if (v == GC)
            said = early ? "**EARLY**" : verdict(p99 <= 2.0);
        if (v == GC && !early && p99 > 2.0 && by_hand_p99 > 2.0)
            said = "**missed**, and by the hand-written poll too";
        row(text("time-out of 300 ms, how late, p50 / p99 / max of %d: %s", late[v].n, names[v]),
            text("%.3f ms", series_min(&late[v])),
            text("%.3f / %.3f / %.3f ms", p50, p99, series_at(&late[v], 1)),
            v == HAND ? "1"
                      : text("%.2f (p50) / %.2f (p99)", p50 / series_median(&late[HAND]), p99 / by_hand_p99),
            v == GC ? "never early; p99 at most 2 ms" : "", said);
    }
    if (early || wrong)
        fprintf(stderr, "bench_lateness: %d early, %d with a wrong outcome\n", early, wrong);
    return early || wrong;
}
