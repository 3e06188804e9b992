/*
 * A handle that another part of the program closes while a close is under way, and that is another
 * connection's at once: nothing of that one is read, shut down, selected or closed.
 */
#include "win_test.h"

#ifdef _WIN32

static struct sockaddr_in address;
static SOCKET accepting;
static SOCKET given;   /* to be closed behind the library's back */
static SOCKET newcomer, its_peer;
static HANDLE its_event;

/* One end has the handle of `given`, which was closed; 0: something else of the system's has it. */
static int take_handle(void)
{
    SOCKET ends[64];
    int count = 0, i;

    CHECK_INT(closesocket(given), 0);
    newcomer = INVALID_SOCKET;
    while (newcomer == INVALID_SOCKET && count < 64) {
        ends[count] = tcp_socket();
        CHECK_INT(connect(ends[count], (struct sockaddr *)&address, sizeof address), 0);
        ends[count + 1] = accept(accepting, NULL, NULL);
        CHECK(ends[count + 1] != INVALID_SOCKET);
        if (ends[count] == given || ends[count + 1] == given) {
            newcomer = given;
            its_peer = ends[count] == given ? ends[count + 1] : ends[count];
        }
        count += 2;
    }
    for (i = 0; i < count; i++) {
        if (ends[i] != newcomer && ends[i] != its_peer) {
            closesocket(ends[i]);
        }
    }
    if (newcomer == INVALID_SOCKET) {
        return 0;
    }
    its_event = CreateEventA(NULL, TRUE, FALSE, NULL);
    CHECK_INT(WSAEventSelect(newcomer, its_event, FD_READ | FD_CLOSE), 0);
    return 1;
}

static void check_untouched(const char *what)
{
    char data[8];
    u_long off = 0;

    CHECK_INT(send(its_peer, "for you", 7, 0), 7);
    CHECK_INT(WaitForSingleObject(its_event, 2000), WAIT_OBJECT_0);
    Sleep(100);
    CHECK_INT(recv(newcomer, data, sizeof data, 0), 7);
    CHECK_INT(send(newcomer, "back", 4, 0), 4);
    CHECK_INT(recv(its_peer, data, sizeof data, 0), 4);
    CHECK_INT(WSAEventSelect(newcomer, NULL, 0), 0);
    CHECK_INT(ioctlsocket(newcomer, (long)FIONBIO, &off), 0);
    CloseHandle(its_event);
    closesocket(newcomer);
    closesocket(its_peer);
    passed(what);
}

static DWORD WINAPI later(LPVOID unused)
{
    (void)unused;
    Sleep(100);
    return (DWORD)take_handle();
}

static int blocking(int batch, const char *what)
{
    SOCKET other;
    HANDLE thread;
    DWORD taken = 0;

    make_pair(&given, &other);
    thread = CreateThread(NULL, 0, later, NULL, 0, NULL);
    CHECK(thread != NULL);
    if (batch) {
        gc_report report = GC_REPORT_INIT;
        gc_options options = GC_OPTIONS_INIT;

        options.timeout_ms = 600;
        CHECK_INT(gc_close_many(&given, 1, &options, &report), 0);
        CHECK_INT(report.outcome, GC_ERR_NOT_A_SOCKET);
        CHECK_INT(report.closed, 0);
    } else {
        CHECK_INT(gc_close(given, 600), GC_ERR_NOT_A_SOCKET);
    }
    CHECK_INT(WaitForSingleObject(thread, 5000), WAIT_OBJECT_0);
    CHECK(GetExitCodeThread(thread, &taken));
    CloseHandle(thread);
    closesocket(other);
    if (taken) {
        check_untouched(what);
    }
    return (int)taken;
}

static int stepped(int given_up, const char *what)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing = NULL;
    SOCKET other;
    int taken;

    make_pair(&given, &other);
    options.timeout_ms = 100;
    CHECK_INT(gc_closing_new(given, &options, &closing), 0);
    CHECK_INT(gc_closing_step(closing), GC_PENDING);
    taken = take_handle();
    if (!given_up) {
        Sleep(120);
        CHECK_INT(gc_closing_step(closing), GC_ERR_NOT_A_SOCKET);
    }
    gc_closing_free(closing);
    closesocket(other);
    if (taken) {
        check_untouched(what);
    }
    return taken;
}

static void note_outcome(void *user, gc_socket sock, const gc_report *report)
{
    (void)sock;
    *(int *)user = report->outcome;
}

static int background(unsigned int flags, int pause_ms, const char *what)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_reaper *reaper = NULL;
    SOCKET other;
    int outcome = 99, taken;

    make_pair(&given, &other);
    CHECK_INT(gc_reaper_new(NULL, &reaper), 0);
    options.timeout_ms = 300;
    options.flags = flags;
    CHECK_INT(gc_reaper_close(reaper, given, &options, note_outcome, &outcome), 0);
    Sleep((DWORD)pause_ms);
    taken = take_handle();
    CHECK_INT(gc_reaper_flush(reaper, 3000), 0);
    CHECK_INT(gc_reaper_free(reaper, 1000), 0);
    CHECK_INT(outcome, GC_ERR_NOT_A_SOCKET);
    closesocket(other);
    if (taken) {
        check_untouched(what);
    }
    return taken;
}

/* by a socket that is not connected yet, and is then */
static int by_a_new_socket(unsigned int flags, const char *what)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_reaper *reaper = NULL;
    SOCKET other, fresh[64];
    int outcome = 99, taken = 0, count, i;

    make_pair(&given, &other);
    CHECK_INT(gc_reaper_new(NULL, &reaper), 0);
    options.timeout_ms = 300;
    options.flags = flags;
    CHECK_INT(gc_reaper_close(reaper, given, &options, note_outcome, &outcome), 0);
    Sleep(50);
    CHECK_INT(closesocket(given), 0);
    for (count = 0; count < 64 && !taken; count++) {
        fresh[count] = tcp_socket();
        taken = fresh[count] == given;
    }
    CHECK_INT(gc_reaper_flush(reaper, 3000), 0);
    CHECK_INT(gc_reaper_free(reaper, 1000), 0);
    CHECK_INT(outcome, GC_ERR_NOT_A_SOCKET);
    closesocket(other);
    if (taken) {
        CHECK_INT(connect(given, (struct sockaddr *)&address, sizeof address), 0);
        closesocket(accept(accepting, NULL, NULL));
        passed(what);
    }
    for (i = 0; i < count; i++) closesocket(fresh[i]);
    return taken;
}

/* until the handle was to be had */
#define REPEAT(call)                         \
    do {                                     \
        int rounds = 0;                      \
        while (!(call)) CHECK(++rounds < 20); \
    } while (0)

/* this program again, for one of the cases; whether it passed */
static int passes(const char *the_case)
{
    char program[MAX_PATH], line[MAX_PATH + 32];
    STARTUPINFOA start;
    PROCESS_INFORMATION child;
    DWORD code = 1;

    memset(&start, 0, sizeof start);
    start.cb = sizeof start;
    CHECK(GetModuleFileNameA(NULL, program, sizeof program) != 0);
    sprintf(line, "\"%s\" %s", program, the_case);
    CHECK(CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &child));
    CHECK_INT(WaitForSingleObject(child.hProcess, 20000), WAIT_OBJECT_0);
    CHECK(GetExitCodeProcess(child.hProcess, &code));
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
    return code == 0;
}

/*
 * With the thread at work there is a moment between its look and what it does, as there is between
 * any two calls of threads that do not agree on a handle (posix_number_taken.c): not three times
 * running.
 */
static void at_once(const char *the_case)
{
    int attempt = 0;

    while (!passes(the_case)) CHECK(++attempt < 3);
}

int main(int argc, char **argv)
{
    const char *the_case = argc > 1 ? argv[1] : "";
    int i;

    start_winsock();
    accepting = listener(&address);
    if (strcmp(the_case, "reaper") == 0) {
        REPEAT(background(0, 0, "a reaper, at once"));
    } else if (strcmp(the_case, "deferred") == 0) {
        REPEAT(background(GC_DEFERRED, 0, "deferred, at once"));
    } else {
        REPEAT(blocking(0, "gc_close"));
        REPEAT(blocking(1, "gc_close_many"));
        REPEAT(stepped(0, "gc_closing_step"));
        REPEAT(stepped(1, "gc_closing_free"));
        at_once("reaper");
        REPEAT(background(0, 50, "a reaper, later"));
        at_once("deferred");
        REPEAT(background(GC_DEFERRED, 50, "deferred, later"));
        /* the thread is woken by the close, and may look before there is a new socket, or after */
        for (i = 0; i < 10; i++) {
            REPEAT(by_a_new_socket(0, "a reaper, a new socket"));
            REPEAT(by_a_new_socket(GC_DEFERRED, "deferred, a new socket"));
        }
    }
    WSACleanup();
    return 0;
}

#endif
