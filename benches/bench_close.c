/*
 * bench_close.c - the price of one gc_close() when there is next to nothing to do.
 *
 * queued  The peer has closed already: its FIN is in our queue, nothing is unread. The close needs no
 *         waiting, so all that differs between the variants is system calls and the code around them.
 * echo    A peer process reads until it sees our FIN and closes then. One wake-up of the peer and one
 *         of ours are inevitable.
 *
 * Variants:
 *   gc_close             the library
 *   C, same calls        the best C we could write with the same seven system calls: TCP_INFO as type check,
 *                        SO_PROTOCOL (is it MPTCP, whose state is that of one subflow?), SO_LINGER off, shutdown, one recv(MSG_DONTWAIT|MSG_TRUNC), SIOCOUTQ, close
 *   C, SO_TYPE           the same with SO_TYPE in place of TCP_INFO (cheaper, but does not tell the state)
 *   shutdown+close       not graceful: waits for nothing, proves nothing
 *   bare close           not graceful
 *
 * Fairness: a round makes n fresh connections per variant and brings them all into the same state before
 * the clock starts. They are closed in runs of ten, by one variant after the other, so that a slow moment of the
 * machine hits all of them; the order of the variants is turned and reversed from round to round. A round's
 * figure is the time of a variant's runs divided by n. The two variants that do not wait stay out
 * of "echo": the peer would still be busy with their connections when the next run starts.
 * Goal: at most 5 % above "C, same calls". Three ratios are printed: of the minima, of the medians, and the
 * median of the ratios within each round. The last one decides, because the two figures of a round met the same
 * machine, while minima and medians of a busy machine may come from different phases of it.
 *
 * Arguments: --rounds R (default 61), --n CLOSES per round and variant (default 200).
 */
#include <sys/resource.h>

#include "bench.h"

#define RUN 10
#define N_MAX 5000

static int wrong;

static void close_gc(int fd)
{
    if (gc_close(fd, 5000) != GC_GRACEFUL)
        wrong++;
}

/* reads until the end of the stream; first without waiting, then as often as poll says so */
static int drain(int fd)
{
    static char scratch[65536];
    for (;;) {
        ssize_t n = recv(fd, scratch, sizeof scratch, MSG_DONTWAIT | MSG_TRUNC);
        if (n == 0)
            return 0;
        if (n > 0 || errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -1;
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, 5000) == 0)
            return -1;
    }
}

static void close_same_calls(int fd)
{
    if (hand_begin(fd) != 0 || drain(fd) != 0 || hand_end(fd) != 0)
        wrong++;
}

static void close_so_type(int fd)
{
    int type = 0;
    socklen_t size = sizeof type;
    struct linger off = {0, 0};
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM ||
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off) != 0 || shutdown(fd, SHUT_WR) != 0 ||
        drain(fd) != 0 || hand_end(fd) != 0)
        wrong++;
}

static void close_shutdown(int fd)
{
    shutdown(fd, SHUT_WR);
    close(fd);
}

static void close_bare(int fd) { close(fd); }

enum { GC, SAME, SO_TYPE_, GRACEFUL, SHUTDOWN = GRACEFUL, BARE, VARIANTS };

static const struct {
    const char *name;
    void (*close)(int fd);
} variants[VARIANTS] = {
    [GC] = {"gc_close", close_gc},
    [SAME] = {"C, same calls", close_same_calls},
    [SO_TYPE_] = {"C, SO_TYPE", close_so_type},
    [SHUTDOWN] = {"shutdown+close (not graceful)", close_shutdown},
    [BARE] = {"bare close (not graceful)", close_bare},
};

static struct series figures[VARIANTS], ratios[VARIANTS];
static int ours[N_MAX], peer[N_MAX];

/* closes ours[] in runs of ten, the variants by turns; figures of this round into the series */
static void timed(int used, int n, int round)
{
    int64_t sum[VARIANTS] = {0};
    int next = 0;
    for (int chunk = 0; next < used * n; chunk++) {
        int k = (chunk + round / 2) % used;
        int v = round % 2 ? used - 1 - k : k;
        void (*close_one)(int) = variants[v].close;
        int64_t start = now_ns();
        for (int i = 0; i < RUN; i++)
            close_one(ours[next++]);
        sum[v] += now_ns() - start;
    }
    if (round >= 0)
        for (int v = 0; v < used; v++)
            series_add(&figures[v], (double)sum[v] / n / 1000.0);
}

static void round_queued(int used, int n, int round)
{
    pairs_new_finished(ours, peer, used * n);
    timed(used, n, round);
}

/* ---- the peer process of "echo" ------------------------------------------------------------- */

struct order {
    struct sockaddr_in address;
    int n;
};

static int to_peer;

static void peer_process(int control)
{
    struct order order;
    char byte = 0;
    while (read(control, &order, sizeof order) == (ssize_t)sizeof order) {
        for (int i = 0; i < order.n; i++)
            peer[i] = connect_new(&order.address);
        write_all(control, &byte, 1);
        for (int i = 0; i < order.n; i++) {
            char buffer[512];
            while (read(peer[i], buffer, sizeof buffer) > 0)
                ;
            close(peer[i]);
        }
        write_all(control, &byte, 1);
    }
    _exit(0);
}

static void round_echo(int used, int n, int round)
{
    struct order order;
    char byte;
    int listener = listener_new(&order.address);
    order.n = used * n;
    write_all(to_peer, &order, sizeof order);
    for (int i = 0; i < order.n; i++)
        ours[i] = accept_new(listener);
    close(listener);
    read_all(to_peer, &byte, 1);
    timed(used, n, round);
    read_all(to_peer, &byte, 1);
}

static void run(const char *name, void (*one_round)(int, int, int), double goal, int rounds, int used, int n)
{
    memset(figures, 0, sizeof figures);
    memset(ratios, 0, sizeof ratios);
    for (int r = -2; r < rounds && !wrong; r++) /* two to warm up */
        one_round(used, n, r < 0 ? -1 : r);
    for (int v = 0; v < used; v++) /* before the series are sorted */
        for (int r = 0; r < figures[v].n; r++)
            series_add(&ratios[v], figures[v].v[r] / figures[SAME].v[r]);
    for (int v = 0; v < used; v++) {
        double by_min = series_min(&figures[v]) / series_min(&figures[SAME]);
        double by_median = series_median(&figures[v]) / series_median(&figures[SAME]);
        double by_round = series_median(&ratios[v]);
        row(text("one close, peer's FIN %s: %s", name, variants[v].name),
            text("%.2f us", series_min(&figures[v])), text("%.2f us", series_median(&figures[v])),
            v == SAME ? "1" : text("%.3f / %.3f, per round %.3f", by_min, by_median, by_round),
            v == GC ? text("at most %.2f", goal) : "", v == GC ? verdict(by_round <= goal) : "");
    }
}

int main(int argc, char **argv)
{
    int rounds = argument(argc, argv, "--rounds", 61);
    int n = argument(argc, argv, "--n", 200);
    int control[2];
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files); /* two descriptors per connection while they are made */
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (n > N_MAX / VARIANTS)
        n = N_MAX / VARIANTS;
    if ((rlim_t)n * 2 * VARIANTS + 50 > files.rlim_cur)
        n = (int)(files.rlim_cur - 50) / (2 * VARIANTS);
    n = n < RUN ? RUN : n - n % RUN;
    signal(SIGPIPE, SIG_IGN);
    own_network();
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, control))
        die("socketpair");
    pid_t child = fork();
    if (child == 0) {
        close(control[0]);
        peer_process(control[1]);
    }
    close(control[1]);
    to_peer = control[0];

    run("queued", round_queued, 1.02, rounds, VARIANTS, n);
    run("in answer to ours", round_echo, 1.04, rounds, GRACEFUL, n);

    close(to_peer);
    waitpid(child, NULL, 0);
    if (wrong)
        fprintf(stderr, "bench_close: %d closes did not end as they must\n", wrong);
    return wrong != 0;
}
