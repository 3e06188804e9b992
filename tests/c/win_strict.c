/*
 * What Windows does and no Wine does, behind the stricter Winsock of tests/harness/winsock. The
 * cases set themselves what it shall do (GC_WINSOCK).
 */
#include "win_test.h"

#ifdef _WIN32

#include <mswsock.h>

static void behave(const char *behaviours)
{
    CHECK(SetEnvironmentVariableA("GC_WINSOCK", behaviours));
}

static char filler[1 << 20];

/* as much as goes out without anybody who takes it */
static void fill(SOCKET s)
{
    u_long on = 1;

    CHECK_INT(ioctlsocket(s, (long)FIONBIO, &on), 0);
    while (send(s, filler, sizeof filler, 0) > 0) {
    }
}

static DWORD WINAPI close_later(LPVOID argument)
{
    Sleep(300);
    closesocket(*(SOCKET *)argument); /* with unread bytes: a reset */
    return 0;
}

/* It has read nothing of ours, and its FIN acknowledges nothing. */
static void a_reset_behind_a_fin(void)
{
    gc_report report = GC_REPORT_INIT;
    SOCKET ours, other;
    HANDLE thread;

    make_pair(&ours, &other);
    fill(ours);
    CHECK_INT(shutdown(other, SD_SEND), 0);
    Sleep(100);
    thread = CreateThread(NULL, 0, close_later, &other, 0, NULL);
    CHECK(thread != NULL);
    CHECK_INT(gc_close_with(ours, NULL, &report), GC_RESET);
    CHECK_INT(report.peer_closed, 1);
    CHECK(report.system_error == WSAECONNRESET || report.system_error == WSAECONNABORTED);
    CHECK_INT(WaitForSingleObject(thread, 10000), WAIT_OBJECT_0);
    CloseHandle(thread);
    passed("a FIN, then a reset while ours is not acknowledged");
}

/* FIN_WAIT_2: our FIN is acknowledged, and so all before it. */
static void acknowledged(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    SOCKET ours, other;
    DWORD started = GetTickCount();

    make_pair(&ours, &other);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    options.timeout_ms = 10000;
    options.flags = GC_UNTIL_ACKED;
    CHECK_INT(gc_close_with(ours, &options, &report), GC_DELIVERED);
    CHECK_INT(report.unacked_bytes, 0);
    CHECK(GetTickCount() - started < 5000);
    closesocket(other);

    make_pair(&ours, &other);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    options.timeout_ms = 200;
    options.flags = 0;
    CHECK_INT(gc_close_with(ours, &options, &report), GC_TIMED_OUT);
    CHECK_INT(report.unacked_bytes, 0);
    closesocket(other);
    passed("FIN_WAIT_2 tells that all is acknowledged");
}

/* A filter driver answers recv() in the peer's place; the state tells better. */
static void an_invented_end(void)
{
    gc_report report = GC_REPORT_INIT;
    gc_options options = GC_OPTIONS_INIT;
    SOCKET ours, other;
    int outcome;

    behave("all,filter");
    make_pair(&ours, &other);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    options.timeout_ms = 400;
    outcome = gc_close_with(ours, &options, &report);
    CHECK(outcome == GC_TIMED_OUT || outcome == GC_UNCERTAIN);
    CHECK_INT(report.peer_closed, 0);
    closesocket(other);
    behave("all");
    passed("an end that no FIN has brought is none");
}

static void load(SOCKET s, GUID id, void *function, DWORD size)
{
    DWORD bytes = 0;

    CHECK_INT(WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, function, size, &bytes, NULL, NULL), 0);
}

/* connected by AcceptEx, and no context for it */
static void accept_into(SOCKET *ours, SOCKET *other)
{
    static const GUID id = WSAID_ACCEPTEX;
    static char names[2 * (sizeof(struct sockaddr_in) + 16)];
    LPFN_ACCEPTEX function = NULL;
    struct sockaddr_in address;
    SOCKET accepting = listener(&address);
    OVERLAPPED overlapped;
    DWORD bytes = 0, flags = 0;

    load(accepting, id, &function, sizeof function);
    *ours = tcp_socket();
    *other = tcp_socket();
    memset(&overlapped, 0, sizeof overlapped);
    overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    if (!function(accepting, *ours, names, 0, sizeof names / 2, sizeof names / 2, &bytes, &overlapped)) {
        CHECK_INT(WSAGetLastError(), ERROR_IO_PENDING);
    }
    CHECK_INT(connect(*other, (struct sockaddr *)&address, sizeof address), 0);
    CHECK(WSAGetOverlappedResult(accepting, &overlapped, &bytes, TRUE, &flags));
    CloseHandle(overlapped.hEvent);
    closesocket(accepting);
    /* or the case would prove nothing */
    CHECK_INT(shutdown(*ours, SD_SEND), SOCKET_ERROR);
    CHECK_INT(WSAGetLastError(), WSAENOTCONN);
}

static void accepted(const char *behaviours, int is_refused, const char *what)
{
    SOCKET ours, other;
    int outcome;
    peer p;

    behave(behaviours);
    accept_into(&ours, &other);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    memset(&p, 0, sizeof p);
    peer_start(&p, other);
    outcome = gc_close(ours, 3000);
    if (is_refused) {
        CHECK_INT(outcome, GC_UNCERTAIN);
    } else {
        CHECK_INT(outcome, GC_GRACEFUL);
    }
    CHECK(is_closed(ours));
    peer_join(&p);
    CHECK_INT(p.received, 6);
    CHECK_INT(p.reset, 0);
    behave("all");
    passed(what);
}

static void connected_by_connect_ex(void)
{
    static const GUID id = WSAID_CONNECTEX;
    LPFN_CONNECTEX function = NULL;
    struct sockaddr_in address, own = loopback(0);
    SOCKET accepting = listener(&address), ours = tcp_socket(), other;
    OVERLAPPED overlapped;
    DWORD bytes = 0, flags = 0;
    peer p;

    load(ours, id, &function, sizeof function);
    CHECK_INT(bind(ours, (struct sockaddr *)&own, sizeof own), 0);
    memset(&overlapped, 0, sizeof overlapped);
    overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    if (!function(ours, (struct sockaddr *)&address, sizeof address, NULL, 0, &bytes, &overlapped)) {
        CHECK_INT(WSAGetLastError(), ERROR_IO_PENDING);
    }
    other = accept(accepting, NULL, NULL);
    CHECK(other != INVALID_SOCKET);
    CHECK(WSAGetOverlappedResult(ours, &overlapped, &bytes, TRUE, &flags));
    CloseHandle(overlapped.hEvent);
    CHECK_INT(shutdown(ours, SD_SEND), SOCKET_ERROR);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    memset(&p, 0, sizeof p);
    peer_start(&p, other);
    CHECK_INT(gc_close(ours, 3000), GC_GRACEFUL);
    peer_join(&p);
    CHECK_INT(p.received, 6);
    closesocket(accepting);
    passed("ConnectEx without its context update");
}

/* closesocket() of a non-blocking socket with a linger time: WSAEWOULDBLOCK, and it is open */
static void with_a_linger_time(void)
{
    struct linger linger;
    SOCKET ours, other;
    u_long on = 1;
    peer p;

    linger.l_onoff = 1;
    linger.l_linger = 5;
    make_pair(&ours, &other);
    CHECK_INT(setsockopt(ours, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof linger), 0);
    CHECK_INT(ioctlsocket(ours, (long)FIONBIO, &on), 0);
    CHECK_INT(closesocket(ours), SOCKET_ERROR);
    CHECK_INT(WSAGetLastError(), WSAEWOULDBLOCK);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    memset(&p, 0, sizeof p);
    peer_start(&p, other);
    CHECK_INT(gc_close(ours, 3000), GC_GRACEFUL);
    CHECK(is_closed(ours));
    peer_join(&p);
    CHECK_INT(p.received, 6);
    CHECK_INT(p.reset, 0);
    passed("a linger time on a non-blocking socket");
}

/* The FIN came before: it is not told while a receive is refused, but signalled. */
static void shut_both_ways(void)
{
    SOCKET ours, other;
    peer p;

    make_pair(&ours, &other);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    CHECK_INT(shutdown(ours, SD_BOTH), 0);
    memset(&p, 0, sizeof p);
    peer_start(&p, other);
    CHECK_INT(gc_close(ours, 3000), GC_GRACEFUL);
    peer_join(&p);
    CHECK_INT(p.received, 6);
    passed("after SD_BOTH the state tells of the FIN");
}

/* The time is up while a receive is pending and the peer has not taken what was sent: that is no send which
   would be cut, so the close need not reset. With a send pending it must. */
static void receives_are_cancelled_alone(int is_sending)
{
    static OVERLAPPED receiving, sending;
    static char data[16];
    WSABUF buffer, all;
    SOCKET ours, other;
    DWORD flags = 0;
    long sent = 0;
    int now;
    u_long on = 1;
    peer p;

    buffer.buf = data;
    buffer.len = sizeof data;
    all.buf = filler;
    all.len = sizeof filler;
    memset(&receiving, 0, sizeof receiving);
    memset(&sending, 0, sizeof sending);
    make_pair(&ours, &other);
    CHECK_INT(WSARecv(ours, &buffer, 1, NULL, &flags, &receiving, NULL), SOCKET_ERROR);
    CHECK_INT(ioctlsocket(ours, (long)FIONBIO, &on), 0);
    while ((now = send(ours, filler, sizeof filler, 0)) > 0) {
        sent += now;
    }
    if (is_sending) {
        CHECK_INT(WSASend(ours, &all, 1, NULL, 0, &sending, NULL), SOCKET_ERROR);
    }
    CHECK_INT(gc_close(ours, 200), GC_TIMED_OUT);
    CHECK(receiving.Internal != (ULONG_PTR)STATUS_PENDING);
    memset(&p, 0, sizeof p);
    peer_start(&p, other);
    peer_join(&p);
    if (is_sending) {
        CHECK(p.reset);
        passed("a send that is cut resets, beside a receive, too");
    } else {
        CHECK_INT(p.received, sent);
        CHECK_INT(p.reset, 0);
        passed("a receive that is pending when the time is up resets nothing");
    }
}

/* A receive of the library's own would block on it until something comes. */
static void without_overlapped_calls(void)
{
    struct sockaddr_in address = loopback(0);
    SOCKET accepting = WSASocketA(AF_INET, SOCK_STREAM, 0, NULL, 0, 0), ours, other = tcp_socket();
    int size = sizeof address;
    DWORD started;

    CHECK_INT(bind(accepting, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(accepting, 1), 0);
    CHECK_INT(getsockname(accepting, (struct sockaddr *)&address, &size), 0);
    CHECK_INT(connect(other, (struct sockaddr *)&address, sizeof address), 0);
    ours = accept(accepting, NULL, NULL);
    CHECK(ours != INVALID_SOCKET);
    /* more than is acknowledged, less than blocks */
    CHECK_INT(send(ours, filler, sizeof filler, 0), sizeof filler);
    started = GetTickCount();
    CHECK_INT(gc_close(ours, 200), GC_TIMED_OUT);
    CHECK(GetTickCount() - started < 3000);
    closesocket(other);
    closesocket(accepting);
    passed("a socket without overlapped calls");
}

/* WSAEventSelect makes a socket non-blocking, too, but a stepped close leaves the selection alone. The last
   case: from then on the library looks before each receive. */
static void a_mode_that_cannot_be_changed(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing = NULL;
    SOCKET ours, other;
    DWORD started = GetTickCount();
    peer p;

    behave("all,blocking");
    make_pair(&ours, &other);
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    memset(&p, 0, sizeof p);
    p.first_ms = 3000;
    peer_start(&p, other);
    options.timeout_ms = 20000;
    CHECK_INT(gc_closing_new(ours, &options, &closing), 0);
    CHECK_INT(gc_closing_step(closing), GC_PENDING);
    CHECK(GetTickCount() - started < 2000);
    while (gc_closing_step(closing) == GC_PENDING) {
        Sleep(10);
    }
    CHECK_INT(gc_closing_step(closing), GC_GRACEFUL);
    gc_closing_free(closing);
    peer_join(&p);
    CHECK_INT(p.received, 6);
    passed("a socket that stays blocking holds no loop up");
}

int main(void)
{
    if (GetModuleHandleA("gc2_32.dll") == NULL) {
        puts("SKIPPED: not behind the stricter Winsock of tests/harness/winsock");
        return 77;
    }
    start_winsock();
    a_reset_behind_a_fin();
    acknowledged();
    an_invented_end();
    accepted("all", 0, "AcceptEx without its context update");
    accepted("all,refused", 1, "AcceptEx, and its context is refused: no reset, and nothing promised");
    connected_by_connect_ex();
    with_a_linger_time();
    shut_both_ways();
    receives_are_cancelled_alone(0);
    receives_are_cancelled_alone(1);
    without_overlapped_calls();
    a_mode_that_cannot_be_changed();
    WSACleanup();
    return 0;
}

#endif
