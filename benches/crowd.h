/*
 * crowd.h - many connections of one process whose other ends belong to another process, so that the work of
 * the peers is in nobody's CPU figure; and measurements that each run in a fresh process.
 *
 * in_own_process() forks, runs the measurement and brings its figures back: every variant begins with the same
 * small memory and an empty table of descriptors. crowd_new() forks the peers; they connect one after the other,
 * so connection i of one side is connection i of the other. crowd_go() starts what the peers do.
 */
#ifndef CROWD_H
#define CROWD_H

#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "bench.h"

#define CROWD_MAX 19000
#define OUT_MAX 16

enum peers_do {
    PEERS_RANDOM, /* each closes at a random time within so many milliseconds */
    PEERS_SILENT, /* never */
    PEERS_WATCH,  /* each closes as soon as it sees the end of the stream, and notes when */
    PEERS_SEND,   /* each has sent so many bytes before it closes */
};

struct crowd {
    int n;
    enum peers_do peers;
    int how_much;
    int listener;
    int control;
    struct sockaddr_in address;
    int *fd;
    int64_t *called; /* when i was handed over, by this process */
    int64_t *seen;   /* when its end was seen: by the peers (PEERS_WATCH), or by whoever closes */
};

static inline void *shared_memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

static inline void sleep_until(int64_t ns)
{
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static inline void sleep_ms(int ms) { sleep_until(now_ns() + ms * INT64_C(1000000)); }

/* room for 19,000 descriptors, ports for as many connections; once, in main() */
static inline void crowd_limits(void)
{
    struct rlimit files;
    static const char ports[] = "1024 65535";
    if (getrlimit(RLIMIT_NOFILE, &files))
        die("getrlimit");
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) || files.rlim_max < CROWD_MAX + 100)
        fprintf(stderr, "bench: only %ld descriptors\n", (long)files.rlim_max);
    int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, ports, sizeof ports - 1) < 0)
        fprintf(stderr, "bench: the range of ports stays as it is\n");
    close(fd);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- the peers ------------------------------------------------------------------------------- */

static inline void peers_wait_for_the_end(struct crowd *c)
{
    char byte;
    while (read(c->control, &byte, 1) > 0)
        ;
    _exit(0);
}

static inline int time_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* the same times and order in every run */
static inline void peers_random(struct crowd *c)
{
    int64_t *at = malloc((size_t)c->n * sizeof *at), start = now_ns();
    uint64_t dice = 88172645463325252u;
    for (int i = 0; i < c->n; i++) {
        dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
        at[i] = start + (int64_t)(dice % ((uint64_t)c->how_much * 1000000));
    }
    qsort(at, (size_t)c->n, sizeof *at, time_order);
    for (int64_t i = 0; i < c->n; i++) {
        if (at[i] > now_ns())
            sleep_until(at[i]);
        close(c->fd[i * 7919 % c->n]); /* a prime that divides no n used here */
    }
}

static inline void peers_poll(struct crowd *c)
{
    static char data[65536];
    struct epoll_event events[256], e = {EPOLLIN, {.u32 = UINT32_MAX}};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    size_t *sent = calloc((size_t)c->n, sizeof *sent);
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->control, &e);
    for (int i = 0; i < c->n; i++) {
        e.events = c->peers == PEERS_SEND ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
        e.data.u32 = (uint32_t)i;
        epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd[i], &e);
    }
    for (;;) {
        int got = epoll_wait(epoll, events, 256, -1);
        for (int k = 0; k < got; k++) {
            uint32_t i = events[k].data.u32;
            if (i == UINT32_MAX)
                peers_wait_for_the_end(c);
            if (c->peers == PEERS_SEND) {
                ssize_t n = send(c->fd[i], data, sizeof data, MSG_DONTWAIT);
                if (n > 0 && (sent[i] += (size_t)n) < (size_t)c->how_much)
                    continue;
                if (n < 0 && errno == EAGAIN)
                    continue;
            }
            c->seen[i] = now_ns();
            close(c->fd[i]);
        }
    }
}

static inline void peers_main(struct crowd *c)
{
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < c->n; i++)
        c->fd[i] = connect_new(&c->address);
    if (read(c->control, &byte, 1) == 1) {
        if (c->peers == PEERS_RANDOM)
            peers_random(c);
        else if (c->peers != PEERS_SILENT)
            peers_poll(c);
    }
    peers_wait_for_the_end(c);
}

/* ---- our side -------------------------------------------------------------------------------- */

/* The peers are there and connect. */
static inline struct crowd *crowd_listen(int n, enum peers_do peers, int how_much)
{
    int ends[2];
    struct crowd *c = calloc(1, sizeof *c);
    c->n = n, c->peers = peers, c->how_much = how_much;
    c->fd = shared_memory((size_t)n * sizeof *c->fd);
    c->called = shared_memory((size_t)n * sizeof *c->called);
    c->seen = shared_memory((size_t)n * sizeof *c->seen);
    c->listener = listener_new(&c->address);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        die("socketpair");
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        close(c->listener);
        close(ends[0]);
        c->control = ends[1];
        c->fd = malloc((size_t)n * sizeof *c->fd);
        peers_main(c);
    }
    close(ends[1]);
    c->control = ends[0];
    return c;
}

static inline struct crowd *crowd_new(int n, enum peers_do peers, int how_much)
{
    struct crowd *c = crowd_listen(n, peers, how_much);
    for (int i = 0; i < n; i++)
        c->fd[i] = accept_new(c->listener);
    close(c->listener);
    return c;
}

static inline void crowd_go(struct crowd *c) { write_all(c->control, "g", 1); }

/* ---- what a process has used ------------------------------------------------------------------ */

static inline double process_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static inline long process_switches(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_nvcsw + u.ru_nivcsw;
}

/* exact, unlike the counters of statm */
static inline double process_rss(void)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen("/proc/self/smaps_rollup", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Rss: %ld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib < 0 ? 0 : (double)kib * 1024;
}

/* Runs the measurement in a process of its own; 0 if it went well. */
static inline int in_own_process(void (*measure)(const void *what, double *out), const void *what, double *out)
{
    static double *figures;
    int status = 0;
    if (!figures)
        figures = shared_memory(OUT_MAX * sizeof *figures);
    memset(figures, 0, OUT_MAX * sizeof *figures);
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        measure(what, figures);
        _exit(0); /* what is still pending is cut off, and the peers end */
    }
    if (waitpid(pid, &status, 0) != pid)
        die("waitpid");
    memcpy(out, figures, OUT_MAX * sizeof *figures);
    return status;
}

#endif
