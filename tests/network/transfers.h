/* The peers of transfers.c: processes in the other namespace, with a thread for each connection. */
#ifndef TRANSFERS_H
#define TRANSFERS_H

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define MOST 2000
#define PEERS 10
#define BYTES 20000

struct result {
    long bytes;
    int error;
    volatile int ended;
};

struct shared {
    volatile int is_over;
    int go[2]; /* a pipe: its end is the signal */
    volatile int listening[PEERS];
    struct result results[MOST];
};

static void *shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) die("mmap");
    return memory;
}

static int listener_at(uint32_t host, int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(host) }, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1000)) die("listen");
    return fd;
}

static void await_go(const struct shared *shared)
{
    struct pollfd p = { shared->go[0], POLLIN, 0 };
    while (poll(&p, 1, -1) != 1) {}
}

struct peer {
    struct shared *shared;
    int at, fd, harm;
};

/* Three kinds: reads and closes; answers before it closes; has finished before (all of them with "both"). */
static void *be_peer(void *argument)
{
    struct peer *self = argument;
    struct result *result = &self->shared->results[self->at];
    char room[4096];
    ssize_t now;
    await_go(self->shared);
    if (self->harm == BOTH || self->at % 3 == 2) shutdown(self->fd, SHUT_WR);
    while (self->harm == WINDOW && !self->shared->is_over) usleep(10000);
    while ((now = recv(self->fd, room, sizeof room, 0)) > 0) {
        result->bytes += now;
        if (self->harm == KILLED) usleep(500);
    }
    if (now < 0) result->error = errno;
    if (self->at % 3 == 1 && self->harm != BOTH) now = send(self->fd, room, 3000, MSG_NOSIGNAL);
    close(self->fd);
    result->ended = 1;
    return NULL;
}

static void start_peer(struct shared *shared, int harm, int at, int fd)
{
    struct peer *self = malloc(sizeof *self);
    pthread_attr_t small;
    pthread_t thread;
    *self = (struct peer){ shared, at, fd, harm };
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 * 1024);
    if (pthread_create(&thread, &small, be_peer, self)) die("pthread_create");
}

/* the connections i with i % PEERS == which: even ones are made here, odd ones accepted */
static void peers_process(struct shared *shared, int harm, int count, int which)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(TUNLINK_SERVER) }, .sin_port = htons(FIRST_PORT) };
    int listener = listener_at(TUNLINK_CLIENT, FIRST_PORT + 1 + which), small = 4096;
    if (harm == WINDOW) setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    close(shared->go[1]);
    shared->listening[which] = 1;
    for (int i = which; i < count; i += PEERS) {
        int fd, index = i;
        if (i % 2 == 0) {
            fd = socket(AF_INET, SOCK_STREAM, 0);
            if (harm == WINDOW) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
            if (connect(fd, (struct sockaddr *)&to, sizeof to) || send(fd, &index, sizeof index, 0) != sizeof index) die("connect");
        } else {
            fd = accept(listener, NULL, NULL);
            if (fd < 0 || recv(fd, &index, sizeof index, MSG_WAITALL) != sizeof index) die("accept");
        }
        start_peer(shared, harm, index, fd);
    }
    for (;;) pause();
}

static void start_peers(struct tunlink *link, struct shared *shared, int harm, int count, pid_t *peers)
{
    pid_t parent = getpid();
    for (int which = 0; which < PEERS; which++) {
        peers[which] = fork();
        if (peers[which] < 0) die("fork");
        if (peers[which] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent || setns(link->namespaces[1], CLONE_NEWNET)) _exit(1);
            peers_process(shared, harm, count, which);
        }
    }
    for (int which = 0; which < PEERS; which++)
        while (!shared->listening[which]) usleep(1000);
}

#endif
