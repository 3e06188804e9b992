/*
 * Linked with libgraceful_close_override.a, and knows nothing of it: calls, a pointer, a table
 * and another file's own prototype (win_link_other.c). With COUNTS the archive says what it did.
 * Argument: "active", or "bare" if nothing is to be replaced.
 */
#include "../c/check.h"

#include "graceful_close.h"

typedef int(WSAAPI *closer)(SOCKET sock);

static const closer table[] = { closesocket, &closesocket };

int close_in_other_file(SOCKET sock);

#ifdef COUNTS
unsigned long graceful_close_override_active(void);
#else
/* where the archive is not to be linked in nobody may ask for it */
static unsigned long graceful_close_override_active(void)
{
    return 0;
}
#endif

/* a connection with the peer's bytes unread, the trap for a bare close */
static SOCKET trap(SOCKET *peer)
{
    SOCKET sock;

    check_pair(&sock, peer);
    check_send_pattern(*peer, 3000, 0);
    check_wait_readable(sock);
    check_send_pattern(sock, 100000, 0);
    return sock;
}

/* The peer, on a thread of its own: a close that blocks waits for it. Whether all of it came; what it sends
   into the close may be answered by a reset. */
typedef struct {
    SOCKET sock;
    int came_whole;
} peer_of_trap;

static void read_whole(void *argument)
{
    peer_of_trap *peer = (peer_of_trap *)argument;
    size_t bytes = 0;
    int error;

    check_sleep(50);
    check_send(peer->sock, "late", 4);
    check_sleep(50);
    check_send(peer->sock, "later", 5);
    error = check_read_to_end(peer->sock, &bytes, 0);
    closesocket(peer->sock);
    peer->came_whole = error == 0 && bytes == 100000;
}

/* An overlapped receive completes at the close, with an error, and nothing is written into its
   buffer later: the program may have freed it. */
static void pending_receive(void)
{
    static char data[64];
    SOCKET sock, peer;
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    OVERLAPPED overlapped, *told = NULL;
    WSABUF buffer;
    DWORD flags = 0, bytes = 0;
    ULONG_PTR key = 0;

    check_pair(&sock, &peer);
    check_send(sock, "hello", 5);
    memset(&overlapped, 0, sizeof(overlapped));
    memset(data, '-', sizeof(data));
    buffer.buf = data;
    buffer.len = sizeof(data);
    CHECK(CreateIoCompletionPort((HANDLE)sock, port, 7, 0) == port);
    CHECK_IS(WSARecv(sock, &buffer, 1, NULL, &flags, &overlapped, NULL), SOCKET_ERROR);
    CHECK_IS(check_last_error(), WSA_IO_PENDING);
    CHECK_IS(closesocket(sock), 0);
    /* the values of a receive that was cut off differ between Windows and Wine */
    GetQueuedCompletionStatus(port, &bytes, &key, &told, 2000);
    CHECK(told == &overlapped || overlapped.Internal != STATUS_PENDING);
    check_send(peer, "late", 4);
    check_sleep(100);
    CHECK(data[0] == '-');
    closesocket(peer);
    CloseHandle(port);
}

static DWORD WINAPI close_it(LPVOID sock)
{
    CHECK_IS(closesocket(*(SOCKET *)sock), 0);
    return 0;
}

/* A send that is pending is finished: cut before a clean end it would look whole to the peer. */
static void pending_send(int active)
{
    static char data[8 * 1024 * 1024], taken[65536];
    SOCKET sock, peer;
    OVERLAPPED overlapped;
    WSABUF buffer;
    HANDLE thread;
    long total = 0;
    int got;

    check_pair(&sock, &peer);
    memset(&overlapped, 0, sizeof(overlapped));
    buffer.buf = data;
    buffer.len = sizeof(data);
    CHECK_IS(WSASend(sock, &buffer, 1, NULL, 0, &overlapped, NULL), SOCKET_ERROR);
    CHECK_IS(check_last_error(), WSA_IO_PENDING);
    /* it may block until the peer is done */
    thread = CreateThread(NULL, 0, close_it, &sock, 0, NULL);
    CHECK(thread != NULL);
    while ((got = recv(peer, taken, sizeof(taken), 0)) > 0) total += got;
    /* Winsock's own cuts it */
    CHECK(!active || (got == 0 && total == (long)sizeof(data)));
    closesocket(peer);
    CHECK(WaitForSingleObject(thread, 10000) == WAIT_OBJECT_0);
    CloseHandle(thread);
}

static DWORD WINAPI reader(LPVOID sock)
{
    char data[16];

    return recv(*(SOCKET *)sock, data, sizeof(data), 0) <= 0;
}

static void sleeping_reader(void)
{
    SOCKET sock, peer;
    HANDLE thread;

    check_pair(&sock, &peer);
    check_send(sock, "hello", 5);
    thread = CreateThread(NULL, 0, reader, &sock, 0, NULL);
    CHECK(thread != NULL);
    check_sleep(100);
    CHECK_IS(closesocket(sock), 0);
    CHECK_IS(WaitForSingleObject(thread, 2000), WAIT_OBJECT_0);
    CloseHandle(thread);
    closesocket(peer);
}

int main(int argc, char **argv)
{
    int active = argc > 1 && strcmp(argv[1], "active") == 0, way;
    static const char *const names[] = { "a call", "a pointer", "a table", "another file" };
    closer volatile pointer = closesocket;
    peer_of_trap peer;
    check_thread thread;
    SOCKET sock;
    unsigned long before;

    check_start();
    for (way = 0; way < 4; way++) {
        check_doing = names[way];
        before = graceful_close_override_active();
        sock = trap(&peer.sock);
        if (active) check_thread_start(&thread, read_whole, &peer);
        check_set_last_error(12345);
        switch (way) {
        case 0: CHECK_IS(closesocket(sock), 0); break;
        case 1: CHECK_IS(pointer(sock), 0); break;
        case 2: CHECK_IS(table[1](sock), 0); break;
        default: CHECK_IS(close_in_other_file(sock), 0); break;
        }
        CHECK_IS(check_last_error(), 12345);
        CHECK_IS(graceful_close_override_active() > before, active);
        if (active) {
            check_thread_join(&thread);
            CHECK(peer.came_whole);
        } else {
            closesocket(peer.sock);
        }
    }
    check_doing = "no socket";
    CHECK_IS(closesocket(INVALID_SOCKET), SOCKET_ERROR);
    CHECK_IS(check_last_error(), WSAENOTSOCK);

    check_doing = "a pending overlapped receive";
    pending_receive();
    check_doing = "a pending overlapped send";
    pending_send(active);
    check_doing = "a thread in recv";
    sleeping_reader();

    check_doing = "a reset on purpose";
    check_pair(&sock, &peer.sock);
    before = graceful_close_override_active();
    check_reset(sock);
    CHECK_IS(graceful_close_override_active(), before);
    closesocket(peer.sock);
    return 0;
}
