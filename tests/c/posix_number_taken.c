/*
 * A program closes a descriptor that it has handed over, by mistake, and gets its number again
 * for something else: that is not touched, whatever it is, and the one that was handed over is
 * told as GC_ERR_NOT_A_SOCKET. Likewise while a call of the program's waits for it.
 */
#include "reaper_test.h"

#include <sys/stat.h>
#include <sys/wait.h>

static house home;

enum {
    A_FILE, A_PIPE, A_LISTENER, A_NEW_SOCKET, A_CONNECTION, A_HALF_CLOSED_ONE, ONE_CLOSED_BY_ITS_PEER, NOTHING, KINDS
};

static const char *const names[] = {
    "a file", "a pipe", "a listener", "a new socket", "a connection", "a half-closed connection",
    "a connection that its peer has closed", "nothing"
};

/* one of that kind under that number; `other` is its far end */
static void put(int kind, int number, int *other)
{
    int ends[2] = { -1, -1 };
    *other = -1;
    if (kind == A_FILE) {
        FILE *file = tmpfile();
        CHECK(file != NULL);
        ends[0] = dup(fileno(file));
        fclose(file);
    } else if (kind == A_PIPE) {
        CHECK_IS(pipe(ends), 0);
        CHECK_IS(write(ends[1], "piped", 5), 5);
    } else if (kind == A_LISTENER) {
        struct sockaddr_in address;
        ends[0] = check_listener(&address);
    } else if (kind == A_NEW_SOCKET) {
        ends[0] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(ends[0] != -1);
    } else if (kind != NOTHING) {
        house_pair(&home, &ends[0], &ends[1]);
        CHECK_IS(check_send(ends[1], "mine!", 5), 5);
        if (kind == A_HALF_CLOSED_ONE) check_half_close(ends[0]);
        if (kind == ONE_CLOSED_BY_ITS_PEER) check_half_close(ends[1]);
    } else
        return;
    if (ends[1] == number) {
        ends[1] = dup(number);
        CHECK(ends[1] != -1);
        close(number);
    }
    if (ends[0] != number) {
        put_under(number, ends[0]);
        close(ends[0]);
    }
    *other = ends[1];
}

static void check_untouched(int kind, int number, int other)
{
    char bytes[8];
    struct stat stat;
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    if (kind == NOTHING) {
        CHECK_IS(fcntl(number, F_GETFD), -1);
        return;
    }
    CHECK(fcntl(number, F_GETFD) != -1);
    if (kind == A_FILE) {
        CHECK_IS(fstat(number, &stat), 0);
        CHECK_IS(stat.st_size, 0);
    } else if (kind == A_PIPE) {
        CHECK_IS(read(number, bytes, 8), 5);
    } else if (kind == A_LISTENER) {
        CHECK_IS(getsockname(number, (struct sockaddr *)&address, &length), 0);
        other = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_IS(connect(other, (struct sockaddr *)&address, length), 0);
    } else if (kind == A_NEW_SOCKET) {
        CHECK_IS(connect(number, (struct sockaddr *)&home.address, sizeof(home.address)), 0);
        other = accept(home.listener, NULL, NULL);
        CHECK(other != -1);
    } else {
        CHECK_IS(recv(number, bytes, 8, MSG_DONTWAIT), 5);
        CHECK_IS(recv(other, bytes, 8, MSG_DONTWAIT), kind == A_HALF_CLOSED_ONE ? 0 : -1);
    }
    close(number);
    if (other != -1) close(other);
}

static void told_gone(void *user, gc_socket sock, const gc_report *report)
{
    told *self = (told *)user;
    CHECK_IS(self->calls, 0);
    CHECK_IS(sock, self->sock);
    self->report = *report;
    CHECK_STORE(self->calls, 1);
}

enum { BY_TIME, BY_EVICTION, BY_STOP, WAYS };

/* long enough for what comes before the end of it, on this machine */
static unsigned int soon_ms = 60;

/* `flags`: GC_DEFERRED or 0; `awake`: the thread has something to do at that moment */
static void taken(int kind, unsigned int flags, int way, int awake)
{
    gc_reaper *reaper = new_reaper(way == BY_EVICTION ? 1 : 0, GC_FULL_EVICT_OLDEST);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer, next, next_peer;
    int other;
    told end;
    check_doing = names[kind];
    check_round = (long)flags * 100 + way * 10 + awake;
    options.flags = flags;
    options.timeout_ms = way == BY_TIME ? soon_ms : 60000;
    house_pair(&home, &sock, &peer);
    if (awake) {
        house_pair(&home, &next, &next_peer);
        CHECK_IS(gc_reaper_close(reaper, next, NULL, NULL, NULL), 0);
        check_close(next_peer);
    }
    told_start(&end, sock);
    /* without a callback it goes the short way */
    CHECK_IS(gc_reaper_close(reaper, sock, &options, awake ? NULL : told_gone, &end), 0);
    if (close(sock) != 0) {
        /* its time was up before, and it is closed: there was nothing to be taken */
        CHECK(way == BY_TIME && soon_ms < 8000);
        CHECK_BETWEEN(gc_reaper_free(reaper, 0), 0, GC_TIMED_OUT);
        check_close(peer);
        soon_ms *= 4;
        taken(kind, flags, way, awake);
        return;
    }
    put(kind, sock, &other);
    if (way == BY_EVICTION) {
        house_pair(&home, &next, &next_peer);
        CHECK_IS(gc_reaper_close(reaper, next, NULL, NULL, NULL), 0);
        if (!awake) await_told(&end);
        check_close(next_peer);
    }
    if (way == BY_TIME) CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_BETWEEN(gc_reaper_free(reaper, 0), 0, GC_TIMED_OUT);
    if (!awake) {
        CHECK_IS(end.calls, 1);
        CHECK_IS(end.report.outcome, GC_ERR_NOT_A_SOCKET);
        CHECK_IS(end.report.closed, 0);
    }
    check_untouched(kind, sock, other);
    check_close(peer);
}

/*
 * With the thread at work there is a microsecond between its look and what it does, as there is
 * between any two calls of threads that do not agree on a descriptor: not three times running.
 */
static void taken_while_awake(int kind, unsigned int flags, int way)
{
    int attempt;
    for (attempt = 0; attempt < 3; attempt++) {
        int status;
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            taken(kind, flags, way, 1);
            exit(0);
        }
        CHECK_IS(waitpid(child, &status, 0), child);
        if (status == 0) return;
    }
    check_doing = names[kind];
    CHECK(!"untouched while the thread is at work");
}

/* handed over twice, as double closes do */
static void twice(unsigned int flags)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer;
    told ends[2];
    int other;
    check_doing = "handed over twice";
    options.flags = flags;
    options.timeout_ms = 100;
    house_pair(&home, &sock, &peer);
    told_start(&ends[0], sock);
    told_start(&ends[1], sock);
    CHECK_IS(gc_reaper_close(reaper, sock, &options, told_gone, &ends[0]), 0);
    CHECK_IS(gc_reaper_close(reaper, sock, &options, told_gone, &ends[1]), 0);
    check_sleep(20);
    check_close(peer);
    while (fcntl(sock, F_GETFD) != -1) check_sleep(1);
    put(A_CONNECTION, sock, &other);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
    CHECK_IS((ends[0].report.outcome == GC_GRACEFUL) + (ends[1].report.outcome == GC_GRACEFUL), 1);
    CHECK_IS(ends[0].report.outcome + ends[1].report.outcome, GC_ERR_NOT_A_SOCKET);
    check_untouched(A_CONNECTION, sock, other);
}

static check_socket waited_for;
static int taker, taken_kind;

static void takes(void *unused)
{
    (void)unused;
    check_sleep(100);
    CHECK_IS(close(waited_for), 0);
    put(taken_kind, waited_for, &taker);
}

/* the blocking calls on another thread */
static void while_a_call_waits(int kind, int many)
{
    check_thread thread;
    check_socket socks[3], peers[3];
    gc_options options = GC_OPTIONS_INIT;
    gc_report reports[3];
    int i;
    check_doing = names[kind];
    check_round = 1000 + many;
    taken_kind = kind;
    options.timeout_ms = check_is_slow() ? 1500 : 400;
    for (i = 0; i < 3; i++) {
        gc_report blank = GC_REPORT_INIT;
        reports[i] = blank;
        house_pair(&home, &socks[i], &peers[i]);
    }
    waited_for = socks[1];
    check_thread_start(&thread, takes, NULL);
    if (many) {
        CHECK_IS(gc_close_many(socks, 3, &options, reports), 0);
        CHECK_IS(reports[0].outcome, GC_TIMED_OUT);
        CHECK_IS(reports[1].outcome, GC_ERR_NOT_A_SOCKET);
        CHECK_IS(reports[1].closed, 0);
        CHECK_IS(reports[2].outcome, GC_TIMED_OUT);
    } else {
        CHECK_IS(gc_close(socks[1], options.timeout_ms), GC_ERR_NOT_A_SOCKET);
        check_close(socks[0]);
        check_close(socks[2]);
    }
    check_thread_join(&thread);
    check_untouched(kind, waited_for, taker);
    for (i = 0; i < 3; i++) check_close(peers[i]);
}

/* between two steps; or freed in the midst */
static void between_steps(int kind, int freed)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing = NULL;
    gc_report report = GC_REPORT_INIT;
    check_socket sock, peer;
    int other;
    check_doing = names[kind];
    check_round = 2000 + freed;
    options.timeout_ms = 200;
    house_pair(&home, &sock, &peer);
    CHECK_IS(gc_closing_new(sock, &options, &closing), 0);
    CHECK_IS(gc_closing_step(closing), GC_PENDING);
    CHECK_IS(close(sock), 0);
    put(kind, sock, &other);
    if (!freed) {
        check_sleep(220);
        CHECK_IS(gc_closing_step(closing), GC_ERR_NOT_A_SOCKET);
        CHECK_IS(gc_closing_report(closing, &report), 0);
        CHECK_IS(report.outcome, GC_ERR_NOT_A_SOCKET);
        CHECK_IS(report.closed, 0);
    }
    gc_closing_free(closing);
    check_untouched(kind, sock, other);
    check_close(peer);
}

int main(void)
{
    struct rlimit limit;
    int kind, way;
    check_start();
    /* so that nothing can be moved out of the program's way */
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 1024;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    house_open(&home);
    for (kind = 0; kind < KINDS; kind++) {
        for (way = 0; way < WAYS; way++) {
            taken(kind, 0, way, 0);
            taken(kind, GC_DEFERRED, way, 0);
            if (check_is_slow()) continue;
            taken_while_awake(kind, 0, way);
            taken_while_awake(kind, GC_DEFERRED, way);
        }
    }
    twice(0);
    twice(GC_DEFERRED);
    for (kind = 0; kind < KINDS; kind++) {
        while_a_call_waits(kind, 0);
        while_a_call_waits(kind, 1);
        between_steps(kind, 0);
        between_steps(kind, 1);
    }
    check_close(home.listener);
    return 0;
}
