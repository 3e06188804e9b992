/*
 * bench_many.c - gc_close_many: everything under one deadline, on the caller's thread.
 *
 * finish    10,000 peers, another process, finish at random times within 2 s. CPU of the calling thread, against
 *           the same connections half-closed and, when the peers have finished, closed without a look at them;
 *           against a hand-written loop around epoll (edge-triggered, read first); and against a sweep that makes
 *           the calls that the promises take: what it is and whether SO_LINGER is on, which socket has the number,
 *           whether the end of the stream is a FIN, whether all of ours is acknowledged.
 * silent    peers that never finish, a deadline of 1.5 s: how late the call comes back. The connections are closed
 *           behind the deadline, one after the other, and 10,000 closes alone take more than the 10 ms that are the
 *           goal; so a loop that half-closes, sleeps and closes stands beside it.
 * flood     2,000 peers with 1 MiB each on its way to us: all graceful, and how long it takes.
 *
 * Every variant runs in a fresh process; they take turns.
 *
 * Arguments: --rounds R (default 3), --n N (default 10000).
 */
#include "crowd.h"

#include <sys/stat.h>

#define DEADLINE_MS 1500

enum { MANY, SAME, EPOLL, BARE, SLEEP, VARIANTS };
enum { CPU, WALL, GRACEFUL, OUTS };

static const char *names[VARIANTS] = {"gc_close_many", "C, sweeps with the same calls", "C, epoll", "bare close()", "C, shutdown, sleep, close"};

struct task {
    int variant, n;
    enum peers_do peers;
    int how_much, timeout_ms;
};

/* reads until nothing is there; whether the stream has ended */
static int is_over(int fd)
{
    static char scratch[65536];
    ssize_t n;
    while ((n = recv(fd, scratch, sizeof scratch, MSG_DONTWAIT | MSG_TRUNC)) > 0)
        ;
    return n == 0 || (errno != EAGAIN && errno != EINTR);
}

static int close_by_epoll(struct crowd *c, int64_t deadline)
{
    struct epoll_event events[256], e = {EPOLLIN | EPOLLRDHUP | EPOLLET, {.u32 = 0}};
    int epoll = epoll_create1(EPOLL_CLOEXEC), left = 0, graceful = 0;
    for (int i = 0; i < c->n; i++) {
        shutdown(c->fd[i], SHUT_WR);
        if (is_over(c->fd[i])) {
            close(c->fd[i]);
            graceful++;
            continue;
        }
        e.data.fd = c->fd[i];
        left += epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd[i], &e) == 0;
    }
    for (int64_t ms; left > 0 && (ms = (deadline - now_ns()) / 1000000) > 0;) {
        int got = epoll_wait(epoll, events, 256, (int)ms);
        for (int k = 0; k < got; k++)
            if (is_over(events[k].data.fd)) {
                close(events[k].data.fd);
                left--, graceful++;
            }
    }
    close(epoll);
    return graceful;
}

#ifndef TCP_ZEROCOPY_RECEIVE
#define TCP_ZEROCOPY_RECEIVE 35
#endif

/* what a close must know before it says graceful; whether it is over */
static int is_over_for_sure(int fd)
{
    struct { uint64_t address; uint32_t length, hint; } nothing = {0, 0, 0};
    socklen_t size = sizeof nothing;
    struct stat stat;
    int left;
    fstat(fd, &stat);
    if (!is_over(fd))
        return 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &nothing, &size) == -1 && errno == EIO)
        ioctl(fd, SIOCOUTQ, &left);
    return 1;
}

static void half_close(int fd)
{
    struct linger off = {0, 0};
    unsigned char info[8];
    socklen_t size = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
    shutdown(fd, SHUT_WR);
}

/* asks for 256 at a time, 20 ms apart, later up to 320 */
static int close_by_sweeps(struct crowd *c, int64_t deadline)
{
    enum { ASKED = 256 };
    struct pollfd asked[ASKED];
    int *left = malloc((size_t)c->n * sizeof *left), count = 0, graceful = 0;
    for (int i = 0; i < c->n; i++) {
        half_close(c->fd[i]);
        if (is_over_for_sure(c->fd[i])) {
            close(c->fd[i]);
            graceful++;
        } else
            left[count++] = c->fd[i];
    }
    for (int gap = 20; count > 0 && now_ns() < deadline; gap = gap < 320 ? gap * 4 : 320) {
        int kept = 0;
        sleep_ms(gap);
        for (int first = 0, n; first < count; first += n) {
            n = count - first < ASKED ? count - first : ASKED;
            for (int k = 0; k < n; k++)
                asked[k] = (struct pollfd){left[first + k], POLLIN, 0};
            poll(asked, (nfds_t)n, 0);
            for (int k = 0; k < n; k++)
                if (asked[k].revents && is_over_for_sure(asked[k].fd)) {
                    close(asked[k].fd);
                    graceful++;
                } else
                    left[kept++] = asked[k].fd;
        }
        count = kept;
    }
    free(left);
    return graceful;
}

static void measure(const void *what, double *out)
{
    const struct task *t = what;
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = (unsigned)t->timeout_ms;
    struct crowd *c = crowd_new(t->n, t->peers, t->how_much);
    int *fd = malloc((size_t)t->n * sizeof *fd);
    memcpy(fd, c->fd, (size_t)t->n * sizeof *fd);
    crowd_go(c);
    if (t->peers == PEERS_SEND)
        sleep_ms(300);
    int64_t began = now_ns(), deadline = began + t->timeout_ms * INT64_C(1000000), cpu = cpu_ns();
    int graceful = 0;
    switch (t->variant) {
    case MANY:
        graceful = gc_close_many(fd, (size_t)t->n, &options, NULL);
        break;
    case SAME: graceful = close_by_sweeps(c, deadline); break;
    case EPOLL: graceful = close_by_epoll(c, deadline); break;
    case SLEEP:
        for (int i = 0; i < t->n; i++)
            shutdown(fd[i], SHUT_WR);
        /* peers that finish have done so by then */
        sleep_until(t->peers == PEERS_RANDOM ? began + (t->how_much + 100) * INT64_C(1000000) : deadline);
        /* fall through */
    case BARE:
        for (int i = 0; i < t->n; i++)
            close(fd[i]);
    }
    out[CPU] = (double)(cpu_ns() - cpu) / 1e9;
    out[WALL] = (double)(now_ns() - began) / 1e9;
    out[GRACEFUL] = graceful;
}

static struct series figures[VARIANTS][OUTS], ratios[VARIANTS];

static void rounds(int count, const int *variants, int used, const struct task *task)
{
    memset(figures, 0, sizeof figures);
    memset(ratios, 0, sizeof ratios);
    for (int round = 0; round < count; round++) {
        double out[VARIANTS][OUT_MAX];
        for (int k = 0; k < used; k++) {
            struct task t = *task;
            int v = t.variant = variants[round % 2 ? used - 1 - k : k];
            if (in_own_process(measure, &t, out[v]))
                exit(1);
            for (int f = 0; f < OUTS; f++)
                series_add(&figures[v][f], out[v][f]);
        }
        for (int k = 0; k < used; k++)
            series_add(&ratios[variants[k]], out[variants[k]][CPU] / out[variants[used - 1]][CPU]);
    }
}

static double least(int v, int figure) { return series_min(&figures[v][figure]); }
static double middle(int v, int figure) { return series_median(&figures[v][figure]); }

static int finish(int count, int n)
{
    static const int variants[] = {MANY, SAME, EPOLL, BARE, SLEEP};
    struct task t = {0, n, PEERS_RANDOM, 2000, 10000};
    rounds(count, variants, 5, &t);
    double floor = series_median(&ratios[SAME]);
    for (int k = 0; k < 5; k++) {
        int v = variants[k];
        double ratio = series_median(&ratios[v]);
        row(text("%d at once, peers finish within 2 s, CPU: %s", n, names[v]), text("%.3f s", least(v, CPU)),
            text("%.3f s, %.0f graceful, %.2f s", middle(v, CPU), middle(v, GRACEFUL), middle(v, WALL)),
            v == SLEEP ? "1" : text("per round %.2f", ratio), v == MANY ? "at most 1.3 x shutdown, sleep, close" : "",
            v != MANY      ? ""
            : ratio <= 1.3 ? verdict(1)
                           : text("**missed**; the same calls in C take %.2f", floor));
    }
    return least(MANY, GRACEFUL) == n;
}

static int silent(int count, int n)
{
    static const int variants[] = {MANY, SLEEP};
    struct task t = {0, n, PEERS_SILENT, 0, DEADLINE_MS};
    rounds(count, variants, 2, &t);
    double late = (middle(MANY, WALL) - DEADLINE_MS / 1e3) * 1e3, loop = (middle(SLEEP, WALL) - DEADLINE_MS / 1e3) * 1e3;
    const char *said = verdict(late <= 10);
    if (late > 10 && loop > 10)
        said = text("**missed**; the closes of the loop alone take %.0f ms", loop);
    for (int k = 0; k < 2; k++) {
        int v = variants[k];
        row(text("%d silent peers, behind the deadline of 1.5 s: %s", n, names[v]),
            text("%.1f ms", (least(v, WALL) - DEADLINE_MS / 1e3) * 1e3),
            text("%.1f ms, CPU %.3f s", (middle(v, WALL) - DEADLINE_MS / 1e3) * 1e3, middle(v, CPU)), "",
            v == MANY ? "at most 10 ms" : "", v == MANY ? said : "");
    }
    return least(MANY, WALL) >= DEADLINE_MS / 1e3;
}

static int flood(int count)
{
    static const int variants[] = {MANY, EPOLL};
    struct task t = {0, 2000, PEERS_SEND, 1 << 20, 10000};
    rounds(count, variants, 2, &t);
    for (int k = 0; k < 2; k++) {
        int v = variants[k];
        row(text("2,000 peers with 1 MiB each in flight: %s", names[v]), text("%.3f s", least(v, WALL)),
            text("%.3f s, CPU %.3f s, %.0f graceful", middle(v, WALL), middle(v, CPU), middle(v, GRACEFUL)),
            "", v == MANY ? "all graceful, under 1 s" : "",
            v == MANY ? verdict(middle(MANY, WALL) < 1 && least(MANY, GRACEFUL) == 2000) : "");
    }
    return least(MANY, GRACEFUL) == 2000;
}

int main(int argc, char **argv)
{
    int count = argument(argc, argv, "--rounds", 3), n = argument(argc, argv, "--n", 10000);
    own_network();
    crowd_limits();
    int ok = finish(count, n);
    ok &= silent(1, 1000);
    ok &= silent(1, n);
    ok &= flood(count);
    if (!ok)
        fprintf(stderr, "bench_many: not all graceful, or early\n");
    return !ok;
}
