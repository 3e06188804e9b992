#include "winsock_names.h"
#include <string.h>
#include "graceful_close.h"

int WSADuplicateSocketA(SOCKET, unsigned long, void *);

void off_again(SOCKET s)
{
    struct linger l;

    l.l_onoff = 0;
    l.l_linger = 0;
    gc_close(s, 5000);
}

void reset_by_initialiser(SOCKET s)
{
    struct linger l = {1, 0};

    /* graceful_close: it was a reset on purpose; gc_close(s, 5000) if it was not meant so */
    gc_abort(s);
}

void linger_then_shutdown(SOCKET s)
{
    struct linger l;
    l.l_onoff = 1;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&l, sizeof(l));
    /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
    gc_close(s, 5000);
}

void set_then_used(SOCKET s)
{
    struct linger l;
    l.l_onoff = 1;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&l, sizeof(l));
    if (gc_closesocket(s)/* graceful_close: SO_LINGER was set above; gc_abort(s) if for a reset */ != 0) return;
}

void reset_by_memset(SOCKET s)
{
    struct linger l;

    memset(&l, 0, sizeof(l));
    l.l_onoff = 1;
    setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&l, sizeof(l));
    /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
    gc_close(s, 5000);
}

/* the other process goes on with it */
void give(SOCKET s, unsigned long pid, void *info)
{
    WSADuplicateSocketA(s, pid, info);
    /* graceful_close: another process has it, too, so this close stays bare */
    closesocket(s);
}

/* one function, a connection and a listener */
int serve(struct sockaddr *a)
{
    SOCKET l = socket(AF_INET, SOCK_STREAM, 0), s;

    listen(l, 5);
    s = accept(l, 0, 0);
    send(s, "x", 1, 0);
    gc_close(s, 5000);
    closesocket(l);
    return 0;
}

void only_if(SOCKET s, int hard)
{
    struct linger l;

    if (hard) {
        l.l_onoff = 1;
        l.l_linger = 0;
        setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    }
    /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
    gc_close(s, 5000);
}

void variable(SOCKET s, int on)
{
    struct linger l;

    l.l_onoff = on;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
    gc_close(s, 5000);
}

void timed_if(SOCKET s, SOCKET soft)
{
    struct linger l;

    l.l_onoff = 1;
    l.l_linger = 30;
    if (soft) {}
    gc_close(s, 5000);
}
