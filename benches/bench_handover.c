/*
 * bench_handover.c - what a caller pays who does not wait: handing a connection over to the background.
 *
 * burst   10,000 connections, one right after the other.
 * paced   5,000 a second: the caller sleeps between two, and the closing thread gets to sleep, too.
 *
 * The peers are another process and finish at random times within 2 s. Variants:
 *   bare close      the reference: close(fd), not graceful
 *   gc_close_async  the FIN leaves in the call
 *   its calls       the system calls of gc_close_async, in C, and a thread that sleeps, as the reaper's does: what
 *                   the hand-over cannot do without. Which process is this, is it TCP, does it send signals, a
 *                   number that select() can spare, SO_LINGER, half-close, is there anything to drain
 *   GC_DEFERRED     gc_reaper_close() with that flag: a queue entry alone
 *   its calls       the same of GC_DEFERRED: which process is this, which socket is it, does it send signals, a
 *                   number that select() can spare; nothing is closed
 *   libuv           a queue with a mutex, uv_async_send; its loop does all, even the half-close
 *
 * Every variant runs in a fresh process, with 500 hand-overs to warm up; the variants take turns, and the order is
 * turned from round to round. A round's figure is the p50 (p99) of all its calls; printed are the least and the
 * median round. The ratio that decides is the median of the ratios to the bare close of the same round.
 *
 * FIN delay: peers that wait for the end of the stream note when they see it, by the same clock; paced. What the
 * peer needs to be woken is part of it for all variants.
 *
 * Arguments: --rounds R (default 4), --paced-rounds R (default 3), --n N (default 10000).
 */
#include "background.h"
#include "crowd.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define WARM 500
#define PER_SECOND 5000

enum { BARE, DIRECT, DIRECT_CALLS, DEFERRED, DEFERRED_CALLS, LIBUV, VARIANTS };
enum { P50, P99, P999, DELAY50, DELAY99, FIGURES };

static const char *names[VARIANTS] = {"bare close()", "gc_close_async", "C, the system calls of gc_close_async",
                                       "GC_DEFERRED", "C, the system calls of GC_DEFERRED", "libuv"};

struct task {
    int variant, n, paced;
    enum peers_do peers;
};

static gc_reaper *reaper;
static atomic_long done;

void background_done(long id)
{
    (void)id;
    atomic_fetch_add(&done, 1);
}

static void *sleeps(void *unused)
{
    for (;;)
        pause();
    return unused;
}

/* A number for it that no child gets, and that select() can spare. */
static int out_of_the_way(int fd)
{
    if (fd >= 1024)
        return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -1;
    return fcntl(fd, F_DUPFD_CLOEXEC, 1024);
}

static int calls_of_deferred(int fd)
{
    struct stat is;
    int high;
    if (getpid() == 0 || fstat(fd, &is) != 0 || fcntl(fd, F_GETOWN) != 0)
        return -1;
    high = out_of_the_way(fd);
    return high == -1 || (high != fd && close(fd) != 0);
}

/* The connection stays, as it would with the reaper; the process ends soon. */
static int calls_of_direct(int fd)
{
    struct linger none = {0, 0};
    int unsent, high;
    if (getpid() == 0 || ioctl(fd, SIOCOUTQNSD, &unsent) != 0 || fcntl(fd, F_GETOWN) != 0)
        return -1;
    high = out_of_the_way(fd);
    if (high == -1 || setsockopt(high, SOL_SOCKET, SO_LINGER, &none, sizeof none) != 0 || shutdown(high, SHUT_WR) != 0 ||
        (high != fd && close(fd) != 0))
        return -1;
    struct pollfd entry = {high, POLLIN | POLLRDHUP, 0};
    return poll(&entry, 1, 0) == -1;
}

static void hand_over(int variant, int fd)
{
    static const gc_options deferred = {
        sizeof(gc_options), 60000U, 0U, 0U, GC_THEN_CLOSE, GC_SHARED_SHUTDOWN, GC_DEFERRED, 0, NULL, NULL, 0U};
    int result = 0;
    switch (variant) {
    case BARE: result = close(fd); break;
    case DIRECT: result = gc_close_async(fd, 60000); break;
    case DIRECT_CALLS: result = calls_of_direct(fd); break;
    case DEFERRED: result = gc_reaper_close(reaper, fd, &deferred, NULL, NULL); break;
    case DEFERRED_CALLS: result = calls_of_deferred(fd); break;
    case LIBUV: by_libuv.close(fd, 60000, 0); break;
    }
    if (result != 0)
        die("hand-over");
}

static double percentile_us(int64_t *ns, int n, double p)
{
    qsort(ns, (size_t)n, sizeof *ns, time_order);
    return (double)ns[(int)(p * (n - 1))] / 1000.0;
}

static void measure(const void *what, double *out)
{
    const struct task *t = what;
    if (t->variant == DEFERRED && gc_reaper_new(NULL, &reaper) != 0)
        die("gc_reaper_new");
    if (t->variant == LIBUV)
        by_libuv.start();
    if (t->variant == DIRECT_CALLS) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, sleeps, NULL) != 0)
            die("pthread_create");
    }
    struct crowd *warm = crowd_new(WARM, PEERS_RANDOM, 10);
    crowd_go(warm);
    for (int i = 0; i < WARM; i++)
        hand_over(t->variant, warm->fd[i]);
    sleep_ms(50);
    struct crowd *c = crowd_new(t->n, t->peers, 2000);
    int64_t *took = calloc((size_t)t->n, sizeof *took);
    memset(took, 0xff, (size_t)t->n * sizeof *took);
    crowd_go(c);
    sleep_ms(t->peers == PEERS_WATCH ? 100 : 5);
    int64_t next = now_ns();
    for (int i = 0; i < t->n; i++) {
        if (t->paced)
            sleep_until(next += 1000000000 / PER_SECOND);
        c->called[i] = now_ns();
        hand_over(t->variant, c->fd[i]);
        took[i] = now_ns() - c->called[i];
    }
    out[P50] = percentile_us(took, t->n, 0.5);
    out[P99] = percentile_us(took, t->n, 0.99);
    out[P999] = percentile_us(took, t->n, 0.999);
    if (t->peers == PEERS_WATCH) {
        sleep_ms(500);
        for (int i = 0; i < t->n; i++) {
            if (c->seen[i] == 0)
                die("a FIN never came");
            took[i] = c->seen[i] - c->called[i];
        }
        out[DELAY50] = percentile_us(took, t->n, 0.5);
        out[DELAY99] = percentile_us(took, t->n, 0.99);
    }
}

static struct series figures[VARIANTS][3], ratios[VARIANTS];

static void rounds(int count, int n, int paced, enum peers_do peers)
{
    memset(figures, 0, sizeof figures);
    memset(ratios, 0, sizeof ratios);
    for (int round = 0; round < count; round++) {
        double out[VARIANTS][OUT_MAX];
        for (int k = 0; k < VARIANTS; k++) {
            int v = round % 2 ? VARIANTS - 1 - k : k;
            struct task t = {v, n, paced, peers};
            if ((v == LIBUV && !&by_libuv) || ((v == DEFERRED_CALLS || v == DIRECT_CALLS) && peers == PEERS_WATCH))
                continue;
            if (in_own_process(measure, &t, out[v]))
                exit(1);
            int delay = peers == PEERS_WATCH;
            series_add(&figures[v][0], out[v][delay ? DELAY50 : P50]);
            series_add(&figures[v][1], out[v][delay ? DELAY99 : P99]);
            series_add(&figures[v][2], out[v][P999]);
        }
        for (int v = 0; v < VARIANTS; v++)
            if (figures[v][0].n)
                series_add(&ratios[v], out[v][P50] / out[BARE][P50]);
    }
}

static void rows_of_calls(const char *how)
{
    for (int v = 0; v < VARIANTS; v++) {
        struct series *s = figures[v];
        const char *goal = "", *said = "";
        double ratio = series_median(&ratios[v]), p50 = series_median(&s[0]);
        if (s[0].n == 0) {
            row(text("hand-over, %s: %s", how, names[v]), "", "", "", "", "SKIPPED: libuv is not installed");
            continue;
        }
        if (v == DIRECT) {
            goal = "p50 at most 1.05 x bare close()";
            said = ratio <= 1.05 ? verdict(1) : text("**missed**; its system calls alone, in C, take %.3f x",
                                                     series_median(&ratios[DIRECT_CALLS]));
        }
        if (v == DEFERRED) {
            goal = "p50 at most its system calls, in C, and 0.1 us";
            said = verdict(p50 <= series_median(&figures[DEFERRED_CALLS][0]) + 0.1);
        }
        row(text("hand-over, %s, p50 / p99 / p99.9: %s", how, names[v]),
            text("%.2f / %.1f / %.0f us", series_min(&s[0]), series_min(&s[1]), series_min(&s[2])),
            text("%.2f / %.1f / %.0f us", p50, series_median(&s[1]), series_median(&s[2])),
            v == BARE ? "1" : text("%.3f / %.3f, per round %.3f", series_min(&s[0]) / series_min(&figures[BARE][0]),
                                   p50 / series_median(&figures[BARE][0]), ratio),
            goal, said);
    }
}

static void rows_of_delays(void)
{
    for (int v = 0; v < VARIANTS; v++) {
        struct series *s = figures[v];
        double p99 = series_median(&s[1]) / 1000;
        if (s[0].n == 0)
            continue;
        row(text("the peer sees the FIN, paced, p50 / p99: %s", names[v]),
            text("%.3f / %.2f ms", series_min(&s[0]) / 1000, series_min(&s[1]) / 1000),
            text("%.3f / %.2f ms", series_median(&s[0]) / 1000, p99), "",
            v == DEFERRED ? "p99 at most 5 ms" : "", v == DEFERRED ? verdict(p99 <= 5) : "");
    }
}

int main(int argc, char **argv)
{
    int n = argument(argc, argv, "--n", 10000), paced = argument(argc, argv, "--paced-rounds", 3);
    own_network();
    crowd_limits();
    rounds(argument(argc, argv, "--rounds", 4), n, 0, PEERS_RANDOM);
    rows_of_calls("burst of 10,000");
    rounds(paced, n / 2, 1, PEERS_RANDOM);
    rows_of_calls("5,000/s");
    rounds(paced > 0, n / 2, 1, PEERS_WATCH);
    rows_of_delays();
    return 0;
}
