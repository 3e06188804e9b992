/*
 * What is known to be otherwise under Wine 8 and 10, which are no Windows: the tests of this program run
 * there. Nothing of it counts anywhere else. "model" is Wine 10 behind tests/harness/winsock.
 */
#include "selftest.h"

#include <string.h>

typedef struct difference {
    const char *where; /* the beginning of Wine's version, or "model" */
    const char *name;
    const char *system; /* NULL: as Windows */
    const char *library;
} difference;

#define WITH_CONTEXT                                                                                                       \
    "getpeername 0, shutdown 0, SO_CONNECT_TIME known, the socket itself in the listener's place 0, then shutdown 0"
#define ONLY_ITSELF "itself cancelled, the other receive pending, the send pending"
#define CUT_BY_A_RESET "timed out, its call cancelled, cut, a reset|timed out, its call cancelled, nothing, a reset"
#define EVENTS_TAKEN "one of two: 0, NVAL, alone: 10038, events not to be asked for: 0"

static const difference known[] = {
    {"", "cleanup", "10038, then 10038", NULL},
    {"", "both", "not yet, none by the FIN", NULL},
    {"", "receive-side", "no reset", NULL},
    {"8.", "cancel", ONLY_ITSELF, NULL},
    {"10.", "cancel", ONLY_ITSELF, NULL},
    {"8.", "accept-ex", WITH_CONTEXT, NULL},
    {"10.", "accept-ex", WITH_CONTEXT, NULL},
    {"8.", "reset", "WSAPoll HUP ERR, SO_ERROR 0, recv 0, again 0, send 10054, WSAPoll HUP ERR", NULL},
    {"8.", "unread", "still there", NULL},
    {"8.", "fin-reset", "recv 0, send 10054", NULL},
    {"8.", "alertable", "WSAPoll does not, select runs them", NULL},
    {"8.", "bad", EVENTS_TAKEN, NULL},
    {"10.", "bad", EVENTS_TAKEN, NULL},
    {"8.", "dead", "0", NULL},
    {"10.", "dead", "0", NULL},
    {"8.", "linger", "closesocket 0, closed", NULL},
    {"10.", "linger", "closesocket 0, closed", NULL},
    {"8.", "pending-receive", "an end", NULL},
    {"10.", "pending-receive", "an end", NULL},
    {"10.", "receive-unacked", NULL, CUT_BY_A_RESET},
    {"8.", "nothing", "succeeds", NULL},
    {NULL, NULL, NULL, NULL}};

void expect_of_wine(probe *p)
{
    const char *version = wine();
    const difference *d;

    if (version == NULL) return;
    if (GetModuleHandleA("gc2_32.dll") != NULL) version = "model";
    for (d = known; d->name != NULL; d++) {
        if (strcmp(d->name, p->name) != 0 || strncmp(version, d->where, strlen(d->where)) != 0) continue;
        if (d->system != NULL) p->windows = d->system;
        if (d->library != NULL) p->library = d->library;
    }
}
