/*
 * errno and WSAGetLastError(): left as they were on every outcome, also when the
 * program's own on_data spoils them; set to the reason on every error.
 */
#include "check.h"

#include "graceful_close.h"

#define SENTINEL 12345

static gc_options options;
static gc_report report;

static const gc_options initial_options = GC_OPTIONS_INIT;
static const gc_report initial_report = GC_REPORT_INIT;

/* closes, and looks at the error number before anything else can change it */
static int closes(check_socket sock)
{
    int outcome;
    report = initial_report;
    check_set_last_error(SENTINEL);
    outcome = gc_close_with(sock, &options, &report);
    CHECK_IS(check_last_error(), SENTINEL);
    CHECK_IS(report.outcome, outcome);
    return outcome;
}

static int spoils(void *user, const void *data, size_t size)
{
    (void)data;
    (void)size;
    check_set_last_error(54321);
    return user != NULL;
}

static void begin(const char *what, check_socket *ours, check_socket *peer)
{
    check_doing = what;
    options = initial_options;
    options.timeout_ms = 20000;
    if (ours != NULL) check_pair(ours, peer);
}

static void half_closed_with_data(const char *what, check_socket *ours, check_socket *peer)
{
    begin(what, ours, peer);
    check_send_pattern(*peer, 5000, 0);
    check_half_close(*peer);
    check_wait_readable(*ours);
}

static void outcomes(void)
{
    check_socket ours, peer;

    half_closed_with_data("graceful", &ours, &peer);
    CHECK_IS(closes(ours), GC_GRACEFUL);
    CHECK_IS(report.system_error, 0);
    check_close(peer);

    half_closed_with_data("graceful, gc_close", &ours, &peer);
    check_set_last_error(SENTINEL);
    CHECK_IS(gc_close(ours, 20000), GC_GRACEFUL);
    CHECK_IS(check_last_error(), SENTINEL);
    check_close(peer);

    half_closed_with_data("graceful, gc_closesocket", &ours, &peer);
    check_set_last_error(SENTINEL);
    CHECK_IS(gc_closesocket(ours), 0);
    CHECK_IS(check_last_error(), SENTINEL);
    check_close(peer);

    half_closed_with_data("graceful, on_data", &ours, &peer);
    options.on_data = spoils;
    CHECK_IS(closes(ours), GC_GRACEFUL);
    check_close(peer);

    half_closed_with_data("stopped", &ours, &peer);
    options.on_data = spoils;
    options.user = &options;
    CHECK_IS(closes(ours), GC_STOPPED);
    check_close(peer);

    half_closed_with_data("drain limit", &ours, &peer);
    options.max_drain_bytes = 4999;
    CHECK_IS(closes(ours), GC_DRAIN_LIMIT);
    check_close(peer);

    begin("timed out", &ours, &peer);
    options.timeout_ms = 30;
    CHECK_IS(closes(ours), GC_TIMED_OUT);
    check_close(peer);

    begin("idle", &ours, &peer);
    options.idle_timeout_ms = 30;
    CHECK_IS(closes(ours), GC_TIMED_OUT);
    check_close(peer);

    begin("timed out and reset", &ours, &peer);
    options.timeout_ms = 30;
    options.fallback = GC_THEN_ABORT;
    CHECK_IS(closes(ours), GC_TIMED_OUT);
    check_close(peer);

    begin("timed out and kept", &ours, &peer);
    options.timeout_ms = 30;
    options.fallback = GC_THEN_KEEP;
    CHECK_IS(closes(ours), GC_TIMED_OUT);
    CHECK_IS(report.closed, 0);
    check_close(peer);
    check_close(ours);

    begin("reset", &ours, &peer);
    check_reset(peer);
    check_wait_readable(ours);
    CHECK_IS(closes(ours), GC_RESET);
#ifndef _WIN32
    CHECK_IS(report.system_error, ECONNRESET);
#endif

    begin("uncertain", &ours, &peer);
    options.timeout_ms = 30;
    CHECK_IS(shutdown(ours, 0), 0); /* SHUT_RD, SD_RECEIVE */
    CHECK_IS(closes(ours), GC_UNCERTAIN);
    check_close(peer);

    begin("not connected", NULL, NULL);
    CHECK_IS(closes(socket(AF_INET, SOCK_STREAM, 0)), GC_NOT_CONNECTED);
    CHECK_IS(closes(socket(AF_INET, SOCK_DGRAM, 0)), GC_NOT_CONNECTED);

    half_closed_with_data("gc_abort", &ours, &peer);
    check_set_last_error(SENTINEL);
    CHECK_IS(gc_abort(ours), 0);
    CHECK_IS(check_last_error(), SENTINEL);
    check_close(peer);
}

/* only our own reference is given up; the other one goes on */
static void released(void)
{
#if defined(_WIN32) || defined(__linux__)
    check_socket ours, peer, other;
    begin("released", &ours, &peer);
    options.if_shared = GC_SHARED_RELEASE;
#ifdef _WIN32
    {
        WSAPROTOCOL_INFOA info;
        CHECK_IS(WSADuplicateSocketA(ours, GetCurrentProcessId(), &info), 0);
        other = WSASocketA(AF_INET, SOCK_STREAM, 0, &info, 0, WSA_FLAG_OVERLAPPED);
        CHECK(other != CHECK_NO_SOCKET);
    }
#else
    other = dup(ours);
#endif
    CHECK_IS(closes(ours), GC_RELEASED);
    CHECK_IS(report.closed, 1);
    CHECK_IS(check_send(other, "x", 1), 1);
    check_close(other);
    check_close(peer);
#endif
}

static void words_and_figures(void)
{
    check_doing = "words";
    check_set_last_error(SENTINEL);
    CHECK(gc_outcome_name(3) != NULL && gc_outcome_name(-99) != NULL);
    CHECK(gc_version_string() != NULL && gc_version_number() != 0);
    gc_set_default_timeout(5000);
    CHECK_IS(check_last_error(), SENTINEL);
}

static void errors(void)
{
    check_socket ours, peer;
    int bad_number;
#ifdef _WIN32
    bad_number = WSAENOTSOCK;
#else
    bad_number = EBADF;
#endif
    begin("errors", &ours, &peer);
    check_set_last_error(SENTINEL);
    CHECK_IS(gc_close(CHECK_NO_SOCKET, 100), GC_ERR_NOT_A_SOCKET);
    CHECK_IS(check_last_error(), bad_number);
    check_set_last_error(SENTINEL);
    CHECK_IS(gc_close_with(CHECK_NO_SOCKET, &options, NULL), GC_ERR_NOT_A_SOCKET);
    CHECK_IS(check_last_error(), bad_number);
    check_set_last_error(SENTINEL);
    CHECK_IS(gc_abort(CHECK_NO_SOCKET), GC_ERR_NOT_A_SOCKET);
    CHECK_IS(check_last_error(), bad_number);
    check_set_last_error(SENTINEL);
    CHECK_IS(gc_closesocket(CHECK_NO_SOCKET), -1);
    CHECK_IS(check_last_error(), bad_number);
#ifndef _WIN32
    check_set_last_error(SENTINEL);
    {
        int ends[2];
        CHECK_IS(pipe(ends), 0);
        CHECK_IS(gc_closesocket(ends[0]), -1);
        CHECK_IS(check_last_error(), ENOTSOCK);
        CHECK_IS(gc_abort(ends[1]), GC_ERR_NOT_A_SOCKET);
        CHECK_IS(check_last_error(), ENOTSOCK);
        check_close(ends[0]);
        check_close(ends[1]);
    }
#endif
    options.struct_size = 3;
    check_set_last_error(SENTINEL);
    CHECK_IS(gc_close_with(ours, &options, NULL), GC_ERR_ARGUMENT);
    CHECK_IS(check_last_error(), CHECK_EINVAL);
    options = initial_options;
    report = initial_report;
    report.struct_size = 3;
    check_set_last_error(SENTINEL);
    CHECK_IS(gc_close_with(ours, &options, &report), GC_ERR_ARGUMENT);
    CHECK_IS(check_last_error(), CHECK_EINVAL);
    check_close(ours);
    check_close(peer);
}

int main(void)
{
    check_start();
    outcomes();
    released();
    words_and_figures();
    errors();
    return 0;
}
