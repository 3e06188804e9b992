/*
 * Whatever number is passed that is no open socket, the answer is
 * GC_ERR_NOT_A_SOCKET, from every function, and nothing happens: what is open
 * under that number stays open and works.
 */
#include "check.h"

#include "graceful_close.h"

#include <limits.h>
#ifndef _WIN32
#include <sys/resource.h>
#endif
#ifdef __linux__
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#endif

static int says_why(void)
{
    int code = check_last_error();
#ifdef _WIN32
    return code == WSAENOTSOCK;
#else
    return code == EBADF || code == ENOTSOCK;
#endif
}

static void check_refused(check_socket number)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    check_round = (long)number;
    check_set_last_error(0);
    CHECK_IS(gc_close(number, GC_INFINITE), GC_ERR_NOT_A_SOCKET);
    CHECK(says_why());
    check_set_last_error(0);
    CHECK_IS(gc_close_with(number, NULL, NULL), GC_ERR_NOT_A_SOCKET);
    CHECK(says_why());
    options.if_shared = GC_SHARED_RELEASE;
    options.peer_first_ms = 1000;
    options.fallback = GC_THEN_ABORT;
    report.closed = report.peer_closed = 1;
    check_set_last_error(0);
    CHECK_IS(gc_close_with(number, &options, &report), GC_ERR_NOT_A_SOCKET);
    CHECK(says_why());
    CHECK_IS(report.outcome, GC_ERR_NOT_A_SOCKET);
    CHECK_IS(report.system_error, check_last_error());
    CHECK(report.closed == 0 && report.peer_closed == 0 && report.drained_bytes == 0);
    check_set_last_error(0);
    CHECK_IS(gc_abort(number), GC_ERR_NOT_A_SOCKET);
    CHECK(says_why());
    check_set_last_error(0);
    CHECK_IS(gc_closesocket(number), -1);
    CHECK(says_why());
}

static void closed_sockets(void)
{
    check_socket sock, peer;
    check_doing = "a socket that has been closed";
    check_pair(&sock, &peer);
    CHECK_IS(gc_close(sock, 0) >= 0, 1);
    check_refused(sock);
    check_close(peer);
    check_refused(peer);
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_IS(gc_abort(sock), 0);
    check_refused(sock);
    sock = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_IS(gc_closesocket(sock), 0);
    check_refused(sock);
}

#ifdef _WIN32

/* one by one: Wine has no GetProcessHandleCount */
static unsigned long open_handles(void)
{
    unsigned long count = 0;
    size_t number;
    DWORD flags;
    for (number = 4; number <= 4096; number += 4)
        if (GetHandleInformation((HANDLE)number, &flags)) count++;
    return count;
}

static void every_number(void)
{
    check_socket number;
    check_doing = "numbers";
    check_refused(INVALID_SOCKET);
    check_refused(INVALID_SOCKET - 1);
    check_refused((check_socket)0x7FFFFFFF);
    check_refused((check_socket)0x80000000U);
    check_refused((check_socket)0xFFFFFFFFU);
    for (number = 0; number <= 4096; number++)
        if (!check_is_socket(number)) check_refused(number);
}

static void other_things(void)
{
    char path[MAX_PATH], name[MAX_PATH], byte = 0;
    HANDLE file, event, from, to;
    DWORD done = 0;
    unsigned long before = open_handles();
    check_doing = "other handles";
    CHECK(GetTempPathA(sizeof(path), path) != 0);
    CHECK(GetTempFileNameA(path, "gc", 0, name) != 0);
    file = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                       FILE_ATTRIBUTE_NORMAL | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    event = CreateEventA(NULL, TRUE, FALSE, NULL);
    CHECK(event != NULL);
    CHECK(CreatePipe(&from, &to, NULL, 0));
    check_refused((check_socket)file);
    check_refused((check_socket)event);
    check_refused((check_socket)from);
    check_refused((check_socket)to);
    check_refused((check_socket)GetCurrentProcess());
    check_refused((check_socket)GetCurrentThread());
    check_refused((check_socket)GetStdHandle(STD_INPUT_HANDLE));
    check_refused((check_socket)GetStdHandle(STD_OUTPUT_HANDLE));
    CHECK(WriteFile(file, "x", 1, &done, NULL) && done == 1);
    CHECK(SetFilePointer(file, 0, NULL, FILE_BEGIN) == 0);
    CHECK(ReadFile(file, &byte, 1, &done, NULL) && done == 1 && byte == 'x');
    CHECK(WaitForSingleObject(event, 0) == WAIT_TIMEOUT);
    CHECK(SetEvent(event));
    CHECK(WaitForSingleObject(event, 0) == WAIT_OBJECT_0);
    CHECK(WriteFile(to, "y", 1, &done, NULL) && done == 1);
    CHECK(ReadFile(from, &byte, 1, &done, NULL) && done == 1 && byte == 'y');
    CHECK_IS(open_handles(), before + 4);
    CHECK(CloseHandle(file) && CloseHandle(event) && CloseHandle(from) && CloseHandle(to));
}

#else

static rlim_t limit = 2048;

static unsigned long open_descriptors(void)
{
    unsigned long count = 0;
    int fd;
    for (fd = 0; fd < (int)limit; fd++)
        if (fcntl(fd, F_GETFD) != -1) count++;
    return count;
}

/* to the limit, and beyond it */
static void every_number(void)
{
    struct rlimit now;
    int fd;
    check_doing = "numbers";
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &now), 0);
    if (now.rlim_cur > limit) {
        now.rlim_cur = limit;
        CHECK_IS(setrlimit(RLIMIT_NOFILE, &now), 0);
    }
    limit = now.rlim_cur;
    for (fd = -1; fd < (int)limit + 10; fd++)
        if (!check_is_socket(fd)) check_refused(fd);
    check_refused(-2);
    check_refused(-100);
    check_refused(INT_MIN);
    check_refused(INT_MIN + 1);
    check_refused(0x10000);
    check_refused(0x100000);
    check_refused(INT_MAX - 1);
    check_refused(INT_MAX);
}

static void other_things(void)
{
    char byte = 0;
    int ends[2], directory, nothing, file;
    FILE *temporary = tmpfile();
    unsigned long before;
    check_doing = "other descriptors";
    CHECK(temporary != NULL);
    file = fileno(temporary);
    before = open_descriptors();
    CHECK_IS(pipe(ends), 0);
    directory = open("/", O_RDONLY);
    nothing = open("/dev/null", O_RDWR);
    CHECK(directory >= 0 && nothing >= 0);
    check_refused(ends[0]);
    check_refused(ends[1]);
    check_refused(directory);
    check_refused(nothing);
    check_refused(file);
    CHECK_IS(write(ends[1], "p", 1), 1);
    CHECK_IS(read(ends[0], &byte, 1), 1);
    CHECK(byte == 'p');
    CHECK_IS(write(file, "f", 1), 1);
    CHECK_IS(lseek(file, 0, SEEK_SET), 0);
    CHECK_IS(read(file, &byte, 1), 1);
    CHECK(byte == 'f');
    CHECK_IS(write(nothing, "n", 1), 1);
    CHECK_IS(fsync(directory) == 0 || errno != EBADF, 1);
    CHECK_IS(open_descriptors(), before + 4);
    check_close(ends[0]);
    check_close(ends[1]);
    check_close(directory);
    check_close(nothing);
    CHECK_IS(fclose(temporary), 0);
}

#ifdef __linux__
static void linux_things(void)
{
    struct epoll_event event;
    struct itimerspec soon;
    uint64_t number = 3;
    int counter = eventfd(0, EFD_CLOEXEC), poller = epoll_create1(EPOLL_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), path = open("/", O_PATH);
    check_doing = "descriptors of Linux";
    CHECK(counter >= 0 && poller >= 0 && timer >= 0 && path >= 0);
    memset(&event, 0, sizeof(event));
    event.events = EPOLLIN;
    event.data.fd = counter;
    CHECK_IS(epoll_ctl(poller, EPOLL_CTL_ADD, counter, &event), 0);
    check_refused(counter);
    check_refused(poller);
    check_refused(timer);
    check_refused(path);
    CHECK_IS(epoll_wait(poller, &event, 1, 0), 0);
    CHECK_IS(write(counter, &number, sizeof(number)), sizeof(number));
    CHECK_IS(epoll_wait(poller, &event, 1, 0), 1);
    CHECK_IS(event.data.fd, counter);
    number = 0;
    CHECK_IS(read(counter, &number, sizeof(number)), sizeof(number));
    CHECK_IS(number, 3);
    memset(&soon, 0, sizeof(soon));
    soon.it_value.tv_nsec = 1000;
    CHECK_IS(timerfd_settime(timer, 0, &soon, NULL), 0);
    CHECK_IS(read(timer, &number, sizeof(number)), sizeof(number));
    CHECK(fcntl(path, F_GETFD) != -1);
    check_close(counter);
    check_close(poller);
    check_close(timer);
    check_close(path);
}
#endif

#endif

int main(void)
{
    unsigned long before;
    check_start();
#ifdef _WIN32
    closed_sockets(); /* what Winsock keeps for itself is open now */
    before = open_handles();
    every_number();
    closed_sockets();
    other_things();
    /* a call may have been the first of its kind in the system's libraries */
    CHECK_BETWEEN(open_handles(), before, before + 4);
#else
    every_number();
    before = open_descriptors();
    closed_sockets();
    other_things();
#ifdef __linux__
    linux_things();
#endif
    CHECK_IS(open_descriptors(), before);
#endif
    return 0;
}
