/* The peers: processes with a thread for each connection. None of them knows the library. */
#ifndef PEERS_H
#define PEERS_H

#include "soak.h"

struct call {
    int fd;              /* accepted, or -1: connect as the slot says */
    struct slot *slot;
};

static void reset(int fd)
{
    struct linger now = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static void set_deaf(int fd, int is_deaf)
{
    struct sock_filter nothing = { BPF_RET | BPF_K, 0, 0, 0 };
    struct sock_fprog filter = { 1, &nothing };
    if (is_deaf && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter)) die("SO_ATTACH_FILTER");
    if (!is_deaf) setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &filter, sizeof filter);
}

/* until the other end says that it is over, or must be */
static void hold(const struct slot *slot)
{
    double most = now_ms() + slot->timeout_ms + 20000;
    while (slot->state != ENDED && now_ms() < most) nap(5);
    if (slot->is_told == 0) nap(slot->timeout_ms + 600); /* nobody hears of its end */
}

static void read_all(struct slot *slot, int fd, unsigned *state)
{
    char room[16384];
    size_t most = slot->kind == SLOW ? 500 + dice(state, 4000) : sizeof room;
    ssize_t now;
    while ((now = recv(fd, room, most, 0)) > 0) {
        slot->got += now;
        if (slot->kind == SLOW) usleep(dice(state, 5000));
    }
    slot->has_end = now == 0;
    if (now < 0) slot->error = errno;
}

static void send_some(int fd, int size)
{
    static const char bytes[20000];
    if (size > 0) (void)!send(fd, bytes, (size_t)size, MSG_NOSIGNAL);
}

static void read_some_and_reset(struct slot *slot, int fd, unsigned *state)
{
    char room[2000];
    struct pollfd p = { fd, POLLIN, 0 };
    if (poll(&p, 1, 200) > 0 && slot->kind == RESETS) (void)!recv(fd, room, 1 + dice(state, sizeof room), MSG_DONTWAIT);
    usleep(dice(state, 50000));
    int there = 0;
    ioctl(fd, FIONREAD, &there);
    if (slot->kind == UNREAD && there > 0) close(fd); /* the kernel resets */
    else reset(fd);
}

static void trickle(struct slot *slot, int fd, unsigned *state)
{
    static const char bytes[1000];
    double most = now_ms() + slot->timeout_ms + 20000;
    while (now_ms() < most && send(fd, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) usleep(1000 + dice(state, 10000));
    reset(fd);
}

static void behave(struct slot *slot, int fd)
{
    unsigned state = slot->seed;
    send_some(fd, slot->request);
    switch (slot->kind) {
    case RESETS:
    case UNREAD: read_some_and_reset(slot, fd, &state); return;
    case TRICKLES: trickle(slot, fd, &state); return;
    case SILENT:
    case VANISHES:
        if (slot->kind == VANISHES) set_deaf(fd, 1);
        hold(slot);
        if (slot->kind == VANISHES) set_deaf(fd, 0);
        reset(fd);
        return;
    case EARLY: shutdown(fd, SHUT_WR); break;
    default: break;
    }
    read_all(slot, fd, &state);
    if (slot->kind == HALF) hold(slot);
    if (slot->kind == LATE) nap(dice(&state, 400));
    if (slot->kind == GOOD || slot->kind == LATE) send_some(fd, (int)dice(&state, 3000));
    close(fd);
}

static void *be_peer(void *argument)
{
    struct call call = *(struct call *)argument;
    int index;
    free(argument);
    if (call.fd >= 0) {
        if (recv(call.fd, &index, sizeof index, MSG_WAITALL) != sizeof index || index < 0 || index >= SLOTS) die("a peer's first bytes");
        call.slot = &shared->slots[index];
    } else {
        while ((call.fd = connected_to(call.slot->port)) < 0) nap(20);
        index = (int)(call.slot - shared->slots);
        if (send(call.fd, &index, sizeof index, MSG_NOSIGNAL) != sizeof index) die("a peer's first bytes");
    }
    behave(call.slot, call.fd);
    __atomic_store_n(&call.slot->is_done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void start_peer(int fd, struct slot *slot)
{
    struct call *call = malloc(sizeof *call);
    pthread_attr_t small;
    pthread_t thread;
    *call = (struct call){ fd, slot };
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 * 1024);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    while (pthread_create(&thread, &small, be_peer, call) != 0) nap(10);
}

static void be_peers(int which)
{
    int listening = listener_at(PEER_PORT + which), index;
    struct pollfd p[2] = { { listening, POLLIN, 0 }, { shared->commands[which][0], POLLIN, 0 } };
    for (;;) {
        if (poll(p, 2, -1) < 1) continue;
        if (p[0].revents) {
            int fd = accept(listening, NULL, NULL);
            if (fd >= 0) start_peer(fd, NULL);
        }
        if (p[1].revents && read(p[1].fd, &index, sizeof index) == sizeof index) start_peer(-1, &shared->slots[index]);
    }
}

static pid_t start_peers(int which)
{
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) die("fork");
    if (pid > 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    be_peers(which);
    _exit(0);
}

/* has one of the peers connect to the slot's port */
static void call_peer(struct slot *slot, unsigned *state)
{
    int index = (int)(slot - shared->slots);
    if (write(shared->commands[dice(state, PEERS)][1], &index, sizeof index) != sizeof index) die("write");
}

#endif
