/*
 * What the subjects of the hook's tests share: none of them knows the library. Plain Winsock,
 * closed by closesocket, as in programs that nobody can rebuild any more.
 */
#ifndef HOOK_NET_H
#define HOOK_NET_H

#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(wanted) check((wanted) ? 1 : 0, #wanted, __FILE__, __LINE__)

static __inline void check(int holds, const char *text, const char *file, int line)
{
    if (!holds) {
        printf("%s:%d: not so: %s (last error %ld)\n", file, line, text, (long)GetLastError());
        fflush(stdout);
        TerminateProcess(GetCurrentProcess(), 1);
    }
}

static __inline void start_winsock(void)
{
    WSADATA data;

    CHECK(WSAStartup(MAKEWORD(2, 2), &data) == 0);
}

static __inline SOCKET tcp_socket(void)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

    CHECK(s != INVALID_SOCKET);
    return s;
}

static __inline SOCKET listen_on(struct sockaddr_in *address)
{
    SOCKET s = tcp_socket();
    int size = sizeof *address;

    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(s, (struct sockaddr *)address, sizeof *address) == 0);
    CHECK(listen(s, 64) == 0);
    CHECK(getsockname(s, (struct sockaddr *)address, &size) == 0);
    return s;
}

/*
 * One connection whose server has answered early: the answer is in its send buffer, the client
 * has received next to nothing of it, and the rest of the request is unread. A bare closesocket
 * resets now, and the answer is gone.
 */
#define ANSWER 600000
#define REQUEST 20000

typedef struct early {
    SOCKET server;
    SOCKET client;
} early;

static __inline void set_buffer(SOCKET s, int name, int size)
{
    CHECK(setsockopt(s, SOL_SOCKET, name, (const char *)&size, sizeof size) == 0);
}

static __inline void answer_early(early *pair)
{
    static char data[ANSWER];
    struct sockaddr_in address;
    SOCKET listening = listen_on(&address);
    char first;

    pair->client = tcp_socket();
    set_buffer(pair->client, SO_RCVBUF, 8192);
    CHECK(connect(pair->client, (struct sockaddr *)&address, sizeof address) == 0);
    pair->server = accept(listening, NULL, NULL);
    CHECK(pair->server != INVALID_SOCKET);
    CHECK(closesocket(listening) == 0);
    set_buffer(pair->server, SO_SNDBUF, 2 * ANSWER);
    CHECK(send(pair->client, data, REQUEST, 0) == REQUEST);
    CHECK(recv(pair->server, &first, 1, 0) == 1);
    CHECK(send(pair->server, data, ANSWER, 0) == ANSWER);
}

/* How much of the answer the client gets; it closes. */
static __inline long receive_answer(early *pair)
{
    static char data[65536];
    long received = 0;
    int got;

    Sleep(20);
    while ((got = recv(pair->client, data, sizeof data, 0)) > 0) {
        received += got;
    }
    closesocket(pair->client);
    return received;
}

/* Prints "NAME: whole", or how much came. */
static __inline int tell_answer(const char *name, early *pair)
{
    long received = receive_answer(pair);

    if (received == ANSWER) {
        printf("%s: whole\n", name);
    } else {
        printf("%s: cut at %ld of %d\n", name, received, ANSWER);
    }
    fflush(stdout);
    return received == ANSWER;
}

#endif
