/*
 * The injector of linux_faults.c: the functions of the C library through which the library calls the
 * system, each of which fails, or succeeds with an odd value, when it is told to.
 */
#ifndef FAULTS_INJECT_INCLUDED
#define FAULTS_INJECT_INCLUDED

#include <dlfcn.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

/* Success with an odd value. No number of an error is so large. */
enum {
    ODD_SHORT_0 = 1000, /* TCP_INFO of an old kernel, or of a family that tells nothing */
    ODD_SHORT_1,
    ODD_SHORT_8,
    ODD_SHORT_60,
    ODD_NO_ERROR,  /* SO_ERROR: somebody else has taken it */
    ODD_ZERO,      /* recv: an end that is no FIN */
    ODD_ONE,       /* recv, read: one byte at a time */
    ODD_READY,     /* poll, epoll_wait: at once, although there is nothing */
    ODD_NOTHING,   /* ... nothing, before the time is up */
    ODD_HUNG_UP,   /* ... an error and a hang-up */
    ODD_GONE,      /* epoll_wait: events of numbers that are gone */
    ODD_UNACKED,   /* SIOCOUTQ: never empty */
    ODD_IGNORED    /* success, and nothing was done */
};

#define ERRORS 12

static const struct call {
    const char *name;
    int errors[ERRORS]; /* 0: no more */
} calls[] = {
    /* not EIO: TCP_ZEROCOPY_RECEIVE says by it that the FIN has come */
    { "getsockopt", { ENOMEM, EPERM, EACCES, ENOBUFS, EINVAL, ENOPROTOOPT, EOPNOTSUPP,
                      ODD_NO_ERROR, ODD_SHORT_0, ODD_SHORT_1, ODD_SHORT_8, ODD_SHORT_60 } },
    { "setsockopt", { ENOMEM, EPERM, EACCES, EINVAL, EDOM, ENOPROTOOPT, EBUSY, ENOBUFS, ODD_IGNORED } },
    { "shutdown", { ENOTCONN, ENOBUFS, EPERM, EACCES, EINVAL, ENOMEM, EIO, EPIPE, ECONNRESET, EINTR } },
    { "recv", { EINTR, EAGAIN, ENOMEM, EPERM, ENOBUFS, EIO, EINVAL, EFAULT, ODD_ZERO, ODD_ONE } },
    { "ioctl", { ENOMEM, EPERM, EIO, EACCES, EINVAL, ENOTTY, ENOSYS, ODD_UNACKED } },
    { "fcntl", { EMFILE, ENFILE, ENOMEM, EPERM, EACCES, EINVAL, ENOSYS } },
    { "poll", { EINTR, ENOMEM, EINVAL, EPERM, EAGAIN, ODD_READY, ODD_NOTHING, ODD_HUNG_UP } },
    { "epoll_create1", { EMFILE, ENFILE, ENOMEM, EPERM, EINVAL, ENOSYS } },
    /* not EINVAL: it says that the number is something else's */
    { "epoll_ctl", { ENOMEM, ENOSPC, EPERM, EACCES, ELOOP } },
    { "epoll_wait", { EINTR, EPERM, ENOMEM, EACCES, ODD_NOTHING, ODD_GONE } },
    { "timerfd_create", { EMFILE, ENFILE, ENOMEM, ENODEV, EPERM } },
    { "timerfd_gettime", { EPERM, ENOMEM, EACCES } },
    { "timerfd_settime", { EPERM, ENOMEM, ECANCELED, EACCES } },
    { "fstat", { ENOMEM, EPERM, EOVERFLOW, EACCES, ENOSYS } },
    { "connect", { EPERM, ENOMEM, EINTR, EACCES, EAFNOSUPPORT, EINVAL, ODD_IGNORED } },
    { "getpeername", { EPERM, ENOBUFS, ENOMEM, EACCES } },
    /* the number is free after each of these (close(2)) */
    { "syscall", { EINTR, EIO, ENOSPC, EDQUOT, ECONNRESET } },
    /* not ENOENT and ESRCH: they say that the process, or its descriptor, is gone */
    { "openat", { EMFILE, ENFILE, ENOMEM, EACCES, EPERM, EINTR } },
    { "read", { EINTR, EIO, ENOMEM, EACCES, EPERM, ODD_ZERO, ODD_ONE } },
    { "readlinkat", { EACCES, ENOMEM, EPERM, EIO } },
    { "recvmsg", { EINTR, EAGAIN, ENOMEM, EPERM, ENOBUFS, EIO, EINVAL } },
    { "send", { EINTR, EAGAIN, ENOMEM, EPERM, ENOBUFS } },
    { "socket", { EMFILE, ENFILE, ENOMEM, EPERM, EAFNOSUPPORT } },
    { "pthread_create", { EAGAIN, EPERM, ENOMEM } }
};

enum {
    GETSOCKOPT, SETSOCKOPT, SHUTDOWN, RECV, IOCTL, FCNTL, POLL, EPOLL_CREATE, EPOLL_CTL, EPOLL_WAIT,
    TIMER_MAKE, TIMER_GET, TIMER_SET, FSTAT, CONNECT, PEER, SYSCALL, OPENAT, READ, READLINKAT, RECVMSG,
    SEND, SOCKET, THREAD, CALLS
};

static void *real[CALLS];

/* which call fails, from which occurrence on, with what; and how often each was made */
static volatile int is_armed, refused, first, for_ever, with_error;
static volatile int made[CALLS], hits;

/* 0: as ever; else the error, or an odd value */
static int fault_now(int call)
{
    int now;
    if (!is_armed) return 0;
    now = __sync_fetch_and_add(&made[call], 1);
    if (call != refused || now < first || (now > first && !for_ever)) return 0;
    __sync_fetch_and_add(&hits, 1);
    return with_error;
}

/* the function of the C library behind ours */
#define REAL(call, type) \
    int fault; \
    type next; \
    if (real[call] == NULL) real[call] = dlsym(RTLD_NEXT, calls[call].name); \
    *(void **)&next = real[call]; \
    fault = fault_now(call)

#define REFUSE \
    if (fault > 0 && fault < ODD_SHORT_0) { \
        errno = fault; \
        return -1; \
    }

/* Those that the C library has with "..." are called so: on POWER they write their arguments into a place on the stack
   that only such a call has. */

/* Ours are called by other names here: the headers give some of them types of their own. */
#define BEHIND(result, ours, name, arguments) \
    result ours arguments __asm__(name); \
    result ours arguments

#ifdef __cplusplus
extern "C" {
#endif

typedef int (*getsockopt_fn)(int, int, int, void *, socklen_t *);
BEHIND(int, faulty_getsockopt, "getsockopt", (int fd, int level, int name, void *value, socklen_t *size))
{
    static const socklen_t sizes[] = { 0, 1, 8, 60 };
    int result;
    REAL(GETSOCKOPT, getsockopt_fn);
    REFUSE
    result = next(fd, level, name, value, size);
    if (fault >= ODD_SHORT_0 && fault <= ODD_SHORT_60 && level == IPPROTO_TCP && name == TCP_INFO) {
        socklen_t most = sizes[fault - ODD_SHORT_0];
        if (*size > most) {
            memset((char *)value + most, 0, *size - most);
            *size = most;
        }
    }
    if (fault == ODD_NO_ERROR && level == SOL_SOCKET && name == SO_ERROR) *(int *)value = 0;
    return result;
}

typedef int (*setsockopt_fn)(int, int, int, const void *, socklen_t);
BEHIND(int, faulty_setsockopt, "setsockopt", (int fd, int level, int name, const void *value, socklen_t size))
{
    REAL(SETSOCKOPT, setsockopt_fn);
    REFUSE
    return fault == ODD_IGNORED ? 0 : next(fd, level, name, value, size);
}

typedef int (*int_int_fn)(int, int);
BEHIND(int, faulty_shutdown, "shutdown", (int fd, int how))
{
    REAL(SHUTDOWN, int_int_fn);
    REFUSE
    return next(fd, how);
}

typedef ssize_t (*recv_fn)(int, void *, size_t, int);
BEHIND(ssize_t, faulty_recv, "recv", (int fd, void *into, size_t size, int flags))
{
    REAL(RECV, recv_fn);
    REFUSE
    if (fault == ODD_ZERO) return 0;
    return next(fd, into, fault == ODD_ONE && size > 1 ? 1 : size, flags);
}

typedef int (*ioctl_fn)(int, unsigned long, ...);
BEHIND(int, faulty_ioctl, "ioctl", (int fd, unsigned long what, void *argument))
{
    REAL(IOCTL, ioctl_fn);
    REFUSE
    if (fault == ODD_UNACKED) {
        *(int *)argument = 5;
        return 0;
    }
    return next(fd, what, argument);
}

typedef int (*fcntl_fn)(int, int, ...);
BEHIND(int, faulty_fcntl, "fcntl", (int fd, int what, long argument))
{
    REAL(FCNTL, fcntl_fn);
    REFUSE
    return next(fd, what, argument);
}

typedef int (*poll_fn)(struct pollfd *, nfds_t, int);
BEHIND(int, faulty_poll, "poll", (struct pollfd *entries, nfds_t count, int ms))
{
    nfds_t i;
    REAL(POLL, poll_fn);
    REFUSE
    if (fault == 0) return next(entries, count, ms);
    for (i = 0; i < count; i++)
        entries[i].revents = (short)(fault == ODD_READY ? entries[i].events & POLLIN
                                     : fault == ODD_HUNG_UP ? POLLERR | POLLHUP | POLLIN : 0);
    return fault == ODD_NOTHING ? 0 : (int)count;
}

typedef int (*int_fn)(int);
BEHIND(int, faulty_epoll_create1, "epoll_create1", (int flags))
{
    REAL(EPOLL_CREATE, int_fn);
    REFUSE
    return next(flags);
}

typedef int (*epoll_ctl_fn)(int, int, int, struct epoll_event *);
BEHIND(int, faulty_epoll_ctl, "epoll_ctl", (int set, int how, int fd, struct epoll_event *event))
{
    REAL(EPOLL_CTL, epoll_ctl_fn);
    REFUSE
    return next(set, how, fd, event);
}

typedef int (*epoll_wait_fn)(int, struct epoll_event *, int, int);
BEHIND(int, faulty_epoll_wait, "epoll_wait", (int set, struct epoll_event *events, int most, int ms))
{
    static const unsigned int gone[] = { 0, 1, 2, 1023, 4095, 1048576, 0x7FFFFFFFU, 0xFFFFFFFFU };
    int i;
    REAL(EPOLL_WAIT, epoll_wait_fn);
    REFUSE
    if (fault == 0) return next(set, events, most, ms);
    if (fault == ODD_NOTHING) return 0;
    for (i = 0; i < most && i < 8; i++) {
        events[i].events = EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP;
        events[i].data.u64 = gone[i];
    }
    return i;
}

BEHIND(int, faulty_timerfd_create, "timerfd_create", (int clock, int flags))
{
    REAL(TIMER_MAKE, int_int_fn);
    REFUSE
    return next(clock, flags);
}

typedef int (*timer_get_fn)(int, struct itimerspec *);
BEHIND(int, faulty_timerfd_gettime, "timerfd_gettime", (int fd, struct itimerspec *now))
{
    REAL(TIMER_GET, timer_get_fn);
    REFUSE
    return next(fd, now);
}

typedef int (*timer_set_fn)(int, int, const struct itimerspec *, struct itimerspec *);
BEHIND(int, faulty_timerfd_settime, "timerfd_settime",
       (int fd, int flags, const struct itimerspec *to, struct itimerspec *before))
{
    REAL(TIMER_SET, timer_set_fn);
    REFUSE
    return next(fd, flags, to, before);
}

typedef int (*fstat_fn)(int, struct stat *);
BEHIND(int, faulty_fstat, "fstat", (int fd, struct stat *into))
{
    REAL(FSTAT, fstat_fn);
    REFUSE
    return next(fd, into);
}

typedef int (*connect_fn)(int, const struct sockaddr *, socklen_t);
BEHIND(int, faulty_connect, "connect", (int fd, const struct sockaddr *address, socklen_t size))
{
    REAL(CONNECT, connect_fn);
    REFUSE
    return fault == ODD_IGNORED ? 0 : next(fd, address, size);
}

typedef int (*peer_fn)(int, struct sockaddr *, socklen_t *);
BEHIND(int, faulty_getpeername, "getpeername", (int fd, struct sockaddr *address, socklen_t *size))
{
    REAL(PEER, peer_fn);
    REFUSE
    return next(fd, address, size);
}

/* Closing is a bare system call there. A number that is not open was closed before. */
static volatile int closed_twice;

typedef long (*syscall_fn)(long, ...);
BEHIND(long, faulty_syscall, "syscall", (long number, long a, long b, long c, long d, long e, long f))
{
    int fault = 0;
    long result;
    syscall_fn next;
    if (real[SYSCALL] == NULL) real[SYSCALL] = dlsym(RTLD_NEXT, calls[SYSCALL].name);
    *(void **)&next = real[SYSCALL];
    if (number == SYS_close) fault = fault_now(SYSCALL);
    result = next(number, a, b, c, d, e, f);
    if (number == SYS_close && result == -1) closed_twice = 1;
    if (fault == 0) return result;
    errno = fault;
    return -1;
}

typedef int (*openat_fn)(int, const char *, int, ...);
BEHIND(int, faulty_openat, "openat", (int folder, const char *path, int flags, int mode))
{
    REAL(OPENAT, openat_fn);
    REFUSE
    return next(folder, path, flags, mode);
}

typedef ssize_t (*read_fn)(int, void *, size_t);
BEHIND(ssize_t, faulty_read, "read", (int fd, void *into, size_t size))
{
    REAL(READ, read_fn);
    REFUSE
    if (fault == ODD_ZERO) return 0;
    return next(fd, into, fault == ODD_ONE && size > 1 ? 1 : size);
}

typedef ssize_t (*readlinkat_fn)(int, const char *, char *, size_t);
BEHIND(ssize_t, faulty_readlinkat, "readlinkat", (int folder, const char *path, char *into, size_t size))
{
    REAL(READLINKAT, readlinkat_fn);
    REFUSE
    return next(folder, path, into, size);
}

typedef ssize_t (*recvmsg_fn)(int, struct msghdr *, int);
BEHIND(ssize_t, faulty_recvmsg, "recvmsg", (int fd, struct msghdr *message, int flags))
{
    REAL(RECVMSG, recvmsg_fn);
    REFUSE
    return next(fd, message, flags);
}

typedef ssize_t (*send_fn)(int, const void *, size_t, int);
BEHIND(ssize_t, faulty_send, "send", (int fd, const void *from, size_t size, int flags))
{
    REAL(SEND, send_fn);
    REFUSE
    return next(fd, from, size, flags);
}

typedef int (*socket_fn)(int, int, int);
BEHIND(int, faulty_socket, "socket", (int family, int type, int protocol))
{
    REAL(SOCKET, socket_fn);
    REFUSE
    return next(family, type, protocol);
}

typedef int (*thread_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
BEHIND(int, faulty_thread, "pthread_create",
       (pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *argument))
{
    REAL(THREAD, thread_fn);
    return fault > 0 ? fault : next(thread, how, run, argument);
}

#ifdef __cplusplus
}
#endif

#endif /* FAULTS_INJECT_INCLUDED */
