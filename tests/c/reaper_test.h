/*
 * What the C tests of the background share: somebody who is told of every end, the
 * program's processor time and descriptors, and connections by the dozen.
 */
#ifndef REAPER_TEST_INCLUDED
#define REAPER_TEST_INCLUDED

#include "check.h"

#include "graceful_close.h"

#ifndef _WIN32
#include <sys/resource.h>
#endif

/* a bound for waits that end much sooner, unless something is wrong */
#define PATIENCE 30000U

/* one who is told once; `sock` is what was handed over */
typedef struct {
    volatile long calls;
    gc_socket sock;
    gc_report report;
    double when;
    volatile long *order; /* counts the calls of a whole group */
    volatile long place;
} told;

CHECK_HELPER void tell(void *user, gc_socket sock, const gc_report *report)
{
    told *self = (told *)user;
    CHECK_IS(self->calls, 0);
    CHECK(sock == self->sock);
    CHECK_IS(report->struct_size, sizeof(gc_report));
    CHECK_IS(report->closed, 1);
    self->report = *report;
    self->when = check_now();
    if (self->order != NULL) self->place = (*self->order)++;
    CHECK_STORE(self->calls, 1);
}

CHECK_HELPER void told_start(told *self, gc_socket sock)
{
    memset(self, 0, sizeof(*self));
    self->sock = sock;
}

CHECK_HELPER void await_told(const told *self)
{
    double start = check_now();
    while (CHECK_LOAD(self->calls) == 0) {
        CHECK(check_now() - start < 10000);
        check_sleep(1);
    }
}

CHECK_HELPER gc_reaper *new_reaper(size_t max_pending, unsigned int when_full)
{
    gc_reaper_options options = GC_REAPER_OPTIONS_INIT;
    gc_reaper *reaper = NULL;
    options.max_pending = max_pending;
    options.when_full = when_full;
    CHECK_IS(gc_reaper_new(&options, &reaper), 0);
    CHECK(reaper != NULL);
    return reaper;
}

CHECK_HELPER void await_pending(const gc_reaper *reaper, size_t count)
{
    double start = check_now();
    while (gc_reaper_pending(reaper) != count) {
        CHECK(check_now() - start < PATIENCE);
        check_sleep(1);
    }
}

/* connections through one listener: faster, and they need not be closed in pairs */
typedef struct {
    check_socket listener;
    struct sockaddr_in address;
} house;

CHECK_HELPER void house_open(house *self)
{
    self->listener = check_listener(&self->address);
}

CHECK_HELPER void house_pair(house *self, check_socket *ours, check_socket *peer)
{
    *peer = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(*peer != CHECK_NO_SOCKET);
    CHECK_IS(connect(*peer, (struct sockaddr *)&self->address, (check_length)sizeof(self->address)),
             0);
    *ours = accept(self->listener, NULL, NULL);
    CHECK(*ours != CHECK_NO_SOCKET);
}

/* the peer is told of the end: 0 a FIN, else the error */
CHECK_HELPER int end_at(check_socket peer)
{
    size_t bytes;
    check_wait_readable(peer);
    return check_read_to_end(peer, &bytes, 0);
}

/* a refused one is as good as new: it carries data both ways */
CHECK_HELPER void check_works(check_socket sock, check_socket peer)
{
    char byte = 0;
    CHECK_IS(check_send(sock, "a", 1), 1);
    CHECK_IS(check_receive(peer, &byte, 1), 1);
    CHECK(byte == 'a');
    CHECK_IS(check_send(peer, "b", 1), 1);
    CHECK_IS(check_receive(sock, &byte, 1), 1);
    CHECK(byte == 'b');
}

/* milliseconds of processor time that this program has used */
CHECK_HELPER double processor_time(void)
{
#ifdef _WIN32
    FILETIME made, ended, kernel, user;
    CHECK(GetProcessTimes(GetCurrentProcess(), &made, &ended, &kernel, &user));
    return ((double)kernel.dwLowDateTime + (double)user.dwLowDateTime) / 10000.0 +
           ((double)kernel.dwHighDateTime + (double)user.dwHighDateTime) * 429496.7296;
#else
    struct rusage usage;
    CHECK_IS(getrusage(RUSAGE_SELF, &usage), 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000.0 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000.0;
#endif
}

/* With nothing to do the library uses no processor time. The system may have something
   left to do at first, so one quiet time of five is enough. */
CHECK_HELPER void check_is_quiet(unsigned int ms)
{
    double used = 0;
    int attempt;
    for (attempt = 0; attempt < 5; attempt++) {
        double before = processor_time();
        check_sleep(ms);
        used = processor_time() - before;
        if (used < ms / 20.0) return;
    }
    CHECK_BETWEEN(used, 0, ms / 20.0);
}

#ifndef _WIN32
/* dup2(); where another thread is opening that number at this moment, Linux refuses it with EBUSY (dup2(2)) */
CHECK_HELPER void put_under(int number, int fd)
{
    int result;
    do {
        result = dup2(fd, number);
    } while (result == -1 && errno == EBUSY);
    CHECK_IS(result, number);
}

CHECK_HELPER unsigned long open_descriptors(void)
{
    struct rlimit limit;
    unsigned long count = 0;
    int fd, most;
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    most = limit.rlim_cur > 100000 ? 100000 : (int)limit.rlim_cur;
    for (fd = 0; fd < most; fd++)
        if (fcntl(fd, F_GETFD) != -1) count++;
    return count;
}
#else
/* one by one: Wine has no GetProcessHandleCount */
CHECK_HELPER unsigned long open_descriptors(void)
{
    unsigned long count = 0;
    size_t number;
    DWORD flags;
    for (number = 4; number <= 32768; number += 4)
        if (GetHandleInformation((HANDLE)number, &flags)) count++;
    return count;
}
#endif

#endif /* REAPER_TEST_INCLUDED */
