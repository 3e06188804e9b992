/*
 * example_clock.h - a clock that is never put back, and sockets that do not block
 *
 * Include example_net.h before it.
 */
#ifndef EXAMPLE_CLOCK_H
#define EXAMPLE_CLOCK_H

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <time.h>
#endif

static double now_ms(void)
{
#ifdef _WIN32
    LARGE_INTEGER ticks, per_second;

    QueryPerformanceFrequency(&per_second);
    QueryPerformanceCounter(&ticks);
    return 1000.0 * (double)ticks.QuadPart / (double)per_second.QuadPart;
#else
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0.0;
    return 1000.0 * (double)now.tv_sec + (double)now.tv_nsec / 1.0e6;
#endif
}

/* send, recv and accept return at once from now on. 0 is success. */
static int net_unblock(SOCKET sock)
{
#ifdef _WIN32
    u_long yes = 1;

    return ioctlsocket(sock, (long)FIONBIO, &yes) == 0 ? 0 : -1;
#else
    int flags = fcntl(sock, F_GETFL);

    return flags >= 0 && fcntl(sock, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : -1;
#endif
}

#endif
