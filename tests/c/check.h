/*
 * What the C tests share: checks that say where and what, a clock, threads, and
 * from check_net.h connections over the loopback interface. C89 and C++98, POSIX
 * and Winsock.
 *
 * Each program is one translation unit and one process: it exits with 0 if all
 * is well, with 1 at the first failed check, and with 77 if it cannot run here
 * (the reason is its last line then).
 *
 * Knows nothing of graceful_close.h, so that a program may go without it.
 */
#ifndef CHECK_INCLUDED
#define CHECK_INCLUDED

#ifndef _WIN32
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* -std=c89 hides POSIX otherwise */
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE
#endif
#endif

#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN /* half the time to compile */
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#else
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#endif
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define CHECK_HELPER static __attribute__((unused))
#else
#define CHECK_HELPER static
#endif

#ifdef _WIN32
typedef SOCKET check_socket;
typedef int check_length;
#define CHECK_NO_SOCKET INVALID_SOCKET
#define CHECK_EINVAL WSAEINVAL
#define CHECK_ECONNRESET WSAECONNRESET
#define CHECK_SEND_FLAGS 0
#else
typedef int check_socket;
typedef socklen_t check_length;
#define CHECK_NO_SOCKET (-1)
#define CHECK_EINVAL EINVAL
#define CHECK_ECONNRESET ECONNRESET
#ifdef MSG_NOSIGNAL
#define CHECK_SEND_FLAGS MSG_NOSIGNAL
#else
#define CHECK_SEND_FLAGS 0
#endif
#endif

/* --- checks --- */

/* what the program is about, printed when a check fails; set it at will */
static const char *check_doing = "";
static long check_round = 0;

CHECK_HELPER int check_last_error(void)
{
#ifdef _WIN32
    return WSAGetLastError();
#else
    return errno;
#endif
}

CHECK_HELPER void check_set_last_error(int code)
{
#ifdef _WIN32
    WSASetLastError(code);
#else
    errno = code;
#endif
}

CHECK_HELPER void check_fail(const char *file, int line, const char *expected)
{
    int code = check_last_error();
    printf("%s:%d: expected %s", file, line, expected);
    printf(" (last error %d; %s, %ld)\n", code, check_doing, check_round);
    fflush(stdout);
    exit(1);
}

CHECK_HELPER void check_number(const char *file, int line, const char *what, double is,
                               double low, double high)
{
    int code = check_last_error();
    if (is >= low && is <= high) return;
    if (low == high)
        printf("%s:%d: expected %s to be %.15g", file, line, what, low);
    else
        printf("%s:%d: expected %s to be from %.15g to %.15g", file, line, what, low, high);
    printf(", it is %.15g (last error %d; %s, %ld)\n", is, code, check_doing, check_round);
    fflush(stdout);
    exit(1);
}

CHECK_HELPER void check_text(const char *file, int line, const char *what, const char *is,
                             const char *expected)
{
    if (is != NULL && strcmp(is, expected) == 0) return;
    printf("%s:%d: expected %s to be \"%s\", it is \"%s\"\n", file, line, what, expected,
           is == NULL ? "NULL" : is);
    exit(1);
}

#define CHECK(condition) \
    ((condition) ? (void)0 : check_fail(__FILE__, __LINE__, #condition))
#define CHECK_IS(actual, expected) CHECK_BETWEEN(actual, expected, expected)
#define CHECK_BETWEEN(actual, low, high) \
    check_number(__FILE__, __LINE__, #actual, (double)(actual), (double)(low), (double)(high))
#define CHECK_TEXT(actual, expected) check_text(__FILE__, __LINE__, #actual, actual, expected)

CHECK_HELPER void check_skip(const char *reason)
{
    printf("%s\n", reason);
    fflush(stdout);
    exit(77);
}

/* --- time --- */

/* milliseconds of a monotonic clock */
CHECK_HELPER double check_now(void)
{
#ifdef _WIN32
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceFrequency(&per_second);
    QueryPerformanceCounter(&ticks);
    return (double)ticks.QuadPart * 1000.0 / (double)per_second.QuadPart;
#else
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1000.0 + (double)time.tv_nsec / 1000000.0;
#endif
}

CHECK_HELPER void check_sleep(unsigned int ms)
{
#ifdef _WIN32
    Sleep(ms);
#else
    poll(NULL, 0, (int)ms);
#endif
}

CHECK_HELPER int check_is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0';
}

/* something slows the program down tenfold: Valgrind, a sanitizer */
CHECK_HELPER int check_is_slow(void)
{
    return check_is_set("GC_TEST_SLOW");
}

/* The library is built with what macOS and the BSDs run (scripts/generic-tests), and that kernel is
   Linux's: of a connection that is over it tells less. */
CHECK_HELPER int check_is_generic(void)
{
    return check_is_set("GC_TEST_GENERIC");
}

/* A wait is never shorter than asked. How much longer depends on the machine, so
   this finds only what hangs. */
#define CHECK_ELAPSED(since, at_least, at_most) \
    CHECK_BETWEEN(check_now() - (since), at_least, (at_most) * (check_is_slow() ? 10.0 : 1.0))

/* --- start-up --- */

CHECK_HELPER void check_start(void)
{
#ifdef _WIN32
    WSADATA data;
    CHECK_IS(WSAStartup(MAKEWORD(2, 2), &data), 0);
#endif
    setvbuf(stdout, NULL, _IONBF, 0);
}

/* --- the system --- */

/* Wine before 10 shows a reset as an end of the stream, Windows does not. What Wine does is expected there alone. */
CHECK_HELPER int check_hides_resets(void)
{
#ifdef _WIN32
    const char *(__cdecl *version)(void) = NULL;
    FARPROC found = GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version");
    if (found == NULL) return 0;
    memcpy(&version, &found, sizeof(version));
    return atoi(version()) < 10;
#else
    return 0;
#endif
}

/* --- threads --- */

/* For a variable that threads share without a lock: whoever loads what was stored sees all that was written before
   it. Microsoft's compiler takes volatile for that. */
#ifdef __GNUC__
#define CHECK_LOAD(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)
#define CHECK_STORE(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)
#else
#define CHECK_LOAD(place) (place)
#define CHECK_STORE(place, value) ((place) = (value))
#endif

typedef struct check_thread {
    void (*run)(void *argument);
    void *argument;
#ifdef _WIN32
    HANDLE handle;
#else
    pthread_t handle;
#endif
} check_thread;

#ifdef _WIN32
CHECK_HELPER DWORD WINAPI check_thread_main(void *thread)
#else
CHECK_HELPER void *check_thread_main(void *thread)
#endif
{
    ((check_thread *)thread)->run(((check_thread *)thread)->argument);
    return 0;
}

CHECK_HELPER void check_thread_start(check_thread *thread, void (*run)(void *), void *argument)
{
    thread->run = run;
    thread->argument = argument;
#ifdef _WIN32
    thread->handle = CreateThread(NULL, 0, check_thread_main, thread, 0, NULL);
    CHECK(thread->handle != NULL);
#else
    CHECK_IS(pthread_create(&thread->handle, NULL, check_thread_main, thread), 0);
#endif
}

CHECK_HELPER void check_thread_join(check_thread *thread)
{
#ifdef _WIN32
    CHECK(WaitForSingleObject(thread->handle, INFINITE) == WAIT_OBJECT_0);
    CloseHandle(thread->handle);
#else
    CHECK_IS(pthread_join(thread->handle, NULL), 0);
#endif
}

#include "check_net.h"

#endif /* CHECK_INCLUDED */
