/* AcceptEx, shared handles, SIO_TCP_INFO, the loopback interface, other families, WSACleanup. */
#include "selftest.h"

#include <mstcpip.h>
#include <stdio.h>
#include <string.h>

/* winternl.h has it not in all compilers */
typedef LONG(NTAPI *query_object)(HANDLE, int, void *, ULONG, ULONG *);

static unsigned int handle_count(SOCKET s)
{
    query_object query;
    FARPROC address = GetProcAddress(GetModuleHandleA("ntdll.dll"), "NtQueryObject");
    ULONG information[14];

    memcpy(&query, &address, sizeof query);
    memset(information, 0, sizeof information);
    if (query == NULL || query((HANDLE)s, 0, information, sizeof information, NULL) < 0) return 0;
    return information[2];
}

/* connected by AcceptEx, without its context */
static int accept_ex(SOCKET *ours, SOCKET *other)
{
    static const GUID id = WSAID_ACCEPTEX;
    static char names[2 * (sizeof(struct sockaddr_in) + 16)];
    struct sockaddr_in address;
    SOCKET listener = listening(&address);
    LPFN_ACCEPTEX function;
    void *found = extension(listener, id);
    OVERLAPPED call;
    DWORD bytes = 0, flags = 0;
    int done;

    *ours = tcp();
    *other = tcp();
    if (found == NULL) return 0;
    memcpy(&function, &found, sizeof function);
    start(&call, CreateEventA(NULL, TRUE, FALSE, NULL));
    if (!function(listener, *ours, names, 0, sizeof names / 2, sizeof names / 2, &bytes, &call) &&
        WSAGetLastError() != ERROR_IO_PENDING)
        return 0;
    done = connect(*other, (struct sockaddr *)&address, sizeof address) == 0 &&
           WSAGetOverlappedResult(listener, &call, &bytes, TRUE, &flags);
    CloseHandle(call.hEvent);
    closesocket(listener);
    return done;
}

static void without_context(probe *p)
{
    SOCKET ours, other;
    struct sockaddr_in name;
    int size = (int)sizeof name, seconds = -1, length = (int)sizeof seconds;
    char words[64];
    reader r;

    NEED(accept_ex(&ours, &other));
    did(p, "getpeername %d", code(getpeername(ours, (struct sockaddr *)&name, &size)));
    did(p, "shutdown %d", code(shutdown(ours, SD_SEND)));
    getsockopt(ours, SOL_SOCKET, SO_CONNECT_TIME, (char *)&seconds, &length);
    did(p, "SO_CONNECT_TIME %s", seconds == -1 ? "never" : "known");
    did(p, "the socket itself in the listener's place %d",
        code(setsockopt(ours, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&ours, sizeof ours)));
    did(p, "then shutdown %d", code(shutdown(ours, SD_SEND)));
    closesocket(ours);
    closesocket(other);

    NEED(accept_ex(&ours, &other));
    NEED(send(ours, "answer", 6, 0) == 6);
    read_all(&r, other, 100, 0);
    made(p, "%s", gc_outcome_name(gc_close(ours, 3000)));
    join(&r);
    made(p, "%s", fared(&r, 6, words));
}

static void duplicated(probe *p)
{
    SOCKET ours, other, second;
    WSAPROTOCOL_INFOW info;
    gc_options options = GC_OPTIONS_INIT;
    char byte;

    NEED(pair(&ours, &other));
    did(p, "%u", handle_count(ours));
    NEED(WSADuplicateSocketW(ours, GetCurrentProcessId(), &info) == 0);
    did(p, "then %u", handle_count(ours));
    second = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0);
    NEED(second != INVALID_SOCKET);
    options.timeout_ms = 1000;
    options.if_shared = GC_SHARED_RELEASE;
    made(p, "%s", gc_outcome_name(gc_close_with(ours, &options, NULL)));
    made(p, send(second, "x", 1, 0) == 1 && recv(other, &byte, 1, 0) == 1 ? "the other lives" : "THE OTHER IS DEAD");
    closesocket(second);
    closesocket(other);
}

static void states(probe *p)
{
    SOCKET ours, other;
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    int state = -1, is_told;

    NEED(pair(&ours, &other));
    is_told = has_state(ours, &state);
    did(p, !is_told ? "not told" : state == STATE_ESTABLISHED ? "ESTABLISHED" : "another than ESTABLISHED");
    shutdown(ours, SD_SEND);
    if (is_told) did(p, reaches_state(ours, STATE_FIN_WAIT_2) ? "FIN_WAIT_2" : "no FIN_WAIT_2");
    closesocket(ours);
    closesocket(other);

    NEED(pair(&ours, &other));
    NEED(send(ours, "answer", 6, 0) == 6);
    options.timeout_ms = 1000;
    options.flags = GC_UNTIL_ACKED;
    made(p, "%s", gc_outcome_name(gc_close_with(ours, &options, &report)));
    made(p, report.unacked_bytes == 0 ? "0 unacked" : "unacked unknown");
    closesocket(other);
    if (!is_told) p->library = "timed out, unacked unknown";
}

static void after_both_fins(probe *p)
{
    SOCKET ours, other;
    int state = -1, is_told;
    char byte;

    NEED(pair(&ours, &other));
    shutdown(ours, SD_SEND);
    Sleep(50);
    closesocket(other);
    recv(ours, &byte, 1, 0);
    Sleep(50);
    is_told = has_state(ours, &state);
    if (is_told) did(p, state == STATE_TIME_WAIT ? "TIME_WAIT" : "state %d", state);
    else did(p, "error %d", WSAGetLastError());
    closesocket(ours);
}

static void fast_path(probe *p)
{
    struct sockaddr_in address;
    SOCKET listener = listening(&address), other = tcp(), ours;
    DWORD bytes;
    int on = 1, refused;
    char words[64];
    reader r;

    refused = code(WSAIoctl(listener, SIO_LOOPBACK_FAST_PATH, &on, sizeof on, NULL, 0, &bytes, NULL, NULL));
    if (refused == 0) refused = code(WSAIoctl(other, SIO_LOOPBACK_FAST_PATH, &on, sizeof on, NULL, 0, &bytes, NULL, NULL));
    did(p, refused == 0 ? "taken" : "error %d", refused);
    NEED(connect(other, (struct sockaddr *)&address, sizeof address) == 0);
    ours = accept(listener, NULL, NULL);
    NEED(ours != INVALID_SOCKET);
    closesocket(listener);
    NEED(send(other, "unread", 6, 0) == 6 && send(ours, "answer", 6, 0) == 6);
    read_all(&r, other, 300, 0);
    made(p, "%s", gc_outcome_name(gc_close(ours, 3000)));
    join(&r);
    made(p, "%s", fared(&r, 6, words));
}

/* afunix.h is in no old SDK */
struct unix_name {
    u_short family;
    char path[108];
};

static void of_unix(probe *p)
{
    struct unix_name name;
    char folder[MAX_PATH], words[64];
    SOCKET listener = socket(AF_UNIX, SOCK_STREAM, 0), other, ours;
    reader r;

    did(p, listener == INVALID_SOCKET ? "not there, error %d" : "there", WSAGetLastError());
    p->library = "not tried";
    made(p, listener == INVALID_SOCKET ? "not tried" : "");
    if (listener == INVALID_SOCKET) return;
    memset(&name, 0, sizeof name);
    name.family = AF_UNIX;
    GetTempPathA(sizeof folder, folder);
    sprintf(name.path, "%.80sgc%lu.sock", folder, GetCurrentProcessId());
    other = socket(AF_UNIX, SOCK_STREAM, 0);
    NEED(bind(listener, (struct sockaddr *)&name, sizeof name) == 0 && listen(listener, 4) == 0);
    NEED(connect(other, (struct sockaddr *)&name, sizeof name) == 0);
    ours = accept(listener, NULL, NULL);
    NEED(ours != INVALID_SOCKET);
    closesocket(listener);
    DeleteFileA(name.path);
    NEED(send(other, "unread", 6, 0) == 6 && send(ours, "answer", 6, 0) == 6);
    read_all(&r, other, 300, 0);
    p->made[0] = '\0';
    p->library = "graceful, whole, an end";
    made(p, "%s", gc_outcome_name(gc_close(ours, 3000)));
    join(&r);
    made(p, "%s", fared(&r, 6, words));
}

/* The first of all: the library's thread keeps Winsock, once it runs. */
static void cleaned_up(probe *p)
{
    SOCKET ours, other;
    WSADATA data;
    int type, size = sizeof type, error;

    NEED(pair(&ours, &other));
    WSACleanup();
    error = code(getsockopt(ours, SOL_SOCKET, SO_TYPE, (char *)&type, &size));
    made(p, "%s", gc_outcome_name(gc_close(ours, 100)));
    NEED(WSAStartup(MAKEWORD(2, 2), &data) == 0);
    did(p, error == 0 ? "still open" : "%d", error);
    error = code(getsockopt(ours, SOL_SOCKET, SO_TYPE, (char *)&type, &size));
    did(p, error == 0 ? "open again" : "then %d", error);
}

probe of_handles[] = {
    {"cleanup", "A socket after the last WSACleanup", cleaned_up, "10093, then 10038", "not a socket"},
    {"states", "SIO_TCP_INFO (Windows 10 1703 and later)", states, "ESTABLISHED, FIN_WAIT_2|not told", "delivered, 0 unacked"},
    {"time-wait", "SIO_TCP_INFO after both FINs", after_both_fins, "", "-"},
    {"accept-ex", "AcceptEx without its context", without_context,
     "getpeername 10057, shutdown 10057, SO_CONNECT_TIME known, the socket itself in the listener's place 0, then shutdown 0",
     "graceful, whole, an end"},
    {"handles", "The handle count of a socket, and after WSADuplicateSocket", duplicated, "1, then 2",
     "released, the other lives"},
    {"fast-path", "SIO_LOOPBACK_FAST_PATH", fast_path, "", "graceful, whole, an end"},
    {"unix", "AF_UNIX", of_unix, "", ""},
    {NULL}};
