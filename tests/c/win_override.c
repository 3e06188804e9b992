/*
 * A program that replaces closesocket for everything it is linked with. The library is among that,
 * and must not come back here when it closes.
 */
#define closesocket closesocket_of_the_header
#include "win_test.h"
#undef closesocket

#ifdef _WIN32

#ifdef __cplusplus
extern "C" {
#endif

int WSAAPI closesocket(SOCKET s);
/* what code that was compiled against the header calls through */
extern int(WSAAPI *__imp_closesocket)(SOCKET);
int(WSAAPI *__imp_closesocket)(SOCKET) = closesocket;

static long calls = 0;

int WSAAPI closesocket(SOCKET s)
{
    InterlockedIncrement(&calls);
    return gc_closesocket(s);
}

#ifdef __cplusplus
}
#endif

static char rest[100000];

static DWORD WINAPI client(LPVOID argument)
{
    SOCKET s = *(SOCKET *)argument;
    char data[4096];
    size_t received = 0;
    int got;

    CHECK_INT(send(s, rest, sizeof rest, 0), sizeof rest);
    while ((got = recv(s, data, sizeof data, 0)) > 0) {
        received += (size_t)got;
    }
    CHECK_INT(got, 0);
    CHECK_INT(received, sizeof rest);
    CHECK_INT(closesocket(s), 0);
    return 0;
}

int main(void)
{
    struct sockaddr_in address;
    SOCKET ours, other, listening;
    HANDLE thread;
    int size = sizeof address;

    start_winsock();
    listening = tcp_socket();
    address = loopback(0);
    CHECK_INT(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(listening, 1), 0);
    CHECK_INT(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    other = tcp_socket();
    CHECK_INT(connect(other, (struct sockaddr *)&address, sizeof address), 0);
    ours = accept(listening, NULL, NULL);
    CHECK(ours != INVALID_SOCKET);

    thread = CreateThread(NULL, 0, client, &other, 0, NULL);
    CHECK(thread != NULL);
    CHECK_INT(send(ours, rest, sizeof rest, 0), sizeof rest);
    CHECK_INT(closesocket(ours), 0);
    CHECK(is_closed(ours));
    CHECK_INT(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
    CloseHandle(thread);
    CHECK_INT(closesocket(listening), 0);
    CHECK_INT(closesocket(listening), SOCKET_ERROR);
    CHECK_INT(WSAGetLastError(), WSAENOTSOCK);
    CHECK_INT(calls, 4);
    passed("closesocket replaced: one call each");
    WSACleanup();
    return 0;
}

#endif
