/*
 * What the tests for Windows share: checks, connected pairs, and a peer on a thread of its own.
 * Elsewhere main() says that there is nothing to do.
 */
#ifndef WIN_TEST_H
#define WIN_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32

int main(void)
{
    puts("SKIPPED: Windows only");
    return 77;
}

#else

#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0600 /* WSAPoll, CancelIoEx */
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include "graceful_close.h"

#define CHECK(wanted) check((wanted) ? 1 : 0, #wanted, __FILE__, __LINE__)
#define CHECK_INT(is, wanted) check_int((long)(is), (long)(wanted), #is, #wanted, __FILE__, __LINE__)

/* The version of Wine, 8 or 10; 0: this is Windows. What Wine alone does is expected there alone. */
static __inline int wine_version(void)
{
    const char *(CDECL * version)(void) = NULL;
    FARPROC found = GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version");

    if (found == NULL) {
        return 0;
    }
    memcpy(&version, &found, sizeof version);
    return atoi(version());
}

/* a function that a thread runs */
typedef DWORD(WINAPI *thread_fn)(LPVOID);

static __inline void check(int holds, const char *text, const char *file, int line)
{
    if (!holds) {
        printf("%s:%d: not so: %s (last error %ld)\n", file, line, text, (long)GetLastError());
        fflush(stdout);
        ExitProcess(1);
    }
}

static __inline void check_int(long is, long wanted, const char *text, const char *wanted_text, const char *file,
                               int line)
{
    if (is != wanted) {
        printf("%s:%d: %s is %ld, not %ld (%s)\n", file, line, text, is, wanted, wanted_text);
        fflush(stdout);
        ExitProcess(1);
    }
}

static __inline void start_winsock(void)
{
    WSADATA data;

    CHECK_INT(WSAStartup(MAKEWORD(2, 2), &data), 0);
}

static __inline struct sockaddr_in loopback(u_short port)
{
    struct sockaddr_in address;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

static __inline SOCKET tcp_socket(void)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

    CHECK(s != INVALID_SOCKET);
    return s;
}

/* a listening socket, and where */
static __inline SOCKET listener(struct sockaddr_in *address)
{
    SOCKET s = tcp_socket();
    int size = sizeof *address;

    *address = loopback(0);
    CHECK_INT(bind(s, (struct sockaddr *)address, sizeof *address), 0);
    CHECK_INT(listen(s, 16), 0);
    CHECK_INT(getsockname(s, (struct sockaddr *)address, &size), 0);
    return s;
}

/* two ends of one connection */
static __inline void make_pair(SOCKET *ours, SOCKET *peer)
{
    struct sockaddr_in address;
    SOCKET listening = listener(&address);

    *peer = tcp_socket();
    CHECK_INT(connect(*peer, (struct sockaddr *)&address, sizeof address), 0);
    *ours = accept(listening, NULL, NULL);
    CHECK(*ours != INVALID_SOCKET);
    CHECK_INT(closesocket(listening), 0);
}

/* error events that wait on a socket; an ended stream alone is none */
static __inline int is_reset(SOCKET s)
{
    WSAPOLLFD entry;

    entry.fd = s;
    entry.events = POLLRDNORM;
    entry.revents = 0;
    return WSAPoll(&entry, 1, 0) >= 0 && (entry.revents & POLLERR) != 0;
}

/* what a peer does, and how it fared */
typedef struct peer {
    SOCKET s;
    int first_ms;    /* wait so long */
    int portion;     /* then receive so much at a time */
    int pause_ms;    /* and pause so long after each; 0: never */
    int late_bytes;  /* after our FIN send so much, */
    size_t received; /* results: what came in, and whether it ended with a reset */
    int reset;
    HANDLE thread;
} peer;

static __inline DWORD WINAPI peer_main(LPVOID argument)
{
    static char late[4096];
    peer *p = (peer *)argument;
    char *portion = (char *)malloc((size_t)p->portion);
    int got, left;

    CHECK(portion != NULL);
    Sleep((DWORD)p->first_ms);
    while ((got = recv(p->s, portion, p->portion, 0)) > 0) {
        p->received += (size_t)got;
        if (p->pause_ms > 0) {
            Sleep((DWORD)p->pause_ms);
        }
    }
    free(portion);
    p->reset = got < 0 || is_reset(p->s);
    for (left = p->late_bytes; left > 0; left -= (int)sizeof late) {
        if (send(p->s, late, (int)sizeof late, 0) < 0) {
            p->reset = 1;
        }
    }
    if (p->late_bytes > 0) {
        /* a reset in answer to the late bytes would be here by then */
        Sleep(30);
        p->reset = p->reset || is_reset(p->s);
    }
    closesocket(p->s);
    return 0;
}

/* an ordinary peer: takes all that comes, and closes at the end of it */
static __inline void peer_start(peer *p, SOCKET s)
{
    p->s = s;
    if (p->portion == 0) {
        p->portion = 65536;
    }
    p->thread = CreateThread(NULL, 0, peer_main, p, 0, NULL);
    CHECK(p->thread != NULL);
}

static __inline void peer_join(peer *p)
{
    CHECK_INT(WaitForSingleObject(p->thread, 60000), WAIT_OBJECT_0);
    CloseHandle(p->thread);
}

/* the handle is no socket any more */
static __inline int is_closed(SOCKET s)
{
    int type, size = sizeof type;

    return getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &size) != 0 && WSAGetLastError() == WSAENOTSOCK;
}

static __inline void passed(const char *what)
{
    printf("ok: %s\n", what);
    fflush(stdout);
}

#endif
#endif
