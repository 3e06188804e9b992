/*
 * What the program has set up to hear of its socket before gc_closing_new() stays in
 * force until the close has ended: WSAAsyncSelect and WSAEventSelect on Windows, an
 * edge-triggered epoll registration on Linux. And after the end nothing comes any more.
 */
#include "closing_test.h"

#ifdef __linux__
#include <sys/epoll.h>
#endif

#define NEWS (0x0400 + 1) /* WM_USER + 1 */

enum way { EPOLL, ASYNC, EVENT };

#ifdef _WIN32
static HWND window;
static WSAEVENT event;
#elif defined(__linux__)
static int poller;
#endif

static void select_on(enum way way, check_socket sock)
{
#ifdef _WIN32
    if (way == ASYNC)
        CHECK_IS(WSAAsyncSelect(sock, window, NEWS, FD_READ | FD_CLOSE), 0);
    else
        CHECK_IS(WSAEventSelect(sock, event, FD_READ | FD_CLOSE), 0);
#elif defined(__linux__)
    struct epoll_event entry;
    memset(&entry, 0, sizeof(entry));
    entry.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    CHECK_IS(epoll_ctl(poller, EPOLL_CTL_ADD, sock, &entry), 0);
    (void)way;
#else
    (void)way;
    (void)sock;
#endif
}

/* something has been told within so long; all of it is taken then */
static int news_within(enum way way, check_socket sock, unsigned int ms)
{
    double start = check_now();
    int told = 0;
    do {
#ifdef _WIN32
        if (way == ASYNC) {
            MSG message;
            while (PeekMessageA(&message, window, 0, 0, PM_REMOVE))
                told += message.message == NEWS && (SOCKET)message.wParam == sock;
        } else if (WaitForSingleObject(event, 0) == WAIT_OBJECT_0) {
            WSAResetEvent(event);
            told++;
        }
#elif defined(__linux__)
        struct epoll_event entries[4];
        told += epoll_wait(poller, entries, 4, 0) > 0;
#endif
        if (told > 0) return 1;
        check_sleep(2);
    } while (check_now() - start < ms);
    (void)way;
    (void)sock;
    return 0;
}

static void wakes_every_step(enum way way)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing;
    check_socket ours, peer;
    size_t bytes;
    int i;
    options.timeout_ms = 30000;
    check_pair(&ours, &peer);
    select_on(way, ours);
    check_send_pattern(ours, 5000, 0);
    closing = new_closing(ours, &options);
    CHECK_IS(timed_step(closing), GC_PENDING);
    while (news_within(way, ours, 50)) CHECK_IS(timed_step(closing), GC_PENDING);
    for (i = 0; i < 3; i++) {
        check_send_pattern(peer, 1000, 0);
        CHECK(news_within(way, ours, 10000));
        CHECK_IS(timed_step(closing), GC_PENDING);
        while (news_within(way, ours, 20)) CHECK_IS(timed_step(closing), GC_PENDING);
        CHECK_IS(report_of(closing).drained_bytes, 1000 * (i + 1));
    }
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    CHECK_IS(bytes, 5000);
    check_close(peer);
    CHECK(news_within(way, ours, 10000));
    CHECK_IS(driven(closing), GC_GRACEFUL);
    news_within(way, ours, 0); /* told before the close, taken late */
    CHECK(!news_within(way, ours, 50));
    free_ended(closing, GC_GRACEFUL);
}

/* It is the program's again, with the selection that it had. */
static void stays_with_a_kept_socket(enum way way)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing;
    check_socket ours, peer;
    unsigned char late[64];
    options.timeout_ms = 30000;
    options.fallback = GC_THEN_KEEP;
    check_pair(&ours, &peer);
    select_on(way, ours);
    closing = new_closing(ours, &options);
    CHECK_IS(timed_step(closing), GC_PENDING);
    gc_closing_free(closing);
    while (news_within(way, ours, 20)) continue;
    check_send_pattern(peer, 50, 0);
    CHECK(news_within(way, ours, 10000));
    CHECK_IS(check_receive(ours, late, sizeof(late)), 50);
    check_close(ours);
    check_close(peer);
}

static void both(enum way way)
{
    check_round = way;
    check_doing = "wakes every step";
    wakes_every_step(way);
    check_doing = "stays with a kept socket";
    stays_with_a_kept_socket(way);
}

int main(void)
{
    check_start();
#ifdef _WIN32
    window = CreateWindowA("STATIC", "", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL);
    CHECK(window != NULL);
    event = WSACreateEvent();
    CHECK(event != WSA_INVALID_EVENT);
    both(ASYNC);
    both(EVENT);
    DestroyWindow(window);
    WSACloseEvent(event);
#elif defined(__linux__)
    poller = epoll_create(1);
    CHECK(poller >= 0);
    both(EPOLL);
    close(poller);
#else
    (void)both;
    check_skip("for Windows and Linux");
#endif
    return 0;
}
