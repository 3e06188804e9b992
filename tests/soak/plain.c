/*
 * plain FD - a server that knows nothing of the library, and runs under the one to preload
 *
 * FD is the memory of the soak. It answers, leaves what the peer has sent unread, and closes: at
 * once, after shutdown() of both kinds, or in a child.
 */
#include "soak.h"

#define THREADS 4

static int listening;

static void finish(int fd, int way)
{
    if (way == BOTH_WAYS) shutdown(fd, SHUT_RDWR);
    if (way == ONE_WAY) shutdown(fd, SHUT_WR);
    close(fd);
}

static void serve(int fd)
{
    int index, way;
    pid_t child = -1;
    struct slot *slot;
    if (recv(fd, &index, sizeof index, MSG_WAITALL) != sizeof index || index < PLAIN_AT || index >= SLOTS) die("plain: a stranger");
    slot = &shared->slots[index];
    way = slot->form;
    send_answer(slot, fd);
    usleep(slot->seed % 20000);
    slot->began = now_ms();
    if (way == PLAIN_CHILD && (child = fork()) == 0) {
        close(fd);
        _exit(0);
    }
    finish(fd, way);
    slot->took = now_ms() - slot->began;
    while (child > 0 && waitpid(child, NULL, 0) != child && errno == EINTR) {}
    __atomic_store_n(&slot->state, ENDED, __ATOMIC_SEQ_CST);
}

static void *work(void *argument)
{
    (void)argument;
    while (!shared->is_over) {
        struct pollfd p = { listening, POLLIN, 0 };
        int fd = poll(&p, 1, 50) > 0 ? accept4(listening, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0) serve(fd);
        else nap(1);
    }
    return NULL;
}

/* the library's thread and descriptors are there from the first connection that it takes over */
static void warm_up(void)
{
    char byte;
    int there = listener_at(PLAIN_PORT + 1), peer = connected_to(PLAIN_PORT + 1), fd = accept(there, NULL, NULL);
    if (send(fd, "a", 1, 0) != 1) die("plain: the first answer");
    close(fd);
    if (recv(peer, &byte, 1, 0) != 1 || recv(peer, &byte, 1, 0) != 0) die("plain: the first end");
    nap(50);
    close(peer);
    close(there);
    nap(500);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    if (argc != 2) return 2;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[1]), 0);
    if (shared == MAP_FAILED) die("mmap");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(atoi(argv[1]));
    signal(SIGPIPE, SIG_IGN);
    warm_up();
    look(&shared->under_preload, 0);
    listening = listener_at(PLAIN_PORT);
    fcntl(listening, F_SETFL, O_NONBLOCK); /* another thread may be quicker */
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0) die("pthread_create");
    shared->under_preload.is_ready = 1;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    close(listening);
    double most = now_ms() + 20000;
    do {
        nap(100);
        look(&shared->under_preload, 1);
    } while (shared->under_preload.descriptors[1] > shared->under_preload.descriptors[0] && now_ms() < most);
    shared->under_preload.is_over = 1;
    return 0;
}
