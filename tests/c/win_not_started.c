/*
 * A program that has forgotten WSAStartup: every call says so by the last error, and does nothing. Only a
 * reaper that the program makes starts Winsock by itself.
 */
#include "win_test.h"

#ifdef _WIN32

/* what nobody has opened */
#define NUMBER ((gc_socket)44)

static void starts_anew(void)
{
    WSASetLastError(0);
}

static void says_so(int code, const char *what)
{
    CHECK_INT(code, GC_ERR_NOT_A_SOCKET);
    CHECK_INT(WSAGetLastError(), WSANOTINITIALISED);
    starts_anew();
    passed(what);
}

int main(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    gc_closing *closing = NULL;
    gc_reaper *reaper = NULL;
    gc_socket number = NUMBER;
    WSADATA data;

    starts_anew();
    says_so(gc_close(NUMBER, 100), "gc_close");
    says_so(gc_close_with(NUMBER, &options, &report), "gc_close_with");
    CHECK_INT(report.system_error, WSANOTINITIALISED);
    says_so(gc_abort(NUMBER), "gc_abort");
    says_so(gc_closing_new(NUMBER, &options, &closing), "gc_closing_new");
    CHECK_INT(gc_close_many(&number, 1, &options, &report), 0);
    CHECK_INT(report.outcome, GC_ERR_NOT_A_SOCKET);
    CHECK_INT(report.system_error, WSANOTINITIALISED);
    passed("gc_close_many");
    says_so(gc_close_async(NUMBER, 100), "gc_close_async");
    says_so(gc_close_async(NUMBER, 100), "gc_close_async, again");
    CHECK_INT(gc_closesocket(NUMBER), SOCKET_ERROR);
    CHECK_INT(WSAGetLastError(), WSANOTINITIALISED);
    passed("gc_closesocket");

    /* a reaper holds a reference to Winsock of its own */
    starts_anew();
    CHECK_INT(gc_reaper_new(NULL, &reaper), 0);
    CHECK_INT(gc_reaper_close(reaper, NUMBER, &options, NULL, NULL), GC_ERR_NOT_A_SOCKET);
    CHECK_INT(WSAGetLastError(), WSAENOTSOCK);
    CHECK_INT(gc_reaper_free(reaper, 100), 0);
    starts_anew();
    says_so(gc_close(NUMBER, 100), "gc_close, once that reaper is gone");

    CHECK_INT(WSAStartup(MAKEWORD(2, 2), &data), 0);
    CHECK_INT(gc_close(NUMBER, 100), GC_ERR_NOT_A_SOCKET);
    CHECK_INT(WSAGetLastError(), WSAENOTSOCK);
    passed("once it is started a wrong number is a wrong number again");
    WSACleanup();
    return 0;
}

#endif
