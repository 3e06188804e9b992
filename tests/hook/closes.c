/*
 * Closes of known kinds, each in a function of its own, for `graceful-close observe`. Both ends are
 * here: the client's close is in done_with(). Prints what each call has returned, which
 * must be the same with and without somebody who looks.
 *
 *   closes exit       leaves a connection open and returns from main
 *   closes WSACleanup leaves a connection open and calls WSACleanup
 *   closes child      does nothing but start itself: the closes are those of the child
 */
#include "net.h"

static SOCKET client;
static SOCKET listening = INVALID_SOCKET;

static SOCKET connected(void)
{
    static struct sockaddr_in address;
    SOCKET s;

    if (listening == INVALID_SOCKET)
        listening = listen_on(&address);
    client = tcp_socket();
    CHECK(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
    s = accept(listening, NULL, NULL);
    CHECK(s != INVALID_SOCKET);
    return s;
}

/* Whether the peer was reset: it has closed then, too. */
static void done_with(const char *name, int result, int error)
{
    char byte;
    int got;

    Sleep(20);
    got = recv(client, &byte, 1, 0);
    printf("%s: %d %d, peer: %s\n", name, result, error,
           got > 0 ? "data" : got == 0 ? "end" : "reset");
    fflush(stdout);
    closesocket(client);
}

static void wait_for(SOCKET s, unsigned long bytes)
{
    unsigned long there = 0;
    int i;

    for (i = 0; i < 500 && there < bytes; i++) {
        CHECK(ioctlsocket(s, FIONREAD, &there) == 0);
        Sleep(2);
    }
    CHECK(there == bytes);
}

static void unread_request(void)
{
    SOCKET s = connected();
    int result;

    CHECK(send(client, "0123456789", 10, 0) == 10);
    wait_for(s, 10);
    SetLastError(4711);
    result = closesocket(s);
    done_with("unread request", result, WSAGetLastError());
}

static void peer_open(void)
{
    SOCKET s = connected();
    int result;

    CHECK(send(s, "answer", 6, 0) == 6);
    Sleep(20);
    result = closesocket(s);
    done_with("peer open", result, WSAGetLastError());
}

static void late_bytes(void)
{
    static char data[ANSWER];
    SOCKET s = connected();
    int result;

    set_buffer(s, SO_SNDBUF, 2 * ANSWER);
    CHECK(send(s, data, ANSWER, 0) == ANSWER);
    result = closesocket(s);
    done_with("late bytes", result, WSAGetLastError());
}

static void shut_both(void)
{
    SOCKET s = connected();
    int result;

    CHECK(shutdown(s, SD_BOTH) == 0);
    result = closesocket(s);
    done_with("shut both", result, WSAGetLastError());
}

static void linger(const char *name, u_short seconds)
{
    struct linger value;
    SOCKET s = connected();
    int result;

    value.l_onoff = 1;
    value.l_linger = seconds;
    CHECK(setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&value, sizeof value) == 0);
    result = closesocket(s);
    done_with(name, result, WSAGetLastError());
}

static void linger_zero(void)
{
    linger("linger 1/0", 0);
}

static void linger_five(void)
{
    linger("linger 1/5", 5);
}

static void double_close(void)
{
    SOCKET s = connected();
    int result;

    CHECK(closesocket(s) == 0);
    result = closesocket(s);
    done_with("double close", result, WSAGetLastError());
}

/* The number is an event's meanwhile: Windows gives the lowest one that is free. */
static void reused_number(void)
{
    SOCKET s = connected();
    HANDLE events[64];
    int i, result, error;

    CHECK(closesocket(s) == 0);
    for (i = 0; i < 64; i++)
        events[i] = CreateEventA(NULL, TRUE, FALSE, NULL);
    result = closesocket(s);
    error = WSAGetLastError();
    for (i = 0; i < 64; i++)
        CloseHandle(events[i]);
    done_with("reused number", result, error);
}

static void finished(void)
{
    SOCKET s = connected();
    int result;
    char byte;

    CHECK(shutdown(client, SD_SEND) == 0);
    CHECK(recv(s, &byte, 1, 0) == 0);
    CHECK(shutdown(s, SD_SEND) == 0);
    Sleep(20);
    result = closesocket(s);
    done_with("finished", result, WSAGetLastError());
}

static void pending_receive(void)
{
    SOCKET s = connected();
    int result;
    WSABUF buffer;
    OVERLAPPED overlapped;
    DWORD flags = 0;
    char byte;

    memset(&overlapped, 0, sizeof overlapped);
    overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    buffer.buf = &byte;
    buffer.len = 1;
    CHECK(WSARecv(s, &buffer, 1, NULL, &flags, &overlapped, NULL) != 0 && WSAGetLastError() == WSA_IO_PENDING);
    result = closesocket(s);
    done_with("pending receive", result, WSAGetLastError());
    WaitForSingleObject(overlapped.hEvent, 2000);
    CloseHandle(overlapped.hEvent);
}

static void listener(void)
{
    struct sockaddr_in address;

    CHECK(closesocket(listen_on(&address)) == 0);
}

static void datagram(void)
{
    CHECK(closesocket(socket(AF_INET, SOCK_DGRAM, 0)) == 0);
}

static int all_of_them(void)
{
    unread_request();
    unread_request();
    peer_open();
    late_bytes();
    shut_both();
    linger_zero();
    linger_five();
    double_close();
    reused_number();
    finished();
    pending_receive();
    listener();
    datagram();
    return 7;
}

static int left_open(const char *how)
{
    SOCKET s = connected();

    CHECK(send(client, "0123456789", 10, 0) == 10);
    wait_for(s, 10);
    if (strcmp(how, "WSACleanup") == 0)
        printf("%s: %d\n", how, WSACleanup());
    return 0;
}

static int child(const char *program)
{
    STARTUPINFOA start;
    PROCESS_INFORMATION process;
    DWORD code = 0;

    memset(&start, 0, sizeof start);
    start.cb = sizeof start;
    CHECK(CreateProcessA(program, NULL, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process));
    WaitForSingleObject(process.hProcess, INFINITE);
    CHECK(GetExitCodeProcess(process.hProcess, &code));
    return (int)code;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";

    if (strcmp(how, "child") == 0)
        return child(argv[0]);
    start_winsock();
    return *how == 0 ? all_of_them() : left_open(how);
}
