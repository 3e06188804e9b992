/*
 * bench_sharing.c - GC_SHARED_RELEASE on a full machine: looking for other holders goes through the descriptors of
 * all processes.
 *
 * The machine has P more processes (default 1,000) of 50 descriptors each; none of them holds the connection.
 *
 * one      one close, whose peer has finished: what the search takes, per close and per descriptor. Beside it a
 *          search in C: /proc, each folder fd, each link compared.
 * batch    gc_close_many with 1,000 connections that ask for it. One walk answers for all, so it may cost little
 *          more than one close and the closes of the others.
 *
 * Arguments: --processes P (default 1000), --rounds R (default 7).
 */
#include "crowd.h"

#include <dirent.h>

enum { EACH = 50, BATCH = 1000 };

static int wrong;

/* processes that wait to be killed with this one: three standard descriptors, the pipe, and files */
static void fill_the_machine(int processes)
{
    int ready[2], nothing = open("/dev/null", O_RDONLY);
    char byte = 0;
    if (pipe(ready) || nothing < 0)
        die("pipe");
    for (int i = 0; i < processes; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid > 0)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int fd = 100; fd < 100 + EACH - 4; fd++)
            dup2(nothing, fd);
        dup2(ready[1], 99);
        close_range(3, 98, 0);
        if (write(99, &byte, 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    for (int i = 0; i < processes; i++)
        if (read(ready[0], &byte, 1) != 1)
            die("a process");
}

static gc_options asks(void)
{
    gc_options options = GC_OPTIONS_INIT;
    options.if_shared = GC_SHARED_RELEASE;
    return options;
}

static double close_one(void)
{
    gc_options options = asks();
    int ours, peer;
    pairs_new_finished(&ours, &peer, 1);
    int64_t began = now_ns();
    wrong += gc_close_with(ours, &options, NULL) != GC_GRACEFUL;
    double took = (double)(now_ns() - began);
    close(peer);
    return took;
}

/* each link of each process, compared with ours; how many there are */
static int walk(const char *ours)
{
    char path[64], name[64];
    int descriptors = 0;
    DIR *all = opendir("/proc");
    for (struct dirent *process; (process = readdir(all));) {
        if (process->d_name[0] < '0' || process->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%.20s/fd", process->d_name);
        DIR *fds = opendir(path);
        for (struct dirent *fd; fds && (fd = readdir(fds)); descriptors++) {
            ssize_t size = readlinkat(dirfd(fds), fd->d_name, name, sizeof name - 1);
            name[size > 0 ? size : 0] = 0;
            wrong += strcmp(name, ours) == 0 && atoi(process->d_name) != getpid();
        }
        if (fds)
            closedir(fds);
    }
    closedir(all);
    return descriptors;
}

static double walk_in_c(int *descriptors)
{
    char ours[64], path[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(path, ours, sizeof ours - 1);
    ours[size > 0 ? size : 0] = 0;
    int64_t began = now_ns();
    *descriptors = walk(ours);
    double took = (double)(now_ns() - began);
    close(fd);
    return took;
}

static double close_batch(void)
{
    static int ours[BATCH], peers[BATCH];
    gc_options options = asks();
    pairs_new_finished(ours, peers, BATCH);
    int64_t began = now_ns();
    wrong += gc_close_many(ours, BATCH, &options, NULL) != BATCH;
    double took = (double)(now_ns() - began);
    for (int i = 0; i < BATCH; i++)
        close(peers[i]);
    return took;
}

int main(int argc, char **argv)
{
    int processes = argument(argc, argv, "--processes", 1000), rounds = argument(argc, argv, "--rounds", 7);
    static struct series one, batch, c;
    int descriptors = 0;
    own_network();
    crowd_limits();
    fill_the_machine(processes);
    for (int round = 0; round < rounds; round++) {
        series_add(&one, close_one());
        series_add(&c, walk_in_c(&descriptors));
        series_add(&batch, close_batch());
    }
    const char *what = text("GC_SHARED_RELEASE, %d descriptors in %d processes", descriptors, processes);
    double each = series_median(&one) / descriptors / 1e3, in_c = series_median(&c) / descriptors / 1e3;
    row(text("%s: one close", what), text("%.1f ms", series_min(&one) / 1e6), text("%.1f ms", series_median(&one) / 1e6),
        text("%.2f, %.2f us a descriptor", series_median(&one) / series_median(&c), each), "at most 0.6 us a descriptor",
        each <= 0.6 ? verdict(1) : text("**missed**; a walk in C takes %.2f", in_c));
    row(text("%s: C, one walk", what), text("%.1f ms", series_min(&c) / 1e6), text("%.1f ms", series_median(&c) / 1e6),
        text("1, %.2f us a descriptor", in_c), "", "");
    double walks = series_median(&batch) / series_median(&one);
    row(text("%s: gc_close_many, %d", what, BATCH), text("%.1f ms", series_min(&batch) / 1e6),
        text("%.1f ms", series_median(&batch) / 1e6), text("%.2f closes of one", walks), "one walk for all",
        verdict(walks <= 2));
    if (wrong)
        fprintf(stderr, "bench_sharing: %d closes did not end as they must\n", wrong);
    return wrong != 0;
}
