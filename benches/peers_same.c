/*
 * peers_same.c - the system calls that the library's promises take in the background, made by the smallest loop
 * in C: what is above this is the library's own.
 *
 * In the call: whether all was sent, whose process this is, who gets signals of it, a duplicate, SO_LINGER, the
 * half-close, the caller's number. On the thread: which socket has the number, its state, epoll, a first look.
 * At the end: which socket has the number, the end of the stream, whether that is a FIN, whether all of ours is
 * acknowledged. The thread naps for 5 ms between two looks at epoll.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "background.h"

#ifndef TCP_ZEROCOPY_RECEIVE
#define TCP_ZEROCOPY_RECEIVE 35
#endif

enum { MOST = 65536, NUMBERS = 1 << 17, NAP_US = 5000 };

static int queue[MOST], queued, epoll;
static long ids[NUMBERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;

static void which(int fd)
{
    struct stat stat;
    fstat(fd, &stat);
}

/* whether its stream has ended */
static int is_over(int fd)
{
    struct { uint64_t address; uint32_t length, hint; } nothing = {0, 0, 0};
    static char scratch[65536];
    socklen_t size = sizeof nothing;
    ssize_t n;
    int left;
    while ((n = recv(fd, scratch, sizeof scratch, MSG_DONTWAIT | MSG_TRUNC)) > 0)
        ;
    if (n < 0)
        return errno != EAGAIN && errno != EINTR;
    if (getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &nothing, &size) == -1 && errno == EIO)
        ioctl(fd, SIOCOUTQ, &left);
    return 1;
}

static int ends(int fd)
{
    if (!is_over(fd))
        return 0;
    close(fd);
    background_done(ids[fd]);
    return 1;
}

static int adopt(int fd)
{
    struct epoll_event event = {EPOLLIN | EPOLLRDHUP | EPOLLET, {.fd = fd}};
    unsigned char info[8];
    socklen_t size = sizeof info;
    which(fd);
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    return !ends(fd);
}

static void *run(void *nothing)
{
    static int mine[MOST];
    struct epoll_event events[256];
    for (int pending = 0, got;;) {
        pthread_mutex_lock(&lock);
        while (pending == 0 && queued == 0)
            pthread_cond_wait(&filled, &lock);
        int count = queued;
        for (int i = 0; i < count; i++)
            mine[i] = queue[i];
        queued = 0;
        pthread_mutex_unlock(&lock);
        for (int i = 0; i < count; i++)
            pending += adopt(mine[i]);
        while ((got = epoll_wait(epoll, events, 256, 0)) > 0)
            for (int i = 0; i < got; i++) {
                which(events[i].data.fd);
                pending -= ends(events[i].data.fd);
            }
        usleep(NAP_US);
    }
    return nothing;
}

static void start(void)
{
    pthread_t thread;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || pthread_create(&thread, NULL, run, NULL)) {
        perror("bench: a thread with epoll");
        exit(1);
    }
}

static void hand_over(int fd, unsigned timeout_ms, long id)
{
    struct linger off = {0, 0};
    struct f_owner_ex owner;
    int unsent;
    (void)timeout_ms;
    ioctl(fd, SIOCOUTQNSD, &unsent);
    (void)getpid();
    fcntl(fd, F_GETOWN_EX, &owner);
    int ours = fcntl(fd, F_DUPFD_CLOEXEC, 1024);
    if (ours < 0 || ours >= NUMBERS) {
        perror("bench: a duplicate");
        exit(1);
    }
    setsockopt(ours, SOL_SOCKET, SO_LINGER, &off, sizeof off);
    shutdown(ours, SHUT_WR);
    ids[ours] = id;
    pthread_mutex_lock(&lock);
    queue[queued++] = ours;
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&lock);
    close(fd);
}

const struct background by_same_calls = {"C, same calls", start, hand_over};
