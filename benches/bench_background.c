/*
 * bench_background.c - what closing in the background costs the process: CPU, memory, punctuality.
 *
 * cpu      10,000 connections, handed over in a burst; their peers, another process, finish at random times within
 *          2 s. Figure: CPU of the whole process from the first hand-over until all are closed. "bare close()" and
 *          "shutdown, close" do it on the spot and wait for nobody: what the kernel takes at least.
 * memory   19,000 connections whose peers never finish. Figure: growth of the resident memory per connection, by
 *          smaps_rollup; and the CPU of 1 s in which nothing happens. (A thread per close: 4,000 of them.)
 * three    three processes at a time, each with a reaper and 19,000 connections: 18,000 pending, whose deadlines
 *          are spread over a second, and in that second 1,000 that are handed over, one in a millisecond. Figures:
 *          memory of each pending one, and how long these hand-overs take; beside them the closes of three
 *          processes that call bare close() as often, with nothing pending.
 * late     deadlines spread at 5,000/s and silent peers; then 19,000 due at one instant. Lateness: from the
 *          deadline, counted from before the call, to the callback. The control closes 19,000 half-closed
 *          connections in a loop: nobody on one thread can be faster. Another loop, in C, makes the calls that
 *          the promises take of each: which socket has the number, whether something came at last, an end for
 *          threads that wait in it, the close, which takes it out of an epoll set.
 *
 * Every variant runs in a fresh process; they take turns, and the order is turned from round to round (those that
 * stand there for orientation run once). The Go program (--go FILE) speaks to the same peers. What is not there
 * says SKIPPED.
 *
 * Arguments: cpu, memory, three, late (default: all); --rounds R (default 3), --n N (default 10000), --go FILE.
 */
#include "variants.h"

#include <sys/stat.h>

/* Go does all by itself, with the same peers: descriptor 3 to accept from, 4 to start them, figures to 5. */
static void run_go(const struct task *t, double *out)
{
    int figures[2];
    char n[16], timeout[16], said[256] = "";
    crowd = crowd_listen(t->n, t->peers, 2000);
    snprintf(n, sizeof n, "%d", t->n);
    snprintf(timeout, sizeof timeout, "%d", t->timeout_ms);
    if (pipe(figures))
        die("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(figures[1], 30), dup2(crowd->listener, 31), dup2(crowd->control, 32);
        dup2(31, 3), dup2(32, 4), dup2(30, 5);
        for (int fd = 6; fd < 40; fd++)
            close(fd);
        execl(go_program, "peers_go", n, timeout, t->peers == PEERS_SILENT ? "hold" : "close", (char *)NULL);
        die(go_program);
    }
    close(figures[1]);
    FILE *f = fdopen(figures[0], "r");
    if (!f || !fgets(said, sizeof said, f) || sscanf(said, "%lf %lf %lf", &out[CPU], &out[RSS], &out[IDLE]) != 3)
        die("the Go program says nothing");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void measure_cpu(const void *what, double *out)
{
    const struct task *t = what;
    if (t->variant == GO) {
        run_go(t, out);
        return;
    }
    crowd = crowd_new(t->n, t->peers, 2000);
    start(t->variant);
    sleep_ms(20);
    double cpu = process_cpu();
    long switches = process_switches();
    crowd_go(crowd);
    for (int i = 0; i < t->n; i++)
        hand_over(t->variant, crowd->fd[i], (unsigned)t->timeout_ms, i, 0);
    wait_for_all(t->variant, t->n, 0);
    out[CPU] = process_cpu() - cpu;
    out[SWITCHES] = (double)(process_switches() - switches);
}

static void measure_memory(const void *what, double *out)
{
    const struct task *t = what;
    if (t->variant == GO) {
        run_go(t, out);
        return;
    }
    struct crowd *warm = crowd_new(1, PEERS_SILENT, 0);
    start(t->variant);
    crowd = crowd_new(t->n, t->peers, 0);
    hand_over(t->variant, warm->fd[0], 60000, 0, 0);
    sleep_ms(20);
    double rss = process_rss();
    rss = process_rss();
    for (int i = 0; i < t->n; i++)
        hand_over(t->variant, crowd->fd[i], 60000, i, 0);
    sleep_ms(700);
    out[RSS] = (process_rss() - rss) / t->n;
    double cpu = process_cpu();
    sleep_ms(1000);
    out[IDLE] = process_cpu() - cpu;
}

/* waits for nobody: half-closed before, and due now */
static void close_all(int variant, int n, int64_t *deadline)
{
    struct epoll_event event = {EPOLLIN | EPOLLRDHUP | EPOLLET, {.u32 = 0}};
    static char scratch[65536];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < n && variant == SAME; i++)
        epoll_ctl(epoll, EPOLL_CTL_ADD, crowd->fd[i], &event);
    int64_t start = now_ns();
    for (int i = 0; i < n; i++) {
        struct stat stat;
        if (variant == SAME) {
            fstat(crowd->fd[i], &stat);
            recv(crowd->fd[i], scratch, sizeof scratch, MSG_DONTWAIT | MSG_TRUNC);
            shutdown(crowd->fd[i], SHUT_RD);
        }
        close(crowd->fd[i]);
        crowd->seen[i] = now_ns();
        deadline[i] = start;
    }
    close(epoll);
}

static void measure_late(const void *what, double *out)
{
    const struct task *t = what;
    int by_hand = t->variant == SHUTDOWN || t->variant == SAME;
    crowd = crowd_new(t->n, t->peers, 0);
    if (!by_hand)
        start(t->variant);
    int64_t *deadline = calloc((size_t)t->n, sizeof *deadline), began = now_ns(), next = began;
    for (int i = 0; i < t->n; i++) {
        if (t->per_second)
            sleep_until(next += 1000000000 / t->per_second);
        int64_t now = now_ns();
        int timeout = t->per_second ? t->timeout_ms : (int)((began - now) / 1000000) + t->timeout_ms;
        deadline[i] = now + timeout * INT64_C(1000000);
        if (by_hand)
            shutdown(crowd->fd[i], SHUT_WR);
        else
            hand_over(t->variant, crowd->fd[i], (unsigned)timeout, i, 1);
    }
    if (by_hand)
        close_all(t->variant, t->n, deadline);
    else
        wait_for_all(t->variant, t->n, 1);
    for (int i = 0; i < t->n; i++) {
        deadline[i] = crowd->seen[i] - deadline[i];
        out[EARLY] += deadline[i] < 0;
    }
    qsort(deadline, (size_t)t->n, sizeof *deadline, time_order);
    out[LATE50] = (double)deadline[t->n / 2] / 1e6;
    out[LATE99] = (double)deadline[t->n / 100 * 99] / 1e6;
    out[LATE_MAX] = (double)deadline[t->n - 1] / 1e6;
}

/* ---- rounds and rows -------------------------------------------------------------------------- */

static struct series figures[VARIANTS][OUTS], ratios[VARIANTS];
static int wrong;

/* the first `often` of the variants run in every round, the others in the first one only */
static void rounds(int count, const int *variants, int used, int often,
                   void (*measure)(const void *, double *), const struct task *task)
{
    memset(figures, 0, sizeof figures);
    memset(ratios, 0, sizeof ratios);
    for (int round = 0; round < count; round++) {
        double out[VARIANTS][OUT_MAX];
        int now = round == 0 ? used : often;
        for (int k = 0; k < now; k++) {
            int v = variants[round % 2 ? now - 1 - k : k];
            struct task t = *task;
            t.variant = v;
            if (v == THREAD && measure == measure_memory)
                t.n = 4000;
            if (!is_there(v))
                continue;
            if (in_own_process(measure, &t, out[v]))
                exit(1);
            for (int f = 0; f < OUTS; f++)
                series_add(&figures[v][f], out[v][f]);
        }
        for (int k = 0; k < now; k++)
            if (is_there(variants[k]) && is_there(LIBUV))
                series_add(&ratios[variants[k]], out[variants[k]][CPU] / out[LIBUV][CPU]);
    }
}

static int skipped(const char *what, int v)
{
    if (figures[v][CPU].n == 0)
        row(text("%s: %s", what, names[v]), "", "", "", "",
            v == GO ? "SKIPPED: no Go compiler" : "SKIPPED: not installed");
    return figures[v][CPU].n == 0;
}

static void cpu(int count, int n)
{
    static const int variants[] = {GC, DEFERRED, LIBUV, SAME, ASIO, THREAD, GO, BARE, SHUTDOWN};
    char what[80];
    snprintf(what, sizeof what, "CPU of %d background closings, peers finish within 2 s", n);
    struct task t = {0, n, PEERS_RANDOM, 60000, 0};
    rounds(count, variants, 9, 4, measure_cpu, &t);
    double floor = series_median(&ratios[SAME]);
    for (int k = 0; k < 9; k++) {
        int v = variants[k];
        if (skipped(what, v))
            continue;
        double ratio = series_median(&ratios[v]);
        row(text("%s: %s", what, names[v]), text("%.3f s", series_min(&figures[v][CPU])),
            text("%.3f s, %.0f switches", series_median(&figures[v][CPU]), series_median(&figures[v][SWITCHES])),
            v == LIBUV ? "1" : !is_there(LIBUV) ? "" : text("per round %.2f", ratio),
            v <= DEFERRED ? "at most 0.75 x libuv" : "",
            v > DEFERRED         ? ""
            : !is_there(LIBUV)   ? "nothing to compare with"
            : ratio <= 0.75      ? verdict(1)
                                 : text("**missed**; the same calls in C take %.2f", floor));
    }
}

static void memory(int n)
{
    static const int variants[] = {GC, DEFERRED, LIBUV, ASIO, THREAD, GO};
    const char *what = "pending, peers silent: user memory of each";
    struct task t = {0, n, PEERS_SILENT, 60000, 0};
    rounds(1, variants, 6, 6, measure_memory, &t);
    for (int k = 0; k < 6; k++) {
        int v = variants[k];
        if (skipped(what, v))
            continue;
        double bytes = figures[v][RSS].v[0], idle = figures[v][IDLE].v[0];
        const char *name = text("%d %s: %s", v == THREAD ? 4000 : n, what, names[v]);
        row(name, "", text("%.0f bytes", bytes), is_there(LIBUV) ? text("%.2f", bytes / figures[LIBUV][RSS].v[0]) : "",
            v <= DEFERRED ? "at most 96 bytes" : "", v <= DEFERRED ? verdict(bytes <= 96) : "");
        row(text("the same, CPU of 1 s in which nothing happens: %s", names[v]), "", text("%.6f s", idle), "",
            v <= DEFERRED ? "0" : "", v <= DEFERRED ? verdict(idle < 0.0005) : "");
    }
}

enum { PACED = 1000 };

static void measure_three(const void *what, double *out)
{
    const struct task *t = what;
    struct crowd *warm = crowd_new(1, PEERS_SILENT, 0);
    int pending = t->variant == BARE ? 0 : t->n - PACED;
    static int64_t took[PACED];
    start(t->variant);
    crowd = crowd_new(pending + PACED, t->peers, 0);
    hand_over(t->variant, warm->fd[0], 60000, 0, 0);
    sleep_ms(20);
    double rss = process_rss();
    rss = process_rss();
    int64_t began = now_ns(), next = began + t->timeout_ms * INT64_C(1000000);
    for (int i = 0; i < pending; i++)
        hand_over(t->variant, crowd->fd[i], (unsigned)(t->timeout_ms + i % 1000), i, 0);
    out[RSS] = pending ? (process_rss() - rss) / pending : 0;
    for (int i = 0; i < PACED; i++) {
        sleep_until(next += 1000000);
        took[i] = now_ns();
        hand_over(t->variant, crowd->fd[pending + i], 60000, pending + i, 0);
        took[i] = now_ns() - took[i];
    }
    qsort(took, PACED, sizeof *took, time_order);
    out[HAND50] = (double)took[PACED / 2] / 1e3;
    out[HAND99] = (double)took[PACED / 100 * 99] / 1e3;
}

static void three_at_once(int variant, int n, double *out)
{
    struct task t = {variant, n, PEERS_SILENT, 3000, 0};
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        if ((pids[i] = fork()) == 0) {
            measure_three(&t, out + i * OUT_MAX);
            _exit(0);
        }
    }
    for (int i = 0, status; i < 3; i++)
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            wrong++;
}

static double most(const double *out, int figure)
{
    double first = out[figure], second = out[OUT_MAX + figure], third = out[2 * OUT_MAX + figure];
    double more = first > second ? first : second;
    return more > third ? more : third;
}

static void three(int n)
{
    double *out = shared_memory(3 * OUT_MAX * sizeof *out), *bare = shared_memory(3 * OUT_MAX * sizeof *bare);
    three_at_once(GC, n, out);
    three_at_once(BARE, n, bare);
    row(text("three processes, 3 x %d pending: gc_close_async", n - PACED), "",
        text("%.0f / %.0f / %.0f bytes", out[RSS], out[OUT_MAX + RSS], out[2 * OUT_MAX + RSS]), "", "at most 96 bytes",
        verdict(most(out, RSS) <= 96));
    row("three processes, a hand-over while they expire, p50 / p99: gc_close_async", "",
        text("%.1f / %.1f us", most(out, HAND50), most(out, HAND99)), text("%.2f (p99)", most(out, HAND99) / most(bare, HAND99)),
        "p99 under 25 us", most(out, HAND99) < 25 ? verdict(1) : text("**missed**; bare close() takes %.1f us", most(bare, HAND99)));
    row("three processes, as often, p50 / p99: bare close()", "", text("%.1f / %.1f us", most(bare, HAND50), most(bare, HAND99)),
        "1", "", "");
}

static void late(int n)
{
    static const int variants[] = {GC, LIBUV, ASIO, SAME, SHUTDOWN};
    struct task spread = {0, n / 2, PEERS_SILENT, 500, 5000}, together = {0, CROWD_MAX, PEERS_SILENT, 1200, 0};
    for (int at_once = 0; at_once < 2; at_once++) {
        const char *what = at_once ? "19,000 deadlines at one instant" : "deadlines spread at 5,000/s";
        int used = at_once ? 5 : 3;
        rounds(2, variants, used, used, measure_late, at_once ? &together : &spread);
        double loop = series_median(&figures[SHUTDOWN][LATE_MAX]), floor = series_median(&figures[SAME][LATE_MAX]) / loop;
        for (int k = 0; k < used; k++) {
            int v = variants[k];
            struct series *s = figures[v];
            const char *goal = "", *said = "", *name = v == GC ? "gc_reaper_close" : names[v];
            if (skipped(what, v))
                continue;
            double ratio = series_median(&s[LATE_MAX]) / loop;
            if (v == SHUTDOWN)
                name = "close() in a loop";
            if (v == GC) {
                goal = at_once ? "never early, last at most 1.5 x the loop" : "never early, p99 at most 3 ms";
                said = !at_once       ? verdict(series_median(&s[LATE99]) <= 3)
                       : ratio <= 1.5 ? verdict(1)
                                      : text("**missed**; the same calls in C take %.2f", floor);
                if (series_at(&s[EARLY], 1) > 0)
                    said = "**EARLY**", wrong++;
            }
            row(text("%s, p50 / p99 / max: %s", what, name), text("%.2f / %.2f / %.1f ms", series_min(&s[LATE50]), series_min(&s[LATE99]),
                     series_min(&s[LATE_MAX])),
                text("%.2f / %.2f / %.1f ms, %.0f early", series_median(&s[LATE50]), series_median(&s[LATE99]),
                     series_median(&s[LATE_MAX]), series_median(&s[EARLY])),
                at_once ? text("%.2f (max)", ratio) : "", goal, said);
        }
    }
}

/* whether the part is named on the command line, or none is */
static int wanted(int argc, char **argv, const char *part)
{
    static const char *parts[] = {"cpu", "memory", "three", "late"};
    int named = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], part) == 0)
            return 1;
        for (int k = 0; k < 4; k++)
            named += strcmp(argv[i], parts[k]) == 0;
    }
    return named == 0;
}

int main(int argc, char **argv)
{
    int n = argument(argc, argv, "--n", 10000);
    own_network();
    crowd_limits();
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--go") == 0)
            go_program = argv[i + 1];
    if (wanted(argc, argv, "cpu"))
        cpu(argument(argc, argv, "--rounds", 3), n);
    if (wanted(argc, argv, "memory"))
        memory(CROWD_MAX);
    if (wanted(argc, argv, "three"))
        three(CROWD_MAX);
    if (wanted(argc, argv, "late"))
        late(n);
    return wrong != 0;
}
