/*
 * gc-selftest.exe: what this Windows does where a close can go wrong, and what the library makes
 * of it. One file without dependencies, for people who have a Windows; its table goes into an issue
 * report. C89, Windows 7 and later.
 *
 * A probe does something to connections over the loopback interface and says in a few words what it saw;
 * these words are compared with what is known. It runs in a thread of its own and is given up
 * after PROBE_MS, so that the table is written on every system.
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>

#include "graceful_close.h"

#define PROBE_MS 15000
#define WORDS 160

typedef struct probe {
    const char *name;   /* a word by which it is known */
    const char *title;
    void (*run)(struct probe *p);
    /* what is to be expected: several answers have a '|' between them; "": nobody knows, it is asked */
    const char *windows; /* of Windows */
    const char *library; /* of the library; "-": it has no part in it */
    char did[WORDS];     /* what was seen of both */
    char made[WORDS];
    int broke_at;        /* a line: the probe could not be made, which is no answer */
    int error;           /* the system's, then */
} probe;

#ifdef __GNUC__
#define LIKE_PRINTF __attribute__((format(gnu_printf, 2, 3)))
#else
#define LIKE_PRINTF
#endif

/* what was seen of the system, of the library; several calls: parts of it, with a comma between them */
void did(probe *p, const char *format, ...) LIKE_PRINTF;
void made(probe *p, const char *format, ...) LIKE_PRINTF;
void broke(probe *p, int line);

/* what must be true, or the probe cannot be made; ends the function */
#define NEED(condition)         \
    do {                        \
        if (!(condition)) {     \
            broke(p, __LINE__); \
            return;             \
        }                       \
    } while (0)

/* --- net.c: connections --- */

SOCKET tcp(void);
SOCKET listening(struct sockaddr_in *address);
/* a connection: ours was accepted, the other has connected; 0 if there is none to be had */
int pair(SOCKET *ours, SOCKET *other);
void blocking(SOCKET s, int on);
void lingering(SOCKET s, int on, int seconds);
void reset(SOCKET s);
/* the error of a call that must fail; 0 if it has not */
int code(int result);
/* what WSAPoll says of a socket now: "data HUP ERR", or "nothing" */
const char *events(SOCKET s, char *words);
void start(OVERLAPPED *call, HANDLE event);
int receive_later(SOCKET s, WSABUF *buffer, OVERLAPPED *call);
int send_later(SOCKET s, WSABUF *buffer, OVERLAPPED *call);
/* "done", "cancelled", "pending" or the error's number */
const char *fate(SOCKET s, OVERLAPPED *call, DWORD wait_ms, char *words);
/* sends until nothing more goes into the buffers, and how much; the socket is non-blocking from then on */
size_t fill(SOCKET s);
void *extension(SOCKET s, GUID id);
/* TCPSTATE, which not all compilers' headers have */
enum { STATE_ESTABLISHED = 4, STATE_FIN_WAIT_2 = 6, STATE_TIME_WAIT = 10 };
/* SIO_TCP_INFO: 1 and the state, or 0 where it is not to be had */
int has_state(SOCKET s, int *state);
/* waits for it to become that, a second at most */
int reaches_state(SOCKET s, int wanted);
/* whether this system has it at all */
int tells_states(void);

/* the other end of a connection, on a thread of its own */
typedef struct reader {
    SOCKET s;
    DWORD first_ms;  /* waits so long, then takes all that comes */
    DWORD pause_ms;  /* and waits so long after each 64 KiB */
    HANDLE thread;
    size_t bytes;    /* what has come */
    int error;       /* 0: an end; else it was a reset, or what was said */
} reader;

void read_all(reader *r, SOCKET s, DWORD first_ms, DWORD pause_ms);
void join(reader *r);
/* "whole", "nothing, a reset" or "cut, an end" … */
const char *fared(const reader *r, size_t all, char *words);

/* --- the lists of probes; each ends with one that has no name --- */

extern probe of_resets[], of_waits[], of_shutdowns[], of_overlapped[], of_cancels[], of_handles[], of_the_library[],
    of_the_background[];

/* --- system.c, catalogue.c: what this system is --- */

typedef void (*teller)(const char *line);
void tell_versions(teller tell);
void tell_catalogue(teller tell);
void tell_drivers(teller tell);
/* the version of Wine that runs it, or NULL */
const char *wine(void);

/* --- wine.c: what is known to be otherwise under Wine; there alone --- */

/* puts what is known of this Wine in the place of what is expected of Windows */
void expect_of_wine(probe *p);

#endif
