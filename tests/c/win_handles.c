/*
 * What is no socket is refused and left alone; and the thread's last error is not disturbed by
 * a close that goes well.
 */
#include "win_test.h"

#ifdef _WIN32

static void check_refused(SOCKET s, const char *what)
{
    gc_report report = GC_REPORT_INIT;

    WSASetLastError(0);
    CHECK_INT(gc_close(s, 1000), GC_ERR_NOT_A_SOCKET);
    CHECK(WSAGetLastError() == WSAENOTSOCK || WSAGetLastError() == WSANOTINITIALISED);
    CHECK_INT(gc_close_with(s, NULL, &report), GC_ERR_NOT_A_SOCKET);
    CHECK_INT(report.outcome, GC_ERR_NOT_A_SOCKET);
    CHECK(report.system_error == WSAENOTSOCK || report.system_error == WSANOTINITIALISED);
    CHECK_INT(report.closed, 0);
    CHECK_INT(gc_abort(s), GC_ERR_NOT_A_SOCKET);
    CHECK_INT(gc_closesocket(s), SOCKET_ERROR);
    CHECK(WSAGetLastError() == WSAENOTSOCK || WSAGetLastError() == WSANOTINITIALISED);
    passed(what);
}

static void other_handles(void)
{
    static const char name[] = "win_handles.tmp";
    HANDLE file = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                              FILE_ATTRIBUTE_NORMAL | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    DWORD written = 0;

    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK(event != NULL);
    check_refused((SOCKET)file, "a file");
    CHECK(WriteFile(file, "alive", 5, &written, NULL));
    CHECK_INT(written, 5);
    CHECK(CloseHandle(file));
    check_refused((SOCKET)event, "an event");
    CHECK(SetEvent(event));
    CHECK_INT(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    CHECK(CloseHandle(event));
}

static void closed_socket(void)
{
    SOCKET s = tcp_socket();

    CHECK_INT(closesocket(s), 0);
    check_refused(s, "a closed socket");
}

static void last_error_stays(void)
{
    SOCKET ours, other;
    peer p;

    make_pair(&ours, &other);
    memset(&p, 0, sizeof p);
    peer_start(&p, other);
    WSASetLastError(12345);
    CHECK_INT(gc_close(ours, 5000), GC_GRACEFUL);
    CHECK_INT(WSAGetLastError(), 12345);
    peer_join(&p);

    make_pair(&ours, &other);
    WSASetLastError(12345);
    CHECK_INT(gc_close(ours, 50), GC_TIMED_OUT);
    CHECK_INT(WSAGetLastError(), 12345);
    closesocket(other);

    make_pair(&ours, &other);
    WSASetLastError(12345);
    CHECK_INT(gc_abort(ours), 0);
    CHECK_INT(WSAGetLastError(), 12345);
    closesocket(other);

    ours = tcp_socket();
    WSASetLastError(12345);
    CHECK_INT(gc_closesocket(ours), 0);
    CHECK_INT(WSAGetLastError(), 12345);
    passed("the last error stays as it was");
}

int main(void)
{
    SOCKET s;

    check_refused((SOCKET)1234, "before WSAStartup");
    start_winsock();
    check_refused(INVALID_SOCKET, "INVALID_SOCKET");
    check_refused((SOCKET)0, "0");
    check_refused((SOCKET)1234567, "any number");
    other_handles();
    closed_socket();
    last_error_stays();
    s = tcp_socket();
    CHECK_INT(WSACleanup(), 0);
    check_refused(s, "after WSACleanup");
    return 0;
}

#endif
