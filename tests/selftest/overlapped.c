/* Overlapped calls: what closesocket and CancelIoEx do to them; what a wait lets run. */
#include "selftest.h"

#include <string.h>

#define MANY (8 << 20)

static char many[MANY];

static WSABUF buffer_of(char *data, unsigned int size)
{
    WSABUF buffer;

    buffer.buf = data;
    buffer.len = size;
    return buffer;
}

/* --- waits --- */

static LONG volatile ran;

static VOID CALLBACK routine(ULONG_PTR unused)
{
    (void)unused;
    InterlockedIncrement(&ran);
}

static const char *which_ran(char *words)
{
    strcpy(words, ran ? "runs them" : "does not");
    SleepEx(0, TRUE); /* the next one shall find none */
    ran = 0;
    return words;
}

static void alertable(probe *p)
{
    SOCKET ours, other;
    WSAPOLLFD entry;
    fd_set readable;
    struct timeval time = {0, 50000};
    char words[64];

    NEED(pair(&ours, &other));
    QueueUserAPC(routine, GetCurrentThread(), 0);
    entry.fd = ours;
    entry.events = POLLRDNORM;
    WSAPoll(&entry, 1, 50);
    did(p, "WSAPoll %s", which_ran(words));
    QueueUserAPC(routine, GetCurrentThread(), 0);
    FD_ZERO(&readable);
    FD_SET(ours, &readable);
    select(0, &readable, NULL, NULL, &time);
    did(p, "select %s", which_ran(words));
    QueueUserAPC(routine, GetCurrentThread(), 0);
    gc_close(ours, 300);
    made(p, "gc_close %s", which_ran(words));
    closesocket(other);
}

static void bad_ones(probe *p)
{
    WSAPOLLFD entries[2];
    SOCKET ours, other;
    int result;

    NEED(pair(&ours, &other));
    entries[0].fd = ours;
    entries[1].fd = (SOCKET)0x7ffc;
    entries[0].events = entries[1].events = POLLRDNORM;
    entries[0].revents = entries[1].revents = 0;
    result = WSAPoll(entries, 2, 0);
    did(p, "one of two: %d%s", result, entries[1].revents & POLLNVAL ? ", NVAL" : "");
    entries[1].revents = 0;
    did(p, "alone: %d", code(WSAPoll(entries + 1, 1, 0)));
    entries[0].events = POLLERR | POLLHUP;
    did(p, "events not to be asked for: %d", code(WSAPoll(entries, 1, 0)));
    closesocket(ours);
    closesocket(other);
}

static void an_end_behind_data(probe *p)
{
    SOCKET ours, other;
    char words[64];

    NEED(pair(&ours, &other));
    NEED(send(other, "data", 4, 0) == 4);
    shutdown(other, SD_SEND);
    Sleep(100);
    did(p, "%s", events(ours, words));
    made(p, "%s", gc_outcome_name(gc_close(ours, 1000)));
    closesocket(other);
}

probe of_waits[] = {
    {"alertable", "Completion routines of the program while it waits", alertable,
     "WSAPoll runs them, select runs them", "gc_close does not"},
    {"bad", "WSAPoll with what is no socket", bad_ones,
     "one of two: 0, NVAL, alone: 10038, events not to be asked for: 10022|"
     "one of two: 1, NVAL, alone: 10038, events not to be asked for: 10022", "-"},
    {"hangup", "WSAPoll of data and a FIN behind it", an_end_behind_data, "data HUP|data", "graceful"},
    {NULL}};

/* --- closesocket --- */

static void pending_receive(probe *p)
{
    SOCKET ours, other;
    OVERLAPPED call;
    char data[16], words[64];
    WSABUF buffer = buffer_of(data, sizeof data);
    int outcome;
    reader r;

    NEED(pair(&ours, &other));
    start(&call, NULL);
    NEED(receive_later(ours, &buffer, &call));
    read_all(&r, other, 0, 0);
    closesocket(ours);
    join(&r);
    did(p, "%s", r.error == 0 ? "an end" : "a reset");

    NEED(pair(&ours, &other));
    start(&call, NULL);
    NEED(receive_later(ours, &buffer, &call));
    NEED(send(ours, "answer", 6, 0) == 6);
    read_all(&r, other, 100, 0);
    outcome = gc_close(ours, 3000);
    join(&r);
    made(p, "%s", gc_outcome_name(outcome));
    made(p, "%s", fared(&r, 6, words));
}

static void pending_receive_at_the_end(probe *p)
{
    SOCKET ours, other;
    OVERLAPPED call;
    char data[16], words[64];
    WSABUF buffer = buffer_of(data, sizeof data);
    int got;

    NEED(pair(&ours, &other));
    start(&call, NULL);
    NEED(receive_later(ours, &buffer, &call));
    NEED(send(ours, "answer", 6, 0) == 6);
    made(p, "%s", gc_outcome_name(gc_close(ours, 300)));
    made(p, "its call %s", fate(ours, &call, 500, words));
    Sleep(50);
    made(p, strstr(events(other, words), "ERR") != NULL ? "a reset" : "no reset");
    got = recv(other, data, sizeof data, 0);
    made(p, got == 6 ? "the answer is there" : "the answer is gone");
    closesocket(other);
}

/* Nothing of ours is acknowledged then, but no send is pending: the library cancels receives alone. */
static void receive_and_unacknowledged(probe *p)
{
    static char data[16];
    static OVERLAPPED call;
    WSABUF buffer = buffer_of(data, sizeof data);
    SOCKET ours, other;
    char words[64];
    size_t sent;
    reader r;

    NEED(pair(&ours, &other));
    start(&call, NULL);
    NEED(receive_later(ours, &buffer, &call));
    sent = fill(ours);
    made(p, "%s", gc_outcome_name(gc_close(ours, 200)));
    made(p, "its call %s", fate(ours, &call, 500, words));
    read_all(&r, other, 0, 0);
    join(&r);
    made(p, "%s", fared(&r, sent, words));
}

static void pending_send(probe *p)
{
    SOCKET ours, other;
    OVERLAPPED call;
    WSABUF buffer = buffer_of(many, MANY);
    char words[64];
    int outcome;
    reader r;

    NEED(pair(&ours, &other));
    start(&call, NULL);
    NEED(send_later(ours, &buffer, &call));
    read_all(&r, other, 200, 0);
    shutdown(ours, SD_SEND);
    CancelIoEx((HANDLE)ours, NULL);
    closesocket(ours);
    join(&r);
    did(p, "%s", fared(&r, MANY, words));

    NEED(pair(&ours, &other));
    start(&call, NULL);
    NEED(send_later(ours, &buffer, &call));
    read_all(&r, other, 200, 0);
    outcome = gc_close(ours, 8000);
    made(p, "%s", gc_outcome_name(outcome));
    made(p, "its call %s", fate(ours, &call, 500, words));
    join(&r);
    made(p, "%s", fared(&r, MANY, words));
}

static void cut_send(probe *p)
{
    SOCKET ours, other;
    OVERLAPPED call;
    WSABUF buffer = buffer_of(many, MANY);
    int outcome;
    char words[64];
    reader r;

    NEED(pair(&ours, &other));
    start(&call, NULL);
    NEED(send_later(ours, &buffer, &call));
    outcome = gc_close(ours, 200);
    read_all(&r, other, 0, 0);
    join(&r);
    made(p, "%s", gc_outcome_name(outcome));
    made(p, "%s", r.error == 0 && r.bytes < MANY ? "AND IT LOOKS WHOLE" : "the peer knows");
    fate(ours, &call, 500, words);
}

probe of_overlapped[] = {
    {"pending-receive", "closesocket with a receive pending", pending_receive, "a reset", "graceful, whole, an end"},
    {"receive-at-end", "A receive still pending when the time is up", pending_receive_at_the_end, "",
     "timed out, its call cancelled, no reset, the answer is there"},
    {"receive-unacked", "The same, while the peer has not taken what we sent", receive_and_unacknowledged, "-",
     "timed out, its call cancelled, whole, an end"},
    {"pending-send", "8 MiB of a send pending, cancelled and closed", pending_send, "cut, an end|whole, an end",
     "graceful, its call done, whole, an end"},
    {"cut-send", "8 MiB of a send pending, and no time for it", cut_send, "", "timed out, the peer knows"},
    {NULL}};

/* --- CancelIoEx --- */

static void one_of_many(probe *p)
{
    static char data[2][16];
    static OVERLAPPED calls[3];
    WSABUF first = buffer_of(data[0], 16), second = buffer_of(data[1], 16), all = buffer_of(many, MANY);
    SOCKET ours, other;
    char words[64];

    NEED(pair(&ours, &other));
    start(&calls[0], NULL);
    start(&calls[1], NULL);
    start(&calls[2], NULL);
    NEED(receive_later(ours, &first, &calls[0]) && receive_later(ours, &second, &calls[1]));
    NEED(send_later(ours, &all, &calls[2]));
    CancelIoEx((HANDLE)ours, &calls[0]);
    did(p, "itself %s", fate(ours, &calls[0], 300, words));
    did(p, "the other receive %s", fate(ours, &calls[1], 100, words));
    did(p, "the send %s", fate(ours, &calls[2], 0, words));
    CancelIoEx((HANDLE)ours, NULL);
    fate(ours, &calls[2], 500, words);
    closesocket(other);
    closesocket(ours);
}

static void afterwards(probe *p)
{
    char data[16];
    OVERLAPPED call;
    WSABUF buffer = buffer_of(data, sizeof data);
    SOCKET ours, other;
    char words[64];

    NEED(pair(&ours, &other));
    start(&call, NULL);
    NEED(receive_later(ours, &buffer, &call));
    CancelIoEx((HANDLE)ours, &call);
    fate(ours, &call, 500, words);
    NEED(send(other, "later", 5, 0) == 5);
    Sleep(50);
    did(p, recv(ours, data, sizeof data, 0) == 5 ? "receives on" : "receives no more");
    made(p, "%s", gc_outcome_name(gc_close(ours, 0)));
    closesocket(other);
}

static void nothing_pending(probe *p)
{
    SOCKET ours, other;

    NEED(pair(&ours, &other));
    SetLastError(0);
    did(p, CancelIoEx((HANDLE)ours, NULL) ? "succeeds" : GetLastError() == ERROR_NOT_FOUND ? "not found" : "fails otherwise");
    closesocket(ours);
    closesocket(other);
}

/* the port's next packet is that of this call; NULL: it has none */
static int has_packet(HANDLE port)
{
    OVERLAPPED *call = NULL;
    ULONG_PTR key;
    DWORD bytes;

    return GetQueuedCompletionStatus(port, &bytes, &key, &call, 100) || call != NULL;
}

static void marked_receive(probe *p)
{
    SOCKET ours, other;
    OVERLAPPED call;
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL), port;
    char words[64];
    WSABUF none = buffer_of(words, 0);

    NEED(pair(&ours, &other) && event != NULL);
    port = CreateIoCompletionPort((HANDLE)ours, NULL, 7, 0);
    NEED(port != NULL);
    start(&call, (HANDLE)((ULONG_PTR)event | 1));
    NEED(receive_later(ours, &none, &call));
    send(other, "x", 1, 0);
    WaitForSingleObject(event, 1000);
    did(p, "%s", fate(ours, &call, 500, words));
    did(p, has_packet(port) ? "a packet" : "no packet");
    made(p, "%s", gc_outcome_name(gc_close(ours, 0)));
    made(p, has_packet(port) ? "a packet" : "no packet");
    closesocket(other);
    CloseHandle(port);
    CloseHandle(event);
}

static void shutdown_and_port(probe *p)
{
    SOCKET ours, other;
    HANDLE port;
    reader r;

    NEED(pair(&ours, &other));
    port = CreateIoCompletionPort((HANDLE)ours, NULL, 7, 0);
    NEED(port != NULL);
    shutdown(ours, SD_SEND);
    did(p, has_packet(port) ? "a packet" : "no packet");
    read_all(&r, other, 100, 0);
    made(p, "%s", gc_outcome_name(gc_close(ours, 2000)));
    join(&r);
    made(p, has_packet(port) ? "a packet" : "no packet");
    CloseHandle(port);
}

probe of_cancels[] = {
    {"cancel", "CancelIoEx of one receive", one_of_many,
     "itself cancelled, the other receive cancelled, the send pending", "-"},
    {"cancelled", "After a cancelled receive the socket", afterwards, "receives on|receives no more", "timed out|uncertain"},
    {"nothing", "CancelIoEx with nothing pending", nothing_pending, "not found", "-"},
    {"marked", "An overlapped receive whose event has its lowest bit set, on a completion port", marked_receive,
     "done, no packet", "timed out, no packet"},
    {"port", "shutdown on a completion port", shutdown_and_port, "no packet", "graceful, no packet"},
    {NULL}};
