/* What tells of a reset, and what it costs; how shutdown behaves. */
#include "selftest.h"

#include <string.h>

static void told(probe *p)
{
    SOCKET ours, other;
    char byte = 0, words[64];
    int error = -1, size = sizeof error;

    NEED(pair(&ours, &other));
    reset(other);
    did(p, "WSAPoll %s", events(ours, words));
    getsockopt(ours, SOL_SOCKET, SO_ERROR, (char *)&error, &size);
    did(p, "SO_ERROR %d", error);
    did(p, "recv %d", code(recv(ours, &byte, 1, 0)));
    did(p, "again %d", code(recv(ours, &byte, 1, 0)));
    did(p, "send %d", code(send(ours, &byte, 1, 0)));
    did(p, "WSAPoll %s", events(ours, words));
    closesocket(ours);

    NEED(pair(&ours, &other));
    reset(other);
    made(p, "%s", gc_outcome_name(gc_close(ours, 1000)));
}

static void what_was_not_read(probe *p)
{
    SOCKET ours, other;
    char data[16];

    NEED(pair(&ours, &other));
    NEED(send(other, "answer", 6, 0) == 6);
    Sleep(50);
    reset(other);
    did(p, recv(ours, data, sizeof data, 0) == 6 ? "still there" : "gone");
    closesocket(ours);
}

static DWORD WINAPI reset_later(LPVOID other)
{
    Sleep(300);
    closesocket(*(SOCKET *)other); /* with unread bytes */
    return 0;
}

static void behind_a_fin(probe *p)
{
    gc_report report = GC_REPORT_INIT;
    SOCKET ours, other;
    HANDLE thread;
    char byte;

    NEED(pair(&ours, &other));
    fill(ours);
    shutdown(other, SD_SEND);
    Sleep(50);
    NEED(recv(ours, &byte, 1, 0) == 0);
    reset(other);
    did(p, "recv %d", code(recv(ours, &byte, 1, 0)));
    did(p, "send %d", code(send(ours, &byte, 1, 0)));
    closesocket(ours);

    NEED(pair(&ours, &other));
    fill(ours);
    shutdown(other, SD_SEND);
    Sleep(50);
    thread = CreateThread(NULL, 0, reset_later, &other, 0, NULL);
    made(p, "%s", gc_outcome_name(gc_close_with(ours, NULL, &report)));
    made(p, report.peer_closed ? "with its FIN" : "without its FIN");
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    /* a FIN counts then, whatever comes behind it */
    if (!tells_states()) p->library = "graceful, with its FIN|reset, with its FIN";
}

static void connect_time(probe *p)
{
    SOCKET ours, other;
    int seconds = 0, size = sizeof seconds;

    NEED(pair(&ours, &other));
    reset(other);
    getsockopt(ours, SOL_SOCKET, SO_CONNECT_TIME, (char *)&seconds, &size);
    did(p, seconds == -1 ? "as never connected" : "still told");
    closesocket(ours);
}

probe of_resets[] = {
    {"reset", "What tells of a reset", told,
     "WSAPoll HUP ERR, SO_ERROR 0, recv 10054, again 10054, send 10054, WSAPoll HUP ERR", "reset"},
    {"unread", "What had arrived before the reset and was not read", what_was_not_read, "gone", "-"},
    {"fin-reset", "A FIN, then a reset while our data is not acknowledged", behind_a_fin,
     "recv 10053, send 10053|recv 10054, send 10054|recv 10053, send 10054|recv 10054, send 10053", "reset, with its FIN"},
    {"connect-time", "SO_CONNECT_TIME after a reset", connect_time, "", "-"},
    {NULL}};

/* --- shutdown --- */

static void repeated(probe *p)
{
    struct sockaddr_in address;
    SOCKET ours, other, unconnected = tcp(), listener = listening(&address);

    NEED(pair(&ours, &other) && unconnected != INVALID_SOCKET && listener != INVALID_SOCKET);
    did(p, "%d", code(shutdown(ours, SD_SEND)));
    did(p, "again %d", code(shutdown(ours, SD_SEND)));
    did(p, "unconnected %d", code(shutdown(unconnected, SD_SEND)));
    did(p, "listening %d", code(shutdown(listener, SD_SEND)));
    made(p, "%s", gc_outcome_name(gc_close(unconnected, 1000)));
    made(p, "%s", gc_outcome_name(gc_close(listener, 1000)));
    closesocket(other);
    made(p, "%s", gc_outcome_name(gc_close(ours, 1000)));
}

static void of_a_dead_one(probe *p)
{
    SOCKET ours, other;
    char byte;

    NEED(pair(&ours, &other));
    reset(other);
    recv(ours, &byte, 1, 0);
    did(p, "%d", code(shutdown(ours, SD_SEND)));
    made(p, "%s", gc_outcome_name(gc_close(ours, 1000)));
}

static void both_ways(probe *p)
{
    SOCKET ours, other;
    WSANETWORKEVENTS events;
    HANDLE event = CreateEventA(NULL, FALSE, FALSE, NULL);
    reader r;

    NEED(pair(&ours, &other));
    NEED(WSAEventSelect(ours, event, FD_CLOSE) == 0);
    shutdown(ours, SD_BOTH);
    WaitForSingleObject(event, 100);
    WSAEnumNetworkEvents(ours, event, &events);
    did(p, events.lNetworkEvents & FD_CLOSE ? "FD_CLOSE at once" : "not yet");
    closesocket(other);
    WaitForSingleObject(event, 500);
    WSAEnumNetworkEvents(ours, event, &events);
    did(p, events.lNetworkEvents & FD_CLOSE ? "FD_CLOSE by the FIN" : "none by the FIN");
    closesocket(ours);
    CloseHandle(event);

    NEED(pair(&ours, &other));
    NEED(send(ours, "answer", 6, 0) == 6);
    shutdown(ours, SD_BOTH);
    read_all(&r, other, 200, 0);
    made(p, "%s", gc_outcome_name(gc_close(ours, 3000)));
    join(&r);
    if (!tells_states()) p->library = "uncertain";
}

static void receiving_side(probe *p)
{
    SOCKET ours, other;
    char words[64];

    NEED(pair(&ours, &other));
    shutdown(ours, SD_RECEIVE);
    NEED(send(other, "late", 4, 0) == 4);
    Sleep(100);
    did(p, strstr(events(other, words), "ERR") != NULL ? "a reset" : "no reset");
    closesocket(ours);
    closesocket(other);
}

static void lingering_close(probe *p)
{
    SOCKET ours, other;
    char words[64];
    reader r;

    NEED(pair(&ours, &other));
    lingering(ours, 1, 1);
    blocking(ours, 0);
    fill(ours); /* or there is nothing to wait for */
    did(p, "closesocket %d", code(closesocket(ours)));
    did(p, shutdown(ours, SD_SEND) == 0 ? "still open" : "closed");
    closesocket(other);
    lingering(ours, 1, 0);
    closesocket(ours);

    NEED(pair(&ours, &other));
    lingering(ours, 1, 5);
    NEED(send(ours, "answer", 6, 0) == 6);
    read_all(&r, other, 100, 0);
    made(p, "%s", gc_outcome_name(gc_close(ours, 3000)));
    join(&r);
    made(p, "%s", fared(&r, 6, words));
}

probe of_shutdowns[] = {
    {"shutdown", "shutdown: twice, unconnected, listening", repeated,
     "0, again 0, unconnected 10057, listening 10057", "not connected, not connected, graceful"},
    {"dead", "shutdown after a reset", of_a_dead_one, "10054|10053", "reset"},
    {"both", "SD_BOTH, then the peer's FIN", both_ways, "not yet, FD_CLOSE by the FIN|FD_CLOSE at once, none by the FIN",
     "graceful"},
    {"receive-side", "SD_RECEIVE, then data", receiving_side, "a reset", "-"},
    {"linger", "closesocket of a non-blocking socket with a linger time", lingering_close,
     "closesocket 10035, still open", "graceful, whole, an end"},
    {NULL}};
