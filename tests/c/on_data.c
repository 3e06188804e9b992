/*
 * on_data gets what the peer still sends: all of it, in order, in portions that
 * are never empty; it can stop the close, and may call the library. And the limit
 * max_drain_bytes is exact, with a reader and without.
 */
#include "check.h"

#include "graceful_close.h"

#include <limits.h>

#define SIZE 300000

typedef struct {
    size_t calls, bytes;
    size_t stop_at;    /* 0: never */
    int answer;        /* to stop with */
    check_socket also; /* another socket to close from inside */
} reader;

static int read_portion(void *user, const void *data, size_t size)
{
    reader *self = (reader *)user;
    self->calls++;
    CHECK(size > 0);
    CHECK(check_is_filled((const unsigned char *)data, size, self->bytes));
    self->bytes += size;
    if (self->also != CHECK_NO_SOCKET) {
        CHECK_TEXT(gc_outcome_name(gc_close(self->also, 20000)), "graceful");
        CHECK_IS(gc_close(self->also, 20000), GC_ERR_NOT_A_SOCKET);
        self->also = CHECK_NO_SOCKET;
    }
    return self->stop_at != 0 && self->bytes >= self->stop_at ? self->answer : 0;
}

static reader new_reader(void)
{
    reader fresh;
    memset(&fresh, 0, sizeof(fresh));
    fresh.also = CHECK_NO_SOCKET;
    return fresh;
}

typedef struct {
    check_socket sock;
    size_t size;
} sender;

/* says `size` bytes and its FIN; stops early when it is reset */
static void send_pattern(void *argument)
{
    sender *self = (sender *)argument;
    unsigned char portion[1000];
    size_t sent = 0;
    while (sent < self->size) {
        size_t most = self->size - sent < sizeof(portion) ? self->size - sent : sizeof(portion);
        long now;
        check_fill(portion, most, sent);
        now = check_send(self->sock, portion, most);
        if (now <= 0) break;
        sent += (size_t)now;
    }
    check_close(self->sock);
}

static int closes(size_t size, gc_options *options, gc_report *report)
{
    static const gc_report initial = GC_REPORT_INIT;
    check_thread thread;
    check_socket sock;
    sender peer;
    int outcome;
    check_pair(&sock, &peer.sock);
    peer.size = size;
    check_thread_start(&thread, send_pattern, &peer);
    *report = initial;
    outcome = gc_close_with(sock, options, report);
    CHECK_IS(report->outcome, outcome);
    CHECK_IS(report->closed, 1);
    check_thread_join(&thread);
    return outcome;
}

static void all_of_it(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report;
    reader reads = new_reader();
    check_doing = "all of it";
    options.timeout_ms = 20000;
    options.on_data = read_portion;
    options.user = &reads;
    CHECK_IS(closes(SIZE, &options, &report), GC_GRACEFUL);
    CHECK_IS(reads.bytes, SIZE);
    CHECK_IS(report.drained_bytes, SIZE);

    check_doing = "nothing";
    reads = new_reader();
    CHECK_IS(closes(0, &options, &report), GC_GRACEFUL);
    CHECK_IS(reads.calls, 0);
    CHECK_IS(report.drained_bytes, 0);

    check_doing = "no reader";
    options.on_data = NULL;
    CHECK_IS(closes(SIZE, &options, &report), GC_GRACEFUL);
    CHECK_IS(reads.calls, 0);
    CHECK_IS(report.drained_bytes, SIZE);

    check_doing = "while the peer is waited for";
    reads = new_reader();
    options.on_data = read_portion;
    options.peer_first_ms = 20000;
    CHECK_IS(closes(SIZE, &options, &report), GC_GRACEFUL);
    CHECK_IS(reads.bytes, SIZE);
    CHECK_IS(report.drained_bytes, SIZE);
}

static void stops(void)
{
    static const int answers[] = { 1, -1, 2, INT_MAX, INT_MIN };
    size_t i;
    check_doing = "stop";
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        gc_options options = GC_OPTIONS_INIT;
        gc_report report;
        reader reads = new_reader();
        check_round = answers[i];
        reads.stop_at = 1 + 30000 * i;
        reads.answer = answers[i];
        options.timeout_ms = 20000;
        options.on_data = read_portion;
        options.user = &reads;
        if (i % 2 == 1) options.peer_first_ms = 20000;
        CHECK_IS(closes(SIZE, &options, &report), GC_STOPPED);
        CHECK_BETWEEN(reads.bytes, reads.stop_at, reads.stop_at + 65536);
        CHECK_IS(report.drained_bytes, reads.bytes);
        if (i == 0) CHECK_IS(reads.calls, 1);
        CHECK_IS(report.system_error, 0);
    }
}

static void calls_the_library(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report;
    reader reads = new_reader();
    check_socket other;
    check_doing = "closes another socket from inside";
    check_pair(&reads.also, &other);
    check_send_pattern(other, 20000, 0);
    check_half_close(other);
    options.timeout_ms = 20000;
    options.on_data = read_portion;
    options.user = &reads;
    CHECK_IS(closes(SIZE, &options, &report), GC_GRACEFUL);
    CHECK(reads.also == CHECK_NO_SOCKET);
    CHECK_IS(reads.bytes, SIZE);
    CHECK_IS(report.drained_bytes, SIZE);
    check_close(other);
}

static void limit_is_exact(void)
{
    static const size_t limits[] = { 1, 1000, 4095, 4096, 4097, 65536, SIZE };
    size_t i;
    int with_reader;
    check_doing = "limit";
    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        for (with_reader = 0; with_reader < 2; with_reader++) {
            gc_options options = GC_OPTIONS_INIT;
            gc_report report;
            reader reads = new_reader();
            check_round = (long)limits[i];
            options.timeout_ms = 20000;
            options.max_drain_bytes = limits[i];
            options.user = &reads;
            if (with_reader) options.on_data = read_portion;
            CHECK_IS(closes(limits[i], &options, &report), GC_GRACEFUL);
            CHECK_IS(report.drained_bytes, limits[i]);
            if (with_reader) CHECK_IS(reads.bytes, limits[i]);
            /* one more shows only when it has been received */
            reads = new_reader();
            CHECK_IS(closes(limits[i] + 1, &options, &report), GC_DRAIN_LIMIT);
            CHECK_IS(report.drained_bytes, limits[i] + 1);
            if (with_reader) CHECK_BETWEEN(reads.bytes, limits[i], limits[i] + 1);
            CHECK_IS(report.system_error, 0);
        }
    {
        gc_options options = GC_OPTIONS_INIT;
        gc_report report;
        check_doing = "a limit that is never reached";
        options.max_drain_bytes = (size_t)-1;
        options.timeout_ms = 20000;
        CHECK_IS(closes(SIZE, &options, &report), GC_GRACEFUL);
        CHECK_IS(report.drained_bytes, SIZE);
    }
}

int main(void)
{
    check_start();
    all_of_it();
    stops();
    calls_the_library();
    limit_is_exact();
    return 0;
}
