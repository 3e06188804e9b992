/* What goes wrong, at random times, and the kernel's own counters of it. */
#ifndef FAULTS_H
#define FAULTS_H

#include "soak.h"

enum fault { STOP_PEER, STOP_DRIVER, STOP_PLAIN, FEW_IN_DRIVER, FEW_IN_PLAIN, NO_THREADS, FAULTS };

static long faults[FAULTS];

struct processes {
    pid_t peers[PEERS], driver, plain;
};

static void set_limit(pid_t pid, rlim_t most)
{
    struct rlimit limit = { most, 4096 };
    if (prlimit(pid, RLIMIT_NOFILE, &limit, NULL) != 0 && errno != ESRCH) die("prlimit");
}

static void stop_for(pid_t pid, unsigned ms)
{
    kill(pid, SIGSTOP);
    nap(ms);
    kill(pid, SIGCONT);
    shared->stops++;
}

/* lower than what is open already: nothing new is to be had */
static void few_descriptors(pid_t pid, unsigned ms, int is_plain)
{
    if (is_plain) shared->is_limited = 1;
    set_limit(pid, 8);
    nap(ms);
    set_limit(pid, 4096);
    if (is_plain) {
        shared->limits++;
        shared->is_limited = 0;
    }
}

static void do_harm(const struct processes *all, unsigned *state)
{
    int fault = (int)dice(state, FAULTS);
    unsigned ms = 10 + dice(state, 390);
    faults[fault]++;
    switch (fault) {
    case STOP_PEER: stop_for(all->peers[dice(state, PEERS)], ms); break;
    case STOP_DRIVER: stop_for(all->driver, ms); break;
    case STOP_PLAIN: stop_for(all->plain, ms); break;
    case FEW_IN_DRIVER: few_descriptors(all->driver, ms, 0); break;
    case FEW_IN_PLAIN: few_descriptors(all->plain, ms, 1); break;
    default:
        shared->refuse_threads = 1;
        nap(ms * 2);
        shared->refuse_threads = 0;
    }
    nap(20 + dice(state, 300));
}

/* of this network namespace; -1: the kernel has no such counter */
static long counter(const char *file, const char *group, const char *name)
{
    static char names[16384], values[16384];
    FILE *in = fopen(file, "r");
    long found = -1;
    size_t size = strlen(group);
    while (in != NULL && found < 0 && fgets(names, sizeof names, in) != NULL && fgets(values, sizeof values, in) != NULL) {
        char *rest_of_names, *rest_of_values;
        if (strncmp(names, group, size) != 0 || names[size] != ':') continue;
        char *column = strtok_r(names, " \n", &rest_of_names), *value = strtok_r(values, " \n", &rest_of_values);
        while (column != NULL && value != NULL && strcmp(column, name) != 0) {
            column = strtok_r(NULL, " \n", &rest_of_names);
            value = strtok_r(NULL, " \n", &rest_of_values);
        }
        if (column != NULL && value != NULL) found = atol(value);
    }
    if (in != NULL) fclose(in);
    return found;
}

static long extended(const char *name) { return counter("/proc/self/net/netstat", "TcpExt", name); }

static long memory_of(pid_t pid)
{
    char path[64], line[256];
    long found = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *in = fopen(path, "r");
    while (in != NULL && fgets(line, sizeof line, in) != NULL)
        if (sscanf(line, "RssAnon: %ld", &found) == 1) break;
    if (in != NULL) fclose(in);
    return found;
}

#endif
