/*
 * A forwarding DLL in front of Wine's Winsock that does what Windows does and Wine does not. README.md
 * lists the behaviours and where each comes from. Test only.
 */
#ifndef WINSOCK_MODEL_H
#define WINSOCK_MODEL_H

#define _WIN32_WINNT 0x0601
/* what is defined here cannot be dllimport */
#define WINSOCK_API_LINKAGE
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>

/* The names of the environment variable GC_WINSOCK, in this order; "all" stands for those before FILTER. */
enum behaviour { INFO, SO_ERROR_SILENT, RESET, AS_CONTEXT, LINGERING, PENDING, HANGUP, EVENTS, ALERTABLE, CANCEL, FILTER, REFUSED, GONE, BLOCKING, BEHAVIOURS };
int is_on(enum behaviour which);

/* the system's own function of this name */
FARPROC system_function(const char *name);
#define REAL(name) ((__typeof__(&name))(void (*)(void))system_function(#name))

/* what no call of Winsock's tells later on */
typedef struct record {
    SOCKET s;
    int was_connected, was_reset, had_fin, shut_send, shut_receive, is_blocking;
    int closed_first; /* its FIN left before the peer's was there */
    int wants_context; /* connected by AcceptEx or ConnectEx, and not updated */
    ULONG64 sent;
    LPWSAOVERLAPPED calls[16]; /* those that may be pending */
    int receives[16];          /* which of them receive */
} record;

record *record_of(SOCKET s);
void record_new(SOCKET s);
void record_call(record *r, LPWSAOVERLAPPED call, int receives);
/* the record of what may be no socket, or NULL */
record *known_record(SOCKET s);
int is_pending(LPWSAOVERLAPPED call);
int has_pending_call(const record *r);

/* Whether it is or was connected: the system tells that no longer after a reset. */
void learn_peer(record *r);

/* As Linux has it: the state in its numbers, 0 where there is none, and what is sent or waits to be, and is
   not acknowledged. */
int connection_state(SOCKET s, ULONG *unacknowledged);
int has_peer_fin(SOCKET s);

/* Winsock was told of a reset, or is now. */
int is_reset(record *r);

int answer_tcp_info(SOCKET s, void *out, DWORD size, DWORD *filled);
void exchange_extension(const GUID *id, void *function);

#endif
