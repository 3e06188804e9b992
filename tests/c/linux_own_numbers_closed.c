/*
 * A program closes all descriptors there are, as daemons do, and uses the numbers for files,
 * timers and epoll descriptors of its own: no byte and no change reaches any of those, what is
 * handed over afterwards is closed normally, and what was pending is told to be gone; or goes on, if
 * the library's own descriptors alone were closed.
 */
#include "reaper_test.h"

#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#define MOST 40

static house home;

/* what the program has under numbers that were the library's */
typedef struct {
    int files[MOST], timers[MOST], epolls[MOST];
    int watched[2];
} its_own;

static void close_all(void)
{
    int fd; /* what was handed over before its peer, which would end it otherwise */
    for (fd = 1999; fd > 2; fd--) close(fd);
}

static void open_own(its_own *own)
{
    int i;
    CHECK_IS(pipe(own->watched), 0);
    for (i = 0; i < MOST; i++) {
        struct epoll_event event;
        FILE *file = tmpfile();
        CHECK(file != NULL);
        own->files[i] = dup(fileno(file));
        fclose(file);
        own->timers[i] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        own->epolls[i] = epoll_create1(0);
        CHECK(own->files[i] >= 0 && own->timers[i] >= 0 && own->epolls[i] >= 0);
        memset(&event, 0, sizeof(event));
        event.events = EPOLLIN | EPOLLET;
        event.data.u64 = (unsigned)i;
        CHECK_IS(epoll_ctl(own->epolls[i], EPOLL_CTL_ADD, own->watched[0], &event), 0);
    }
    /* an edge that nobody but the program may take */
    CHECK_IS(write(own->watched[1], "x", 1), 1);
}

static void check_own(its_own *own)
{
    int i;
    for (i = 0; i < MOST; i++) {
        struct stat stat;
        struct itimerspec time;
        struct epoll_event events[4];
        CHECK_IS(fstat(own->files[i], &stat), 0);
        CHECK_IS(stat.st_size, 0);
        CHECK_IS(lseek(own->files[i], 0, SEEK_CUR), 0);
        CHECK_IS(timerfd_gettime(own->timers[i], &time), 0);
        CHECK_IS(time.it_value.tv_sec + time.it_value.tv_nsec, 0);
        CHECK_IS(time.it_interval.tv_sec + time.it_interval.tv_nsec, 0);
        CHECK_IS(check_readable(own->timers[i], 0), 0);
        CHECK_IS(epoll_wait(own->epolls[i], events, 4, 0), 1);
        CHECK_IS(events[0].data.u64, i);
        CHECK_IS(events[0].events, EPOLLIN);
        CHECK_IS(close(own->files[i]), 0);
        CHECK_IS(close(own->timers[i]), 0);
        CHECK_IS(close(own->epolls[i]), 0);
    }
    CHECK_IS(close(own->watched[0]), 0);
    CHECK_IS(close(own->watched[1]), 0);
}

static void goes_on(gc_reaper *reaper, unsigned int flags)
{
    gc_options options = GC_OPTIONS_INIT;
    int i;
    options.flags = flags;
    options.timeout_ms = 20000;
    for (i = 0; i < 30; i++) {
        check_socket sock, peer;
        size_t bytes;
        told end;
        check_round = i;
        house_pair(&home, &sock, &peer);
        check_send_pattern(sock, 3000, 0);
        told_start(&end, sock);
        CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
        CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
        CHECK_IS(bytes, 3000);
        if (i % 3 == 0) check_sleep(20);
        check_close(peer);
        await_told(&end);
        CHECK_IS(end.report.outcome, GC_GRACEFUL);
    }
    check_round = 0;
}

static void gone(void *user, gc_socket sock, const gc_report *report)
{
    told *self = (told *)user;
    (void)sock;
    self->report = *report;
    self->calls = 1;
}

/* `pending`: something is handed over already; else the thread has nothing to wait for */
static void all_closed(int pending, unsigned int flags)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock = -1, peer = -1;
    its_own own;
    told end;
    double start;
    check_doing = pending ? "with one pending" : "while idle";
    house_open(&home);
    told_start(&end, 0);
    options.timeout_ms = 60000;
    options.flags = flags;
    if (pending) {
        house_pair(&home, &sock, &peer);
        CHECK_IS(gc_reaper_close(reaper, sock, &options, gone, &end), 0);
    } else {
        house_pair(&home, &sock, &peer);
        CHECK_IS(gc_reaper_close(reaper, sock, &options, NULL, NULL), 0);
        check_close(peer);
        CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    }
    check_sleep(50);
    close_all();
    open_own(&own);
    house_open(&home);
    goes_on(reaper, flags);
    if (pending) {
        start = check_now();
        while (end.calls == 0 && check_now() - start < 10000) check_sleep(5);
        CHECK_IS(end.report.outcome, GC_ERR_NOT_A_SOCKET);
    }
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    check_is_quiet(300);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    check_own(&own);
    check_close(home.listener);
}

/* what it is, as readlink() says */
static const char *kind_of(int fd)
{
    static char target[40];
    char name[40];
    ssize_t length;
    sprintf(name, "/proc/self/fd/%d", fd);
    length = readlink(name, target, sizeof(target) - 1);
    target[length < 0 ? 0 : length] = 0;
    return target;
}

static int is_the_librarys(int fd)
{
    return strncmp(kind_of(fd), "anon_inode", 10) == 0;
}

static void close_the_librarys(void)
{
    int fd;
    for (fd = 3; fd < 2000; fd++)
        if (is_the_librarys(fd)) close(fd);
}

/* new ones are made where the old ones are lost, and else not: known by a flag that new ones have */
static void check_they_last(void)
{
    int fd;
    for (fd = 3; fd < 2000; fd++)
        if (is_the_librarys(fd)) CHECK_IS(fcntl(fd, F_SETFD, 0), 0);
    check_sleep(1500); /* it looks once a second */
    for (fd = 3; fd < 2000; fd++)
        if (is_the_librarys(fd)) CHECK_IS(fcntl(fd, F_GETFD), 0);
}

/* what is pending lives on: its end is seen by the new descriptors, long before its time is up */
static void own_ones_closed(void)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer;
    told end;
    check_doing = "the library's alone";
    house_open(&home);
    house_pair(&home, &sock, &peer);
    told_start(&end, sock);
    options.timeout_ms = 60000;
    CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
    check_sleep(50);
    check_they_last();
    close_the_librarys();
    check_sleep(1500); /* it looks once a second */
    check_close(peer);
    await_told(&end);
    CHECK_IS(end.report.outcome, GC_GRACEFUL);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    check_close(home.listener);
}

static int find(const char *kind, int *found)
{
    int fd, count = 0;
    for (fd = 3; fd < 2000 && count < MOST; fd++)
        if (strcmp(kind_of(fd), kind) == 0) found[count++] = fd;
    return count;
}

static void take(int from, int number)
{
    if (from == number) return;
    put_under(number, from);
    CHECK_IS(close(from), 0);
}

/* a file of the program's own in an epoll descriptor of its own, both under the very numbers of the library's */
static void same_numbers(int pending)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    struct epoll_event event;
    check_socket sock, peer;
    int epolls[MOST], timers[MOST], ends[2], count, i;
    check_doing = pending ? "the same numbers, one pending" : "the same numbers";
    house_open(&home);
    house_pair(&home, &sock, &peer);
    options.timeout_ms = 60000;
    CHECK_IS(gc_reaper_close(reaper, sock, &options, NULL, NULL), 0);
    if (!pending) {
        check_close(peer);
        CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    }
    check_sleep(50);
    count = find("anon_inode:[eventpoll]", epolls);
    CHECK_IS(find("anon_inode:[timerfd]", timers), count);
    CHECK(count > 0);
    close_all();
    CHECK_IS(pipe(ends), 0);
    while (ends[0] < 100 || ends[1] < 100) { /* away from where they are wanted */
        ends[0] = fcntl(ends[0], F_DUPFD, 100);
        ends[1] = fcntl(ends[1], F_DUPFD, 100);
    }
    memset(&event, 0, sizeof(event));
    event.events = EPOLLIN | EPOLLET;
    for (i = 0; i < count; i++) {
        take(epoll_create1(0), epolls[i]);
        put_under(timers[i], ends[0]);
        event.data.u64 = (unsigned)i;
        CHECK_IS(epoll_ctl(epolls[i], EPOLL_CTL_ADD, timers[i], &event), 0);
    }
    CHECK_IS(write(ends[1], "x", 1), 1);
    house_open(&home);
    goes_on(reaper, 0);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    check_sleep(1200); /* it looks once a second */
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    for (i = 0; i < count; i++) {
        CHECK_IS(epoll_wait(epolls[i], &event, 1, 0), 1);
        CHECK_IS(event.data.u64, i);
        CHECK_IS(event.events, EPOLLIN);
        CHECK_IS(epoll_wait(epolls[i], &event, 1, 0), 0);
    }
    close_all();
}

int main(void)
{
    struct rlimit limit;
    int round;
    check_start();
#ifdef __SANITIZE_THREAD__
    check_skip("ThreadSanitizer reports what this program is for: numbers closed under another thread");
#endif
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (round = 0; round < 2; round++) {
        /* 1024: the library's own lie among the program's numbers */
        limit.rlim_cur = round == 0 || limit.rlim_max < 2000 ? 1024 : 2000;
        CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
        all_closed(0, 0);
        all_closed(1, 0);
        all_closed(0, GC_DEFERRED);
        all_closed(1, GC_DEFERRED);
        own_ones_closed();
        same_numbers(0);
        same_numbers(1);
    }
    return 0;
}
