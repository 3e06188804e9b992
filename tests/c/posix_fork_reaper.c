/*
 * A forked child has no part in its parent's background: calls on the parent's reaper
 * are refused, its own one starts anew, and the parent's connections end as if nothing
 * had been; also when the fork comes in the midst of it. What is pending is closed in a
 * program that is executed. And a program that leaves by _exit has said its answer.
 */
#include "reaper_test.h"

#include <dirent.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ANSWER 200000

#ifdef __linux__
/* whether every other thread of this process sleeps; -1: /proc does not tell */
static int the_others_sleep(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    int sleep = 1;
    if (tasks == NULL) return -1;
    while ((task = readdir(tasks)) != NULL) {
        char path[64], line[256];
        const char *state;
        FILE *file;
        long number = strtol(task->d_name, NULL, 10);
        if (number == 0 || number == syscall(SYS_gettid)) continue;
        sprintf(path, "/proc/self/task/%ld/stat", number);
        file = fopen(path, "r");
        if (file == NULL) continue; /* it has ended meanwhile */
        if (fgets(line, sizeof(line), file) != NULL) {
            state = strrchr(line, ')');
            if (state != NULL && state[1] == ' ' && state[2] != 'S') sleep = 0;
        }
        fclose(file);
    }
    closedir(tasks);
    return sleep;
}
#endif

/*
 * fork(), and under a sanitizer only while the other threads sleep: the allocator of gcc 12's
 * and older sanitizers is not unlocked in a child. A thread of the library that starts or
 * allocates at the moment of the fork leaves the lock behind, and the first thread of the
 * child that allocates waits for it for ever. malloc of the C library has no such gap.
 */
static pid_t a_fork(void)
{
#ifdef __linux__
    int tries, quiet = 0;
    for (tries = 0; check_is_slow() && quiet < 2 && tries < 5000; tries++) {
        int sleep = the_others_sleep();
        if (sleep < 0) {
            check_sleep(200);
            break;
        }
        quiet = sleep ? quiet + 1 : 0;
        if (quiet < 2) check_sleep(2);
    }
#endif
    return fork();
}

static void check_child(pid_t child)
{
    int status = 0;
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_IS(WEXITSTATUS(status), 0);
}

/* one that is pending with its answer in flight, and its reader */
typedef struct {
    check_socket sock, peer;
    told end;
} pending;

static void make_pending(gc_reaper *reaper, pending *self, unsigned int flags)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = 60000;
    options.flags = flags;
    check_pair(&self->sock, &self->peer);
    CHECK_IS(check_send(self->peer, "unread", 6), 6);
    check_wait_readable(self->sock);
    check_send_pattern(self->sock, ANSWER, 0);
    told_start(&self->end, self->sock);
    CHECK_IS(gc_reaper_close(reaper, self->sock, &options, tell, &self->end), 0);
}

static void check_finishes(gc_reaper *reaper, pending *self)
{
    size_t bytes;
    CHECK_IS(check_read_to_end(self->peer, &bytes, 0), 0);
    CHECK_IS(bytes, ANSWER);
    check_close(self->peer);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(self->end.calls, 1);
    CHECK_IS(self->end.report.outcome, GC_GRACEFUL);
    CHECK_IS(self->end.report.drained_bytes, 6);
}

/* the child's part; it ends with 0 by _exit */
static void in_the_child(gc_reaper *parents)
{
    check_socket sock, peer;
    gc_reaper *own;
    gc_stats stats = GC_STATS_INIT;
    size_t bytes;
    told end;
    alarm(60);
    check_pair(&sock, &peer);
    told_start(&end, sock);
    errno = 0;
    CHECK_IS(gc_reaper_close(parents, sock, NULL, tell, &end), GC_ERR_STOPPED);
    CHECK(errno != 0);
    check_works(sock, peer);
    errno = 0;
    CHECK_IS(gc_reaper_flush(parents, GC_INFINITE), GC_ERR_STOPPED);
    CHECK(errno != 0);
    CHECK_IS(gc_reaper_pending(parents), 0);
    CHECK_IS(gc_reaper_free(parents, GC_INFINITE), GC_ERR_STOPPED);
    CHECK_IS(gc_reaper_free(parents, 0), GC_ERR_STOPPED);
    CHECK_IS(gc_flush(GC_INFINITE), 0);
    check_send_pattern(sock, 1000, 0);
    CHECK_IS(gc_close_async(sock, 20000), 0);
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    CHECK_IS(bytes, 1000);
    check_close(peer);
    CHECK_IS(gc_flush(PATIENCE), 0);
    own = new_reaper(0, GC_FULL_REFUSE);
    check_pair(&sock, &peer);
    told_start(&end, sock);
    CHECK_IS(gc_reaper_close(own, sock, NULL, tell, &end), 0);
    check_close(peer);
    CHECK_IS(gc_reaper_free(own, PATIENCE), 0);
    CHECK_IS(end.report.outcome, GC_GRACEFUL);
    CHECK_IS(gc_get_stats(&stats), 0);
    CHECK_IS(stats.pending, 0); /* the parent's are none of its */
    _exit(0);
}

static void a_child_keeps_off(unsigned int flags)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    pending one, of_process;
    pid_t child;
    size_t bytes;
    check_doing = "a child keeps off";
    make_pending(reaper, &one, flags);
    check_pair(&of_process.sock, &of_process.peer);
    check_send_pattern(of_process.sock, ANSWER, 0);
    CHECK_IS(gc_close_async(of_process.sock, 60000), 0);
    child = a_fork();
    CHECK(child >= 0);
    if (child == 0) in_the_child(reaper);
    check_child(child);
    CHECK_IS(gc_reaper_pending(reaper), 1);
    check_finishes(reaper, &one);
    CHECK_IS(check_read_to_end(of_process.peer, &bytes, 0), 0);
    CHECK_IS(bytes, ANSWER);
    check_close(of_process.peer);
    CHECK_IS(gc_flush(PATIENCE), 0);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

/* forked on the reaper's own thread: the child's thread looks like it */
static gc_reaper *forks_on;
static volatile pid_t forked;

static void forks(void *user, gc_socket sock, const gc_report *report)
{
    (void)user;
    (void)sock;
    (void)report;
    forked = a_fork();
    if (forked == 0) in_the_child(forks_on);
}

static void a_callback_forks(void)
{
    check_socket sock, peer;
    check_doing = "a callback forks";
    forks_on = new_reaper(0, GC_FULL_REFUSE);
    check_pair(&sock, &peer);
    CHECK_IS(gc_reaper_close(forks_on, sock, NULL, forks, NULL), 0);
    check_close(peer);
    CHECK_IS(gc_reaper_flush(forks_on, PATIENCE), 0);
    CHECK(forked > 0);
    check_child(forked);
    CHECK_IS(gc_reaper_free(forks_on, 0), 0);
}

static volatile int busy;

/* without ports, of which there are too few for this */
static void local_pair(check_socket *ours, check_socket *peer)
{
    int both[2];
    CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, both), 0);
    *ours = both[0];
    *peer = both[1];
}

/* no more than a limit of 1024 descriptors allows, however seldom the reapers get a processor */
static void wait_until_few_are_pending(void)
{
    gc_stats stats = GC_STATS_INIT;
    while (busy && gc_get_stats(&stats) == 0 && stats.pending > 200) check_sleep(1);
}

static void hands_over(void *argument)
{
    gc_reaper *reaper = (gc_reaper *)argument;
    while (busy) {
        check_socket sock, peer;
        wait_until_few_are_pending();
        local_pair(&sock, &peer);
        if (reaper != NULL)
            CHECK_IS(gc_reaper_close(reaper, sock, NULL, NULL, NULL), 0);
        else
            CHECK_IS(gc_close_async(sock, 20000), 0);
        check_close(peer);
    }
}

static void hears(void *user, int outcome, const char *line)
{
    (void)user;
    (void)outcome;
    (void)line;
}

/* these have a line in the log each */
static void speaks(void *argument)
{
    (void)argument;
    while (busy) {
        check_socket sock = socket(AF_INET, SOCK_DGRAM, 0);
        CHECK_IS(gc_close(sock, 0), GC_NOT_CONNECTED);
    }
}

static void a_fork_in_the_midst(int with_log)
{
    gc_reaper *reaper = new_reaper(64, GC_FULL_EVICT_OLDEST);
    check_thread threads[3];
    int rounds = check_is_slow() ? 20 : with_log ? 400 : 100, i;
    check_doing = with_log ? "a fork in the midst of the log" : "a fork in the midst";
    busy = 1;
    if (with_log) gc_set_log(hears, NULL);
    check_thread_start(&threads[0], with_log ? speaks : hands_over, with_log ? NULL : reaper);
    check_thread_start(&threads[1], with_log ? speaks : hands_over, NULL);
    check_thread_start(&threads[2], with_log ? speaks : hands_over, with_log ? NULL : reaper);
    for (i = 0; i < rounds; i++) {
        pid_t child = fork();
        check_round = i;
        CHECK(child >= 0);
        if (child == 0) {
            check_socket sock, peer;
            alarm(with_log ? 5 : 60);
            if (with_log) {
                sock = socket(AF_INET, SOCK_DGRAM, 0);
                CHECK_IS(gc_close(sock, 0), GC_NOT_CONNECTED);
                gc_set_log(NULL, NULL);
                _exit(0);
            }
            local_pair(&sock, &peer);
            CHECK_IS(gc_reaper_close(reaper, sock, NULL, NULL, NULL), GC_ERR_STOPPED);
            CHECK_IS(gc_close_async(sock, 20000), 0);
            check_close(peer);
            CHECK_IS(gc_flush(PATIENCE), 0);
            _exit(0);
        }
        check_child(child);
    }
    busy = 0;
    for (i = 0; i < 3; i++) check_thread_join(&threads[i]);
    gc_set_log(NULL, NULL);
    CHECK_IS(gc_flush(PATIENCE), 0);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
}

/* how many sockets there are but this one; no program that is executed gets them */
static int sockets_but(int other)
{
    int fd, found = 0;
    for (fd = 3; fd < 1200; fd++) {
        if (fcntl(fd, F_GETFD) == -1 || !check_is_socket(fd) || fd == other) continue;
        CHECK_IS(fcntl(fd, F_GETFD), FD_CLOEXEC);
        found++;
    }
    return found;
}

/* a program that is executed meanwhile does not hold the connection */
static void not_inherited(unsigned int flags)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    pending one;
    pid_t child;
    int before;
    check_doing = "not inherited";
    /* where there is no eventfd, a reaper has sockets of its own */
    before = sockets_but(-1);
    make_pending(reaper, &one, flags);
    check_sleep(30);
    CHECK_IS(sockets_but(one.peer), before + 1);
    child = a_fork();
    CHECK(child >= 0);
    if (child == 0) {
        fcntl(one.peer, F_SETFD, FD_CLOEXEC);
        /* no socket among what it has */
        execl("/bin/sh", "sh", "-c",
              "for f in /proc/self/fd/*; do"
              " case $(readlink $f) in socket:*) exit 9; esac; done; exit 0",
              (char *)NULL);
        _exit(8);
    }
    check_child(child);
    check_finishes(reaper, &one);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

/* by _exit, right after it handed over: the FIN has left, the answer arrives */
static void a_sudden_exit(void)
{
    int i;
    check_doing = "a sudden exit";
    for (i = 0; i < 20; i++) {
        check_socket sock, peer;
        size_t bytes;
        pid_t child;
        check_round = i;
        check_pair(&sock, &peer);
        CHECK_IS(check_send(peer, "a request", 9), 9);
        check_wait_readable(sock);
        child = a_fork();
        CHECK(child >= 0);
        if (child == 0) {
            check_close(peer);
            check_send_pattern(sock, 5000, 0);
            _exit(gc_close_async(sock, 20000) == 0 ? 0 : 7);
        }
        check_close(sock);
        CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
        CHECK_IS(bytes, 5000);
        check_child(child);
        check_close(peer);
    }
}

/* each the child of the one before */
static void a_long_line(int depth)
{
    check_doing = "a long line of processes";
    check_round = depth;
    if (depth > 0) {
        pid_t child = a_fork();
        CHECK(child >= 0);
        if (child == 0) {
            check_socket sock, peer;
            check_round = depth;
            check_pair(&sock, &peer);
            CHECK_IS(gc_close_async(sock, 20000), 0);
            check_close(peer);
            CHECK_IS(gc_flush(PATIENCE), 0);
            a_long_line(depth - 1);
            _exit(0);
        }
        check_child(child);
    }
}

int main(void)
{
    check_start();
    a_child_keeps_off(0);
    a_child_keeps_off(GC_DEFERRED);
    a_callback_forks();
    /* sanitizers and Valgrind do not survive a fork from among threads that work (a_fork) */
    if (!check_is_slow()) {
        a_fork_in_the_midst(0);
        a_fork_in_the_midst(1);
    }
    not_inherited(0);
    not_inherited(GC_DEFERRED);
    a_sudden_exit();
    a_long_line(10);
    return 0;
}
