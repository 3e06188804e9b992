/*
 * Statistics are true, to the last byte; and the log has a line for every close that was
 * not graceful, with both addresses, the outcome, the time, the bytes and the error. Whoever
 * gets the line may call the library.
 */
#include "reaper_test.h"

#define LINES 64

typedef struct {
    volatile long count;
    int outcome[LINES];
    char line[LINES][256];
} book;

static void writes_down(void *user, int outcome, const char *line)
{
    book *self = (book *)user;
    CHECK(self->count < LINES);
    CHECK(strlen(line) < 256);
    CHECK(strchr(line, '\n') == NULL);
    self->outcome[self->count] = outcome;
    strcpy(self->line[self->count], line);
    self->count++;
}

static gc_stats stats_now(void)
{
    gc_stats stats = GC_STATS_INIT;
    size_t sum = 0;
    int i;
    CHECK_IS(gc_get_stats(&stats), 0);
    CHECK_IS(stats.struct_size, sizeof(stats));
    for (i = 0; i < 10; i++) sum += stats.by_outcome[i];
    CHECK_IS(stats.closed, sum);
    return stats;
}

/* what has come since: by outcome, and in all */
static void check_grown(const gc_stats *before, int outcome, size_t by, size_t aborted,
                        size_t drained)
{
    gc_stats now = stats_now();
    int i;
    for (i = 0; i < 10; i++)
        CHECK_IS(now.by_outcome[i] - before->by_outcome[i], i == outcome ? by : 0);
    CHECK_IS(now.closed - before->closed, by);
    CHECK_IS(now.aborted - before->aborted, aborted);
    CHECK_IS(now.drained_bytes - before->drained_bytes, drained);
    CHECK_IS(now.pending, before->pending);
}

static void figures(void)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    gc_stats before;
    check_socket socks[3], peer, peers[3];
    int i;

    check_doing = "figures, graceful";
    before = stats_now();
    check_pair(&socks[0], &peer);
    check_send_pattern(peer, 12345, 0);
    check_half_close(peer);
    CHECK_IS(gc_close(socks[0], 20000), GC_GRACEFUL);
    check_close(peer);
    check_grown(&before, GC_GRACEFUL, 1, 0, 12345);

    check_doing = "figures, timed out and aborted";
    before = stats_now();
    check_pair(&socks[0], &peer);
    options.timeout_ms = 20;
    options.fallback = GC_THEN_ABORT;
    CHECK_IS(gc_close_with(socks[0], &options, NULL), GC_TIMED_OUT);
    check_close(peer);
    check_grown(&before, GC_TIMED_OUT, 1, 1, 0);

    check_doing = "figures, gc_abort";
    before = stats_now();
    check_pair(&socks[0], &peer);
    CHECK_IS(gc_abort(socks[0]), 0);
    check_close(peer);
    CHECK_IS(stats_now().aborted - before.aborted, 1);

    check_doing = "figures, errors";
    before = stats_now();
    CHECK_IS(gc_close(CHECK_NO_SOCKET, 0), GC_ERR_NOT_A_SOCKET);
    CHECK_IS(gc_close_async(CHECK_NO_SOCKET, 0), GC_ERR_NOT_A_SOCKET);
    check_grown(&before, 0, 0, 0, 0);

    check_doing = "figures, background";
    before = stats_now();
    options.timeout_ms = 20000;
    for (i = 0; i < 3; i++) {
        check_pair(&socks[i], &peers[i]);
        CHECK_IS(gc_reaper_close(reaper, socks[i], &options, NULL, NULL), 0);
        CHECK_IS(stats_now().pending - before.pending, i + 1);
    }
    check_send_pattern(peers[0], 1000, 0);
    for (i = 0; i < 2; i++) check_close(peers[i]);
    await_pending(reaper, 1);
    CHECK_IS(stats_now().pending - before.pending, 1);
    check_close(peers[2]);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    check_grown(&before, GC_GRACEFUL, 3, 0, 1000);

    check_doing = "figures, evicted";
    before = stats_now();
    check_pair(&socks[0], &peer);
    CHECK_IS(gc_reaper_close(reaper, socks[0], &options, NULL, NULL), 0);
    CHECK_IS(gc_reaper_free(reaper, 0), GC_TIMED_OUT);
    check_close(peer);
    check_grown(&before, GC_EVICTED, 1, 1, 0);

    check_doing = "figures, many";
    before = stats_now();
    for (i = 0; i < 3; i++) {
        check_pair(&socks[i], &peers[i]);
        check_send_pattern(peers[i], 100, 0);
        check_half_close(peers[i]);
    }
    CHECK_IS(gc_close_many(socks, 3, &options, NULL), 3);
    for (i = 0; i < 3; i++) check_close(peers[i]);
    check_grown(&before, GC_GRACEFUL, 3, 0, 300);
}

static void sizes(void)
{
    union {
        gc_stats stats;
        unsigned char bytes[sizeof(gc_stats) + 64];
    } room;
    size_t i;
    check_doing = "sizes of gc_stats";
    CHECK_IS(gc_get_stats(NULL), GC_ERR_ARGUMENT);
    for (i = 0; i < 7; i++) {
        static const size_t wrong[7] = {0, 1, sizeof(size_t) - 1, sizeof(size_t) + 1,
                                        sizeof(gc_stats) - 1, 100000, (size_t)-1};
        memset(&room, 0xAA, sizeof(room));
        room.stats.struct_size = wrong[i];
        check_set_last_error(0);
        CHECK_IS(gc_get_stats(&room.stats), GC_ERR_ARGUMENT);
        CHECK_IS(check_last_error(), CHECK_EINVAL);
        CHECK_IS(room.bytes[sizeof(size_t)], 0xAA);
    }
    /* an older program's: only so much is written */
    memset(&room, 0xAA, sizeof(room));
    room.stats.struct_size = offsetof(gc_stats, aborted);
    CHECK_IS(gc_get_stats(&room.stats), 0);
    CHECK_IS(room.stats.struct_size, offsetof(gc_stats, aborted));
    CHECK(room.stats.closed > 0 && room.stats.closed < 1000);
    for (i = offsetof(gc_stats, aborted); i < sizeof(room); i++) CHECK_IS(room.bytes[i], 0xAA);
    /* a newer one's: what this library does not know stays as it is */
    memset(&room, 0, sizeof(room));
    room.stats.struct_size = sizeof(room);
    CHECK_IS(gc_get_stats(&room.stats), 0);
    CHECK_IS(room.stats.struct_size, sizeof(room));
    for (i = sizeof(gc_stats); i < sizeof(room); i++) CHECK_IS(room.bytes[i], 0);
}

static void address_of(check_socket sock, int remote, char *text)
{
    struct sockaddr_in address;
    check_length length = (check_length)sizeof(address);
    if (remote)
        CHECK_IS(getpeername(sock, (struct sockaddr *)&address, &length), 0);
    else
        CHECK_IS(getsockname(sock, (struct sockaddr *)&address, &length), 0);
    sprintf(text, "127.0.0.1:%u", (unsigned int)ntohs(address.sin_port));
}

/* way: 0 gc_close_with, 1 gc_reaper_close, 2 deferred, 3 gc_close_many */
static void close_by(int way, gc_reaper *reaper, check_socket sock, gc_options *options)
{
    options->flags = way == 2 ? GC_DEFERRED : 0;
    if (way == 0) {
        CHECK(gc_close_with(sock, options, NULL) >= 0);
    } else if (way == 3) {
        CHECK(gc_close_many(&sock, 1, options, NULL) >= 0);
    } else {
        CHECK_IS(gc_reaper_close(reaper, sock, options, NULL, NULL), 0);
        CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    }
}

static void lines(void)
{
    static book notes;
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    check_socket sock, peer;
    int way;
    for (way = 0; way < 4; way++) {
        char ours[64], theirs[64];
        const char *line = notes.line[0];
        check_round = way;

        check_doing = "lines, timed out";
        notes.count = 0;
        gc_set_log(writes_down, &notes);
        check_pair(&sock, &peer);
        address_of(sock, 0, ours);
        address_of(sock, 1, theirs);
        check_send_pattern(peer, 777, 0);
        options.timeout_ms = 60;
        close_by(way, reaper, sock, &options);
        CHECK_IS(notes.count, 1);
        CHECK_IS(notes.outcome[0], GC_TIMED_OUT);
        CHECK(strstr(line, ours) != NULL);
        CHECK(strstr(line, theirs) != NULL);
        CHECK(strstr(line, ours) < strstr(line, theirs));
        CHECK(strstr(line, gc_outcome_name(GC_TIMED_OUT)) != NULL);
        CHECK(strstr(line, " ms") != NULL);
        CHECK(strstr(line, "777 bytes drained") != NULL);
        CHECK(strstr(line, "unacked") != NULL);
        check_close(peer);

        check_doing = "lines, reset";
        notes.count = 0;
        check_pair(&sock, &peer);
        address_of(sock, 0, ours);
        check_reset(peer);
        check_wait_readable(sock);
        options.timeout_ms = 20000;
        close_by(way, reaper, sock, &options);
        CHECK_IS(notes.count, 1);
        CHECK_IS(notes.outcome[0], GC_RESET);
        CHECK(strstr(line, ours) != NULL);
#ifdef __linux__
        CHECK(strstr(line, strerror(ECONNRESET)) != NULL);
#endif

        check_doing = "lines, graceful";
        notes.count = 0;
        check_pair(&sock, &peer);
        check_half_close(peer);
        close_by(way, reaper, sock, &options);
        CHECK_IS(notes.count, 0);
        check_close(peer);

        check_doing = "lines, no connection";
        sock = socket(AF_INET, SOCK_DGRAM, 0);
        close_by(way, reaper, sock, &options);
        CHECK_IS(notes.count, 1);
        CHECK_IS(notes.outcome[0], GC_NOT_CONNECTED);

        check_doing = "lines, off again";
        gc_set_log(NULL, NULL);
        notes.count = 0;
        sock = socket(AF_INET, SOCK_DGRAM, 0);
        close_by(way, reaper, sock, &options);
        CHECK_IS(notes.count, 0);
    }
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

static gc_reaper *used_inside;
static volatile long inside;

/* What is called here concerns the one whose line it is, too: it must not be waited for. What it closes has no line,
   which would have it called again and again. */
static void calls_back(void *user, int outcome, const char *line)
{
    gc_stats stats = GC_STATS_INIT;
    check_socket sock;
    (void)outcome;
    (void)line;
    inside++;
    CHECK_IS(gc_get_stats(&stats), 0);
    gc_reaper_pending(used_inside);
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_IS(gc_close(sock, 0), GC_NOT_CONNECTED);
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_IS(gc_reaper_close(used_inside, sock, NULL, NULL, NULL), 0);
    CHECK(gc_reaper_flush(used_inside, 4000) >= 0);
    CHECK(gc_flush(4000) >= 0);
    gc_set_log(NULL, NULL);
    gc_set_log(calls_back, user);
}

static void lines_that_call_back(void)
{
    gc_options options = GC_OPTIONS_INIT;
    int way;
    used_inside = new_reaper(0, GC_FULL_REFUSE);
    check_doing = "lines that call back";
    for (way = 0; way < 4; way++) {
        check_socket sock = socket(AF_INET, SOCK_DGRAM, 0);
        double start = check_now();
        check_round = way;
        inside = 0;
        gc_set_log(calls_back, NULL);
        close_by(way, used_inside, sock, &options);
        CHECK_IS(gc_reaper_flush(used_inside, PATIENCE), 0);
        check_sleep(20);
        CHECK_IS(inside, 1);
        CHECK_ELAPSED(start, 0, 3000);
        gc_set_log(NULL, NULL);
    }
    CHECK_IS(gc_reaper_free(used_inside, 0), 0);
}

int main(void)
{
    check_start();
    figures();
    sizes();
    lines();
    lines_that_call_back();
    return 0;
}
