/*
 * A program with a completion port closes while its overlapped calls are pending: each of them
 * completes, the peer sees no reset, and nothing else appears on the port.
 */
#include "win_test.h"

#ifdef _WIN32

static HANDLE bind_port(SOCKET s)
{
    HANDLE port = CreateIoCompletionPort((HANDLE)s, NULL, 7, 0);

    CHECK(port != NULL);
    return port;
}

/* the packet of one call; whether it succeeded, and with how many bytes */
static BOOL take_packet(HANDLE port, OVERLAPPED *wanted, DWORD *bytes)
{
    OVERLAPPED *overlapped = NULL;
    ULONG_PTR key = 0;
    BOOL success = GetQueuedCompletionStatus(port, bytes, &key, &overlapped, 2000);

    CHECK(overlapped == wanted);
    CHECK_INT(key, 7);
    return success;
}

static void check_port_is_empty(HANDLE port)
{
    OVERLAPPED *overlapped = NULL;
    ULONG_PTR key;
    DWORD bytes;

    CHECK(!GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, 50));
    CHECK(overlapped == NULL);
}

static void start_receive(SOCKET s, WSABUF *buffer, OVERLAPPED *overlapped)
{
    DWORD flags = 0;

    memset(overlapped, 0, sizeof *overlapped);
    CHECK_INT(WSARecv(s, buffer, 1, NULL, &flags, overlapped, NULL), SOCKET_ERROR);
    CHECK_INT(WSAGetLastError(), WSA_IO_PENDING);
}

static void receive_ends_with_the_stream(void)
{
    char data[16];
    OVERLAPPED overlapped;
    WSABUF buffer;
    SOCKET ours, other;
    HANDLE port;
    DWORD bytes = 1;
    peer p;

    make_pair(&ours, &other);
    port = bind_port(ours);
    buffer.buf = data;
    buffer.len = sizeof data;
    start_receive(ours, &buffer, &overlapped);

    memset(&p, 0, sizeof p);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    peer_start(&p, other);
    CHECK_INT(gc_close(ours, 5000), GC_GRACEFUL);
    CHECK(is_closed(ours));
    peer_join(&p);
    CHECK_INT(p.received, 6);
    CHECK_INT(p.reset, 0);
    CHECK(take_packet(port, &overlapped, &bytes));
    CHECK_INT(bytes, 0);
    check_port_is_empty(port);
    CloseHandle(port);
    passed("a pending WSARecv ends with the stream");
}

/* its buffer takes the first of the late bytes, the library the rest */
static void receive_gets_late_bytes(void)
{
    char data[16];
    OVERLAPPED overlapped;
    WSABUF buffer;
    SOCKET ours, other;
    HANDLE port;
    DWORD bytes = 0;
    peer p;

    make_pair(&ours, &other);
    port = bind_port(ours);
    buffer.buf = data;
    buffer.len = sizeof data;
    start_receive(ours, &buffer, &overlapped);

    memset(&p, 0, sizeof p);
    p.late_bytes = 100000;
    peer_start(&p, other);
    CHECK_INT(gc_close(ours, 5000), GC_GRACEFUL);
    peer_join(&p);
    CHECK_INT(p.reset, 0);
    CHECK(take_packet(port, &overlapped, &bytes));
    CHECK_INT(bytes, sizeof data);
    check_port_is_empty(port);
    CloseHandle(port);
    passed("a pending WSARecv takes late bytes, the rest is drained");
}

static void receive_does_not_outlive_a_time_out(void)
{
    char data[16];
    OVERLAPPED overlapped;
    WSABUF buffer;
    SOCKET ours, other;
    HANDLE port;
    DWORD bytes = 0;

    make_pair(&ours, &other);
    port = bind_port(ours);
    buffer.buf = data;
    buffer.len = sizeof data;
    start_receive(ours, &buffer, &overlapped);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    CHECK_INT(gc_close(ours, 100), GC_TIMED_OUT);
    CHECK(is_closed(ours));
    CHECK(!take_packet(port, &overlapped, &bytes));
    check_port_is_empty(port);
    CloseHandle(port);

    /* the peer was silent, but it gets all of ours, and no reset */
    CHECK_INT(recv(other, data, sizeof data, MSG_PEEK), 6);
    CHECK_INT(is_reset(other), 0);
    CHECK_INT(recv(other, data, sizeof data, 0), 6);
    CHECK_INT(recv(other, data, sizeof data, 0), 0);
    CHECK_INT(is_reset(other), 0);
    closesocket(other);
    passed("a pending WSARecv is cancelled at the time-out, without a reset");
}

/* Whether it is pending. */
static int send_overlapped(SOCKET ours, char *data, ULONG size, OVERLAPPED *overlapped)
{
    WSABUF buffer;

    buffer.buf = data;
    buffer.len = size;
    memset(overlapped, 0, sizeof *overlapped);
    if (WSASend(ours, &buffer, 1, NULL, 0, overlapped, NULL) == 0) {
        return 0;
    }
    CHECK_INT(WSAGetLastError(), WSA_IO_PENDING);
    return 1;
}

static void send_is_finished(void)
{
    static char data[8 * 1024 * 1024];
    OVERLAPPED overlapped;
    SOCKET ours, other;
    HANDLE port;
    DWORD bytes = 0;
    peer p;

    make_pair(&ours, &other);
    port = bind_port(ours);
    send_overlapped(ours, data, sizeof data, &overlapped);
    memset(&p, 0, sizeof p);
    p.first_ms = 100;
    p.pause_ms = 1;
    p.late_bytes = 20000;
    peer_start(&p, other);
    CHECK_INT(gc_close(ours, 30000), GC_GRACEFUL);
    peer_join(&p);
    CHECK_INT(p.received, sizeof data);
    CHECK_INT(p.reset, 0);
    CHECK(take_packet(port, &overlapped, &bytes));
    CHECK_INT(bytes, sizeof data);
    check_port_is_empty(port);
    CloseHandle(port);
    passed("a pending WSASend of 8 MiB is finished first");
}

/* a clean end behind a part of it would tell the peer that it has everything */
static void send_is_not_cut_unseen(void)
{
    static char data[8 * 1024 * 1024];
    OVERLAPPED overlapped;
    SOCKET ours, other;
    HANDLE port;
    DWORD bytes = 0;
    peer p;

    make_pair(&ours, &other);
    port = bind_port(ours);
    CHECK(send_overlapped(ours, data, sizeof data, &overlapped));
    CHECK_INT(gc_close(ours, 100), GC_TIMED_OUT);
    CHECK(!take_packet(port, &overlapped, &bytes));
    CHECK(bytes < sizeof data);
    check_port_is_empty(port);
    CloseHandle(port);
    memset(&p, 0, sizeof p);
    peer_start(&p, other);
    peer_join(&p);
    CHECK(p.received < sizeof data);
    CHECK_INT(p.reset, 1);
    passed("a pending WSASend that is cut ends with a reset");
}

/* What was sent and has not been taken is the system's to deliver: no reset. */
static void what_was_sent_arrives(int has_buffer)
{
    static char data[1024 * 1024];
    SOCKET ours, other;
    u_long on = 1;
    size_t sent = 0;
    int got, none = 0;
    peer p;

    make_pair(&ours, &other);
    if (!has_buffer) {
        CHECK_INT(setsockopt(ours, SOL_SOCKET, SO_SNDBUF, (char *)&none, sizeof none), 0);
    }
    CHECK_INT(ioctlsocket(ours, (long)FIONBIO, &on), 0);
    while ((got = send(ours, data, sizeof data, 0)) > 0) {
        sent += (size_t)got;
    }
    CHECK_INT(gc_close(ours, 100), GC_TIMED_OUT);
    memset(&p, 0, sizeof p);
    peer_start(&p, other);
    peer_join(&p);
    CHECK_INT(p.received, sent);
    CHECK_INT(p.reset, 0);
    passed(has_buffer ? "with nothing pending all that was sent arrives after the time-out, too" : "with SO_SNDBUF 0, too");
}

int main(void)
{
    start_winsock();
    receive_ends_with_the_stream();
    receive_gets_late_bytes();
    receive_does_not_outlive_a_time_out();
    send_is_finished();
    send_is_not_cut_unseen();
    what_was_sent_arrives(1);
    what_was_sent_arrives(0);
    WSACleanup();
    return 0;
}

#endif
