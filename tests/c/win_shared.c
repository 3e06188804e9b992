/*
 * A connection that another handle also holds: with GC_SHARED_RELEASE, and with gc_closesocket,
 * only our handle is closed, and the other one goes on working.
 */
#include "win_test.h"

#ifdef _WIN32

static SOCKET by_winsock(SOCKET s)
{
    WSAPROTOCOL_INFOW info;
    SOCKET copy;

    CHECK_INT(WSADuplicateSocketW(s, GetCurrentProcessId(), &info), 0);
    copy = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
    CHECK(copy != INVALID_SOCKET);
    return copy;
}

static void check_talks(SOCKET s, SOCKET other)
{
    char data[8];

    CHECK_INT(send(s, "there", 5, 0), 5);
    CHECK_INT(recv(other, data, sizeof data, 0), 5);
    CHECK_INT(send(other, "back", 4, 0), 4);
    CHECK_INT(recv(s, data, sizeof data, 0), 4);
}

static void release_one_of_two(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    SOCKET ours, other, copy;
    peer p;

    make_pair(&ours, &other);
    copy = by_winsock(ours);
    check_talks(copy, other);
    options.if_shared = GC_SHARED_RELEASE;
    CHECK_INT(gc_close_with(ours, &options, &report), GC_RELEASED);
    CHECK_INT(report.outcome, GC_RELEASED);
    CHECK_INT(report.closed, 1);
    CHECK(is_closed(ours));
    check_talks(copy, other);

    ours = by_winsock(copy);
    CHECK_INT(gc_closesocket(ours), 0);
    CHECK(is_closed(ours));
    check_talks(copy, other);

    /* the last one closes for good */
    memset(&p, 0, sizeof p);
    CHECK_INT(send(copy, "end", 3, 0), 3);
    peer_start(&p, other);
    CHECK_INT(gc_close_with(copy, &options, &report), GC_GRACEFUL);
    peer_join(&p);
    CHECK_INT(p.received, 3);
    CHECK_INT(p.reset, 0);
    passed("one of two from WSADuplicateSocket");
}

/* a handle that Winsock has not been told of, as a child inherits one */
static void release_beside_a_bare_handle(void)
{
    gc_options options = GC_OPTIONS_INIT;
    HANDLE this_process = GetCurrentProcess();
    HANDLE copy = NULL;
    OVERLAPPED overlapped;
    DWORD written = 0;
    SOCKET ours, other;
    char data[8];

    make_pair(&ours, &other);
    CHECK(DuplicateHandle(this_process, (HANDLE)ours, this_process, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS));
    options.if_shared = GC_SHARED_RELEASE;
    CHECK_INT(gc_close_with(ours, &options, NULL), GC_RELEASED);
    CHECK(is_closed(ours));
    memset(&overlapped, 0, sizeof overlapped);
    overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    if (!WriteFile(copy, "there", 5, NULL, &overlapped)) {
        CHECK_INT(GetLastError(), ERROR_IO_PENDING);
    }
    CHECK(GetOverlappedResult(copy, &overlapped, &written, TRUE));
    CHECK_INT(recv(other, data, sizeof data, 0), 5);
    CloseHandle(overlapped.hEvent);
    CloseHandle(copy);
    CHECK_INT(recv(other, data, sizeof data, 0), 0);
    closesocket(other);
    passed("one of two from DuplicateHandle");
}

/* what the other holder has pending lives on */
static void release_cancels_nothing(void)
{
    gc_options options = GC_OPTIONS_INIT;
    char data[8];
    OVERLAPPED overlapped;
    WSABUF buffer;
    DWORD flags = 0, bytes = 0;
    SOCKET ours, other, copy;

    make_pair(&ours, &other);
    copy = by_winsock(ours);
    buffer.buf = data;
    buffer.len = sizeof data;
    memset(&overlapped, 0, sizeof overlapped);
    overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    CHECK_INT(WSARecv(copy, &buffer, 1, NULL, &flags, &overlapped, NULL), SOCKET_ERROR);
    CHECK_INT(WSAGetLastError(), WSA_IO_PENDING);
    options.if_shared = GC_SHARED_RELEASE;
    CHECK_INT(gc_close_with(ours, &options, NULL), GC_RELEASED);
    CHECK_INT(send(other, "late", 4, 0), 4);
    CHECK(WSAGetOverlappedResult(copy, &overlapped, &bytes, TRUE, &flags));
    CHECK_INT(bytes, 4);
    CloseHandle(overlapped.hEvent);
    closesocket(copy);
    closesocket(other);
    passed("what the other handle has pending is left alone");
}

/* without looking, the connection is over for every holder */
static void shutdown_is_for_all(void)
{
    SOCKET ours, other, copy;
    peer p;

    make_pair(&ours, &other);
    copy = by_winsock(ours);
    memset(&p, 0, sizeof p);
    peer_start(&p, other);
    CHECK_INT(gc_close(ours, 5000), GC_GRACEFUL);
    peer_join(&p);
    CHECK_INT(p.reset, 0);
    CHECK_INT(send(copy, "late", 4, 0), SOCKET_ERROR);
    closesocket(copy);
    passed("gc_close ends it for every holder");
}

int main(void)
{
    start_winsock();
    release_one_of_two();
    release_beside_a_bare_handle();
    release_cancels_nothing();
    shutdown_is_for_all();
    WSACleanup();
    return 0;
}

#endif
