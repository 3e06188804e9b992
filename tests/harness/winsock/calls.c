/* The functions of Winsock that behave otherwise; all others are forwarded by the DLL's export table. */
#include "model.h"

#include <string.h>

/* A call that may wait does so alertably ("WSAPoll"). */
static void let_routines_run(int may_wait)
{
    if (may_wait && is_on(ALERTABLE)) SleepEx(0, TRUE);
}

static int fails(int error)
{
    SetLastError((DWORD)error);
    return SOCKET_ERROR;
}

static int reset_error(const record *r)
{
    return r->had_fin ? WSAECONNABORTED : WSAECONNRESET;
}

SOCKET WSAAPI socket(int family, int type, int protocol)
{
    SOCKET s = REAL(socket)(family, type, protocol);

    if (s != INVALID_SOCKET) record_new(s);
    return s;
}

SOCKET WSAAPI WSASocketW(int family, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP group, DWORD flags)
{
    SOCKET s = REAL(WSASocketW)(family, type, protocol, info, group, flags);

    if (s != INVALID_SOCKET) record_new(s);
    return s;
}

SOCKET WSAAPI WSASocketA(int family, int type, int protocol, LPWSAPROTOCOL_INFOA info, GROUP group, DWORD flags)
{
    SOCKET s = REAL(WSASocketA)(family, type, protocol, info, group, flags);

    if (s != INVALID_SOCKET) record_new(s);
    return s;
}

SOCKET WSAAPI accept(SOCKET listening, struct sockaddr *name, int *size)
{
    SOCKET s = REAL(accept)(listening, name, size);
    int before = (int)GetLastError();

    if (s != INVALID_SOCKET) {
        record_new(s);
        learn_peer(record_of(s));
    }
    SetLastError((DWORD)before);
    return s;
}

int WSAAPI connect(SOCKET s, const struct sockaddr *name, int size)
{
    int result = REAL(connect)(s, name, size), before = (int)GetLastError();

    if (result == 0) learn_peer(record_of(s));
    SetLastError((DWORD)before);
    return result;
}

int WSAAPI recv(SOCKET s, char *buffer, int size, int flags)
{
    record *r = record_of(s);
    int got, error;

    let_routines_run(r->is_blocking);
    if (is_on(RESET) && is_reset(r)) return fails(reset_error(r));
    got = REAL(recv)(s, buffer, size, flags);
    error = got < 0 ? (int)GetLastError() : 0;
    if (got == 0 && size > 0) {
        if (is_on(RESET) && is_reset(r)) return fails(reset_error(r));
        r->had_fin = 1;
    }
    if (is_on(RESET) && (error == WSAECONNRESET || error == WSAECONNABORTED)) {
        r->was_reset = 1;
        return fails(reset_error(r));
    }
    if (is_on(FILTER) && r->shut_send && error == WSAEWOULDBLOCK) return 0;
    SetLastError((DWORD)error);
    return got;
}

int WSAAPI send(SOCKET s, const char *buffer, int size, int flags)
{
    record *r = record_of(s);
    int sent;

    if (is_on(RESET) && is_reset(r)) return fails(reset_error(r));
    sent = REAL(send)(s, buffer, size, flags);
    if (sent > 0) r->sent += (ULONG64)sent;
    return sent;
}

int WSAAPI WSASend(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED call,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    record *r = record_of(s);
    int result, error;
    DWORD i;

    if (is_on(RESET) && call == NULL && is_reset(r)) return fails(reset_error(r));
    result = REAL(WSASend)(s, buffers, count, sent, flags, call, routine);
    error = result == 0 ? 0 : (int)GetLastError();
    if (result == 0 || error == WSA_IO_PENDING) {
        for (i = 0; i < count; i++) r->sent += buffers[i].len;
        if (call != NULL && error != 0) record_call(r, call, 0);
    }
    SetLastError((DWORD)error);
    return result;
}

int WSAAPI WSARecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags, LPWSAOVERLAPPED call,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    record *r = record_of(s);
    int result;

    if (is_on(RESET) && call == NULL && is_reset(r)) return fails(reset_error(r));
    result = REAL(WSARecv)(s, buffers, count, got, flags, call, routine);
    if (call != NULL && result != 0 && GetLastError() == WSA_IO_PENDING) record_call(r, call, 1);
    return result;
}

int WSAAPI shutdown(SOCKET s, int how)
{
    record *r = record_of(s);
    int result, state;
    ULONG unused;

    if (r->wants_context && is_on(AS_CONTEXT)) return fails(WSAENOTCONN);
    if (is_on(RESET) && is_reset(r)) return fails(reset_error(r));
    result = REAL(shutdown)(s, how);
    if (result == 0) {
        state = connection_state(s, &unused);
        r->closed_first |= state == 4 || state == 5;
        r->shut_send |= how != SD_RECEIVE;
        r->shut_receive |= how != SD_SEND;
    }
    return result;
}

int WSAAPI getpeername(SOCKET s, struct sockaddr *name, int *size)
{
    if (record_of(s)->wants_context && is_on(AS_CONTEXT)) return fails(WSAENOTCONN);
    return REAL(getpeername)(s, name, size);
}

int WSAAPI getsockname(SOCKET s, struct sockaddr *name, int *size)
{
    if (record_of(s)->wants_context && is_on(AS_CONTEXT)) return fails(WSAEINVAL);
    return REAL(getsockname)(s, name, size);
}

int WSAAPI ioctlsocket(SOCKET s, long command, u_long *value)
{
    int result;

    if (is_on(BLOCKING) && command == (long)FIONBIO && *value != 0) return fails(WSAEOPNOTSUPP);
    result = REAL(ioctlsocket)(s, command, value);
    if (result == 0 && command == (long)FIONBIO) record_of(s)->is_blocking = *value == 0;
    return result;
}

int WSAAPI WSAEventSelect(SOCKET s, WSAEVENT event, long events)
{
    int result = REAL(WSAEventSelect)(s, event, events);

    if (result == 0 && events != 0) record_of(s)->is_blocking = 0;
    return result;
}

int WSAAPI getsockopt(SOCKET s, int level, int name, char *value, int *size)
{
    record *r = record_of(s);
    int result, error;

    if (level == SOL_SOCKET && name == SO_ERROR) is_reset(r);
    result = REAL(getsockopt)(s, level, name, value, size);
    if (is_on(SO_ERROR_SILENT) && result == 0 && level == SOL_SOCKET && name == SO_ERROR) {
        memcpy(&error, value, sizeof error);
        if (error == WSAECONNRESET || error == WSAECONNABORTED) memset(value, 0, sizeof error);
    }
    return result;
}

/* SO_UPDATE_ACCEPT_CONTEXT: the properties of the listener are taken over. */
static int update_accepted(SOCKET s, const char *value, int size)
{
    struct linger linger;
    record *r = record_of(s);
    int is_listener = 0, room = sizeof is_listener, linger_size = sizeof linger;
    u_long mode;
    SOCKET from;

    if (size < (int)sizeof from) return fails(WSAEFAULT);
    memcpy(&from, value, sizeof from);
    if (REAL(getsockopt)(from, SOL_SOCKET, SO_ACCEPTCONN, (char *)&is_listener, &room) != 0) return fails(WSAENOTSOCK);
    if (!is_listener && (is_on(REFUSED) || from != s)) return fails(WSAEINVAL);
    r->wants_context = 0;
    if (from != s && REAL(getsockopt)(from, SOL_SOCKET, SO_LINGER, (char *)&linger, &linger_size) == 0) {
        REAL(setsockopt)(s, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof linger);
        r->is_blocking = record_of(from)->is_blocking;
        mode = !r->is_blocking;
        REAL(ioctlsocket)(s, (long)FIONBIO, &mode);
    }
    SetLastError(0);
    return 0;
}

int WSAAPI setsockopt(SOCKET s, int level, int name, const char *value, int size)
{
    record *r = record_of(s);

    if (is_on(AS_CONTEXT) && level == SOL_SOCKET && r->wants_context) {
        if (name == SO_UPDATE_ACCEPT_CONTEXT) {
            return r->wants_context == 1 ? update_accepted(s, value, size) : fails(WSAENOTCONN);
        }
        if (name == SO_UPDATE_CONNECT_CONTEXT) {
            if (r->wants_context == 1) return fails(WSAENOTCONN);
            r->wants_context = 0;
        }
    }
    return REAL(setsockopt)(s, level, name, value, size);
}

int WSAAPI closesocket(SOCKET s)
{
    struct linger linger;
    record *r = record_of(s);
    int size = sizeof linger, result;

    if (is_on(LINGERING) && !r->is_blocking && REAL(getsockopt)(s, SOL_SOCKET, SO_LINGER, (char *)&linger, &size) == 0 &&
        linger.l_onoff != 0 && linger.l_linger != 0) {
        return fails(WSAEWOULDBLOCK);
    }
    if (is_on(PENDING) && has_pending_call(r)) {
        linger.l_onoff = 1;
        linger.l_linger = 0;
        REAL(setsockopt)(s, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof linger);
    }
    result = REAL(closesocket)(s);
    if (result == 0) record_new(s);
    return result;
}

int WSAAPI select(int count, fd_set *readable, fd_set *writable, fd_set *failed, const PTIMEVAL time)
{
    let_routines_run(time == NULL || time->tv_sec != 0 || time->tv_usec != 0);
    return REAL(select)(count, readable, writable, failed, time);
}

int WSAAPI WSAPoll(LPWSAPOLLFD entries, ULONG count, int time)
{
    const int known = POLLRDNORM | POLLRDBAND | POLLWRNORM;
    int result, error;
    ULONG i;

    for (i = 0; is_on(EVENTS) && i < count; i++) {
        if (entries[i].events & ~known) return fails(WSAEINVAL);
    }
    let_routines_run(time != 0);
    result = REAL(WSAPoll)(entries, count, time);
    error = result < 0 ? (int)GetLastError() : 0;
    for (i = 0; result >= 0 && i < count; i++) {
        record *r = record_of(entries[i].fd);
        int had = entries[i].revents != 0;

        if (entries[i].revents & POLLNVAL) continue;
        if (is_on(RESET) && is_reset(r)) entries[i].revents = POLLERR | POLLHUP;
        else if (is_on(HANGUP) && r->was_connected && has_peer_fin(entries[i].fd) && !is_reset(r)) entries[i].revents |= POLLHUP;
        if (!had && entries[i].revents != 0) result++;
    }
    SetLastError((DWORD)error);
    return result;
}

int WSAAPI WSAIoctl(SOCKET s, DWORD code, LPVOID in, DWORD in_size, LPVOID out, DWORD out_size, LPDWORD filled,
                    LPWSAOVERLAPPED call, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const DWORD tcp_info = 0xD8000027; /* SIO_TCP_INFO, not in every header */
    int result;

    if (is_on(INFO) && code == tcp_info) return answer_tcp_info(s, out, out_size, filled);
    result = REAL(WSAIoctl)(s, code, in, in_size, out, out_size, filled, call, routine);
    if (result == 0 && code == SIO_GET_EXTENSION_FUNCTION_POINTER && in_size >= sizeof(GUID)) {
        exchange_extension((const GUID *)in, out);
    }
    return result;
}

/* AcceptEx and ConnectEx are had by their addresses alone. */
static LPFN_ACCEPTEX real_accept_ex;
static LPFN_CONNECTEX real_connect_ex;

static BOOL PASCAL accept_ex(SOCKET listening, SOCKET s, PVOID buffer, DWORD data, DWORD local, DWORD remote, LPDWORD got,
                             LPOVERLAPPED call)
{
    record_new(s);
    record_of(s)->wants_context = 1;
    return real_accept_ex(listening, s, buffer, data, local, remote, got, call);
}

static BOOL PASCAL connect_ex(SOCKET s, const struct sockaddr *name, int size, PVOID buffer, DWORD data, LPDWORD sent,
                              LPOVERLAPPED call)
{
    record_of(s)->wants_context = 2;
    return real_connect_ex(s, name, size, buffer, data, sent, call);
}

void exchange_extension(const GUID *id, void *function)
{
    static const GUID accepting = WSAID_ACCEPTEX, connecting = WSAID_CONNECTEX;

    if (!is_on(AS_CONTEXT)) return;
    if (memcmp(id, &accepting, sizeof accepting) == 0) {
        memcpy(&real_accept_ex, function, sizeof real_accept_ex);
        *(LPFN_ACCEPTEX *)function = accept_ex;
    }
    if (memcmp(id, &connecting, sizeof connecting) == 0) {
        memcpy(&real_connect_ex, function, sizeof real_connect_ex);
        *(LPFN_CONNECTEX *)function = connect_ex;
    }
}
