/*
 * A server that has run out of descriptors needs its closes most of all. They work,
 * and a connection that is shared is not ended for its other holder because nobody
 * could look.
 */
#include "reaper_test.h"

#ifndef __linux__

int main(void)
{
    check_skip("Linux only: elsewhere no close needs a descriptor");
    return 0;
}

#else

#define ANSWER 1000000

static void reads_late(void *argument)
{
    size_t bytes;
    check_sleep(50); /* so that acknowledgements have to be waited for */
    CHECK_IS(check_read_to_end(*(check_socket *)argument, &bytes, 1), 0);
    CHECK_IS(bytes, ANSWER);
}

static int hoard[256];
static int hoarded = 0;

static void take_all(void)
{
    for (;;) {
        int fd = open("/dev/null", O_RDONLY);
        if (fd < 0) break;
        CHECK(hoarded < 256);
        hoard[hoarded++] = fd;
    }
    CHECK_IS(errno, EMFILE);
}

static void give_back(void)
{
    while (hoarded > 0) check_close(hoard[--hoarded]);
}

int main(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    check_thread reader;
    check_socket sock, peer, other;
    struct rlimit limit;
    double start, used;
    check_start();
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 128;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);

    check_doing = "gc_close_with";
    check_pair(&sock, &peer);
    check_half_close(peer);
    take_all();
    check_thread_start(&reader, reads_late, &peer);
    check_send_pattern(sock, ANSWER, 0);
    options.timeout_ms = 60000;
    CHECK_IS(gc_close_with(sock, &options, &report), GC_GRACEFUL);
    CHECK_IS(report.unacked_bytes, check_is_generic() ? GC_UNKNOWN : 0);
    check_thread_join(&reader);
    check_close(peer);
    give_back();

    check_doing = "gc_closesocket";
    check_pair(&sock, &peer);
    check_half_close(peer);
    take_all();
    CHECK_IS(gc_closesocket(sock), 0);
    CHECK(!check_is_socket(sock));
    check_close(peer);
    give_back();

    check_doing = "a shared connection";
    check_pair(&sock, &peer);
    check_half_close(peer);
    other = dup(sock);
    take_all();
    CHECK_IS(gc_closesocket(sock), 0);
    CHECK(!check_is_socket(sock));
    CHECK_IS(check_send(other, "x", 1), 1);
    check_close(other);
    check_close(peer);
    give_back();

    /* as sandboxes do; poll() is refused then, too */
    check_doing = "none allowed";
    check_pair(&sock, &peer);
    limit.rlim_cur = 0;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    start = check_now();
    used = processor_time();
    CHECK_IS(gc_close(sock, 300), GC_TIMED_OUT);
    used = processor_time() - used;
    CHECK_ELAPSED(start, 300, 3000);
    CHECK_BETWEEN(used, 0, check_is_slow() ? 250 : 60);
    check_close(peer);
    limit.rlim_cur = 128;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return 0;
}

#endif
