/*
 * SO_LINGER that the program has left behind. On a non-blocking socket closesocket fails with
 * WSAEWOULDBLOCK then, and leaves it open; on a blocking one it stalls and cuts off the rest.
 */
#include "win_test.h"

#ifdef _WIN32

static char data[1024 * 1024];

static void with_linger(u_long nonblocking, u_short on, u_short seconds)
{
    struct linger linger;
    SOCKET ours, other;
    int sent = 0, got;
    peer p;

    make_pair(&ours, &other);
    linger.l_onoff = on;
    linger.l_linger = seconds;
    CHECK_INT(setsockopt(ours, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof linger), 0);
    CHECK_INT(ioctlsocket(ours, (long)FIONBIO, &nonblocking), 0);
    got = send(ours, data, sizeof data, 0);
    CHECK(got > 0);
    sent += got;
    CHECK_INT(send(other, data, 1000, 0), 1000);

    memset(&p, 0, sizeof p);
    p.first_ms = 50;
    p.late_bytes = 20000;
    peer_start(&p, other);
    CHECK_INT(gc_close(ours, 5000), GC_GRACEFUL);
    CHECK(is_closed(ours));
    peer_join(&p);
    CHECK_INT(p.received, sent);
    CHECK_INT(p.reset, 0);
}

/* a peer that never answers: the time-out counts, not the linger time */
static void does_not_stall(u_long nonblocking)
{
    struct linger linger;
    SOCKET ours, other;
    DWORD started;

    make_pair(&ours, &other);
    linger.l_onoff = 1;
    linger.l_linger = 5;
    CHECK_INT(setsockopt(ours, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof linger), 0);
    nonblocking = 1;
    CHECK_INT(ioctlsocket(ours, (long)FIONBIO, &nonblocking), 0);
    while (send(ours, data, sizeof data, 0) > 0) {
    }
    CHECK_INT(WSAGetLastError(), WSAEWOULDBLOCK);
    started = GetTickCount();
    CHECK_INT(gc_close(ours, 200), GC_TIMED_OUT);
    CHECK(GetTickCount() - started < 2000);
    CHECK(is_closed(ours));
    closesocket(other);
}

/* not connected: nothing is negotiated, and linger must not keep it open either */
static void unconnected(void)
{
    struct linger linger;
    u_long nonblocking = 1;
    SOCKET s = tcp_socket();

    linger.l_onoff = 1;
    linger.l_linger = 5;
    CHECK_INT(setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof linger), 0);
    CHECK_INT(ioctlsocket(s, (long)FIONBIO, &nonblocking), 0);
    CHECK_INT(gc_close(s, 5000), GC_NOT_CONNECTED);
    CHECK(is_closed(s));
}

int main(void)
{
    start_winsock();
    with_linger(1, 1, 5);
    passed("linger of 5 s, non-blocking");
    with_linger(0, 1, 5);
    passed("linger of 5 s, blocking");
    with_linger(1, 1, 0);
    passed("linger of 0 s: no reset");
    does_not_stall(1);
    does_not_stall(0);
    passed("a silent peer: no stall");
    unconnected();
    passed("not connected");
    WSACleanup();
    return 0;
}

#endif
