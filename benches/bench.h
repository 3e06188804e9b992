/*
 * bench.h - what the benchmark programs share: clocks, series of figures, connections, table rows.
 *
 * Rules that every program here keeps:
 *   - nothing is judged by an absolute time alone: the library and its hand-written peers take turns
 *     in every round, the starting one changes from round to round, and ratios are printed;
 *   - minimum and median of all rounds are printed, never a mean;
 *   - making connections and waiting for the peer's FIN to arrive happen outside the timed part;
 *   - a missed timing goal is written into the table; only wrong behaviour makes a program fail.
 *
 * A program's standard output is rows of the Markdown table that scripts/bench puts together;
 * everything else goes to standard error.
 */
#ifndef BENCH_H
#define BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/sockios.h>

#include "graceful_close.h"

#define MIB (1024.0 * 1024.0)

static inline void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static inline int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
static inline int64_t cpu_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

/* ---- series ---------------------------------------------------------------------------------- */

#define SERIES_MAX 20000

struct series {
    int n;
    double v[SERIES_MAX];
};

static inline void series_add(struct series *s, double v)
{
    if (s->n < SERIES_MAX)
        s->v[s->n++] = v;
}

static inline int series_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* p from 0 (minimum) over 0.5 (median) to 1 (maximum); 0 for an empty series */
static inline double series_at(struct series *s, double p)
{
    if (s->n == 0)
        return 0;
    qsort(s->v, (size_t)s->n, sizeof s->v[0], series_order);
    double at = p * (s->n - 1);
    int low = (int)at;
    if (low + 1 >= s->n)
        return s->v[s->n - 1];
    return s->v[low] + (at - low) * (s->v[low + 1] - s->v[low]);
}

static inline double series_min(struct series *s) { return series_at(s, 0); }
static inline double series_median(struct series *s) { return series_at(s, 0.5); }

/* ---- table rows ------------------------------------------------------------------------------ */

/* what | minimum | median | ratio to the peer | goal | verdict; "" for an empty cell */
static inline void row(const char *what, const char *min, const char *median, const char *ratio,
                       const char *goal, const char *verdict)
{
    printf("| %s | %s | %s | %s | %s | %s |\n", what, min, median, ratio, goal, verdict);
    fflush(stdout);
}

/* formats into one of a few static buffers: good enough for the arguments of one row() */
static inline const char *text(const char *format, ...)
{
    static char buffers[12][160];
    static int next;
    char *buffer = buffers[next++ % 12];
    va_list list;
    va_start(list, format);
    vsnprintf(buffer, sizeof buffers[0], format, list);
    va_end(list);
    return buffer;
}

static inline const char *verdict(int reached) { return reached ? "reached" : "**missed**"; }

/* ---- connections ----------------------------------------------------------------------------- */

/*
 * Moves the process into a network namespace of its own, if it may: what other programs and earlier runs
 * left on the loopback device does not disturb, and the many TIME_WAIT entries of a run, which would
 * overflow the table of the system sooner or later and turn closes into resets, vanish with it.
 * Without the right to do so the programs stay where they are.
 */
static inline void own_network(void)
{
    static const char many[] = "1000000";
    struct ifreq lo;
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        fprintf(stderr, "bench: no network namespace of our own, using the common loopback device\n");
        return;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memset(&lo, 0, sizeof lo);
    strcpy(lo.ifr_name, "lo");
    lo.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
        die("loopback device of our own namespace");
    close(fd);
    fd = open("/proc/sys/net/ipv4/tcp_max_tw_buckets", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, many, sizeof many - 1) < 0)
            fprintf(stderr, "bench: the table of TIME_WAIT entries stays as it is\n");
        close(fd);
    }
}

/* A new listener, hence a new port, for every batch: no batch meets the TIME_WAIT entries of another. */
static inline int listener_new(struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)address, sizeof *address) || listen(fd, 1024) ||
        getsockname(fd, (struct sockaddr *)address, &size))
        die("listener");
    return fd;
}

static inline int connect_new(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address))
        die("connect");
    return fd;
}

static inline int accept_new(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        die("accept");
    return fd;
}

/* returns once the peer's FIN sits in the receive queue */
static inline void wait_for_fin(int fd)
{
    struct pollfd p = {fd, POLLRDHUP, 0};
    if (poll(&p, 1, 5000) != 1)
        die("the peer's FIN did not arrive");
}

/* n connections of this process with itself: ours[] accepted, peer[] connected */
static inline void pairs_new(int *ours, int *peer, int n)
{
    struct sockaddr_in address;
    int listener = listener_new(&address);
    for (int i = 0; i < n; i++) {
        peer[i] = connect_new(&address);
        ours[i] = accept_new(listener);
    }
    close(listener);
}

/* the same with every peer already closed: nothing unread, FIN queued */
static inline void pairs_new_finished(int *ours, int *peer, int n)
{
    pairs_new(ours, peer, n);
    for (int i = 0; i < n; i++)
        close(peer[i]);
    for (int i = 0; i < n; i++)
        wait_for_fin(ours[i]);
}

/* all of it or death */
static inline void write_all(int fd, const void *data, size_t size)
{
    const char *p = data;
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("write");
        p += n;
        size -= (size_t)n;
    }
}

static inline void read_all(int fd, void *data, size_t size)
{
    char *p = data;
    while (size > 0) {
        ssize_t n = read(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("read");
        p += n;
        size -= (size_t)n;
    }
}

/* ---- the hand-written frame ------------------------------------------------------------------ */

/* What a careful C programmer does before draining: type check by TCP_INFO, SO_LINGER off, half-close. A state that
   says that the peer has closed is that of one subflow only if the connection is MPTCP, so the protocol is asked. */
static inline int hand_begin(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info, int_size = sizeof(int);
    struct linger off = {0, 0};
    int protocol = IPPROTO_TCP;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return -1;
    if (info.tcpi_state == TCP_CLOSE_WAIT && getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &int_size) != 0)
        return -1;
    if (protocol != IPPROTO_TCP)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off) != 0)
        return -1;
    return shutdown(fd, SHUT_WR);
}

/* ... and after it: is everything acknowledged? */
static inline int hand_end(int fd)
{
    int unacknowledged = -1;
    int ok = ioctl(fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
    close(fd);
    return ok ? 0 : -1;
}

/* number after a "--name" on the command line, else the given one */
static inline int argument(int argc, char **argv, const char *name, int otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return atoi(argv[i + 1]);
    return otherwise;
}

#endif
