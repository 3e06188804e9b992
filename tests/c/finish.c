/*
 * gc_finish and GC_KEEP_OPEN: the connection is ended, the descriptor stays its owner's
 * on every outcome; the owner's close afterwards neither blocks nor resets.
 */
#include "check.h"

#include "graceful_close.h"
#ifndef _WIN32
#include <sys/ioctl.h>
#endif

#define SIZE 300000

typedef struct {
    check_socket sock;
    size_t bytes;
    int code;
} reader;

/* what the server does not read stands in its receive buffer when it closes */
static void sends_and_reads(void *argument)
{
    reader *self = (reader *)argument;
    check_send_pattern(self->sock, 20000, 0);
    self->code = check_read_to_end(self->sock, &self->bytes, 0);
    check_close(self->sock);
}

static void owner_closes(check_socket sock)
{
    double start = check_now();
    CHECK(check_is_socket(sock));
    check_close(sock);
    CHECK(!check_is_socket(sock));
    CHECK_ELAPSED(start, 0, 1000);
}

#define FORMS 4

static int by_handle(check_socket sock, const gc_options *options)
{
    gc_closing *closing;
    gc_report report = GC_REPORT_INIT;
    int code;
    CHECK_IS(gc_closing_new(sock, options, &closing), 0);
    while ((code = gc_closing_step(closing)) == GC_PENDING) {
        unsigned int ms = gc_closing_timeout_ms(closing);
        if (ms > 1000) ms = 1000;
        if (gc_closing_wants_read(closing)) check_readable(sock, ms);
        else check_sleep(ms);
    }
    CHECK_IS(gc_closing_report(closing, &report), 0);
    CHECK_IS(report.closed, 0);
    gc_closing_free(closing);
    return code;
}

static int finish(int form, check_socket sock)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    gc_socket socks[1];
    options.flags = GC_KEEP_OPEN;
    options.timeout_ms = 20000;
    socks[0] = sock;
    switch (form) {
    case 0: return gc_finish(sock, 20000);
    case 1: return gc_close_with(sock, &options, NULL);
    case 2:
        CHECK(gc_close_many(socks, 1, &options, &report) >= 0);
        CHECK_IS(report.closed, 0);
        return report.outcome;
    default: return by_handle(sock, &options);
    }
}

static void nothing_is_lost(int form)
{
    static const char *const forms[FORMS] = { "gc_finish", "blocking", "many", "handle" };
    check_thread thread;
    check_socket sock;
    reader peer;
    check_doing = forms[form];
    check_pair(&sock, &peer.sock);
    check_set_linger(sock, 1, 5);
    check_thread_start(&thread, sends_and_reads, &peer);
    check_send_pattern(sock, SIZE, 0);
    CHECK_IS(finish(form, sock), GC_GRACEFUL);
    owner_closes(sock);
    check_thread_join(&thread);
    CHECK_IS(peer.code, 0);
    CHECK_IS(peer.bytes, SIZE);
}

static void time_runs_out(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    unsigned char byte;
    check_socket sock, peer;
    double start;
    check_doing = "time out";
    check_pair(&sock, &peer);
    check_set_linger(sock, 1, 5);
    check_send_pattern(sock, 1000, 0);
    options.flags = GC_KEEP_OPEN;
    options.timeout_ms = 50;
    CHECK_IS(gc_close_with(sock, &options, &report), GC_TIMED_OUT);
    CHECK_IS(report.closed, 0);
    /* it can still be read */
    CHECK_IS(check_send(peer, "x", 1), 1);
    check_wait_readable(sock);
    CHECK_IS(check_receive(sock, &byte, 1), 1);
    owner_closes(sock);
    check_close(peer);
    check_pair(&sock, &peer);
    start = check_now();
    CHECK_IS(gc_finish(sock, 50), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 50, 3000);
    owner_closes(sock);
    check_close(peer);
}

static void freed_while_pending(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing;
    check_socket sock, peer;
    check_doing = "freed";
    check_pair(&sock, &peer);
    options.flags = GC_KEEP_OPEN;
    CHECK_IS(gc_closing_new(sock, &options, &closing), 0);
    CHECK_IS(gc_closing_step(closing), GC_PENDING);
    gc_closing_free(closing);
    owner_closes(sock);
    check_close(peer);
}

static void reset_by_the_peer(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    check_socket sock, peer;
    check_doing = "reset";
    check_pair(&sock, &peer);
    check_reset(peer);
    check_sleep(50);
    options.flags = GC_KEEP_OPEN;
    CHECK_IS(gc_close_with(sock, &options, &report), GC_RESET);
    CHECK_IS(report.closed, 0);
    owner_closes(sock);
}

static void reset_by_ourselves(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    static unsigned char data[65536];
    check_socket sock, peer;
    long got;
    check_doing = "GC_THEN_ABORT";
    check_pair(&sock, &peer);
    check_set_blocking(sock, 0);
    while (check_send(sock, data, sizeof(data)) > 0) {
    }
    options.flags = GC_KEEP_OPEN;
    options.fallback = GC_THEN_ABORT;
    options.timeout_ms = 50;
    CHECK_IS(gc_close_with(sock, &options, &report), GC_TIMED_OUT);
    CHECK_IS(report.closed, 0);
    owner_closes(sock);
    do got = check_receive(peer, data, sizeof(data));
    while (got > 0);
#ifndef _WIN32 /* there the owner's close resets, or (Wine) does not */
    CHECK(got < 0);
#endif
    check_close(peer);
}

static void no_connection(void)
{
    struct sockaddr_in address;
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    check_socket listener = check_listener(&address), datagram, sock, peer;
    check_doing = "no connection";
    CHECK_IS(gc_finish(listener, 1000), GC_NOT_CONNECTED);
    peer = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(peer != CHECK_NO_SOCKET);
    CHECK_IS(connect(peer, (struct sockaddr *)&address, sizeof(address)), 0);
    sock = accept(listener, NULL, NULL);
    CHECK(sock != CHECK_NO_SOCKET);
    check_close(sock);
    check_close(peer);
    owner_closes(listener);

    datagram = check_bound(SOCK_DGRAM, &address);
    options.flags = GC_KEEP_OPEN;
    CHECK_IS(gc_close_with(datagram, &options, &report), GC_NOT_CONNECTED);
    CHECK_IS(report.closed, 0);
    owner_closes(datagram);
}

static void not_in_the_background(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_reaper *reaper;
    check_socket sock, peer;
    check_doing = "background";
    check_pair(&sock, &peer);
    CHECK_IS(gc_reaper_new(NULL, &reaper), 0);
    options.flags = GC_KEEP_OPEN;
    CHECK_IS(gc_reaper_close(reaper, sock, &options, NULL, NULL), GC_ERR_ARGUMENT);
    CHECK_IS(check_last_error(), CHECK_EINVAL);
    CHECK_IS(check_send(sock, "x", 1), 1);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
    check_close(sock);
    check_close(peer);
}

#ifndef _WIN32
static void owner_is_a_file(void)
{
    check_thread thread;
    check_socket sock;
    reader peer;
    unsigned char answer[10];
    FILE *file;
    int flags;
    check_doing = "FILE *";
    check_pair(&sock, &peer.sock);
    check_thread_start(&thread, sends_and_reads, &peer);
    flags = fcntl(sock, F_GETFL);
    file = fdopen(sock, "r+");
    CHECK(file != NULL);
    check_fill(answer, sizeof(answer), 0);
    CHECK_IS(fwrite(answer, 1, sizeof(answer), file), sizeof(answer));
    CHECK_IS(fflush(file), 0);
    CHECK_IS(gc_finish(fileno(file), 20000), GC_GRACEFUL);
    CHECK_IS(fcntl(sock, F_GETFL), flags);
    CHECK_IS(fclose(file), 0);
    check_thread_join(&thread);
    CHECK_IS(peer.code, 0);
    CHECK_IS(peer.bytes, sizeof(answer));
}

static void another_holder_goes_on(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    check_socket sock, peer, other;
    check_doing = "shared";
    check_pair(&sock, &peer);
    other = dup(sock);
    CHECK(other >= 0);
    options.flags = GC_KEEP_OPEN;
    options.if_shared = GC_SHARED_RELEASE;
    CHECK_IS(gc_close_with(sock, &options, &report), GC_RELEASED);
    CHECK_IS(report.closed, 0);
    owner_closes(sock);
    CHECK_IS(check_send(other, "x", 1), 1);
    check_close(other);
    check_close(peer);
}
#endif

int main(void)
{
    int form;
    check_start();
    for (form = 0; form < FORMS; form++) nothing_is_lost(form);
    time_runs_out();
    freed_while_pending();
    reset_by_the_peer();
    reset_by_ourselves();
    no_connection();
    not_in_the_background();
#ifndef _WIN32
    owner_is_a_file();
    another_holder_goes_on();
#endif
    return 0;
}
