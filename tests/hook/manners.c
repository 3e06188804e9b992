/*
 * Under the hook a program must notice nothing: what closesocket returns and leaves behind, what
 * becomes of whatever waited for the socket, and which connections are none of the hook's
 * business. Each part passes with a bare closesocket, too, but for "whole" where it says so.
 *
 *   manners bare|hooked
 */
#include "net.h"

static int hooked;

static void passed(const char *what)
{
    printf("ok: %s\n", what);
    fflush(stdout);
}

static int is_whole(early *pair)
{
    return receive_answer(pair) == ANSWER;
}

static void values_and_errors(void)
{
    struct sockaddr_in address;
    early pair;
    SOCKET udp, listening;

    answer_early(&pair);
    WSASetLastError(4711);
    CHECK(closesocket(pair.server) == 0);
    CHECK(!hooked || WSAGetLastError() == 4711);
    CHECK(closesocket(pair.server) == SOCKET_ERROR);
    CHECK(WSAGetLastError() == WSAENOTSOCK);
    CHECK(is_whole(&pair) == hooked);

    CHECK(closesocket(INVALID_SOCKET) == SOCKET_ERROR);
    CHECK(WSAGetLastError() == WSAENOTSOCK);
    udp = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(closesocket(udp) == 0);
    CHECK(closesocket(udp) == SOCKET_ERROR);
    listening = listen_on(&address);
    CHECK(closesocket(listening) == 0);
    CHECK(closesocket(listening) == SOCKET_ERROR);
    CHECK(WSAGetLastError() == WSAENOTSOCK);
    passed("return values and errors");
}

static DWORD WINAPI reader(LPVOID argument)
{
    char data[16];

    return recv(*(SOCKET *)argument, data, sizeof data, 0) <= 0 ? 1 : 0;
}

static void connected(SOCKET *server, SOCKET *client)
{
    struct sockaddr_in address;
    SOCKET listening = listen_on(&address);

    *client = tcp_socket();
    CHECK(connect(*client, (struct sockaddr *)&address, sizeof address) == 0);
    *server = accept(listening, NULL, NULL);
    CHECK(*server != INVALID_SOCKET);
    CHECK(closesocket(listening) == 0);
    CHECK(send(*server, "hello", 5, 0) == 5);
}

/* A thread that sleeps in recv wakes at the close, not when the peer is done. */
static void sleeping_reader(void)
{
    SOCKET server, client;
    HANDLE thread;
    DWORD code = 0;

    connected(&server, &client);
    thread = CreateThread(NULL, 0, reader, &server, 0, NULL);
    CHECK(thread != NULL);
    Sleep(100);
    CHECK(closesocket(server) == 0);
    CHECK(WaitForSingleObject(thread, 2000) == WAIT_OBJECT_0);
    CHECK(GetExitCodeThread(thread, &code) && code == 1);
    CloseHandle(thread);
    CHECK(closesocket(client) == 0);
    passed("a thread that sleeps in recv wakes");
}

/* A pending overlapped receive completes with an error at the close, and no data comes later. */
static void pending_receive(void)
{
    static char data[64];
    SOCKET server, client;
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    OVERLAPPED overlapped, *told = NULL;
    WSABUF buffer;
    DWORD flags = 0, bytes = 1;
    ULONG_PTR key = 0;

    connected(&server, &client);
    memset(&overlapped, 0, sizeof overlapped);
    memset(data, '-', sizeof data);
    buffer.buf = data;
    buffer.len = sizeof data;
    CHECK(CreateIoCompletionPort((HANDLE)server, port, 7, 0) == port);
    CHECK(WSARecv(server, &buffer, 1, NULL, &flags, &overlapped, NULL) == SOCKET_ERROR);
    CHECK(WSAGetLastError() == WSA_IO_PENDING);
    CHECK(closesocket(server) == 0);
    CHECK(!GetQueuedCompletionStatus(port, &bytes, &key, &told, 2000));
    CHECK(told == &overlapped && key == 7 && bytes == 0);
    send(client, "late", 4, 0);
    Sleep(100);
    CHECK(data[0] == '-');
    told = NULL;
    CHECK(!GetQueuedCompletionStatus(port, &bytes, &key, &told, 100) && told == NULL);
    CHECK(closesocket(client) == 0);
    CloseHandle(port);
    passed("a pending receive is cancelled");
}

/* A pending send is finished: cut before a clean end it would look whole to the peer. */
static void pending_send(void)
{
    static char data[8 * 1024 * 1024], taken[65536];
    SOCKET server, client;
    OVERLAPPED overlapped;
    WSABUF buffer;
    size_t total = 0;
    int got;

    connected(&server, &client);
    memset(&overlapped, 0, sizeof overlapped);
    buffer.buf = data;
    buffer.len = sizeof data;
    CHECK(WSASend(server, &buffer, 1, NULL, 0, &overlapped, NULL) == SOCKET_ERROR);
    CHECK(WSAGetLastError() == WSA_IO_PENDING);
    CHECK(closesocket(server) == 0);
    while ((got = recv(client, taken, sizeof taken, 0)) > 0) {
        total += (size_t)got;
    }
    /* behind the first bytes; the real one cuts it */
    CHECK(!hooked || (got == 0 && total > sizeof data));
    CHECK(closesocket(client) == 0);
    passed("a pending send is finished");
}

/* No event comes for a socket that is closed. */
static void selected(void)
{
    early pair;
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);

    answer_early(&pair);
    CHECK(WSAEventSelect(pair.server, event, FD_READ | FD_CLOSE) == 0);
    Sleep(50);
    ResetEvent(event);
    CHECK(closesocket(pair.server) == 0);
    ResetEvent(event);
    CHECK(is_whole(&pair) == hooked);
    CHECK(WaitForSingleObject(event, 100) == WAIT_TIMEOUT);
    CloseHandle(event);
    passed("WSAEventSelect ends with the close");
}

/* The reset that a program asks for: it wants the peer to know. */
static void deliberate_reset(void)
{
    struct linger linger;
    early pair;

    linger.l_onoff = 1;
    linger.l_linger = 0;
    answer_early(&pair);
    CHECK(setsockopt(pair.server, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof linger) == 0);
    CHECK(closesocket(pair.server) == 0);
    CHECK(!is_whole(&pair));
    passed("SO_LINGER {1,0} resets");
}

/* With a time it neither blocks nor cuts. (The bare one does both, in Wine.) */
static void lingering(void)
{
    struct linger linger;
    early pair;
    DWORD start;

    if (!hooked) {
        return;
    }
    linger.l_onoff = 1;
    linger.l_linger = 3;
    answer_early(&pair);
    CHECK(setsockopt(pair.server, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof linger) == 0);
    start = GetTickCount();
    CHECK(closesocket(pair.server) == 0);
    CHECK(GetTickCount() - start < 1000);
    CHECK(is_whole(&pair));
    passed("SO_LINGER {1,3} neither blocks nor cuts");
}

/* A second handle to the same connection goes on working. */
static void shared(void)
{
    WSAPROTOCOL_INFOW info;
    SOCKET server, client, copy;
    char data[8];

    connected(&server, &client);
    CHECK(WSADuplicateSocketW(server, GetCurrentProcessId(), &info) == 0);
    copy = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
    CHECK(copy != INVALID_SOCKET);
    CHECK(closesocket(server) == 0);
    CHECK(recv(client, data, 5, MSG_WAITALL) == 5);
    CHECK(send(copy, "there", 5, 0) == 5);
    CHECK(recv(client, data, 5, MSG_WAITALL) == 5);
    CHECK(send(client, "back", 4, 0) == 4);
    CHECK(recv(copy, data, 4, MSG_WAITALL) == 4);
    CHECK(closesocket(copy) == 0);
    CHECK(closesocket(client) == 0);
    passed("a second handle goes on working");
}

/* Connections that this process has made are closed normally. */
static void client_side(void)
{
    early pair;
    SOCKET swap;

    answer_early(&pair);
    /* the client goes, with the answer unread: the server must hear of it */
    swap = pair.server;
    Sleep(20);
    CHECK(closesocket(pair.client) == 0);
    Sleep(50);
    {
        char byte = 0;
        int i;

        for (i = 0; i < 50 && send(swap, &byte, 1, 0) == 1; i++) {
            Sleep(10);
        }
        CHECK(i < 50);
    }
    CHECK(closesocket(swap) == 0);
    passed("a client's socket is closed at once");
}

/* The peer of a socket that is closed with bytes unread hears of it by a reset at once, and not of a FIN. */
static void by_name(int is_wide)
{
    struct sockaddr_in address;
    SOCKET listener = listen_on(&address), client = tcp_socket(), server;
    WSAPOLLFD entry;
    char port[8];
    WCHAR wide_port[8];

    sprintf(port, "%d", ntohs(address.sin_port));
    MultiByteToWideChar(CP_ACP, 0, port, -1, wide_port, 8);
    if (is_wide) {
        CHECK(WSAConnectByNameW(client, L"127.0.0.1", wide_port, NULL, NULL, NULL, NULL, NULL, NULL));
    } else {
        CHECK(WSAConnectByNameA(client, "127.0.0.1", port, NULL, NULL, NULL, NULL, NULL, NULL));
    }
    server = accept(listener, NULL, NULL);
    CHECK(server != INVALID_SOCKET);
    CHECK(send(client, "ask", 3, 0) == 3);
    CHECK(send(server, "answer", 6, 0) == 6);
    Sleep(50);
    CHECK(closesocket(client) == 0);
    Sleep(100);
    entry.fd = server;
    entry.events = POLLRDNORM;
    entry.revents = 0;
    CHECK(WSAPoll(&entry, 1, 0) >= 0 && (entry.revents & POLLERR) != 0);
    CHECK(closesocket(server) == 0);
    CHECK(closesocket(listener) == 0);
    passed(is_wide ? "a client's by name, in wide characters" : "a client's by name");
}

/* AcceptEx of a mswsock.dll that is loaded when the hook is active already: its listener must be known. */
static void looked_up_late(void)
{
    HMODULE module = LoadLibraryA("mswsock.dll"), from = NULL;
    FARPROC function;
    char path[MAX_PATH];
    const char *name;
    LPCSTR address;

    CHECK(module != NULL);
    function = GetProcAddress(module, "AcceptEx");
    CHECK(function != NULL);
    memcpy(&address, &function, sizeof address);
    CHECK(GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                             address, &from));
    CHECK(GetModuleFileNameA(from, path, sizeof path) != 0);
    name = strrchr(path, '\\');
    CHECK(name != NULL);
    CHECK((strcmp(name + 1, "graceful_close_hook.dll") == 0) == hooked);
    passed("AcceptEx of mswsock.dll, loaded later");
}

/* Peers that never close do not hold up a program of one thread. */
static void no_stall(void)
{
    enum { PEERS = 20 };
    SOCKET server, client[PEERS];
    DWORD start = 0, took = 0;
    int i;

    for (i = 0; i < PEERS; i++) {
        connected(&server, &client[i]);
        start = GetTickCount();
        CHECK(closesocket(server) == 0);
        took += GetTickCount() - start;
    }
    CHECK(took < 1000);
    for (i = 0; i < PEERS; i++) {
        CHECK(closesocket(client[i]) == 0);
    }
    passed("silent peers do not hold up the program");
}

/* The last WSACleanup comes right after the close; one too many fails, as without the hook. */
static void cleaned_up(void)
{
    early pair;

    answer_early(&pair);
    CHECK(closesocket(pair.server) == 0);
    CHECK(is_whole(&pair) == hooked);
    CHECK(WSACleanup() == 0);
    CHECK(WSACleanup() == SOCKET_ERROR);
    CHECK(WSAGetLastError() == WSANOTINITIALISED);
    start_winsock();
    passed("WSACleanup");
}

int main(int argc, char **argv)
{
    hooked = argc > 1 && strcmp(argv[1], "hooked") == 0;
    start_winsock();
    values_and_errors();
    sleeping_reader();
    pending_receive();
    pending_send();
    selected();
    deliberate_reset();
    lingering();
    shared();
    client_side();
    by_name(0);
    by_name(1);
    looked_up_late();
    no_stall();
    cleaned_up();
    return 0;
}
