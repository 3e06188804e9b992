/*
 * close() as the program calls it: -Wl,--wrap=close. A connection that the program accepted,
 * that nobody else holds, and on which it sent something, is half-closed and left to a thread
 * of the library; the descriptor's number is free at once. Anything else, and anything in
 * doubt, is closed as ever.
 */
/* all files of this folder can be compiled in, on both systems */
#ifndef _WIN32
#define _GNU_SOURCE
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/tcp.h, struct tcp_info: where 64-bit tcpi_bytes_sent stands (Linux 4.19). That of the C
   library ends before it. */
#define BYTES_SENT_AT 200

/* What waits in the background takes no number below: what select() can take, and where numbers
   are scarce the first half of that. The library moves what is below the first itself if it can,
   and nobody is told of the number then. */
#define PARKED_FROM 1024
#define PARKED_FROM_IF_SCARCE 512

int __wrap_close(int fd);

/* defined by graceful_close_wrap.opts: all that could share a connection is wrapped, too */
extern const char graceful_close_wrap_is_whole __attribute__((weak));

int gco_close_real(int fd)
{
    /* by number: --wrap would send close() back here */
    return (int)syscall(SYS_close, fd);
}

/* established or closing, something was sent, and our own side not shut for reading */
static int wants_grace(int fd)
{
    unsigned char info[BYTES_SENT_AT + 8];
    socklen_t size = (socklen_t)sizeof(info);
    struct linger linger;
    struct pollfd entry;
    int sent = 0;
    size_t i;

    memset(info, 0, sizeof(info));
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) != 0 || size < sizeof(info)) return 0;
    for (i = BYTES_SENT_AT; i < sizeof(info); i++) sent |= info[i];
    if (!sent) return 0;
    size = (socklen_t)sizeof(linger);
    if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) != 0) return 0;
    if (linger.l_onoff != 0 && linger.l_linger == 0) return 0; /* a reset on purpose */
    switch (info[0]) {
    case TCP_CLOSE_WAIT:
    case TCP_LAST_ACK: /* both FINs may be on their way: what is unread resets all the same */
    case TCP_CLOSING:
        return 1;
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
        /* without a FIN of the peer's the end of the stream is our own shutdown(SHUT_RD) */
        entry.fd = fd;
        entry.events = POLLRDHUP;
        entry.revents = 0;
        return poll(&entry, 1, 0) == 0;
    default:
        return 0;
    }
}

static int number(const char *text)
{
    int value = 0;

    if (*text == '\0') return -1;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > 100000000) return -1;
        value = value * 10 + (*text - '0');
    }
    return value;
}

/* the kernel's, with 64 bits on 32-bit systems, too; C89 has no name for them */
struct entry64 {
    unsigned int ino[2];
    unsigned int off[2];
    unsigned short length;
    unsigned char type;
    char name[1];
};

static int is_same(int fd, const struct stat *socket)
{
    struct stat other;

    return fstat(fd, &other) == 0 && other.st_ino == socket->st_ino && other.st_dev == socket->st_dev;
}

/*
 * Looks through this process's descriptors: whether another one is the same socket. If none is
 * and `leave` is set, takes the socket out of every epoll set. The kernel does that at the last
 * close only, and the program would go on hearing of a connection that it has given up. Asking
 * each descriptor is cheaper than asking which of them are epoll sets. 0: looked through, and
 * no other.
 */
static int look_through(int fd, int leave)
{
    union {
        struct entry64 entry;
        double align;
        char bytes[4096];
    } buffer;
    struct stat socket;
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = -1, at, got;

    if (folder < 0) return -1;
    if (fstat(fd, &socket) != 0) goto end;
    while ((got = (int)syscall(SYS_getdents64, folder, buffer.bytes, sizeof(buffer.bytes))) > 0) {
        for (at = 0; at < got;) {
            const struct entry64 *entry = (const struct entry64 *)(const void *)(buffer.bytes + at);
            int other = number(buffer.bytes + at + offsetof(struct entry64, name));
            struct epoll_event none;

            at += entry->length;
            if (other < 0 || other == fd || other == folder || gco_is_parked(other)) continue;
            if (leave) {
                memset(&none, 0, sizeof(none));
                epoll_ctl(other, EPOLL_CTL_DEL, fd, &none);
            } else if (is_same(other, &socket)) {
                goto end;
            }
        }
    }
    if (got == 0) result = 0;
end:
    gco_close_real(folder);
    return result;
}

/* A number out of the program's way: above what select() can take, if there is room. */
static int park(int fd)
{
    struct rlimit limit;
    int from = PARKED_FROM;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= PARKED_FROM) {
        from = PARKED_FROM_IF_SCARCE;
        if (limit.rlim_cur / 2 < (rlim_t)from) from = (int)(limit.rlim_cur / 2);
    }
    return fcntl(fd, F_DUPFD_CLOEXEC, from);
}

/* 0: closed, and on its way to a graceful end. -1: nothing done. */
static int close_gracefully(int fd, int alone)
{
    const gco_settings *settings = gco_get_settings();
    int parked;

    if (!wants_grace(fd)) return -1;
    if (settings->blocking) return gco_take(fd, GC_SHARED_RELEASE, 0);
    if (look_through(fd, 0) != 0) return -1;
    parked = park(fd);
    if (parked < 0) return -1;
    look_through(fd, 1);
    gco_close_real(fd);
    gco_set_parked(parked, 1);
    /* where others may hold it somebody has to look at every process, which takes milliseconds:
       the reaper */
    if (gco_take(parked, alone ? GC_SHARED_SHUTDOWN : GC_SHARED_RELEASE, alone ? 0 : GC_DEFERRED) != 0) {
        gco_set_parked(parked, 0);
        gco_close_real(parked);
    }
    return 0;
}

int __wrap_close(int fd)
{
    int error = errno, alone, done;
    unsigned int known;
    const gco_settings *settings;
    sigset_t all, before;

    /* a program that closes all numbers there are */
    if (gco_is_parked(fd)) {
        errno = EBADF;
        return -1;
    }
    known = gco_forget(fd, &alone);
    settings = gco_get_settings();
    if (settings->off || (known & GCO_PASSED) != 0 || (known == 0 && !settings->any_role)) {
        errno = error;
        return gco_close_real(fd);
    }
    /* a handler that closes must not find this thread in the middle of it */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    done = close_gracefully(fd, alone && &graceful_close_wrap_is_whole != NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return done == 0 ? 0 : gco_close_real(fd);
}

#else
typedef int gco_nothing_here; /* ISO C wants something in every file */
#endif
