/*
 * What the program left in SO_LINGER, and whether its socket blocks, makes no
 * difference: 2 MB to a slow reader arrive whole, the close takes as long as the
 * reader and no longer, and when the time is up nothing stalls and nothing is lost.
 */
#include "check.h"

#include "graceful_close.h"

#define SIZE 2000000

static const struct {
    int on, seconds;
} lingers[] = { { 1, 0 }, { 1, 5 }, { 0, 0 } };

typedef struct {
    check_socket sock;
    unsigned int pause_ms;
    double ended;
} reader;

static void reads_slowly(void *argument)
{
    reader *self = (reader *)argument;
    size_t bytes;
    CHECK_IS(check_read_to_end(self->sock, &bytes, self->pause_ms), 0);
    CHECK_IS(bytes, SIZE);
    self->ended = check_now();
    check_close(self->sock);
}

static void nothing_is_lost(size_t linger, int blocking)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    check_thread thread;
    check_socket sock;
    reader peer;
    double end;
    check_doing = blocking ? "slow reader, blocking" : "slow reader, non-blocking";
    check_pair(&sock, &peer.sock);
    peer.pause_ms = 1;
    check_set_linger(sock, lingers[linger].on, lingers[linger].seconds);
    check_set_blocking(sock, blocking);
    check_thread_start(&thread, reads_slowly, &peer);
    check_send_pattern(sock, SIZE, 0);
    options.timeout_ms = 60000;
    CHECK_IS(gc_close_with(sock, &options, &report), GC_GRACEFUL);
    end = check_now();
    CHECK(!check_is_socket(sock));
    CHECK(report.unacked_bytes == 0 || report.unacked_bytes == GC_UNKNOWN);
    check_thread_join(&thread);
    CHECK_BETWEEN(end - peer.ended, -30000, 3000);
}

/* sends until no buffer takes any more, with nobody reading */
static size_t fill_up(check_socket sock)
{
    unsigned char portion[16384];
    size_t sent = 0;
    int refused = 0;
    check_set_blocking(sock, 0);
    while (refused < 20) {
        long now;
        check_fill(portion, sizeof(portion), sent);
        now = check_send(sock, portion, sizeof(portion));
        if (now > 0) {
            sent += (size_t)now;
            continue;
        }
        CHECK(now < 0 && check_would_block());
        refused++;
        check_sleep(1);
    }
    return sent;
}

/* the kernel goes on behind a time-out until all has been read */
static void nothing_is_lost_in_the_background(size_t linger, int blocking)
{
    check_socket sock, peer;
    size_t sent, bytes;
    double start;
    check_doing = blocking ? "late reader, blocking" : "late reader, non-blocking";
    check_pair(&sock, &peer);
    check_set_linger(sock, lingers[linger].on, lingers[linger].seconds);
    sent = fill_up(sock);
    check_set_blocking(sock, blocking);
    start = check_now();
    CHECK_IS(gc_close(sock, 30), GC_TIMED_OUT);
    CHECK_ELAPSED(start, 30, 3000);
    CHECK(!check_is_socket(sock));
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    CHECK_IS(bytes, sent);
    check_close(peer);
}

int main(void)
{
    size_t linger;
    int blocking;
    check_start();
    for (linger = 0; linger < sizeof(lingers) / sizeof(lingers[0]); linger++)
        for (blocking = 0; blocking < 2; blocking++) {
            check_round = (long)linger;
            nothing_is_lost(linger, blocking);
            nothing_is_lost_in_the_background(linger, blocking);
        }
    return 0;
}
