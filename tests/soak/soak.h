/*
 * What the processes of the soak have in common: the slots, one for each connection under way, in
 * memory that all of them see. The one who closes writes down what it was told, the peer what it got.
 */
#ifndef SOAK_H
#define SOAK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PEERS 3
#define WORKERS 8
#define SLOTS_EACH 128
#define PLAIN_AT (WORKERS * SLOTS_EACH) /* the slots behind belong to the program under the preload library */
#define SLOTS (PLAIN_AT + SLOTS_EACH)
#define PEER_PORT 7000
#define WORKER_PORT 7100
#define PLAIN_PORT 7200

/* What the peer does. The first ones read to the end of the stream: they get every byte. */
enum kind {
    GOOD,         /* reads all, answers, closes */
    TALKER,       /* has sent what nobody reads */
    EARLY,        /* has sent its FIN before */
    SLOW,         /* reads a little at a time */
    LATE,         /* sends its last bytes late */
    READERS,
    RESETS = READERS, /* resets in the middle */
    UNREAD,       /* closes with our bytes unread: its kernel resets */
    SILENT,       /* never reads, never closes */
    VANISHES,     /* nothing that we send reaches it any more, and it says nothing */
    TRICKLES,     /* sends for ever, never closes */
    HALF,         /* reads all, never closes */
    KINDS
};

enum form {
    CLOSE, CLOSESOCKET, WITH, KEEP, FINISH, ABORT, RELEASE, BACKGROUND, ACKED, MANY, STEPS, ABANDONED,
    REAPER, DEFERRED, EVICTING, REFUSING, ASYNC, ASYNC_WITH, FORKED, FORMS
};

enum plain_form { AT_ONCE, BOTH_WAYS, ONE_WAY, PLAIN_CHILD, PLAIN_FORMS };

enum state { FREE, TAKEN, CLOSING, ENDED };

struct slot {
    /* the plan */
    int kind, form, aborts, is_unbounded_loss, port, answer, request;
    unsigned timeout_ms, seed;
    int limits;             /* times that descriptors had run out before, -1: just now */
    /* the one who closes */
    volatile int state, ends, is_told;
    int outcome, system_error;
    long sent;
    double began, took;     /* ms */
    size_t elapsed_us, drained;
    /* the peer */
    volatile int is_done;
    long got;
    int error, has_end;
};

struct process {            /* at its start and at its end */
    int descriptors[2], threads[2];
    volatile int is_ready, is_over;
    long memory[2];         /* KiB, in the middle and at the end of the run */
};

struct shared {
    volatile int is_over;           /* no new connection */
    volatile int refuse_threads;    /* pthread_create fails in the driver */
    volatile int is_limited, limits, stops;
    volatile long violations, resets_explained, transfers, graceful, whole, plain_whole, plain;
    volatile long refused, thread_refusals;
    volatile long by_form[FORMS], by_kind[KINDS];
    struct process driver, under_preload;
    int commands[PEERS][2];         /* slots that the peer is to connect to */
    struct slot slots[SLOTS];
};

static struct shared *shared;

static inline double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static inline void nap(unsigned ms) { usleep(ms * 1000); }

/* xorshift: a state of one's own for each thread */
static inline unsigned dice(unsigned *state, unsigned below)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % below;
}

static inline void add(volatile long *count, long more) { __atomic_fetch_add(count, more, __ATOMIC_SEQ_CST); }

static inline void die(const char *what)
{
    fprintf(stderr, "soak: %s: %s\n", what, strerror(errno));
    _exit(3);
}

static inline int entries_of(const char *folder)
{
    DIR *all = opendir(folder);
    int count = 0;
    if (all == NULL) return -1;
    for (struct dirent *one; (one = readdir(all)) != NULL;) count += one->d_name[0] != '.';
    closedir(all);
    return count;
}

static inline void look(struct process *of, int when)
{
    of->descriptors[when] = entries_of("/proc/self/fd");
    of->threads[when] = entries_of("/proc/self/task");
}

static inline int listener_at(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1000)) die("listen");
    return fd;
}

/* -1 and errno if that cannot be had now */
static inline int connected_to(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static inline struct slot *plan(struct slot *slot, unsigned *state, int form)
{
    memset(slot, 0, sizeof *slot);
    slot->seed = dice(state, 0x7fffffff) + 1;
    slot->form = form;
    /* three in five are ordinary peers */
    slot->kind = dice(state, 5) < 3 ? (int)dice(state, READERS) : (int)dice(state, KINDS);
    slot->answer = (int)(dice(state, 3) ? dice(state, 60000) : dice(state, 200));
    slot->request = slot->kind == TALKER ? 1 + (int)dice(state, 20000) : 0;
    slot->timeout_ms = slot->kind < READERS ? 3000 + dice(state, 2000) : 20 + dice(state, 1000);
    if (dice(state, 10) == 0) slot->timeout_ms = dice(state, 60);
    slot->limits = shared->is_limited ? -1 : shared->limits;
    slot->state = TAKEN;
    return slot;
}

/* MSG_DONTWAIT: a peer that never reads holds nobody */
static inline void send_answer(struct slot *slot, int fd)
{
    static const char bytes[65536];
    ssize_t sent = send(fd, bytes, (size_t)slot->answer, MSG_NOSIGNAL | MSG_DONTWAIT);
    slot->sent = sent < 0 ? 0 : sent;
}

#endif
