#include "model.h"

#include <stdio.h>
#include <string.h>

#define MOST 16384

static const char *const names[BEHAVIOURS] = {"info",   "error",     "reset",  "context", "linger", "pending",
                                              "hangup", "events", "alertable", "cancel", "filter", "refused", "gone", "blocking"};

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

static record records[MOST];

record *known_record(SOCKET s)
{
    record *r = &records[(s / 4) % MOST];

    return r->s == s ? r : NULL;
}

record *record_of(SOCKET s)
{
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
int is_pending(LPWSAOVERLAPPED call)
{
    WSAOVERLAPPED now;
    SIZE_T got = 0;

    return ReadProcessMemory(GetCurrentProcess(), call, &now, sizeof now, &got) && got == sizeof now &&
           now.Internal == (ULONG_PTR)STATUS_PENDING;
}

void record_call(record *r, LPWSAOVERLAPPED call, int receives)
{
    size_t i;

    for (i = 0; i < sizeof r->calls / sizeof r->calls[0]; i++) {
        if (r->calls[i] == NULL || r->calls[i] == call || !is_pending(r->calls[i])) {
            r->calls[i] = call;
            r->receives[i] = receives;
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

void learn_peer(record *r)
{
    struct sockaddr_storage name;
    int size = sizeof name;

    if (!r->was_connected && REAL(getpeername)(r->s, (struct sockaddr *)&name, &size) == 0) r->was_connected = 1;
}

/* A system call of Linux: Wine's programs are processes of Linux. */
static LONG64 linux_call(LONG64 number, LONG64 a, LONG64 b, LONG64 c, LONG64 d, LONG64 e)
{
    register LONG64 r10 __asm__("r10") = d;
    register LONG64 r8 __asm__("r8") = e;
    LONG64 result;

    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return result;
}

#define LINUX_CLOSE 3
#define LINUX_IOCTL 16
#define LINUX_GETSOCKOPT 55

int connection_state(SOCKET s, ULONG *unacknowledged)
{
    const LONG64 tcp = 6, tcp_info = 11, outq = 0x5411;
    NTSTATUS(CDECL * to_fd)(HANDLE, unsigned, int *, unsigned *);
    FARPROC found = GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_server_handle_to_fd");
    unsigned char info[256];
    int fd = -1, size = sizeof info, queue = 0;
    LONG64 refused;

    *unacknowledged = 0;
    if (found == NULL) return 0;
    memcpy(&to_fd, &found, sizeof to_fd);
    if (to_fd((HANDLE)s, 0, &fd, NULL) != 0) return 0;
    refused = linux_call(LINUX_GETSOCKOPT, fd, tcp, tcp_info, (LONG64)(ULONG_PTR)info, (LONG64)(ULONG_PTR)&size);
    linux_call(LINUX_IOCTL, fd, outq, (LONG64)(ULONG_PTR)&queue, 0, 0);
    linux_call(LINUX_CLOSE, fd, 0, 0, 0, 0);
    if (refused != 0) return 0;
    *unacknowledged = (ULONG)queue;
    return info[0];
}

int has_peer_fin(SOCKET s)
{
    ULONG unused;
    int state = connection_state(s, &unused);

    /* TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING; gone, and nobody has reset it */
    return state == 6 || state == 7 || state == 8 || state == 9 || state == 11;
}

int is_reset(record *r)
{
    int before = (int)GetLastError();
    WSAPOLLFD entry;

    entry.fd = r->s;
    entry.events = POLLRDNORM;
    entry.revents = 0;
    learn_peer(r);
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
    int state = connection_state(s, &queue);

    /* Linux has forgotten it by then, if not for its table of connections. */
    if (state == 7 && r->closed_first && !is_reset(r)) state = 6;
    if (size < sizeof *answer || state == 0 || state > 11 || (state == 7 && !is_on(GONE))) {
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
