#include "model.h"

#include <stdio.h>
#include <string.h>

#define MOST 16384

static const char *const names[BEHAVIOURS] = {"info",   "error",     "reset",  "context", "linger", "pending",
                                              "hangup", "events", "alertable", "filter", "refused", "gone"};

/* Asked each time: a test sets the variable itself for what it is about. */
int is_on(enum behaviour which)
{
    char wanted[256], *word;
    DWORD size = GetEnvironmentVariableA("GC_WINSOCK", wanted, sizeof wanted);

    if (size == 0 || size >= sizeof wanted) return 0;
    for (word = strtok(wanted, ","); word != NULL; word = strtok(NULL, ",")) {
        if (strcmp(word, names[which]) == 0 || (which < FILTER && strcmp(word, "all") == 0)) return 1;
    }
    return 0;
}

FARPROC system_function(const char *name)
{
    static HMODULE winsock;

    if (winsock == NULL) winsock = LoadLibraryA("ws2_32.dll");
    return GetProcAddress(winsock, name);
}

record *record_of(SOCKET s)
{
    static record records[MOST];
    record *r = &records[(s / 4) % MOST];

    if (r->s != s) {
        memset(r, 0, sizeof *r);
        r->s = s;
        r->is_blocking = 1;
    }
    return r;
}

void record_new(SOCKET s)
{
    record_of(s)->s = INVALID_SOCKET;
}

/* Its memory may be gone once it is over. */
static int is_pending(LPWSAOVERLAPPED call)
{
    WSAOVERLAPPED now;
    SIZE_T got = 0;

    return ReadProcessMemory(GetCurrentProcess(), call, &now, sizeof now, &got) && got == sizeof now &&
           now.Internal == (ULONG_PTR)STATUS_PENDING;
}

void record_call(record *r, LPWSAOVERLAPPED call)
{
    size_t i;

    for (i = 0; i < sizeof r->calls / sizeof r->calls[0]; i++) {
        if (r->calls[i] == NULL || r->calls[i] == call || !is_pending(r->calls[i])) {
            r->calls[i] = call;
            return;
        }
    }
}

int has_pending_call(const record *r)
{
    size_t i;

    for (i = 0; i < sizeof r->calls / sizeof r->calls[0]; i++) {
        if (r->calls[i] != NULL && is_pending(r->calls[i])) return 1;
    }
    return 0;
}

void learn_names(record *r)
{
    int size = sizeof r->local, peer_size = sizeof r->peer;

    if (r->has_names || REAL(getsockname)(r->s, (struct sockaddr *)&r->local, &size) != 0) return;
    if (REAL(getpeername)(r->s, (struct sockaddr *)&r->peer, &peer_size) != 0) return;
    r->has_names = r->local.sin_family == AF_INET;
    r->was_connected = 1;
}

int connection_state(record *r, ULONG *unacknowledged)
{
    unsigned local, local_port, peer, peer_port, state, queue;
    char line[512];
    int found = 0;
    FILE *table;

    learn_names(r);
    *unacknowledged = 0;
    if (!r->has_names) return 0;
    table = fopen("Z:\\proc\\net\\tcp", "r");
    if (table == NULL) return 0;
    while (!found && fgets(line, sizeof line, table) != NULL) {
        if (sscanf(line, " %*d: %x:%x %x:%x %x %x:", &local, &local_port, &peer, &peer_port, &state, &queue) != 6) continue;
        if (local == r->local.sin_addr.s_addr && peer == r->peer.sin_addr.s_addr &&
            local_port == _byteswap_ushort(r->local.sin_port) && peer_port == _byteswap_ushort(r->peer.sin_port)) {
            found = (int)state;
            *unacknowledged = queue;
        }
    }
    fclose(table);
    return found;
}

int has_peer_fin(record *r)
{
    DWORD now = GetTickCount();
    ULONG unused;
    int state;

    /* the table is long to read */
    if (r->knows_fin || now - r->looked < 20) return r->knows_fin;
    r->looked = now;
    state = connection_state(r, &unused);
    /* TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING; gone, and nobody has reset it */
    r->knows_fin = state == 6 || state == 8 || state == 9 || state == 11 || (state == 0 && r->has_names);
    return r->knows_fin;
}

int is_reset(record *r)
{
    int before = (int)GetLastError();
    WSAPOLLFD entry;

    entry.fd = r->s;
    entry.events = POLLRDNORM;
    entry.revents = 0;
    learn_names(r);
    if (!r->was_reset && r->was_connected && REAL(WSAPoll)(&entry, 1, 0) > 0 && (entry.revents & POLLERR)) r->was_reset = 1;
    SetLastError((DWORD)before);
    return r->was_reset;
}

/* TCP_INFO_v0 ("SIO_TCP_INFO") */
typedef struct info {
    ULONG state, mss;
    ULONG64 connection_ms;
    BOOLEAN timestamps;
    ULONG rtt_us, min_rtt_us, in_flight, cwnd, send_window, receive_window, receive_buffer;
    ULONG64 bytes_out, bytes_in;
    ULONG reordered, retransmitted, fast, duplicates, episodes;
    UCHAR syn_retransmitted;
} info;

int answer_tcp_info(SOCKET s, void *out, DWORD size, DWORD *filled)
{
    /* by Linux' numbers: ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, CLOSE_WAIT,
       LAST_ACK, LISTEN, CLOSING */
    static const ULONG windows[12] = {0, 4, 2, 3, 5, 6, 10, 0, 7, 9, 1, 8};
    record *r = record_of(s);
    info *answer = (info *)out;
    ULONG queue = 0;
    int state = connection_state(r, &queue);

    if (size < sizeof *answer || state > 11 || (state == 0 && !(is_on(GONE) && r->has_names && !is_reset(r)))) {
        SetLastError(WSAEINVAL);
        return SOCKET_ERROR;
    }
    memset(answer, 0, sizeof *answer);
    answer->state = windows[state];
    answer->in_flight = queue;
    answer->bytes_out = r->sent;
    if (filled != NULL) *filled = sizeof *answer;
    SetLastError(0);
    return 0;
}
