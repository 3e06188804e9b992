/*
 * Any thread, all at once: each answer of eight threads arrives whole. And on POSIX
 * a thread that is cancelled while it closes has closed before it ends.
 */
#include "check.h"

#include "graceful_close.h"

#define THREADS 8
#define ANSWER 5000

/* The peer has said all it has to say, and reads the answer later. */
static void closes_many(void *argument)
{
    unsigned int number = *(unsigned int *)argument, round;
    unsigned int rounds = check_is_slow() ? 25 : 200;
    for (round = 0; round < rounds; round++) {
        check_socket sock, peer;
        size_t bytes;
        check_pair(&sock, &peer);
        check_send_pattern(peer, 1000, 0);
        check_half_close(peer);
        check_send_pattern(sock, ANSWER + number, 0);
        if (round % 2 == 0) {
            CHECK_IS(gc_close(sock, 60000), GC_GRACEFUL);
        } else {
            gc_options options = GC_OPTIONS_INIT;
            gc_report report = GC_REPORT_INIT;
            options.timeout_ms = 60000;
            CHECK_IS(gc_close_with(sock, &options, &report), GC_GRACEFUL);
            CHECK_IS(report.drained_bytes, 1000);
            CHECK_IS(report.closed, 1);
        }
        CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
        CHECK_IS(bytes, ANSWER + number);
        check_close(peer);
    }
}

static void many_threads(void)
{
    check_thread threads[THREADS];
    unsigned int numbers[THREADS], i;
    check_doing = "many threads";
    for (i = 0; i < THREADS; i++) {
        numbers[i] = i;
        check_thread_start(&threads[i], closes_many, &numbers[i]);
    }
    for (i = 0; i < THREADS; i++) check_thread_join(&threads[i]);
}

#ifndef _WIN32

static check_socket ours;
static volatile int outcome, asynchronous, in_on_data;

static int takes_its_time(void *user, const void *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
    in_on_data = 1;
    poll(NULL, 0, 200); /* a cancellation point, were it not held off */
    in_on_data = 2;
    return 0;
}

static void *closes_once(void *argument)
{
    int unused;
    CHECK_IS(pthread_setcanceltype(asynchronous ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED,
                                   &unused), 0);
    outcome = gc_close_with(ours, (const gc_options *)argument, NULL);
    for (;;) poll(NULL, 0, 1000);
    return NULL;
}

static void cancelled(const char *what, const gc_options *options)
{
    pthread_t thread;
    void *result = NULL;
    double start;
    check_doing = what;
    outcome = -99;
    start = check_now();
    CHECK_IS(pthread_create(&thread, NULL, closes_once, (void *)options), 0);
    check_sleep(50);
    CHECK_IS(pthread_cancel(thread), 0);
    CHECK_IS(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK_ELAPSED(start, 0, 10000);
    CHECK(!check_is_socket(ours));
}

static void cancellation(void)
{
    gc_options options = GC_OPTIONS_INIT;
    check_socket peer;
    options.timeout_ms = 300;

    check_pair(&ours, &peer);
    cancelled("cancelled in a silent close", &options);
    CHECK_IS(outcome, GC_TIMED_OUT);
    check_close(peer);

    check_pair(&ours, &peer);
    CHECK_IS(check_send(peer, "x", 1), 1);
    check_half_close(peer);
    options.timeout_ms = 20000;
    options.on_data = takes_its_time;
    cancelled("cancelled in on_data", &options);
    CHECK_IS(outcome, GC_GRACEFUL);
    CHECK_IS(in_on_data, 2);
    check_close(peer);

    /* before its return, but not before its end */
    asynchronous = 1;
    check_pair(&ours, &peer);
    options.on_data = NULL;
    options.timeout_ms = 300;
    cancelled("cancelled asynchronously", &options);
    check_close(peer);
}

#endif

int main(void)
{
    check_start();
    many_threads();
#ifndef _WIN32
    cancellation();
#endif
    return 0;
}
