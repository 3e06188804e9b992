/*
 * What is done in the call that hands over, with the thread asleep or awake: the program may end
 * the next moment, and everything arrives. Signals that were asked of the descriptor end there,
 * no child inherits it, and a callback may hand over while its reaper is being freed.
 */
#include "reaper_test.h"

#include <sys/wait.h>

static house home;

static void fill(check_socket sock, size_t *queued)
{
    static char bytes[65536];
    long now;
    check_set_blocking(sock, 0);
    for (*queued = 0; (now = check_send(sock, bytes, sizeof(bytes))) > 0;) *queued += (size_t)now;
}

static size_t read_all(check_socket peer, int *error)
{
    static char bytes[65536];
    size_t all = 0;
    long now;
    while ((now = check_receive(peer, bytes, sizeof(bytes))) > 0) all += (size_t)now;
    *error = now == 0 ? 0 : check_last_error();
    return all;
}

enum { ASLEEP, AWAKE, WITH_ONE_PENDING, STATES };

/* unread data, a large answer, a linger time of zero: and the program is gone */
static void the_program_ends(int state, int linger)
{
    check_socket sock, peer;
    int pipes[2], error;
    size_t queued = 0;
    pid_t child;
    check_doing = linger ? "the program ends, SO_LINGER was on" : "the program ends";
    check_round = state;
    CHECK_IS(pipe(pipes), 0);
    house_pair(&home, &sock, &peer);
    CHECK_IS(check_send(peer, "unread", 6), 6);
    check_wait_readable(sock);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        check_socket first, first_peer;
        check_close(peer);
        fill(sock, &queued);
        CHECK_IS(write(pipes[1], &queued, sizeof(queued)), (long)sizeof(queued));
        if (linger) check_set_linger(sock, 1, 0);
        house_pair(&home, &first, &first_peer);
        CHECK_IS(gc_close_async(first, 20000), 0);
        if (state == ASLEEP) {
            check_close(first_peer);
            CHECK_IS(gc_flush(PATIENCE), 0);
        }
        if (state != AWAKE) check_sleep(50);
        _exit(gc_close_async(sock, 20000) == 0 ? 0 : 7);
    }
    check_close(sock);
    CHECK_IS(waitpid(child, &error, 0), child);
    CHECK(WIFEXITED(error));
    CHECK_IS(WEXITSTATUS(error), 0);
    CHECK_IS(read(pipes[0], &queued, sizeof(queued)), (long)sizeof(queued));
    CHECK_IS(read_all(peer, &error), queued);
    CHECK_IS(error, 0);
    check_close(peer);
    close(pipes[0]);
    close(pipes[1]);
}

/* closed in the call, if that finishes it: its number and its connection are gone */
static void finished_in_the_call(int awake)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    check_socket sock, peer, other, other_peer;
    size_t before;
    check_doing = "finished in the call";
    check_round = awake;
    house_pair(&home, &sock, &peer);
    CHECK_IS(check_send(peer, "the last", 8), 8);
    check_half_close(peer);
    check_sleep(20);
    if (awake) {
        house_pair(&home, &other, &other_peer);
        CHECK_IS(gc_reaper_close(reaper, other, NULL, NULL, NULL), 0);
    }
    before = gc_reaper_pending(reaper);
    CHECK_IS(gc_reaper_close(reaper, sock, NULL, NULL, NULL), 0);
    CHECK_IS(fcntl(sock, F_GETFD), -1);
    CHECK_IS(gc_reaper_pending(reaper), before);
    check_close(peer);
    if (awake) check_close(other_peer);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
}

static volatile sig_atomic_t signals;

static void counts(int number)
{
    (void)number;
    signals++;
}

/* with_other: somebody else holds it, and goes on to be told */
static void no_more_signals(int awake, int with_other, unsigned int flags)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer, next, next_peer;
    int i, other = -1;
    check_doing = "no more signals";
    check_round = (long)flags * 100 + awake * 10 + with_other;
    options.flags = flags;
    house_pair(&home, &sock, &peer);
    house_pair(&home, &next, &next_peer);
    CHECK_IS(fcntl(sock, F_SETOWN, getpid()), 0);
    CHECK_IS(fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) | O_ASYNC), 0);
    if (with_other) other = dup(sock);
    if (awake) CHECK_IS(gc_reaper_close(reaper, next, NULL, NULL, NULL), 0);
    CHECK_IS(gc_reaper_close(reaper, sock, &options, NULL, NULL), 0);
    if (check_is_slow()) check_sleep(5); /* ThreadSanitizer keeps one of before back until then */
    signals = 0;
    for (i = 0; i < 5; i++) {
        CHECK_IS(check_send(peer, "x", 1), 1);
        CHECK_IS(send(peer, "!", 1, MSG_OOB | CHECK_SEND_FLAGS), 1);
        check_sleep(5);
    }
    CHECK_IS(signals > 0, with_other);
    if (with_other) {
        CHECK(fcntl(other, F_GETFL) & O_ASYNC);
        check_close(other);
    }
    check_close(peer);
    check_close(next_peer);
    if (!awake) check_close(next);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    signals = 0;
}

enum { AT_ONCE, LATER, AT_ONCE_WITH_MORE, LATER_WITH_MORE, CONTINUED, HAND_OVERS };

/* above what is moved, too, by each way that a descriptor comes to the background */
static void close_on_exec(int awake, int way)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer, next, next_peer;
    struct rlimit limit;
    int high;
    check_doing = "close-on-exec above 1024";
    check_round = way * 10 + awake;
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2048) limit.rlim_cur = limit.rlim_max < 2048 ? limit.rlim_max : 2048;
    if (limit.rlim_cur < 2048) return;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    options.flags = way == LATER || way == LATER_WITH_MORE ? GC_DEFERRED : 0;
    /* a time-out and nothing else goes a shorter way */
    options.idle_timeout_ms = way == AT_ONCE_WITH_MORE || way == LATER_WITH_MORE ? 20000 : 0;
    house_pair(&home, &sock, &peer);
    house_pair(&home, &next, &next_peer);
    high = fcntl(sock, F_DUPFD, 1500);
    CHECK(high >= 1500);
    check_close(sock);
    CHECK_IS(fcntl(high, F_GETFD), 0);
    if (awake) CHECK_IS(gc_reaper_close(reaper, next, NULL, NULL, NULL), 0);
    if (way == CONTINUED) {
        options.timeout_ms = 0;
        options.fallback = GC_THEN_BACKGROUND;
        CHECK_IS(gc_close_with(high, &options, NULL), GC_CONTINUED);
    } else {
        CHECK_IS(gc_reaper_close(reaper, high, &options, NULL, NULL), 0);
    }
    CHECK_IS(fcntl(high, F_GETFD), FD_CLOEXEC);
    check_close(peer);
    check_close(next_peer);
    if (!awake) check_close(next);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    CHECK_IS(gc_flush(PATIENCE), 0);
}

/* --- a callback hands over while its reaper is being freed --- */

typedef struct {
    gc_reaper *reaper;
    check_socket sock;
    volatile int began, code, error, of_process;
    check_socket another;
} late;

static void hands_over(void *user, gc_socket sock, const gc_report *report)
{
    late *self = (late *)user;
    (void)sock;
    (void)report;
    CHECK_STORE(self->began, 1);
    check_sleep(100); /* gc_reaper_free() is under way by then */
    errno = 0;
    self->code = gc_reaper_close(self->reaper, self->sock, NULL, NULL, NULL);
    self->error = errno;
    self->of_process = gc_close_async(self->another, 20000);
}

static void frees(void *user) { CHECK_IS(gc_reaper_free(((late *)user)->reaper, PATIENCE), 0); }

static void while_being_freed(unsigned int flags)
{
    check_socket sock, peer, late_peer, another_peer;
    gc_options options = GC_OPTIONS_INIT;
    check_thread thread;
    late self;
    check_doing = "a hand-over from a callback while its reaper is being freed";
    check_round = (long)flags;
    memset(&self, 0, sizeof(self));
    options.flags = flags;
    self.reaper = new_reaper(0, GC_FULL_REFUSE);
    house_pair(&home, &sock, &peer);
    house_pair(&home, &self.sock, &late_peer);
    house_pair(&home, &self.another, &another_peer);
    CHECK_IS(gc_reaper_close(self.reaper, sock, &options, hands_over, &self), 0);
    check_close(peer);
    while (!CHECK_LOAD(self.began)) check_sleep(1);
    check_thread_start(&thread, frees, &self);
    check_thread_join(&thread);
    CHECK_IS(self.code, GC_ERR_STOPPED);
    CHECK(self.error != 0);
    CHECK_IS(self.of_process, 0);
    check_works(self.sock, late_peer); /* untouched */
    check_close(self.sock);
    check_close(late_peer);
    check_close(another_peer);
    CHECK_IS(gc_flush(PATIENCE), 0);
}

/* --- the child of a callback has the signal mask of whoever started the reaper --- */

static volatile int child_status;

static void forks(void *user, gc_socket sock, const gc_report *report)
{
    pid_t child;
    sigset_t held;
    int status = 0;
    (void)user;
    (void)sock;
    (void)report;
    child = fork();
    if (child == 0) {
        if (pthread_sigmask(SIG_BLOCK, NULL, &held) != 0) _exit(1);
        if (sigismember(&held, SIGTERM) || sigismember(&held, SIGINT)) _exit(2);
        if (!sigismember(&held, SIGUSR2)) _exit(3);
        _exit(0);
    }
    waitpid(child, &status, 0);
    child_status = WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void children_of_callbacks(void)
{
    check_socket sock, peer;
    gc_reaper *reaper;
    sigset_t set, before;
    check_doing = "children of callbacks";
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK_IS(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
    reaper = new_reaper(0, GC_FULL_REFUSE);
    CHECK_IS(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    house_pair(&home, &sock, &peer);
    child_status = 98;
    CHECK_IS(gc_reaper_close(reaper, sock, NULL, forks, NULL), 0);
    check_close(peer);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    CHECK_IS(child_status, 0);
}

#ifdef __linux__
/* a connect that is under way: nobody accepts, and the backlog is full */
static void still_connecting(unsigned int flags)
{
    check_socket listener, callers[10], last = CHECK_NO_SOCKET;
    struct sockaddr_in address;
    gc_options options = GC_OPTIONS_INIT;
    gc_stats before, after;
    int i, count = 0;
    check_doing = "still connecting";
    check_round = (long)flags;
    listener = check_bound(SOCK_STREAM, &address);
    CHECK_IS(listen(listener, 0), 0);
    while (last == CHECK_NO_SOCKET && count < 10) {
        check_length length = (check_length)sizeof(address);
        struct sockaddr_in peer;
        callers[count] = socket(AF_INET, SOCK_STREAM, 0);
        check_set_blocking(callers[count], 0);
        (void)connect(callers[count], (struct sockaddr *)&address, length);
        check_sleep(5);
        if (getpeername(callers[count], (struct sockaddr *)&peer, &length) != 0)
            last = callers[count];
        else
            count++;
    }
    CHECK(last != CHECK_NO_SOCKET);
    options.flags = flags;
    before.struct_size = after.struct_size = sizeof(before);
    CHECK_IS(gc_get_stats(&before), 0);
    CHECK_IS(gc_close_async_with(last, &options, NULL, NULL), 0);
    CHECK_IS(gc_flush(PATIENCE), 0);
    CHECK_IS(gc_get_stats(&after), 0);
    CHECK_IS(after.by_outcome[GC_NOT_CONNECTED] - before.by_outcome[GC_NOT_CONNECTED], 1);
    CHECK_IS(after.closed - before.closed, 1);
    for (i = 0; i < count; i++) check_close(callers[i]);
    check_close(listener);
}
#endif

int main(void)
{
    struct sigaction action;
    int state, awake, linger, way;
    check_start();
    house_open(&home);
    memset(&action, 0, sizeof(action));
    action.sa_handler = counts;
    action.sa_flags = SA_RESTART;
    CHECK_IS(sigaction(SIGIO, &action, NULL), 0);
    CHECK_IS(sigaction(SIGURG, &action, NULL), 0);
    if (!check_is_slow()) { /* a sanitizer's child may hang on a lock */
        for (state = 0; state < STATES; state++)
            for (linger = 0; linger < 2; linger++) the_program_ends(state, linger);
        children_of_callbacks();
    }
    for (awake = 0; awake < 2; awake++) {
        finished_in_the_call(awake);
        no_more_signals(awake, 0, 0);
        no_more_signals(awake, 0, GC_DEFERRED);
#ifdef __linux__ /* nobody else tells who holds it */
        no_more_signals(awake, 1, 0);
        no_more_signals(awake, 1, GC_DEFERRED);
#endif
        for (way = 0; way < HAND_OVERS; way++) close_on_exec(awake, way);
    }
#ifdef __linux__
    still_connecting(0);
    still_connecting(GC_DEFERRED);
#endif
    while_being_freed(0);
    while_being_freed(GC_DEFERRED);
    check_close(home.listener);
    return 0;
}
