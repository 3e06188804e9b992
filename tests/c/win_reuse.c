/*
 * A socket that is used again: accepted by AcceptEx, finished by gc_finish(), disconnected by
 * DisconnectEx(TF_REUSE_SOCKET) and accepted into once more, as servers with completion ports
 * do. The answer arrives whole, and the second connection works.
 */
#include "win_test.h"

#ifdef _WIN32

#include <mswsock.h>

#define ANSWER 300000

static LPFN_ACCEPTEX accept_into;
static LPFN_DISCONNECTEX disconnect;
static SOCKET accepting;
static struct sockaddr_in address;

static void load(GUID id, void *function, DWORD size)
{
    DWORD bytes = 0;

    CHECK_INT(WSAIoctl(accepting, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, function, size, &bytes, NULL, NULL),
              0);
}

/* Accepts into this socket; its peer. */
static SOCKET connect_to(SOCKET ours)
{
    char names[2 * (sizeof(struct sockaddr_in) + 16)];
    SOCKET other = tcp_socket();
    OVERLAPPED overlapped;
    DWORD bytes = 0, flags = 0;

    memset(&overlapped, 0, sizeof overlapped);
    overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    CHECK(overlapped.hEvent != NULL);
    if (!accept_into(accepting, ours, names, 0, sizeof names / 2, sizeof names / 2, &bytes, &overlapped)) {
        CHECK_INT(WSAGetLastError(), ERROR_IO_PENDING);
    }
    CHECK_INT(connect(other, (struct sockaddr *)&address, sizeof address), 0);
    CHECK(WSAGetOverlappedResult(accepting, &overlapped, &bytes, TRUE, &flags));
    CloseHandle(overlapped.hEvent);
    CHECK_INT(setsockopt(ours, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&accepting, sizeof accepting), 0);
    return other;
}

/* An answer to a peer whose request is not read. */
static void answer_and_finish(SOCKET ours)
{
    static char answer[ANSWER];
    peer p;

    memset(&p, 0, sizeof p);
    p.s = connect_to(ours);
    CHECK_INT(send(p.s, answer, 20000, 0), 20000);
    peer_start(&p, p.s);
    CHECK_INT(send(ours, answer, ANSWER, 0), ANSWER);
    CHECK_INT(gc_finish(ours, 20000), GC_GRACEFUL);
    CHECK(!is_closed(ours));
    peer_join(&p);
    CHECK_INT(p.received, ANSWER);
    CHECK_INT(p.reset, 0);
}

/* The same handle, connected to somebody else. */
static void is_used_again(SOCKET ours)
{
    char data[8];
    u_long no = 0;
    int got;
    SOCKET other = connect_to(ours);

    /* gc_finish() has left it non-blocking */
    CHECK_INT(ioctlsocket(ours, (long)FIONBIO, &no), 0);
    CHECK_INT(send(other, "again", 5, 0), 5);
    got = recv(ours, data, sizeof data, 0);
    if (got == 0 && wine_version() >= 10) {
        printf("not received: Wine 10 does not forget that the old connection has ended, whoever closed it\n");
        closesocket(other);
        return;
    }
    CHECK_INT(got, 5);
    if (send(ours, data, 5, 0) == 5) {
        CHECK_INT(recv(other, data, sizeof data, 0), 5);
    } else {
        CHECK_INT(WSAGetLastError(), WSAESHUTDOWN);
        CHECK(wine_version() != 0);
        printf("not sent: Wine 8 does not forget that the old connection was half-closed\n");
    }
    closesocket(other);
}

int main(void)
{
    static const GUID accept_id = WSAID_ACCEPTEX, disconnect_id = WSAID_DISCONNECTEX;
    SOCKET ours;

    start_winsock();
    accepting = listener(&address);
    load(accept_id, &accept_into, sizeof accept_into);
    load(disconnect_id, &disconnect, sizeof disconnect);
    ours = tcp_socket();
    answer_and_finish(ours);
    CHECK(disconnect(ours, NULL, TF_REUSE_SOCKET, 0));
    is_used_again(ours);
    CHECK_INT(closesocket(ours), 0);
    passed("the same socket, twice");
    return 0;
}

#endif
