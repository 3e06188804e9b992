/*
 * Signals that interrupt every wait make no close shorter, lose nothing, and leave
 * errno alone. And no close raises SIGPIPE, which would end this program.
 */
#include "check.h"

#include "graceful_close.h"

#ifdef _WIN32

int main(void)
{
    check_skip("there are no signals on Windows");
    return 0;
}

#else

#include <sys/time.h>

#define SIZE 2000000

static volatile sig_atomic_t caught = 0;

static void handler(int number)
{
    (void)number;
    caught = 1;
}

/* a signal every 2 ms, without SA_RESTART; Valgrind can do nothing else then */
static void storm(int on)
{
    struct itimerval interval;
    memset(&interval, 0, sizeof(interval));
    if (on) interval.it_interval.tv_usec = check_is_slow() ? 30000 : 2000;
    interval.it_value = interval.it_interval;
    caught = 0;
    CHECK_IS(setitimer(ITIMER_REAL, &interval, NULL), 0);
}

/* the storm shall hit the thread that closes */
static void hold_signals(void)
{
    sigset_t set;
    sigfillset(&set);
    CHECK_IS(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

static void talks_slowly(void *argument)
{
    check_socket peer = *(check_socket *)argument;
    size_t said = 0, bytes;
    hold_signals();
    while (said < SIZE) {
        check_send_pattern(peer, 50000, said);
        said += 50000;
        check_sleep(2);
    }
    check_half_close(peer);
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    CHECK_IS(bytes, 100000);
}

int main(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    struct sigaction action;
    check_thread talker;
    check_socket sock, peer;
    double start;
    check_start();
    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    CHECK_IS(sigaction(SIGALRM, &action, NULL), 0);

    check_doing = "silent peer";
    check_pair(&sock, &peer);
    storm(1);
    start = check_now();
    errno = 12345;
    CHECK_IS(gc_close(sock, 150), GC_TIMED_OUT);
    CHECK_IS(errno, 12345);
    CHECK_ELAPSED(start, 150, 3000);
    storm(0);
    CHECK(!check_is_socket(sock));
    check_close(peer);

    check_doing = "idle peer";
    check_pair(&sock, &peer);
    options.idle_timeout_ms = 100;
    storm(1);
    start = check_now();
    CHECK_IS(gc_close_with(sock, &options, &report), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 100, 3000);
    CHECK(caught);
    storm(0);
    check_close(peer);

    check_doing = "talkative peer";
    options.timeout_ms = 60000;
    options.idle_timeout_ms = 0;
    check_pair(&sock, &peer);
    check_send_pattern(sock, 100000, 0);
    check_thread_start(&talker, talks_slowly, &peer);
    storm(1);
    CHECK_IS(gc_close_with(sock, &options, &report), GC_GRACEFUL);
    CHECK_IS(report.drained_bytes, SIZE);
    CHECK_IS(report.system_error, 0);
    CHECK(caught);
    storm(0);
    check_thread_join(&talker);
    check_close(peer);

    check_doing = "no SIGPIPE";
    check_pair(&sock, &peer);
    check_send_pattern(sock, 1000, 0);
    check_close(peer); /* with unread bytes: a reset */
    check_wait_readable(sock);
    CHECK_IS(gc_close(sock, 1000), GC_RESET);
    return 0;
}

#endif
