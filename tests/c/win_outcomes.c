/*
 * Sockets in every state that Winsock has, and the outcome of each: at once where there is nothing
 * to negotiate, and never by a receive that blocks.
 */
#include "win_test.h"

#ifdef _WIN32

#include <mswsock.h>

/* with and without the time to wait for the peer, and quickly */
static void check_not_connected(SOCKET (*make)(void), const char *what)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    DWORD started = GetTickCount();
    SOCKET s = make();

    CHECK_INT(gc_close_with(s, NULL, &report), GC_NOT_CONNECTED);
    CHECK_INT(report.closed, 1);
    CHECK_INT(report.system_error, 0);
    CHECK(is_closed(s));
    options.peer_first_ms = 3000;
    s = make();
    CHECK_INT(gc_close_with(s, &options, &report), GC_NOT_CONNECTED);
    CHECK(is_closed(s));
    s = make();
    CHECK_INT(gc_close(s, 0), GC_NOT_CONNECTED);
    CHECK(is_closed(s));
    s = make();
    CHECK_INT(gc_abort(s), 0);
    CHECK(is_closed(s));
    CHECK(GetTickCount() - started < 20000);
    passed(what);
}

static SOCKET fresh(void)
{
    return tcp_socket();
}

static SOCKET bound(void)
{
    struct sockaddr_in address = loopback(0);
    SOCKET s = tcp_socket();

    CHECK_INT(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    return s;
}

static SOCKET listening(void)
{
    struct sockaddr_in address;

    return listener(&address);
}

static SOCKET datagram(void)
{
    struct sockaddr_in address = loopback(0);
    SOCKET s = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);

    CHECK(s != INVALID_SOCKET);
    CHECK_INT(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    return s;
}

/* To a listener that takes nobody more: Linux, and so Wine, does not answer, Windows refuses after
   some tries. (No address outside of this machine: there is no telling what a network answers.) */
static SOCKET connecting(void)
{
    static struct sockaddr_in address;
    u_long on = 1;
    SOCKET full, waiting, s = tcp_socket();
    int i;

    if (address.sin_family == 0) {
        address = loopback(0);
        full = tcp_socket();
        CHECK_INT(bind(full, (struct sockaddr *)&address, sizeof address), 0);
        i = sizeof address;
        CHECK_INT(getsockname(full, (struct sockaddr *)&address, &i), 0);
        CHECK_INT(listen(full, 1), 0);
        for (i = 0; i < 4; i++) {
            waiting = tcp_socket();
            CHECK_INT(ioctlsocket(waiting, (long)FIONBIO, &on), 0);
            connect(waiting, (struct sockaddr *)&address, sizeof address);
        }
        Sleep(100);
    }
    CHECK_INT(ioctlsocket(s, (long)FIONBIO, &on), 0);
    CHECK_INT(connect(s, (struct sockaddr *)&address, sizeof address), SOCKET_ERROR);
    CHECK_INT(WSAGetLastError(), WSAEWOULDBLOCK);
    return s;
}

/* somebody's port, and the socket is gone: connecting there is refused */
static struct sockaddr_in nobody(void)
{
    struct sockaddr_in address;

    closesocket(listener(&address));
    return address;
}

static SOCKET refused(void)
{
    struct sockaddr_in address = nobody();
    SOCKET s = tcp_socket();

    CHECK_INT(connect(s, (struct sockaddr *)&address, sizeof address), SOCKET_ERROR);
    CHECK_INT(WSAGetLastError(), WSAECONNREFUSED);
    return s;
}

/* the program has not yet asked how its connect went */
static SOCKET refused_nonblocking(void)
{
    struct sockaddr_in address = nobody();
    struct timeval patience;
    fd_set failed;
    u_long on = 1;
    SOCKET s = tcp_socket();

    CHECK_INT(ioctlsocket(s, (long)FIONBIO, &on), 0);
    CHECK_INT(connect(s, (struct sockaddr *)&address, sizeof address), SOCKET_ERROR);
    failed.fd_count = 1;
    failed.fd_array[0] = s;
    patience.tv_sec = 10; /* Windows tries three times */
    patience.tv_usec = 0;
    CHECK_INT(select(0, NULL, NULL, &failed, &patience), 1);
    return s;
}

static void send_reset(SOCKET s)
{
    struct linger linger;

    linger.l_onoff = 1;
    linger.l_linger = 0;
    CHECK_INT(setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof linger), 0);
    CHECK_INT(closesocket(s), 0);
}

static void check_reset(SOCKET s)
{
    gc_report report = GC_REPORT_INIT;

    CHECK_INT(gc_close_with(s, NULL, &report), GC_RESET);
    CHECK_INT(report.closed, 1);
    CHECK_INT(report.peer_closed, 0);
    CHECK(report.system_error != 0);
    CHECK(is_closed(s));
}

static DWORD WINAPI reset_later(LPVOID argument)
{
    Sleep(100);
    send_reset(*(SOCKET *)argument);
    return 0;
}

static void reset_before_and_during(void)
{
    SOCKET ours, other;
    HANDLE thread;
    char data[8];
    int error, size = sizeof error;

    make_pair(&ours, &other);
    send_reset(other);
    Sleep(50);
    check_reset(ours);
    passed("reset before the close");

    make_pair(&ours, &other);
    CHECK_INT(send(other, "data", 4, 0), 4);
    send_reset(other);
    Sleep(50);
    check_reset(ours);
    passed("data, then a reset before the close");

    make_pair(&ours, &other);
    send_reset(other);
    Sleep(50);
    while (send(ours, "into the void", 13, 0) > 0) {
        Sleep(10);
    }
    check_reset(ours);
    passed("reset, and the program has seen it at a send");

    make_pair(&ours, &other);
    send_reset(other);
    Sleep(50);
    recv(ours, data, sizeof data, 0);
    check_reset(ours);
    passed("reset, and the program has seen it at a receive");

    make_pair(&ours, &other);
    send_reset(other);
    Sleep(50);
    CHECK_INT(getsockopt(ours, SOL_SOCKET, SO_ERROR, (char *)&error, &size), 0);
    check_reset(ours);
    passed("reset, and the program has taken SO_ERROR");

    make_pair(&ours, &other);
    thread = CreateThread(NULL, 0, reset_later, &other, 0, NULL);
    CHECK(thread != NULL);
    check_reset(ours);
    CHECK_INT(WaitForSingleObject(thread, 10000), WAIT_OBJECT_0);
    CloseHandle(thread);
    passed("reset during the close");
}

static DWORD WINAPI abort_later(LPVOID argument)
{
    Sleep(100);
    CHECK_INT(gc_abort(*(SOCKET *)argument), 0);
    return 0;
}

static void abort_resets(void)
{
    SOCKET ours, other;
    HANDLE thread;

    make_pair(&ours, &other);
    thread = CreateThread(NULL, 0, abort_later, &other, 0, NULL);
    CHECK(thread != NULL);
    check_reset(ours);
    CHECK_INT(WaitForSingleObject(thread, 10000), WAIT_OBJECT_0);
    CloseHandle(thread);
    passed("gc_abort is a reset to the peer");
}

/* SIO_TCP_INFO, Windows 10 1703 and later */
static int tells_state(SOCKET s)
{
    const DWORD tcp_info = 0xD8000027; /* not in every header */
    DWORD version = 0, bytes = 0;
    char info[256];

    return WSAIoctl(s, tcp_info, &version, sizeof version, info, sizeof info, &bytes, NULL, NULL) == 0;
}

/* the program itself has shut down what it could before */
static void after_shutdown(int how, int outcome, const char *what)
{
    SOCKET ours, other;
    int code, tells;
    peer p;

    make_pair(&ours, &other);
    tells = tells_state(ours);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    CHECK_INT(shutdown(ours, how), 0);
    memset(&p, 0, sizeof p);
    peer_start(&p, other);
    code = gc_close(ours, 3000);
    CHECK(code == outcome || (tells && code == GC_GRACEFUL));
    CHECK(is_closed(ours));
    peer_join(&p);
    CHECK_INT(p.received, 6);
    passed(what);
}

/* the program has read to the end of it, and nothing is left to do */
static void ended_before(void)
{
    gc_report report = GC_REPORT_INIT;
    SOCKET ours, other;
    char data[8];

    make_pair(&ours, &other);
    CHECK_INT(shutdown(ours, SD_SEND), 0);
    CHECK_INT(recv(other, data, sizeof data, 0), 0);
    CHECK_INT(closesocket(other), 0);
    CHECK_INT(recv(ours, data, sizeof data, 0), 0);
    CHECK_INT(gc_close_with(ours, NULL, &report), GC_GRACEFUL);
    CHECK_INT(report.peer_closed, 1);
    passed("ended in peace before the close, ours first");

    make_pair(&ours, &other);
    CHECK_INT(closesocket(other), 0);
    CHECK_INT(recv(ours, data, sizeof data, 0), 0);
    CHECK_INT(shutdown(ours, SD_SEND), 0);
    Sleep(50);
    CHECK_INT(gc_close_with(ours, NULL, &report), GC_GRACEFUL);
    CHECK_INT(report.peer_closed, 1);
    passed("ended in peace before the close, the peer first");
}

/* a socket from AcceptEx, its context never updated */
static void accept_ex(void)
{
    static const GUID id = WSAID_ACCEPTEX;
    GUID guid = id;
    LPFN_ACCEPTEX function = NULL;
    struct sockaddr_in address;
    char names[2 * (sizeof(struct sockaddr_in) + 16)];
    OVERLAPPED overlapped;
    SOCKET accepting = listener(&address);
    SOCKET ours = tcp_socket(), other = tcp_socket();
    DWORD bytes = 0, flags = 0;
    peer p;

    CHECK_INT(WSAIoctl(accepting, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof guid, &function, sizeof function,
                       &bytes, NULL, NULL),
              0);
    memset(&overlapped, 0, sizeof overlapped);
    overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    if (!function(accepting, ours, names, 0, sizeof names / 2, sizeof names / 2, &bytes, &overlapped)) {
        CHECK_INT(WSAGetLastError(), ERROR_IO_PENDING);
    }
    CHECK_INT(connect(other, (struct sockaddr *)&address, sizeof address), 0);
    CHECK(WSAGetOverlappedResult(accepting, &overlapped, &bytes, TRUE, &flags));
    CloseHandle(overlapped.hEvent);
    memset(&p, 0, sizeof p);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    peer_start(&p, other);
    CHECK_INT(gc_close(ours, 5000), GC_GRACEFUL);
    CHECK(is_closed(ours));
    peer_join(&p);
    CHECK_INT(p.received, 6);
    CHECK_INT(p.reset, 0);
    closesocket(accepting);
    passed("AcceptEx without its context update");
}

int main(void)
{
    start_winsock();
    check_not_connected(fresh, "fresh");
    check_not_connected(bound, "bound");
    check_not_connected(listening, "listening");
    check_not_connected(datagram, "UDP");
    check_not_connected(connecting, "connecting");
    check_not_connected(refused, "refused");
    check_not_connected(refused_nonblocking, "refused, non-blocking");
    reset_before_and_during();
    abort_resets();
    after_shutdown(SD_SEND, GC_GRACEFUL, "after the program's own SD_SEND");
    after_shutdown(SD_BOTH, GC_UNCERTAIN, "after the program's own SD_BOTH");
    ended_before();
    accept_ex();
    WSACleanup();
    return 0;
}

#endif
