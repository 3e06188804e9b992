/*
 * Completion routines of the program run in its alertable waits, and never inside a call of the
 * library. (Wine 8 waits alertably nowhere in Winsock; Wine 10 does in WSAPoll, as Windows.)
 */
#include "win_test.h"

#ifdef _WIN32

static int ran;

static void CALLBACK routine(ULONG_PTR unused)
{
    (void)unused;
    ran++;
}

/* one is waiting to run during the call */
static void wait_to_run(void)
{
    ran = 0;
    CHECK(QueueUserAPC(routine, GetCurrentThread(), 0) != 0);
}

static void check_not_run(const char *what)
{
    CHECK_INT(ran, 0);
    CHECK_INT(SleepEx(0, TRUE), WAIT_IO_COMPLETION);
    CHECK_INT(ran, 1);
    passed(what);
}

static void blocking(void)
{
    SOCKET ours, other;
    u_long off = 0;

    make_pair(&ours, &other);
    wait_to_run();
    CHECK_INT(gc_close(ours, 300), GC_TIMED_OUT);
    check_not_run("gc_close");
    closesocket(other);

    make_pair(&ours, &other);
    wait_to_run();
    CHECK_INT(gc_finish(ours, 100), GC_TIMED_OUT);
    /* Winsock refuses that while an event is selected */
    CHECK_INT(ioctlsocket(ours, (long)FIONBIO, &off), 0);
    check_not_run("gc_finish, which leaves no event selected");
    closesocket(ours);
    closesocket(other);

    make_pair(&ours, &other);
    CHECK_INT(shutdown(ours, SD_BOTH), 0);
    wait_to_run();
    CHECK_INT(gc_close(ours, 100), GC_UNCERTAIN);
    check_not_run("gc_close after SD_BOTH");
    closesocket(other);
}

static void many(void)
{
    SOCKET ours[3], others[3];
    gc_options options = GC_OPTIONS_INIT;
    int i;

    for (i = 0; i < 3; i++) {
        make_pair(&ours[i], &others[i]);
    }
    options.timeout_ms = 300;
    wait_to_run();
    CHECK_INT(gc_close_many(ours, 3, &options, NULL), 0);
    check_not_run("gc_close_many");
    for (i = 0; i < 3; i++) {
        closesocket(others[i]);
    }
}

static void stepped(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing = NULL;
    SOCKET ours, other;

    make_pair(&ours, &other);
    options.timeout_ms = 100;
    wait_to_run();
    CHECK_INT(gc_closing_new(ours, &options, &closing), 0);
    CHECK_INT(gc_closing_step(closing), GC_PENDING);
    Sleep(150);
    CHECK_INT(gc_closing_step(closing), GC_TIMED_OUT);
    gc_closing_free(closing);
    check_not_run("gc_closing");
    closesocket(other);
}

static void background(void)
{
    gc_reaper *reaper = NULL;
    SOCKET ours, other;

    make_pair(&ours, &other);
    wait_to_run();
    CHECK_INT(gc_reaper_new(NULL, &reaper), 0);
    CHECK_INT(gc_reaper_close(reaper, ours, NULL, NULL, NULL), 0);
    CHECK_INT(gc_reaper_flush(reaper, 100), GC_TIMED_OUT);
    CHECK_INT(gc_reaper_free(reaper, 100), GC_TIMED_OUT);
    check_not_run("a reaper");
    closesocket(other);
}

int main(void)
{
    start_winsock();
    blocking();
    many();
    stepped();
    background();
    WSACleanup();
    return 0;
}

#endif
