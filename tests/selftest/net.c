/* Connections over the loopback interface, and the threads at their other ends. */
#include "selftest.h"

#include <stdio.h>
#include <string.h>

SOCKET tcp(void)
{
    return WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
}

SOCKET listening(struct sockaddr_in *address)
{
    SOCKET s = tcp();
    int size = (int)sizeof *address;

    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s == INVALID_SOCKET) return s;
    if (bind(s, (struct sockaddr *)address, size) == 0 && listen(s, 64) == 0 &&
        getsockname(s, (struct sockaddr *)address, &size) == 0)
        return s;
    closesocket(s);
    return INVALID_SOCKET;
}

int pair(SOCKET *ours, SOCKET *other)
{
    struct sockaddr_in address;
    SOCKET listener = listening(&address);

    *ours = INVALID_SOCKET;
    *other = tcp();
    if (listener == INVALID_SOCKET || *other == INVALID_SOCKET) return 0;
    if (connect(*other, (struct sockaddr *)&address, sizeof address) == 0) *ours = accept(listener, NULL, NULL);
    closesocket(listener);
    return *ours != INVALID_SOCKET;
}

void blocking(SOCKET s, int on)
{
    u_long mode = on ? 0 : 1;

    ioctlsocket(s, (long)FIONBIO, &mode);
}

void lingering(SOCKET s, int on, int seconds)
{
    struct linger linger;

    linger.l_onoff = (u_short)on;
    linger.l_linger = (u_short)seconds;
    setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof linger);
}

void reset(SOCKET s)
{
    lingering(s, 1, 0);
    closesocket(s);
    Sleep(50); /* until it has arrived */
}

int code(int result)
{
    return result >= 0 ? 0 : WSAGetLastError();
}

const char *events(SOCKET s, char *words)
{
    WSAPOLLFD entry;

    entry.fd = s;
    entry.events = POLLRDNORM;
    entry.revents = 0;
    if (WSAPoll(&entry, 1, 0) < 0) {
        sprintf(words, "error %d", WSAGetLastError());
        return words;
    }
    sprintf(words, "%s%s%s%s", entry.revents & POLLRDNORM ? " data" : "", entry.revents & POLLHUP ? " HUP" : "",
            entry.revents & POLLERR ? " ERR" : "", entry.revents & POLLNVAL ? " NVAL" : "");
    if (words[0] == '\0') strcpy(words, " nothing");
    return words + 1;
}

void start(OVERLAPPED *call, HANDLE event)
{
    memset(call, 0, sizeof *call);
    call->hEvent = event;
}

int receive_later(SOCKET s, WSABUF *buffer, OVERLAPPED *call)
{
    DWORD flags = 0;

    return WSARecv(s, buffer, 1, NULL, &flags, call, NULL) == 0 || WSAGetLastError() == WSA_IO_PENDING;
}

int send_later(SOCKET s, WSABUF *buffer, OVERLAPPED *call)
{
    return WSASend(s, buffer, 1, NULL, 0, call, NULL) == 0 || WSAGetLastError() == WSA_IO_PENDING;
}

const char *fate(SOCKET s, OVERLAPPED *call, DWORD wait_ms, char *words)
{
    DWORD bytes = 0, waited;

    (void)s;
    for (waited = 0; !HasOverlappedIoCompleted(call) && waited < wait_ms; waited += 5) Sleep(5);
    if (!HasOverlappedIoCompleted(call)) return strcpy(words, "pending");
    if (GetOverlappedResult((HANDLE)s, call, &bytes, FALSE)) return strcpy(words, "done");
    if (GetLastError() == ERROR_OPERATION_ABORTED) return strcpy(words, "cancelled");
    sprintf(words, "error %lu", GetLastError());
    return words;
}

size_t fill(SOCKET s)
{
    static char filler[1 << 18];
    size_t all = 0;
    int quiet, sent;

    blocking(s, 0);
    for (quiet = 0; quiet < 5; quiet++) {
        while ((sent = send(s, filler, sizeof filler, 0)) > 0) {
            all += (size_t)sent;
            quiet = 0;
        }
        Sleep(10);
    }
    return all;
}

void *extension(SOCKET s, GUID id)
{
    void *function = NULL;
    DWORD bytes = 0;

    if (WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &function, sizeof function, &bytes, NULL, NULL) != 0)
        return NULL;
    return function;
}

/* TCP_INFO_v0 and its code, which headers have for Windows 10 alone; the state is its first word */
#define TCP_INFO_CODE 0xD8000027U
#define TCP_INFO_SIZE 88

int has_state(SOCKET s, int *state)
{
    union {
        DWORD state;
        ULONGLONG words[TCP_INFO_SIZE / 8];
    } info;
    DWORD version = 0, bytes = 0;

    memset(&info, 0, sizeof info);
    if (WSAIoctl(s, TCP_INFO_CODE, &version, sizeof version, &info, sizeof info, &bytes, NULL, NULL) != 0) return 0;
    *state = (int)info.state;
    return 1;
}

int reaches_state(SOCKET s, int wanted)
{
    int state = -1, tries;

    for (tries = 0; tries < 100; tries++) {
        if (!has_state(s, &state)) return 0;
        if (state == wanted) return 1;
        Sleep(10);
    }
    return 0;
}

int tells_states(void)
{
    SOCKET ours, other;
    int state = -1, result = pair(&ours, &other) && has_state(ours, &state);

    closesocket(ours);
    closesocket(other);
    return result;
}

static DWORD WINAPI reader_main(LPVOID argument)
{
    reader *r = (reader *)argument;
    char *portion = (char *)HeapAlloc(GetProcessHeap(), 0, 65536), words[64];
    int got = -1;

    Sleep(r->first_ms);
    while (portion != NULL && (got = recv(r->s, portion, 65536, 0)) > 0) {
        r->bytes += (size_t)got;
        if (r->pause_ms > 0) Sleep(r->pause_ms);
    }
    r->error = code(got);
    /* Wine tells a reset by a zero read, too */
    if (got == 0 && strstr(events(r->s, words), "ERR") != NULL) r->error = WSAECONNRESET;
    HeapFree(GetProcessHeap(), 0, portion);
    closesocket(r->s);
    return 0;
}

void read_all(reader *r, SOCKET s, DWORD first_ms, DWORD pause_ms)
{
    memset(r, 0, sizeof *r);
    r->s = s;
    r->first_ms = first_ms;
    r->pause_ms = pause_ms;
    r->thread = CreateThread(NULL, 0, reader_main, r, 0, NULL);
}

void join(reader *r)
{
    WaitForSingleObject(r->thread, INFINITE);
    CloseHandle(r->thread);
}

const char *fared(const reader *r, size_t all, char *words)
{
    const char *part = r->bytes >= all ? "whole" : r->bytes == 0 ? "nothing" : "cut";

    if (r->error == 0) sprintf(words, "%s, an end", part);
    else if (r->error == WSAECONNRESET || r->error == WSAECONNABORTED) sprintf(words, "%s, a reset", part);
    else sprintf(words, "%s, error %d", part, r->error);
    return words;
}
