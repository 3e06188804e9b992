/* What the tests of gc_closing share. */
#ifndef CLOSING_TEST_INCLUDED
#define CLOSING_TEST_INCLUDED

#include "check.h"

#include "graceful_close.h"

/* A step never waits. How long it computes depends on the machine. */
#define STEP_MOST 500

CHECK_HELPER gc_closing *new_closing(check_socket sock, const gc_options *options)
{
    gc_closing *closing = NULL;
    CHECK_IS(gc_closing_new(sock, options, &closing), 0);
    CHECK(closing != NULL);
    CHECK(gc_closing_socket(closing) == sock);
    return closing;
}

CHECK_HELPER gc_report report_of(const gc_closing *closing)
{
    gc_report report = GC_REPORT_INIT;
    CHECK_IS(gc_closing_report(closing, &report), 0);
    return report;
}

CHECK_HELPER int timed_step(gc_closing *closing)
{
    double start = check_now();
    int outcome = gc_closing_step(closing);
    CHECK_ELAPSED(start, 0, STEP_MOST);
    CHECK_IS(report_of(closing).outcome, outcome);
    if (outcome == GC_PENDING) CHECK_IS(report_of(closing).closed, 0);
    return outcome;
}

/* what an event loop does before each step */
CHECK_HELPER void wait_as_told(const gc_closing *closing)
{
    unsigned int ms = gc_closing_timeout_ms(closing);
    if (ms > 60000) ms = 60000;
    if (gc_closing_wants_read(closing))
        check_readable((check_socket)gc_closing_socket(closing), ms);
    else
        check_sleep(ms);
}

/* drives it to its end; how many steps that took */
CHECK_HELPER long drive(gc_closing *closing, int *outcome)
{
    long steps = 1;
    while ((*outcome = timed_step(closing)) == GC_PENDING) {
        steps++;
        wait_as_told(closing);
    }
    return steps;
}

CHECK_HELPER int driven(gc_closing *closing)
{
    int outcome;
    drive(closing, &outcome);
    return outcome;
}

/* after the end nothing changes any more */
CHECK_HELPER void check_ended(gc_closing *closing, int outcome)
{
    gc_report before = report_of(closing), after;
    int i;
    CHECK_IS(before.outcome, outcome);
    check_sleep(3);
    for (i = 0; i < 3; i++) {
        CHECK_IS(gc_closing_step(closing), outcome);
        CHECK_IS(gc_closing_wants_read(closing), 0);
        CHECK(gc_closing_timeout_ms(closing) == GC_INFINITE);
    }
    after = report_of(closing);
    CHECK(memcmp(&before, &after, sizeof(before)) == 0);
}

CHECK_HELPER void free_ended(gc_closing *closing, int outcome)
{
    check_ended(closing, outcome);
    gc_closing_free(closing);
}

/* a reset has arrived, and not only an end of the stream */
CHECK_HELPER int is_reset_within(check_socket sock, unsigned int ms)
{
    double start = check_now();
    do {
#ifdef _WIN32
        WSAPOLLFD entry;
        entry.fd = sock;
        entry.events = POLLRDNORM;
        entry.revents = 0;
        if (WSAPoll(&entry, 1, 0) >= 0 && (entry.revents & POLLERR) != 0) return 1;
#else
        struct pollfd entry;
        entry.fd = sock;
        entry.events = POLLIN;
        entry.revents = 0;
        if (poll(&entry, 1, 0) >= 0 && (entry.revents & POLLERR) != 0) return 1;
#endif
        check_sleep(2);
    } while (check_now() - start < ms);
    return 0;
}

#endif /* CLOSING_TEST_INCLUDED */
