/*
 * GC_UNTIL_ACKED: over as soon as the peer's TCP has everything, though the peer keeps
 * its side open; in each form of a close. Never while something is not acknowledged, and
 * graceful where the peer's FIN is there first. Where the system cannot tell, the flag is
 * without meaning.
 */
#include "check.h"

#include "graceful_close.h"

#define SIZE 200000
#define FORMS 4

static const char *const forms[FORMS] = { "blocking", "many", "handle", "background" };

static gc_report told;

static void GRACEFUL_CLOSE_CALLBACK tell(void *user, gc_socket sock, const gc_report *report)
{
    (void)user;
    (void)sock;
    told = *report;
}

static int by_handle(check_socket sock, const gc_options *options, gc_report *report)
{
    gc_closing *closing;
    int code;
    CHECK_IS(gc_closing_new(sock, options, &closing), 0);
    while ((code = gc_closing_step(closing)) == GC_PENDING) {
        unsigned int ms = gc_closing_timeout_ms(closing);
        CHECK(gc_closing_wants_read(closing));
        check_readable(sock, ms < 1000 ? ms : 1000);
    }
    CHECK_IS(gc_closing_report(closing, report), 0);
    gc_closing_free(closing);
    return code;
}

static int in_background(check_socket sock, const gc_options *options, gc_report *report)
{
    gc_reaper *reaper;
    CHECK_IS(gc_reaper_new(NULL, &reaper), 0);
    CHECK_IS(gc_reaper_close(reaper, sock, options, tell, NULL), 0);
    CHECK_IS(gc_reaper_flush(reaper, GC_INFINITE), 0);
    CHECK_IS(gc_reaper_free(reaper, GC_INFINITE), 0);
    *report = told;
    return told.outcome;
}

static int end(int form, check_socket sock, const gc_options *options, gc_report *report)
{
    gc_socket socks[1];
    check_doing = forms[form];
    socks[0] = sock;
    switch (form) {
    case 0: return gc_close_with(sock, options, report);
    case 1:
        CHECK(gc_close_many(socks, 1, options, report) >= 0);
        return report->outcome;
    case 2: return by_handle(sock, options, report);
    default: return in_background(sock, options, report);
    }
}

typedef struct {
    check_socket sock;
    unsigned int later_ms;
    double has_read;
} reader;

static void reads_all_and_stays(void *argument)
{
    static unsigned char data[65536];
    reader *self = (reader *)argument;
    size_t bytes = 0;
    check_sleep(self->later_ms);
    while (bytes < SIZE) {
        long got = check_receive(self->sock, data, sizeof(data));
        CHECK(got > 0);
        bytes += (size_t)got;
    }
    self->has_read = check_now();
}

/* 0: this system does not tell what is acknowledged */
static int peer_that_stays_open(int form)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    check_thread thread;
    check_socket sock;
    reader peer;
    int code;
    check_pair(&sock, &peer.sock);
    peer.later_ms = 100;
    check_thread_start(&thread, reads_all_and_stays, &peer);
    check_send_pattern(sock, SIZE, 0);
    options.flags = GC_UNTIL_ACKED;
    options.timeout_ms = 3000;
    code = end(form, sock, &options, &report);
    check_thread_join(&thread);
    CHECK(report.closed);
    CHECK(!report.peer_closed);
    if (code == GC_TIMED_OUT && report.unacked_bytes == GC_UNKNOWN) {
        check_close(peer.sock);
        return 0;
    }
    CHECK_IS(code, GC_DELIVERED);
    CHECK_IS(report.unacked_bytes, 0);
    CHECK_ELAPSED(peer.has_read, -3000, 1000);
    check_close(peer.sock);
    return 1;
}

static void peer_that_does_not_read(int form)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    static unsigned char data[65536];
    check_socket sock, peer;
    int code;
    check_pair(&sock, &peer);
    check_set_blocking(sock, 0);
    while (check_send(sock, data, sizeof(data)) > 0) {
    }
    options.flags = GC_UNTIL_ACKED;
    options.timeout_ms = 200;
    code = end(form, sock, &options, &report);
    CHECK_IS(code, GC_TIMED_OUT);
    CHECK(report.unacked_bytes > 0);
    check_close(peer);
}

static void fin_that_is_there_first(int form)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    check_socket sock, peer;
    check_pair(&sock, &peer);
    check_half_close(peer);
    check_wait_readable(sock);
    options.flags = GC_UNTIL_ACKED;
    CHECK_IS(end(form, sock, &options, &report), GC_GRACEFUL);
    CHECK(report.peer_closed);
    check_close(peer);
}

int main(void)
{
    int form, tells = 1;
    check_start();
    for (form = 0; form < FORMS; form++) {
        tells = peer_that_stays_open(form);
        peer_that_does_not_read(form);
        fin_that_is_there_first(form);
    }
#ifndef _WIN32
    CHECK(tells);
#else
    if (!tells) printf("this system does not tell what is acknowledged\n");
#endif
    return 0;
}
