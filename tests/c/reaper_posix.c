/*
 * What a POSIX program expects of a thread that is not its own: it gets none of the
 * program's signals, low descriptor numbers come back at once, a request to cancel is
 * honoured after the wait, and nothing is asked of the number that was handed over.
 */
#include "reaper_test.h"

#ifdef _WIN32

int main(void)
{
    check_skip("POSIX only");
    return 0;
}

#else

static house home;

static void notes(void *user, gc_socket sock, const gc_report *report)
{
    sigset_t held;
    (void)sock;
    (void)report;
    CHECK_IS(pthread_sigmask(SIG_BLOCK, NULL, &held), 0);
    *(volatile int *)user = sigismember(&held, SIGUSR1) && sigismember(&held, SIGTERM) &&
                            sigismember(&held, SIGCHLD) && sigismember(&held, SIGALRM);
}

static volatile sig_atomic_t caught = 0;

static void handler(int number)
{
    (void)number;
    caught = 1;
}

/* sent to the process, held by the program: nobody else may take it */
static void signals(void)
{
    gc_reaper *reaper;
    check_socket sock, peer;
    struct sigaction action;
    sigset_t set, was, waiting;
    volatile int holds = 0;
    check_doing = "signals";
    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    CHECK_IS(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_IS(pthread_sigmask(SIG_SETMASK, NULL, &was), 0);
    reaper = new_reaper(0, GC_FULL_REFUSE); /* with nothing held */
    CHECK_IS(pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
    CHECK_IS(sigismember(&set, SIGUSR1), 0);
    house_pair(&home, &sock, &peer);
    CHECK_IS(gc_close_async(sock, 20000), 0);
    check_close(peer);
    CHECK_IS(gc_flush(PATIENCE), 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_IS(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_IS(kill(getpid(), SIGUSR1), 0);
    check_sleep(50);
    house_pair(&home, &sock, &peer);
    CHECK_IS(gc_reaper_close(reaper, sock, NULL, notes, (void *)&holds), 0);
    check_close(peer);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK(holds);
    CHECK_IS(caught, 0);
    CHECK_IS(sigpending(&waiting), 0);
    CHECK_IS(sigismember(&waiting, SIGUSR1), 1);
    CHECK_IS(pthread_sigmask(SIG_SETMASK, &was, NULL), 0);
    CHECK_IS(caught, 1);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

/* select() can go on with them */
static void low_numbers(unsigned int flags)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    struct rlimit limit;
    check_socket socks[40], peers[40], next[40];
    told ends[40];
    int i, expected;
    check_doing = "low numbers";
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2048 && limit.rlim_max >= 2048) {
        limit.rlim_cur = 2048;
        CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    if (limit.rlim_cur < 2048) return;
    options.timeout_ms = 60000;
    options.flags = flags;
    for (i = 0; i < 40; i++) house_pair(&home, &socks[i], &peers[i]);
    for (i = 0; i < 40; i++) {
        check_round = i;
        expected = socks[i];
        told_start(&ends[i], socks[i]);
        CHECK_IS(gc_reaper_close(reaper, socks[i], &options, tell, &ends[i]), 0);
        next[i] = open("/dev/null", O_RDONLY);
        CHECK_IS(next[i], expected);
    }
    CHECK_IS(gc_reaper_pending(reaper), 40);
    for (i = 0; i < 40; i++) check_close(peers[i]);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    for (i = 0; i < 40; i++) {
        CHECK_IS(ends[i].report.outcome, GC_GRACEFUL);
        CHECK(fcntl(next[i], F_GETFD) != -1);
        check_close(next[i]);
    }
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

static gc_reaper *waited_for;
static volatile int after_wait;

static void *waits(void *unused)
{
    int code = gc_reaper_flush(waited_for, 300);
    CHECK_IS(code, GC_TIMED_OUT);
    after_wait = 1;
    for (;;) pthread_testcancel();
    return unused;
}

static void *hands_over(void *unused)
{
    check_socket sock, peer;
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    house_pair(&home, &sock, &peer);
    pthread_cancel(pthread_self());
    pthread_setcancelstate(old, &old);
    CHECK_IS(gc_close_async(sock, 20000), 0);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    check_close(peer);
    after_wait = 2;
    pthread_setcancelstate(old, &old);
    for (;;) pthread_testcancel();
    return unused;
}

static void cancellation(void)
{
    pthread_t thread;
    void *result = NULL;
    check_socket sock, peer;
    double start = check_now();
    check_doing = "cancellation";
    waited_for = new_reaper(0, GC_FULL_REFUSE);
    house_pair(&home, &sock, &peer);
    CHECK_IS(gc_reaper_close(waited_for, sock, NULL, NULL, NULL), 0);
    CHECK_IS(pthread_create(&thread, NULL, waits, NULL), 0);
    check_sleep(50);
    CHECK_IS(pthread_cancel(thread), 0);
    CHECK_IS(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK_IS(after_wait, 1);
    CHECK_ELAPSED(start, 300, 5000);
    CHECK_IS(pthread_create(&thread, NULL, hands_over, NULL), 0);
    CHECK_IS(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK_IS(after_wait, 2);
    CHECK_IS(gc_flush(PATIENCE), 0);
    check_close(peer);
    CHECK_IS(gc_reaper_free(waited_for, PATIENCE), 0);
}

/* a program that closes a number and dup2()s onto it must not hit one of ours */
static void own_numbers(void)
{
    gc_reaper *reaper;
    int low = dup(0), again;
    check_doing = "own numbers";
    CHECK(low >= 0);
    CHECK_IS(close(low), 0);
    CHECK_IS(gc_reaper_new(NULL, &reaper), 0);
    again = dup(0);
    CHECK_IS(again, low);
    CHECK_IS(close(again), 0);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

int main(void)
{
    check_start();
    house_open(&home);
    signals();
    own_numbers();
    low_numbers(0);
    low_numbers(GC_DEFERRED);
    cancellation();
    check_close(home.listener);
    return 0;
}

#endif
