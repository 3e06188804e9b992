/* What the library is for. */
#include "selftest.h"

#include <stdio.h>
#include <string.h>

#define COUNT 20
#define ANSWER 200000

static char answer[ANSWER];

/* COUNT connections with an answer under way, a request that nobody has read, and late readers */
static int hurried(SOCKET *ours, reader *readers, DWORD late_ms)
{
    SOCKET other;
    int i;

    for (i = 0; i < COUNT; i++) {
        if (!pair(&ours[i], &other)) return 0;
        if (send(other, answer, 5000, 0) != 5000 || send(ours[i], answer, ANSWER, 0) != ANSWER) return 0;
        Sleep(1);
        read_all(&readers[i], other, late_ms, 1);
    }
    return 1;
}

static int whole_ones(reader *readers)
{
    int i, whole = 0;

    for (i = 0; i < COUNT; i++) {
        join(&readers[i]);
        whole += readers[i].bytes == ANSWER && readers[i].error == 0;
    }
    return whole;
}

static const char *how_many(int whole)
{
    return whole == COUNT ? "all" : whole == 0 ? "none" : "some";
}

static void unread_request(probe *p)
{
    static SOCKET ours[COUNT];
    static reader readers[COUNT];
    int i, graceful = 0;

    NEED(hurried(ours, readers, 150));
    for (i = 0; i < COUNT; i++) closesocket(ours[i]);
    did(p, "%s", how_many(whole_ones(readers)));
    NEED(hurried(ours, readers, 150));
    for (i = 0; i < COUNT; i++) graceful += gc_close(ours[i], 5000) == GC_GRACEFUL;
    made(p, "%s", how_many(whole_ones(readers)));
    made(p, graceful == COUNT ? "all graceful" : "not all graceful");
}

/* SD_SEND and closesocket at once: nothing is unread, and the loopback interface loses data all the same */
static void in_haste(probe *p)
{
    static SOCKET ours[COUNT];
    static reader readers[COUNT];
    SOCKET other;
    int i, round, graceful = 0;

    for (round = 0; round < 2; round++) {
        for (i = 0; i < COUNT; i++) {
            NEED(pair(&ours[i], &other));
            NEED(send(ours[i], answer, ANSWER, 0) == ANSWER);
            read_all(&readers[i], other, 300, 1);
        }
        for (i = 0; i < COUNT; i++) {
            if (round == 1) {
                graceful += gc_closesocket(ours[i]) == 0;
            } else {
                shutdown(ours[i], SD_SEND);
                closesocket(ours[i]);
            }
        }
        i = whole_ones(readers);
        if (round == 0) did(p, "%d of %d whole", i, COUNT);
        else made(p, "%s", how_many(i));
    }
    made(p, graceful == COUNT ? "gc_closesocket 0" : "gc_closesocket fails");
}

static void quiet_peer(probe *p)
{
    SOCKET ours, other;
    DWORD started, took;

    NEED(pair(&ours, &other));
    started = GetTickCount();
    made(p, "%s", gc_outcome_name(gc_close(ours, 500)));
    took = GetTickCount() - started;
    made(p, took < 480 ? "too early" : took < 2000 ? "in time" : "late");
    closesocket(other);
}

static void no_connection(probe *p)
{
    SOCKET datagrams = socket(AF_INET, SOCK_DGRAM, 0);

    made(p, "%s", gc_outcome_name(gc_close(datagrams, 1000)));
    made(p, "%s", gc_outcome_name(gc_close(datagrams, 1000)));
    made(p, "%s", gc_outcome_name(gc_close((gc_socket)GetStdHandle(STD_OUTPUT_HANDLE), 1000)));
}

static void aborted(probe *p)
{
    SOCKET ours, other;
    char words[64];
    reader r;

    NEED(pair(&ours, &other));
    read_all(&r, other, 0, 0);
    Sleep(50);
    made(p, "%d", gc_abort(ours));
    join(&r);
    made(p, "%s", fared(&r, 1, words));
}

static void kept_open(probe *p)
{
    SOCKET ours, other;
    int type, size = sizeof type;
    reader r;

    NEED(pair(&ours, &other));
    read_all(&r, other, 50, 0);
    made(p, "%s", gc_outcome_name(gc_finish(ours, 2000)));
    join(&r);
    made(p, getsockopt(ours, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0 ? "open" : "closed");
    closesocket(ours);
}

static void in_a_loop(probe *p)
{
    SOCKET ours, other;
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing = NULL;
    WSAEVENT event = WSACreateEvent();
    int outcome;
    reader r;

    NEED(pair(&ours, &other));
    NEED(WSAEventSelect(ours, event, FD_READ | FD_CLOSE) == 0);
    NEED(send(ours, "answer", 6, 0) == 6);
    options.timeout_ms = 3000;
    read_all(&r, other, 200, 0);
    NEED(gc_closing_new(ours, &options, &closing) == 0);
    while ((outcome = gc_closing_step(closing)) == GC_PENDING) {
        WaitForSingleObject(event, gc_closing_timeout_ms(closing));
        WSAResetEvent(event);
    }
    made(p, "%s", gc_outcome_name(outcome));
    gc_closing_free(closing);
    join(&r);
    WSACloseEvent(event);
}

static void over_ipv6(probe *p)
{
    struct sockaddr_in6 address;
    SOCKET listener = socket(AF_INET6, SOCK_STREAM, 0), ours, other = socket(AF_INET6, SOCK_STREAM, 0);
    int size = (int)sizeof address;
    char words[64];
    reader r;

    memset(&address, 0, sizeof address);
    address.sin6_family = AF_INET6;
    address.sin6_addr.s6_addr[15] = 1;
    if (bind(listener, (struct sockaddr *)&address, size) != 0) {
        p->library = "no IPv6";
        made(p, "no IPv6");
        return;
    }
    NEED(listen(listener, 4) == 0 && getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    NEED(connect(other, (struct sockaddr *)&address, sizeof address) == 0);
    ours = accept(listener, NULL, NULL);
    NEED(ours != INVALID_SOCKET);
    closesocket(listener);
    NEED(send(other, "unread", 6, 0) == 6 && send(ours, "answer", 6, 0) == 6);
    read_all(&r, other, 100, 0);
    made(p, "%s", gc_outcome_name(gc_close(ours, 2000)));
    join(&r);
    made(p, "%s", fared(&r, 6, words));
}

/* Wine has no GetProcessHandleCount: there the lowest numbers that are free tell it. */
static DWORD handles(void)
{
    DWORD count = 0;
    HANDLE free_ones[8];
    int i;

    GetProcessHandleCount(GetCurrentProcess(), &count);
    if (count != 0) return count;
    for (i = 0; i < 8; i++) free_ones[i] = CreateEventA(NULL, FALSE, FALSE, NULL);
    count = (DWORD)((ULONG_PTR)free_ones[7] / sizeof(DWORD));
    for (i = 0; i < 8; i++) CloseHandle(free_ones[i]);
    return count;
}

static void no_handle_stays(probe *p)
{
    SOCKET ours, other;
    DWORD before = 0, after = 0;
    int i;

    for (i = 0; i < 60; i++) {
        if (i == 10) before = handles();
        NEED(pair(&ours, &other));
        shutdown(other, SD_SEND);
        gc_close(ours, 1000);
        closesocket(other);
    }
    after = handles();
    made(p, after <= before + 5 ? "none" : "%ld more", (long)(after - before));
}

probe of_the_library[] = {
    {"answers", "20 answers, the requests not read to the end", unread_request, "none|some", "all, all graceful"},
    {"haste", "20 answers, SD_SEND and closesocket at once", in_haste, "", "all, gc_closesocket 0"},
    {"quiet", "A peer that never closes, 500 ms", quiet_peer, "-", "timed out, in time"},
    {"others", "A datagram socket, a closed one, a file", no_connection, "-", "not connected, not a socket, not a socket"},
    {"abort", "gc_abort", aborted, "-", "0, nothing, a reset"},
    {"finish", "gc_finish", kept_open, "-", "graceful, open"},
    {"loop", "gc_closing in a loop of WSAEventSelect", in_a_loop, "-", "graceful"},
    {"ipv6", "IPv6", over_ipv6, "-", "graceful, whole, an end"},
    {"leak", "Handles that stay after 50 closes", no_handle_stays, "-", "none"},
    {NULL}};

/* --- the background; the last ones, as its thread stays --- */

static LONG volatile graceful_ones;

static void when_done(void *user, gc_socket sock, const gc_report *report)
{
    (void)user;
    (void)sock;
    if (report->outcome == GC_GRACEFUL) InterlockedIncrement(&graceful_ones);
}

static void handed_over(probe *p)
{
    static SOCKET ours[COUNT];
    static reader readers[COUNT];
    gc_options options = GC_OPTIONS_INIT;
    DWORD started, took;
    int i;

    NEED(hurried(ours, readers, 1000));
    started = GetTickCount();
    for (i = 0; i < COUNT; i++) NEED(gc_close_async_with(ours[i], &options, when_done, NULL) == 0);
    took = GetTickCount() - started;
    made(p, took < 900 ? "without waiting" : "%lu ms", took);
    made(p, gc_flush(8000) == 0 ? "flushed" : "not flushed");
    made(p, "%s", how_many(whole_ones(readers)));
    made(p, graceful_ones == COUNT ? "all graceful" : "not all graceful");
}

static void many_at_once(probe *p)
{
    static SOCKET ours[COUNT];
    static reader readers[COUNT];
    gc_options options = GC_OPTIONS_INIT;
    int graceful;

    NEED(hurried(ours, readers, 150));
    graceful = gc_close_many((const gc_socket *)ours, COUNT, &options, NULL);
    made(p, "%s", how_many(whole_ones(readers)));
    made(p, graceful == COUNT ? "all graceful" : "%d graceful", graceful);
}

/* the library's own reference keeps what it still has to do */
static void cleaned_up_before(probe *p)
{
    SOCKET ours, other;
    WSADATA data;
    char words[64];
    reader r;

    NEED(pair(&ours, &other));
    NEED(send(ours, "answer", 6, 0) == 6);
    NEED(gc_close_async(ours, 3000) == 0);
    WSACleanup();
    read_all(&r, other, 100, 0);
    made(p, gc_flush(4000) == 0 ? "flushed" : "not flushed");
    join(&r);
    made(p, "%s", fared(&r, 6, words));
    NEED(WSAStartup(MAKEWORD(2, 2), &data) == 0);
}

probe of_the_background[] = {
    {"many", "gc_close_many of 20", many_at_once, "-", "all, all graceful"},
    {"background", "20 answers, gc_close_async", handed_over, "-", "without waiting, flushed, all, all graceful"},
    {"background-cleanup", "WSACleanup while the background works", cleaned_up_before, "-", "flushed, whole, an end"},
    {NULL}};
