/*
 * least.c - the least that a library in front of close() can do, to be measured beside the real one (--rates).
 *
 * It keeps the connection under a second number, half-closes it, and a thread reads to the end of the stream every
 * 4 ms and closes it then. It asks nothing that makes this safe: not who else holds the connection, whether a child
 * runs in the memory of its parent, whether there is room, whether a reset is wanted. A peer that does not close
 * keeps it for ever. What a server loses under it, no library that waits for the peer's FIN can save.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MOST 65536

static atomic_int epoll_set[MOST]; /* which one a number is in */
static atomic_int queue[MOST];     /* from any thread to the one that closes; 0: free */
static atomic_uint next_in;

static int is_over(int fd)
{
    char byte;
    ssize_t n;
    do
        n = recv(fd, &byte, 1 << 20, MSG_TRUNC | MSG_DONTWAIT);
    while (n > 0);
    return n == 0 || errno != EAGAIN;
}

static void *close_in_background(void *unused)
{
    static int waiting[MOST];
    unsigned next_out = 0, count = 0;
    struct timespec nap = {0, 4000000};
    for (;;) {
        unsigned at, left = 0;
        int fd;
        nanosleep(&nap, NULL);
        while ((fd = atomic_exchange(&queue[next_out % MOST], 0)) != 0) {
            waiting[count++] = fd;
            next_out++;
        }
        for (at = 0; at < count; at++) {
            if (is_over(waiting[at]))
                syscall(SYS_close, waiting[at]);
            else
                waiting[left++] = waiting[at];
        }
        count = left;
    }
    return unused;
}

static void start(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, close_in_background, NULL) != 0)
        _exit(70);
}

int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    if (fd >= 0 && fd < MOST && operation != EPOLL_CTL_MOD)
        atomic_store(&epoll_set[fd], operation == EPOLL_CTL_ADD ? set : 0);
    return (int)syscall(SYS_epoll_ctl, set, operation, fd, event);
}

/* The peer may still send. */
static int may_bring_more(int fd)
{
    unsigned char info[8];
    socklen_t size = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0 &&
           (info[0] == TCP_ESTABLISHED || info[0] == TCP_FIN_WAIT1 || info[0] == TCP_FIN_WAIT2);
}

int close(int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int set, high, result;
    if (fd < 0 || fd >= MOST || !may_bring_more(fd) || (high = fcntl(fd, F_DUPFD_CLOEXEC, 1024)) == -1)
        return (int)syscall(SYS_close, fd);
    pthread_once(&once, start);
    if ((set = atomic_exchange(&epoll_set[fd], 0)) != 0)
        syscall(SYS_epoll_ctl, set, EPOLL_CTL_DEL, fd, NULL);
    result = (int)syscall(SYS_close, fd);
    shutdown(high, SHUT_WR);
    atomic_store(&queue[atomic_fetch_add(&next_in, 1) % MOST], high);
    return result;
}
