/*
 * gc_closing: arguments that are none, sockets that are none, and sockets that
 * have nothing to negotiate.
 */
#include "closing_test.h"

#define NONSENSE 4711

/* refused with the socket untouched, and nothing written */
static void refused(check_socket sock, const gc_options *options, int error)
{
    gc_closing *const before = (gc_closing *)&check_round; /* some address */
    gc_closing *out = before;
    check_set_last_error(0);
    CHECK_IS(gc_closing_new(sock, options, &out), error);
    CHECK(out == before);
    CHECK(check_last_error() != 0);
    if (error == GC_ERR_ARGUMENT) CHECK_IS(check_last_error(), CHECK_EINVAL);
}

static void null_arguments(void)
{
    gc_report report = GC_REPORT_INIT;
    check_doing = "NULL";
    check_set_last_error(0);
    CHECK_IS(gc_closing_step(NULL), GC_ERR_ARGUMENT);
    CHECK_IS(check_last_error(), CHECK_EINVAL);
    CHECK(gc_closing_socket(NULL) == (gc_socket)-1);
    CHECK(gc_closing_timeout_ms(NULL) == GC_INFINITE);
    CHECK_IS(gc_closing_wants_read(NULL), 0);
    check_set_last_error(0);
    CHECK_IS(gc_closing_report(NULL, &report), GC_ERR_ARGUMENT);
    CHECK_IS(check_last_error(), CHECK_EINVAL);
    CHECK_IS(gc_closing_report(NULL, NULL), GC_ERR_ARGUMENT);
    check_set_last_error(NONSENSE);
    gc_closing_free(NULL);
    CHECK_IS(check_last_error(), NONSENSE);
}

static void bad_options(void)
{
    check_socket ours, peer;
    gc_options options;
    gc_options good = GC_OPTIONS_INIT;
    check_doing = "bad options";
    check_pair(&ours, &peer);
    CHECK_IS(gc_closing_new(ours, NULL, NULL), GC_ERR_ARGUMENT);
    CHECK_IS(gc_closing_new(ours, &good, NULL), GC_ERR_ARGUMENT);
    options = good;
    options.struct_size = 0;
    refused(ours, &options, GC_ERR_ARGUMENT);
    options = good;
    options.fallback = 4;
    refused(ours, &options, GC_ERR_ARGUMENT);
    options = good;
    options.if_shared = 2;
    refused(ours, &options, GC_ERR_ARGUMENT);
    options = good;
    options.flags = 8;
    refused(ours, &options, GC_ERR_ARGUMENT);
    /* untouched: it still speaks */
    CHECK_IS(check_send(ours, "hello", 5), 5);
    check_wait_readable(peer);
    check_close(peer);
    check_close(ours);
}

static void not_a_socket(void)
{
    struct sockaddr_in address;
    check_socket sock = check_bound(SOCK_STREAM, &address);
    check_doing = "not a socket";
    check_close(sock);
    refused(sock, NULL, GC_ERR_NOT_A_SOCKET);
    refused(CHECK_NO_SOCKET, NULL, GC_ERR_NOT_A_SOCKET);
#ifndef _WIN32
    {
        int ends[2];
        CHECK_IS(pipe(ends), 0);
        refused(ends[0], NULL, GC_ERR_NOT_A_SOCKET);
        CHECK_IS(write(ends[1], "x", 1), 1); /* untouched */
        close(ends[0]);
        close(ends[1]);
    }
#endif
}

static void nothing_to_negotiate(check_socket sock)
{
    gc_closing *closing = new_closing(sock, NULL);
    CHECK(check_is_socket(sock));
    check_set_last_error(NONSENSE);
    CHECK_IS(gc_closing_step(closing), GC_NOT_CONNECTED);
    CHECK_IS(check_last_error(), NONSENSE);
    CHECK(!check_is_socket(sock));
    CHECK_IS(report_of(closing).closed, 1);
    free_ended(closing, GC_NOT_CONNECTED);
}

static void not_connected(void)
{
    struct sockaddr_in address;
    check_doing = "listening";
    nothing_to_negotiate(check_listener(&address));
    check_doing = "datagram";
    nothing_to_negotiate(check_bound(SOCK_DGRAM, &address));
    check_doing = "never connected";
    nothing_to_negotiate(check_bound(SOCK_STREAM, &address));
}

static void reset_by_the_peer(void)
{
    gc_closing *closing;
    check_socket ours, peer;
    int after;
    check_doing = "reset";
    for (after = 0; after < 2; after++) { /* the first step, or before it */
        check_round = after;
        check_pair(&ours, &peer);
        closing = new_closing(ours, NULL);
        if (after) CHECK_IS(timed_step(closing), GC_PENDING);
        check_reset(peer);
        CHECK_IS(driven(closing), GC_RESET);
        CHECK_IS(report_of(closing).closed, 1);
        free_ended(closing, GC_RESET);
        CHECK(!check_is_socket(ours));
    }
    check_round = 0;
}

/* The program has broken the rule and closed it itself: hands off the number. */
static void closed_behind_its_back(void)
{
    gc_closing *closing;
    check_socket ours, peer;
    int after;
    check_doing = "closed by the program";
    for (after = 0; after < 2; after++) {
        check_round = after;
        check_pair(&ours, &peer);
        closing = new_closing(ours, NULL);
        if (after) CHECK_IS(timed_step(closing), GC_PENDING);
        check_close(ours);
        check_set_last_error(0);
        CHECK_IS(gc_closing_step(closing), GC_ERR_NOT_A_SOCKET);
        CHECK(check_last_error() != 0);
        CHECK_IS(report_of(closing).closed, 0);
        CHECK(report_of(closing).system_error != 0);
        free_ended(closing, GC_ERR_NOT_A_SOCKET);

        /* and freed without a step in between */
        check_close(peer);
        check_pair(&ours, &peer);
        closing = new_closing(ours, NULL);
        if (after) CHECK_IS(timed_step(closing), GC_PENDING);
        check_close(ours);
        gc_closing_free(closing);
        check_close(peer);
    }
    check_round = 0;
}

/* On an outcome, and while it is pending, the last error stays. */
static void last_error_stays(void)
{
    gc_closing *closing;
    check_socket ours, peer;
    check_doing = "last error";
    check_pair(&ours, &peer);
    check_set_last_error(NONSENSE);
    closing = new_closing(ours, NULL);
    CHECK_IS(gc_closing_step(closing), GC_PENDING);
    CHECK_IS(check_last_error(), NONSENSE);
    check_close(peer);
    check_wait_readable(ours);
    check_set_last_error(NONSENSE);
    while (gc_closing_step(closing) == GC_PENDING) CHECK_IS(check_last_error(), NONSENSE);
    CHECK_IS(check_last_error(), NONSENSE);
    CHECK_IS(gc_closing_step(closing), GC_GRACEFUL);
    gc_closing_free(closing);
    CHECK_IS(check_last_error(), NONSENSE);
}

static void reports(void)
{
    gc_closing *closing;
    check_socket ours, peer;
    gc_report report;
    unsigned char *bytes = (unsigned char *)&report;
    size_t i, known = offsetof(gc_report, closed);
    check_doing = "reports";
    check_pair(&ours, &peer);
    closing = new_closing(ours, NULL);
    check_set_last_error(0);
    CHECK_IS(gc_closing_report(closing, NULL), GC_ERR_ARGUMENT);
    CHECK_IS(check_last_error(), CHECK_EINVAL);
    memset(&report, 0xEE, sizeof(report));
    report.struct_size = 0;
    CHECK_IS(gc_closing_report(closing, &report), GC_ERR_ARGUMENT);
    CHECK_IS(bytes[known], 0xEE);
    report.struct_size = known; /* of an older program */
    CHECK_IS(gc_closing_report(closing, &report), 0);
    CHECK_IS(report.outcome, GC_PENDING);
    for (i = known; i < sizeof(report); i++) CHECK_IS(bytes[i], 0xEE);
    check_close(peer);
    CHECK_IS(driven(closing), GC_GRACEFUL);
    free_ended(closing, GC_GRACEFUL);
}

#ifdef __linux__
static void shared(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing;
    check_socket ours, peer, other;
    check_doing = "shared";
    options.if_shared = GC_SHARED_RELEASE;
    check_pair(&ours, &peer);
    other = dup(ours);
    CHECK(other >= 0);
    closing = new_closing(ours, &options);
    CHECK_IS(timed_step(closing), GC_RELEASED);
    free_ended(closing, GC_RELEASED);
    CHECK(!check_is_socket(ours));
    CHECK_IS(check_send(other, "hello", 5), 5);
    closing = new_closing(other, &options); /* now the only one */
    CHECK_IS(timed_step(closing), GC_PENDING);
    gc_closing_free(closing);
    check_close(peer);
}
#endif

int main(void)
{
    check_start();
    null_arguments();
    bad_options();
    not_a_socket();
    not_connected();
    reset_by_the_peer();
    closed_behind_its_back();
    last_error_stays();
    reports();
#ifdef __linux__
    shared();
#endif
    return 0;
}
