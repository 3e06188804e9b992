/*
 * Each system call that a close makes is refused, at each of its occurrences, once and from then on,
 * with each error that it may well have (a signal, no memory, a seccomp filter, no descriptor left).
 * Whatever happens, a close ends in time, with a documented code; it is closed once, or open and the
 * caller's; no descriptor is left over; and nothing is called graceful that was not.
 */
#include "reaper_test.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

/* --- what refuses --- */

#define ERRORS 5

static const struct call {
    const char *name;
    int errors[ERRORS]; /* 0: no more */
} calls[] = {
    /* not EIO: TCP_ZEROCOPY_RECEIVE says by it that the FIN has come */
    { "getsockopt", { ENOMEM, EPERM, ENOBUFS, 0, 0 } },
    { "setsockopt", { ENOMEM, EPERM, EINVAL, EDOM, 0 } },
    { "shutdown", { ENOTCONN, ENOBUFS, EPERM, 0, 0 } },
    { "recv", { EINTR, ENOMEM, EPERM, ENOBUFS, 0 } },
    { "ioctl", { ENOMEM, EPERM, EIO, 0, 0 } },
    { "fcntl", { EMFILE, EPERM, EINVAL, 0, 0 } },
    { "poll", { EINTR, ENOMEM, EINVAL, EPERM, 0 } },
    { "epoll_create1", { EMFILE, ENFILE, ENOMEM, EPERM, 0 } },
    { "epoll_ctl", { ENOMEM, ENOSPC, EPERM, 0, 0 } },
    { "epoll_wait", { EINTR, EPERM, 0, 0, 0 } },
    { "timerfd_gettime", { EPERM, ENOMEM, 0, 0, 0 } },
    { "timerfd_settime", { EPERM, ENOMEM, 0, 0, 0 } },
    { "fstat", { ENOMEM, EPERM, EOVERFLOW, 0, 0 } },
    { "connect", { EPERM, ENOMEM, EINTR, 0, 0 } },
    { "getpeername", { EPERM, ENOBUFS, 0, 0, 0 } }
};

enum {
    GETSOCKOPT,
    SETSOCKOPT,
    SHUTDOWN,
    RECV,
    IOCTL,
    FCNTL,
    POLL,
    EPOLL_CREATE,
    EPOLL_CTL,
    EPOLL_WAIT,
    TIMER_GET,
    TIMER_SET,
    FSTAT,
    CONNECT,
    PEER,
    CALLS
};

static void *real[CALLS];

/* which call is refused, from which occurrence on, with what; and how often it was made */
static volatile int is_armed, refused, first, for_ever, with_error;
static volatile int made, hits;

static int is_refused(int call)
{
    int now;
    if (!is_armed || call != refused) return 0;
    now = __sync_fetch_and_add(&made, 1);
    if (now < first || (now > first && !for_ever)) return 0;
    __sync_fetch_and_add(&hits, 1);
    errno = with_error;
    return 1;
}

/* the function of the C library behind ours */
#define REAL(call, type) \
    type next; \
    if (real[call] == NULL) real[call] = dlsym(RTLD_NEXT, calls[call].name); \
    *(void **)&next = real[call]; \
    if (is_refused(call)) return -1

typedef int (*getsockopt_fn)(int, int, int, void *, socklen_t *);
typedef int (*setsockopt_fn)(int, int, int, const void *, socklen_t);
typedef int (*int_int_fn)(int, int);
typedef ssize_t (*recv_fn)(int, void *, size_t, int);
typedef int (*ioctl_fn)(int, unsigned long, void *);
typedef int (*fcntl_fn)(int, int, long);
typedef int (*poll_fn)(struct pollfd *, nfds_t, int);
typedef int (*int_fn)(int);
typedef int (*epoll_ctl_fn)(int, int, int, struct epoll_event *);
typedef int (*epoll_wait_fn)(int, struct epoll_event *, int, int);
typedef int (*timer_get_fn)(int, struct itimerspec *);
typedef int (*timer_set_fn)(int, int, const struct itimerspec *, struct itimerspec *);
typedef int (*fstat_fn)(int, struct stat *);
typedef int (*connect_fn)(int, const struct sockaddr *, socklen_t);
typedef int (*peer_fn)(int, struct sockaddr *, socklen_t *);

#ifdef __cplusplus
extern "C" {
#endif
int __NTH(getsockopt(int fd, int level, int name, void *value, socklen_t *size))
{
    REAL(GETSOCKOPT, getsockopt_fn);
    return next(fd, level, name, value, size);
}
int __NTH(setsockopt(int fd, int level, int name, const void *value, socklen_t size))
{
    REAL(SETSOCKOPT, setsockopt_fn);
    return next(fd, level, name, value, size);
}
int __NTH(shutdown(int fd, int how))
{
    REAL(SHUTDOWN, int_int_fn);
    return next(fd, how);
}
ssize_t recv(int fd, void *into, size_t size, int flags)
{
    REAL(RECV, recv_fn);
    return next(fd, into, size, flags);
}
int __NTH(ioctl(int fd, unsigned long what, ...))
{
    va_list more;
    void *argument;
    REAL(IOCTL, ioctl_fn);
    va_start(more, what);
    argument = va_arg(more, void *);
    va_end(more);
    return next(fd, what, argument);
}
int fcntl(int fd, int what, ...)
{
    va_list more;
    long argument;
    REAL(FCNTL, fcntl_fn);
    va_start(more, what);
    argument = va_arg(more, long);
    va_end(more);
    return next(fd, what, argument);
}
int poll(struct pollfd *entries, nfds_t count, int ms)
{
    REAL(POLL, poll_fn);
    return next(entries, count, ms);
}
int __NTH(epoll_create1(int flags))
{
    REAL(EPOLL_CREATE, int_fn);
    return next(flags);
}
int __NTH(epoll_ctl(int set, int how, int fd, struct epoll_event *event))
{
    REAL(EPOLL_CTL, epoll_ctl_fn);
    return next(set, how, fd, event);
}
int epoll_wait(int set, struct epoll_event *events, int most, int ms)
{
    REAL(EPOLL_WAIT, epoll_wait_fn);
    return next(set, events, most, ms);
}
int __NTH(timerfd_gettime(int fd, struct itimerspec *now))
{
    REAL(TIMER_GET, timer_get_fn);
    return next(fd, now);
}
int __NTH(timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *before))
{
    REAL(TIMER_SET, timer_set_fn);
    return next(fd, flags, to, before);
}
int __NTH(fstat(int fd, struct stat *into))
{
    REAL(FSTAT, fstat_fn);
    return next(fd, into);
}
/* by another name here: glibc's header gives these two a type of its own */
int refusing_connect(int, const struct sockaddr *, socklen_t) __asm__("connect");
int refusing_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    REAL(CONNECT, connect_fn);
    return next(fd, address, size);
}
int refusing_getpeername(int, struct sockaddr *, socklen_t *) __asm__("getpeername");
int refusing_getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
    REAL(PEER, peer_fn);
    return next(fd, address, size);
}
#ifdef __cplusplus
}
#endif

/* --- what is closed --- */

enum { HAS_FINISHED, HAS_ANSWERED, IS_SILENT, HAS_RESET, RESET_TAKEN, READING_SHUT, SCENES };

static const char *const scenes[SCENES] = {
    "the peer has closed",        "data and the peer's FIN", "a silent peer", "the peer has reset",
    "a reset that was taken away", "the program's own SHUT_RD"
};

static int may_be_graceful(int scene)
{
    return scene == HAS_FINISHED || scene == HAS_ANSWERED;
}

static house home;

static void set_scene(int scene, check_socket *sock, check_socket *peer)
{
    int error = 0;
    socklen_t size = (socklen_t)sizeof(error);
    house_pair(&home, sock, peer);
    switch (scene) {
    case HAS_ANSWERED:
        CHECK_IS(check_send(*peer, "0123456789", 10), 10);
        /* fall through */
    case HAS_FINISHED:
        check_half_close(*peer);
        check_wait_readable(*sock);
        break;
    case HAS_RESET:
    case RESET_TAKEN:
        check_reset(*peer);
        *peer = CHECK_NO_SOCKET;
        check_wait_readable(*sock);
        if (scene == RESET_TAKEN)
            CHECK_IS(getsockopt(*sock, SOL_SOCKET, SO_ERROR, &error, &size), 0);
        break;
    case READING_SHUT:
        CHECK_IS(shutdown(*sock, SHUT_RD), 0);
        break;
    }
}

/* --- how it is closed --- */

enum { PLAIN, WITH_REPORT, MANY, STEPS, BACKGROUND, ABORT, WAYS };

static const char *const ways[WAYS] = {
    "gc_close", "gc_close_with", "gc_close_many", "gc_closing", "gc_reaper_close", "gc_abort"
};

#define TIME_MS 4U
#define BOUND_MS 4000

static gc_reaper *reaper;
static told end;

static int in_steps(check_socket sock, const gc_options *options, gc_report *report)
{
    double start = check_now();
    gc_closing *closing = NULL;
    int code = gc_closing_new(sock, options, &closing);
    if (code != 0) return code;
    while ((code = gc_closing_step(closing)) == GC_PENDING && check_now() - start < BOUND_MS) {
        struct timespec pause;
        pause.tv_sec = 0;
        pause.tv_nsec = 1000000;
        nanosleep(&pause, NULL);
    }
    if (code >= 0) CHECK_IS(gc_closing_report(closing, report), 0);
    gc_closing_free(closing);
    return code;
}

static int in_background(check_socket sock, const gc_options *options, gc_report *report)
{
    double start = check_now();
    int code;
    told_start(&end, sock);
    code = gc_reaper_close(reaper, sock, options, tell, &end);
    if (code != 0) return code;
    while (end.calls == 0 && check_now() - start < BOUND_MS) sched_yield();
    CHECK_IS(end.calls, 1);
    *report = end.report;
    return report->outcome;
}

static int close_by(int way, check_socket sock, gc_report *report)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = TIME_MS;
    switch (way) {
    case PLAIN: return gc_close(sock, TIME_MS);
    case WITH_REPORT: return gc_close_with(sock, &options, report);
    case MANY: {
        int code = gc_close_many(&sock, 1, &options, report);
        return code < 0 ? code : report->outcome;
    }
    case STEPS: return in_steps(sock, &options, report);
    case BACKGROUND: return in_background(sock, &options, report);
    default: return gc_abort(sock);
    }
}

/* --- the checks --- */

static int is_open(check_socket sock)
{
    return fcntl(sock, F_GETFD) != -1;
}

static void check_end(int way, int scene, check_socket sock, int code, const gc_report *report)
{
    CHECK_BETWEEN(code, GC_ERR_INTERNAL, GC_CONTINUED);
    CHECK(code != GC_ERR_NOT_A_SOCKET && code != GC_ERR_ARGUMENT && code != GC_ERR_INTERNAL);
    if (code == GC_GRACEFUL && way != ABORT) CHECK(may_be_graceful(scene));
    if (code >= 0) {
        CHECK(!is_open(sock));
        if (way != PLAIN && way != ABORT) CHECK_IS(report->closed, 1);
    } else {
        CHECK(is_open(sock)); /* untouched, and ours */
        close(sock);
    }
}

static void try_once(int way, int scene)
{
    gc_report report = GC_REPORT_INIT;
    check_socket sock, peer;
    double start;
    int code;
    check_round = first * 10 + for_ever; /* told if it fails */
    set_scene(scene, &sock, &peer);
    made = 0;
    hits = 0;
    start = check_now();
    is_armed = 1;
    code = close_by(way, sock, &report);
    is_armed = 0;
    CHECK_BETWEEN(check_now() - start, 0, BOUND_MS);
    check_end(way, scene, sock, code, &report);
    if (peer != CHECK_NO_SOCKET) check_close(peer);
}

static long count_open(void)
{
    long count = 0;
    int fd;
    for (fd = 0; fd < 4096; fd++) count += is_open(fd);
    return count;
}

/* one call, one error: at each occurrence, once and from then on */
static long refuse_each_time(int way, int scene)
{
    long faults = 0;
    for (for_ever = 0; for_ever < 2; for_ever++)
        for (first = 0;; first++) {
            try_once(way, scene);
            faults += hits > 0;
            if (hits == 0 || first > 12) break;
        }
    return faults;
}

int main(void)
{
    static char words[200];
    long faults = 0, before;
    int way, scene, which;
    check_start();
    if (check_is_slow()) check_skip("not under a sanitizer or Valgrind, which put their own in front");
    house_open(&home);
    reaper = new_reaper(0, GC_FULL_REFUSE);
    refused = CALLS;
    for (way = 0; way < WAYS; way++) try_once(way, HAS_FINISHED); /* what is made once */
    before = count_open();
    for (way = 0; way < WAYS; way++)
        for (scene = 0; scene < SCENES; scene++)
            for (refused = 0; refused < CALLS; refused++)
                for (which = 0; which < ERRORS && calls[refused].errors[which] != 0; which++) {
                    with_error = calls[refused].errors[which];
                    sprintf(words, "%s, %s: %s refused with %d", ways[way], scenes[scene],
                            calls[refused].name, with_error);
                    check_doing = words;
                    faults += refuse_each_time(way, scene);
                    CHECK_IS(count_open(), before);
                }
    printf("%ld faults\n", faults);
    CHECK(faults > 1000);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    check_close(home.listener);
    return 0;
}
