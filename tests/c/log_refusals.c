/*
 * Every refused call has one line in the log: the function, what was wrong, what was left untouched,
 * what to do. The number is that which the call returns. Whoever gets the line may call the library and
 * spoil the last error: the refused call still leaves its own.
 */
#include "reaper_test.h"

#ifdef __linux__
#include <dlfcn.h>
#endif

#define SPOILT 54321

static struct {
    volatile long count;
    int number;
    char line[600];
} log_of;

static gc_reaper *pending_at;

/* calls what may be called, and gets nothing of it as a line: that would never come to an end */
static void writes_down(void *user, int number, const char *line)
{
    gc_stats stats = GC_STATS_INIT;
    check_socket sock;
    long count;
    CHECK(user == (void *)&log_of);
    CHECK(strlen(line) < sizeof(log_of.line));
    CHECK(strchr(line, '\n') == NULL);
    count = CHECK_LOAD(log_of.count); /* of the other thread that writes down */
    log_of.number = number;
    strcpy(log_of.line, line);
    CHECK_STORE(log_of.count, count + 1);
    CHECK_IS(gc_close(CHECK_NO_SOCKET, 0), GC_ERR_NOT_A_SOCKET);
    CHECK_IS(gc_get_stats(&stats), 0);
    if (pending_at != NULL) gc_reaper_pending(pending_at);
    sock = socket(AF_INET, SOCK_STREAM, 0);
    if (sock != CHECK_NO_SOCKET) CHECK_IS(gc_abort(sock), 0);
    check_set_last_error(SPOILT);
}

/* the next call has a line of its own */
static void listen_anew(const char *doing)
{
    check_doing = doing;
    log_of.line[0] = '\0';
    CHECK_STORE(log_of.count, 0); /* after all else, for the thread of a reaper */
    check_set_last_error(0);
}

/* one line since: of this function, with these words */
static void check_line(int number, int expected, const char *function, const char *words)
{
    int error = check_last_error();
    CHECK_IS(number, expected);
    CHECK_IS(log_of.count, 1);
    CHECK_IS(log_of.number, expected);
    CHECK(error != 0 && error != SPOILT);
    if (expected == GC_ERR_ARGUMENT) CHECK_IS(error, CHECK_EINVAL);
    if (strncmp(log_of.line, function, strlen(function)) != 0 ||
        strncmp(log_of.line + strlen(function), ": ", 2) != 0 || strstr(log_of.line, words) == NULL) {
        printf("expected %s: ...%s..., the line is: %s\n", function, words, log_of.line);
        exit(1);
    }
    listen_anew(check_doing);
}

#define REFUSED(call, number, function, words) check_line((int)(call), number, function, words)

static void options_of(const char *what, gc_options options, const char *words)
{
    check_socket sock = socket(AF_INET, SOCK_STREAM, 0);
    char whole[200];
    listen_anew(what);
    REFUSED(gc_close_with(sock, &options, NULL), GC_ERR_ARGUMENT, "gc_close_with", words);
    /* the whole line */
    CHECK_IS(gc_close_with(sock, &options, NULL), GC_ERR_ARGUMENT);
    sprintf(whole, "gc_close_with: %s; nothing was done", words);
    CHECK_TEXT(log_of.line, whole);
    CHECK(check_is_socket(sock));
    check_close(sock);
}

static void wrong_options(void)
{
    const gc_options good = GC_OPTIONS_INIT;
    gc_options options;
    union {
        gc_options options;
        unsigned char bytes[sizeof(gc_options) + 32];
    } newer;
    options = good;
    options.struct_size = 0;
    options_of("size", options, "struct_size of gc_options is 0: start from GC_OPTIONS_INIT");
    options.struct_size = 7;
    options_of("size", options, "struct_size of gc_options is 7: start from GC_OPTIONS_INIT");
    options = good;
    options.fallback = 77;
    options_of("fallback", options,
               "fallback is 77: it may be GC_THEN_CLOSE, GC_THEN_ABORT, GC_THEN_KEEP or GC_THEN_BACKGROUND");
    options.fallback = GC_THEN_BACKGROUND;
    options.flags = GC_KEEP_OPEN;
    options_of("flags", options,
               "GC_KEEP_OPEN and GC_THEN_BACKGROUND exclude each other: only one can have the descriptor");
    options = good;
    options.if_shared = 9;
    options_of("if_shared", options, "if_shared is 9: it may be GC_SHARED_SHUTDOWN or GC_SHARED_RELEASE");
    options = good;
    options.flags = 0x1002;
    options_of("flags", options,
               "flags has 0x1000: it may have GC_DEFERRED, GC_UNTIL_ACKED, GC_KEEP_OPEN");
    memset(&newer, 0, sizeof(newer));
    newer.options = good;
    newer.options.struct_size = sizeof(newer);
    newer.bytes[sizeof(newer) - 1] = 1;
    listen_anew("newer fields");
    REFUSED(gc_close_with(CHECK_NO_SOCKET, &newer.options, NULL), GC_ERR_ARGUMENT, "gc_close_with",
            "gc_options has fields set that version ");
}

static void wrong_reports(void)
{
    const gc_report good = GC_REPORT_INIT;
    gc_report reports[3];
    gc_stats stats;
    check_socket socks[3];
    int i;
    for (i = 0; i < 3; i++) reports[i] = good;
    for (i = 0; i < 3; i++) socks[i] = CHECK_NO_SOCKET;
    reports[0].struct_size = 3;
    listen_anew("reports");
    REFUSED(gc_close_with(CHECK_NO_SOCKET, NULL, reports), GC_ERR_ARGUMENT, "gc_close_with",
            "struct_size of gc_report is 3: start from GC_REPORT_INIT");
    reports[0] = good;
    reports[2].struct_size = 8;
    REFUSED(gc_close_many(socks, 3, NULL, reports), GC_ERR_ARGUMENT, "gc_close_many",
            "struct_size of reports[2] is not that of reports[0]");
    REFUSED(gc_get_stats(NULL), GC_ERR_ARGUMENT, "gc_get_stats", "stats is NULL");
    stats.struct_size = 1;
    REFUSED(gc_get_stats(&stats), GC_ERR_ARGUMENT, "gc_get_stats",
            "struct_size of gc_stats is 1: start from GC_STATS_INIT");
}

static void wrong_many(void)
{
    const gc_report good = GC_REPORT_INIT;
    gc_report reports[2];
    check_socket socks[2];
    listen_anew("many");
    reports[0] = reports[1] = good;
    REFUSED(gc_close_many(NULL, 2, NULL, NULL), GC_ERR_ARGUMENT, "gc_close_many", "socks is NULL");
    socks[0] = socks[1] = socket(AF_INET, SOCK_STREAM, 0);
    REFUSED(gc_close_many(socks, 2, NULL, NULL), GC_ERR_ARGUMENT, "gc_close_many",
            " stands twice in socks; nothing was done");
    REFUSED(gc_close_many(socks, (size_t)-1 / 2, NULL, NULL), GC_ERR_ARGUMENT, "gc_close_many",
            ": so many sockets cannot be");
    /* one of them: the call is not refused, that one is */
    socks[1] = CHECK_NO_SOCKET;
    CHECK_IS(gc_close_many(socks, 2, NULL, reports), 0);
    CHECK_IS(reports[1].outcome, GC_ERR_NOT_A_SOCKET);
    CHECK_IS(log_of.count, 2); /* the other one was not connected */
    CHECK_IS(log_of.number, GC_ERR_NOT_A_SOCKET);
    CHECK(strncmp(log_of.line, "gc_close_many: -1 is not an open socket: ", 41) == 0);
}

static void not_a_socket(void)
{
    static const char words[] = "-1 is not an open socket: ";
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_closing *closing = NULL;
    listen_anew("not a socket");
    REFUSED(gc_close(CHECK_NO_SOCKET, 0), GC_ERR_NOT_A_SOCKET, "gc_close", words);
    REFUSED(gc_close_with(CHECK_NO_SOCKET, NULL, NULL), GC_ERR_NOT_A_SOCKET, "gc_close_with", words);
    REFUSED(gc_finish(CHECK_NO_SOCKET, 0), GC_ERR_NOT_A_SOCKET, "gc_finish", words);
    REFUSED(gc_abort(CHECK_NO_SOCKET), GC_ERR_NOT_A_SOCKET, "gc_abort", words);
    REFUSED(gc_closesocket(CHECK_NO_SOCKET), GC_ERR_NOT_A_SOCKET, "gc_closesocket", words);
    REFUSED(gc_closing_new(CHECK_NO_SOCKET, NULL, &closing), GC_ERR_NOT_A_SOCKET, "gc_closing_new", words);
    REFUSED(gc_close_async(CHECK_NO_SOCKET, 0), GC_ERR_NOT_A_SOCKET, "gc_close_async", words);
    REFUSED(gc_reaper_close(reaper, CHECK_NO_SOCKET, NULL, NULL, NULL), GC_ERR_NOT_A_SOCKET,
            "gc_reaper_close", words);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
#ifndef _WIN32
    {
        int ends[2], sock, other;
        char line[200];
        CHECK_IS(pipe(ends), 0);
        CHECK_IS(gc_close(ends[0], 0), GC_ERR_NOT_A_SOCKET);
        sprintf(line, "gc_close: %d is not an open socket: %s (os error %d); it was left alone: look for a "
                "second close of the same number", ends[0], strerror(ENOTSOCK), ENOTSOCK);
        CHECK_TEXT(log_of.line, line);
        check_close(ends[0]);
        check_close(ends[1]);
        /* the program closes it between two steps */
        check_pair(&sock, &other);
        CHECK_IS(gc_closing_new(sock, NULL, &closing), 0);
        CHECK_IS(gc_closing_step(closing), GC_PENDING);
        check_close(sock);
        listen_anew("closed between two steps");
        sprintf(line, "%d is not an open socket: ", sock);
        REFUSED(gc_closing_step(closing), GC_ERR_NOT_A_SOCKET, "gc_closing_step", line);
        gc_closing_free(closing);
        check_close(other);
    }
#endif
}

static gc_closing *stepped;
static int inner_step;

static int steps_again(void *user, const void *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
    inner_step = gc_closing_step(stepped);
    return 0;
}

static void wrong_handles(void)
{
    gc_report report = GC_REPORT_INIT;
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer;
    check_pair(&sock, &peer);
    listen_anew("handles");
    REFUSED(gc_closing_new(sock, NULL, NULL), GC_ERR_ARGUMENT, "gc_closing_new", "out is NULL");
    REFUSED(gc_closing_step(NULL), GC_ERR_ARGUMENT, "gc_closing_step", "closing is NULL");
    REFUSED(gc_closing_report(NULL, &report), GC_ERR_ARGUMENT, "gc_closing_report", "closing is NULL");
    options.on_data = steps_again;
    CHECK_IS(gc_closing_new(sock, &options, &stepped), 0);
    REFUSED(gc_closing_report(stepped, NULL), GC_ERR_ARGUMENT, "gc_closing_report", "report is NULL");
    CHECK_IS(check_send(peer, "x", 1), 1);
    check_wait_readable(sock);
    CHECK_IS(gc_closing_step(stepped), GC_PENDING);
    CHECK_IS(inner_step, GC_ERR_ARGUMENT);
    CHECK_IS(log_of.count, 1);
    CHECK(strstr(log_of.line, "inside a step of the same gc_closing") != NULL);
    gc_set_log(NULL, NULL);
    gc_closing_free(stepped);
    gc_set_log(writes_down, (void *)&log_of);
    check_close(peer);
}

static int inner_free;

static void frees_its_own(void *user, gc_socket sock, const gc_report *report)
{
    (void)sock;
    (void)report;
    inner_free = gc_reaper_free((gc_reaper *)user, 0);
}

static void wrong_reapers(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_reaper_options of_reaper = GC_REAPER_OPTIONS_INIT;
    gc_reaper *reaper = NULL;
    check_socket sock, peer;
    listen_anew("reapers");
    check_pair(&sock, &peer);
    REFUSED(gc_reaper_new(NULL, NULL), GC_ERR_ARGUMENT, "gc_reaper_new", "out is NULL");
    of_reaper.when_full = 5;
    REFUSED(gc_reaper_new(&of_reaper, &reaper), GC_ERR_ARGUMENT, "gc_reaper_new",
            "when_full is 5: it may be GC_FULL_EVICT_OLDEST or GC_FULL_REFUSE");
    of_reaper.struct_size = 2;
    REFUSED(gc_reaper_new(&of_reaper, &reaper), GC_ERR_ARGUMENT, "gc_reaper_new",
            "struct_size of gc_reaper_options is 2: start from GC_REAPER_OPTIONS_INIT");
    REFUSED(gc_reaper_close(NULL, sock, NULL, NULL, NULL), GC_ERR_ARGUMENT, "gc_reaper_close",
            "reaper is NULL");
    REFUSED(gc_reaper_flush(NULL, 0), GC_ERR_ARGUMENT, "gc_reaper_flush", "reaper is NULL");
    reaper = new_reaper(1, GC_FULL_REFUSE);
    options.fallback = GC_THEN_KEEP;
    REFUSED(gc_reaper_close(reaper, sock, &options, NULL, NULL), GC_ERR_ARGUMENT, "gc_reaper_close",
            "GC_THEN_KEEP and GC_KEEP_OPEN are not for the background");
    options.fallback = GC_THEN_CLOSE;
    options.flags = GC_KEEP_OPEN;
    REFUSED(gc_reaper_close(reaper, sock, &options, NULL, NULL), GC_ERR_ARGUMENT, "gc_reaper_close",
            "GC_THEN_KEEP and GC_KEEP_OPEN are not for the background");
    REFUSED(gc_close_async_with(sock, &options, NULL, NULL), GC_ERR_ARGUMENT, "gc_close_async_with",
            "GC_THEN_KEEP and GC_KEEP_OPEN are not for the background");
    options.flags = 0;
    options.fallback = GC_THEN_BACKGROUND;
    REFUSED(gc_reaper_close(reaper, sock, &options, NULL, NULL), GC_ERR_ARGUMENT, "gc_reaper_close",
            "GC_THEN_BACKGROUND is not for the background");
    options.fallback = GC_THEN_CLOSE;
    CHECK_IS(gc_reaper_close(reaper, sock, &options, frees_its_own, reaper), 0);
    {
        check_socket second, second_peer;
        char words[100];
        check_pair(&second, &second_peer);
        sprintf(words, "(GC_FULL_REFUSE); socket %lu is still open and yours: try again later",
                (unsigned long)second);
        REFUSED(gc_reaper_close(reaper, second, &options, NULL, NULL), GC_ERR_RESOURCES, "gc_reaper_close",
                words);
        check_works(second, second_peer);
        check_close(second);
        check_close(second_peer);
    }
    check_close(peer);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(inner_free, GC_ERR_ARGUMENT);
    CHECK_IS(log_of.count, 1);
    CHECK(strstr(log_of.line, "gc_reaper_free: it was called on the reaper's own thread") != NULL);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

static check_socket late;
static int late_code;
static gc_reaper *being_freed;

static void hands_over(void *user, gc_socket sock, const gc_report *report)
{
    (void)user;
    (void)sock;
    (void)report;
    CHECK_STORE(log_of.count, 0);
    late_code = gc_reaper_close(being_freed, late, NULL, NULL, NULL);
}

static void stopped(void)
{
    check_socket sock, peer, late_peer;
    char words[100];
    listen_anew("being freed");
    being_freed = new_reaper(0, GC_FULL_REFUSE);
    check_pair(&sock, &peer);
    check_pair(&late, &late_peer);
    CHECK_IS(gc_reaper_close(being_freed, sock, NULL, hands_over, NULL), 0);
    CHECK_IS(gc_reaper_free(being_freed, 0), GC_TIMED_OUT);
    CHECK_IS(late_code, GC_ERR_STOPPED);
    CHECK_IS(log_of.count, 1);
    CHECK_IS(log_of.number, GC_ERR_STOPPED);
    sprintf(words, "; socket %lu is still open and yours: use another reaper", (unsigned long)late);
    CHECK(strstr(log_of.line, words) != NULL);
    check_works(late, late_peer);
    check_close(late);
    check_close(late_peer);
    check_close(peer);
}

#ifdef __linux__

static int no_shutdown = 0;

/* in front of the C library's */
#ifdef __cplusplus
extern "C"
#endif
int __NTH(shutdown(int sock, int how))
{
    int (*real)(int, int);
    if (no_shutdown) {
        errno = EOPNOTSUPP;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "shutdown");
    return real(sock, how);
}

/* what the system refuses, with its error in words */
static void refused_by_the_system(void)
{
    struct rlimit was, none;
    gc_reaper *reaper = NULL;
    check_socket sock, peer;
    char line[300];
    check_pair(&sock, &peer);
    listen_anew("no half-close");
    no_shutdown = 1;
    CHECK_IS(gc_close(sock, 100), GC_ERR_SYSTEM);
    no_shutdown = 0;
    CHECK_IS(errno, EOPNOTSUPP);
    CHECK_IS(log_of.number, GC_ERR_SYSTEM);
    sprintf(line, "gc_close: the system refused: %s (os error %d); socket %d is still open and yours",
            strerror(EOPNOTSUPP), EOPNOTSUPP, sock);
    CHECK_TEXT(log_of.line, line);
    check_works(sock, peer);
    check_close(sock);
    check_close(peer);

    listen_anew("no descriptor");
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = 0;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_IS(gc_reaper_new(NULL, &reaper), GC_ERR_RESOURCES);
    CHECK_IS(errno, EMFILE);
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &was), 0);
    sprintf(line, "gc_reaper_new: no memory, thread or descriptor for it: %s (os error %d); nothing was done",
            strerror(EMFILE), EMFILE);
    CHECK_TEXT(log_of.line, line);
}

/* the call was not refused; how it ended is told when that is known */
static void closed_after_the_hand_over(void)
{
    struct rlimit was, low;
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer;
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &was), 0);
    low = was;
    low.rlim_cur = 1024; /* so that it keeps its number */
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &low), 0);
    check_pair(&sock, &peer);
    listen_anew("closed after the hand-over");
    options.timeout_ms = 60;
    CHECK_IS(gc_reaper_close(reaper, sock, &options, NULL, NULL), 0);
    CHECK_IS(close(sock), 0);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
    CHECK_IS(log_of.count, 1);
    CHECK_IS(log_of.number, GC_ERR_NOT_A_SOCKET);
    CHECK(strncmp(log_of.line, "127.0.0.1:", 10) == 0);
    CHECK(strstr(log_of.line, "the program has closed the descriptor after the hand-over") != NULL);
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &was), 0);
    check_close(peer);
}

#endif /* __linux__ */

int main(void)
{
    check_start();
    gc_set_log(writes_down, (void *)&log_of);
    pending_at = new_reaper(0, GC_FULL_REFUSE);
    wrong_options();
    wrong_reports();
    wrong_many();
    not_a_socket();
    wrong_handles();
    wrong_reapers();
    stopped();
#ifdef __linux__
    refused_by_the_system();
    closed_after_the_hand_over();
#endif
    gc_set_log(NULL, NULL);
    listen_anew("off");
    CHECK_IS(gc_close(CHECK_NO_SOCKET, 0), GC_ERR_NOT_A_SOCKET);
    CHECK_IS(log_of.count, 0);
    CHECK_IS(gc_reaper_free(pending_at, 0), 0);
    return 0;
}
