/*
 * example_process.h - for the examples that need many sockets and a second process
 *
 * A clock, sockets that do not block, more descriptors, and this very program started
 * once more with other arguments, so that one side's sockets do not use up the other
 * side's numbers. Include example_net.h before it.
 */
#ifndef EXAMPLE_PROCESS_H
#define EXAMPLE_PROCESS_H

#include "example_clock.h"
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
typedef HANDLE process_handle;
#else
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
typedef pid_t process_handle;
#endif

/* Whether the last call failed only because it would have had to wait. */
static int net_would_block(void)
{
#ifdef _WIN32
    return WSAGetLastError() == WSAEWOULDBLOCK;
#else
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
#endif
}

/* Listens on 127.0.0.1, which is enough for an example; port 0: any. */
static SOCKET listen_on_loopback(struct sockaddr_in *address, unsigned int port)
{
    socklen_t size = sizeof(*address);
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);

    if (listener == INVALID_SOCKET) {
        net_complain("socket");
        return INVALID_SOCKET;
    }
#ifndef _WIN32
    { /* take a port back whose old connections are still in TIME_WAIT; means something else on Windows */
        int yes = 1;
        if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0)
            net_complain("SO_REUSEADDR");
    }
    if (fcntl(listener, F_SETFD, FD_CLOEXEC) != 0) /* not for the second process */
        net_complain("FD_CLOEXEC");
#endif
    memset(address, 0, sizeof(*address));
    address->sin_family = AF_INET;
    address->sin_port = htons((unsigned short)port);
    address->sin_addr.s_addr = htonl(0x7F000001UL); /* 127.0.0.1 */
    if (bind(listener, (struct sockaddr *)address, size) == 0 && listen(listener, SOMAXCONN) == 0
        && getsockname(listener, (struct sockaddr *)address, &size) == 0)
        return listener;
    net_complain("the port cannot be listened on");
    closesocket(listener);
    return INVALID_SOCKET;
}

/* window: size of the receive buffer; 0: the system's choice */
static SOCKET connect_to_loopback(unsigned int port, int window)
{
    struct sockaddr_in address;
    SOCKET sock = socket(AF_INET, SOCK_STREAM, 0);

    if (sock == INVALID_SOCKET) {
        net_complain("socket");
        return INVALID_SOCKET;
    }
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(0x7F000001UL); /* 127.0.0.1 */
    if (window > 0 && setsockopt(sock, SOL_SOCKET, SO_RCVBUF, (const char *)&window, sizeof(window)) != 0)
        net_complain("SO_RCVBUF");
    if (connect(sock, (struct sockaddr *)&address, sizeof(address)) == 0)
        return sock;
    net_complain("connect");
    closesocket(sock);
    return INVALID_SOCKET;
}

/* Closes so that the peer gets a reset. */
static void close_by_reset(SOCKET sock)
{
    struct linger linger;

    memset(&linger, 0, sizeof(linger));
    linger.l_onoff = 1;
    if (setsockopt(sock, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof(linger)) != 0)
        net_complain("SO_LINGER");
    closesocket(sock);
}

/* Asks for so many descriptors, and returns how many there may be now, at most that. */
static unsigned long allow_descriptors(unsigned long wanted)
{
#ifdef _WIN32
    return wanted; /* a process may have 16 million */
#else
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        net_complain("RLIMIT_NOFILE");
        return wanted < 256UL ? wanted : 256UL;
    }
    if (limit.rlim_cur < (rlim_t)wanted) { /* the soft limit; RLIM_INFINITY is the largest */
        struct rlimit raised = limit;
        raised.rlim_cur = limit.rlim_max < (rlim_t)wanted ? limit.rlim_max : (rlim_t)wanted;
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
        else
            net_complain("RLIMIT_NOFILE");
    }
    return limit.rlim_cur < (rlim_t)wanted ? (unsigned long)limit.rlim_cur : wanted;
#endif
}

/* Starts this program again. words: argv of the new process, NULL at the end. 0 is success. */
static int start_process(process_handle *process, char **words)
{
#ifdef _WIN32
    char line[1024], path[512];
    STARTUPINFOA startup;
    PROCESS_INFORMATION started;
    DWORD length = GetModuleFileNameA(NULL, path, (DWORD)sizeof(path));

    if (length == 0 || length >= sizeof(path)) {
        fprintf(stderr, "this program cannot be found\n");
        return -1;
    }
    sprintf(line, "\"%s\"", path);
    for (words++; *words != NULL && strlen(line) + strlen(*words) + 2 < sizeof(line); words++) {
        strcat(line, " ");
        strcat(line, *words);
    }
    memset(&startup, 0, sizeof(startup));
    startup.cb = sizeof(startup);
    /* FALSE: the sockets of this process are not for the other */
    if (!CreateProcessA(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &started)) {
        fprintf(stderr, "no second process (error %lu)\n", (unsigned long)GetLastError());
        return -1;
    }
    CloseHandle(started.hThread);
    *process = started.hProcess;
    return 0;
#else
    *process = fork();
    if (*process == 0) {
        execvp(words[0], words);
        net_complain(words[0]);
        _exit(127);
    }
    if (*process < 0)
        net_complain("fork");
    return *process < 0 ? -1 : 0;
#endif
}

/* Waits for its end. Its exit status, -1 if it had none. */
static int wait_for_process(process_handle process)
{
#ifdef _WIN32
    DWORD status = 0;
    int known = WaitForSingleObject(process, INFINITE) == WAIT_OBJECT_0
                && GetExitCodeProcess(process, &status) && status < 256;

    CloseHandle(process);
    return known ? (int)status : -1;
#else
    int status = 0;

    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
#endif
}

#endif
