#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "graceful_close.h"

/* what SO_LINGER asks for is seen, or asked; another holder keeps the close bare */
struct c {
    int on;
};

void off_again(int s)
{
    struct linger l;

    send(s, "x", 1, 0);
    l.l_onoff = 0;
    l.l_linger = 0;
    gc_close(s, 5000);
}

void reset_by_initialiser(int s)
{
    struct linger l = {1, 0};

    send(s, "x", 1, 0);
    /* graceful_close: it was a reset on purpose; gc_close(s, 5000) if it was not meant so */
    gc_abort(s);
}

void reset_by_static(int s)
{
    static const struct linger l = {.l_onoff = 1, .l_linger = 0};

    send(s, "x", 1, 0);
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
    gc_close(s, 5000);
}

void reset_by_memset(int s)
{
    struct linger l;

    memset(&l, 0, sizeof(l));
    l.l_onoff = 1;
    send(s, "x", 1, 0);
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
    gc_close(s, 5000);
}

void reset_elsewhere(int s, struct linger *l)
{
    send(s, "x", 1, 0);
    setsockopt(s, SOL_SOCKET, SO_LINGER, l, sizeof(*l));
    /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
    gc_close(s, 5000);
}

void vforked(int listener)
{
    int s = accept(listener, NULL, NULL);

    if (vfork() == 0) {
        execl("/bin/cat", "cat", (char *)0);
        _exit(1);
    }
    /* graceful_close: after a fork the parent's close stays bare; in the child gc_close(s, 5000) */
    close(s);
}

void inetd(int listener)
{
    int s = accept(listener, NULL, NULL);

    dup2(s, 0);
    dup2(s, 1);
    /* graceful_close: others hold it, too, so this close stays bare; the last one may be gc_close */
    close(s);
    execl("/bin/cat", "cat", (char *)0);
}

void stream(int listener)
{
    int s = accept(listener, NULL, NULL), t;
    FILE *f;

    t = dup(s);
    f = fdopen(t, "w");
    /* graceful_close: others hold it, too, so this close stays bare; the last one may be gc_close */
    close(s);
    fputs("hello", f);
    fclose(f);
}

void mixed(int s, int hard)
{
    struct linger l;

    send(s, "x", 1, 0);
    l.l_onoff = 1;
    if (hard) l.l_linger = 0; else l.l_linger = 5;
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
    gc_close(s, 5000);
}

void some(int s, int x)
{
    if (x) send(s, "x", 1, 0);
    gc_close(s, 5000);
}

void dupped(int s, int x)
{
    send(s, "x", 1, 0);
    if (x) dup2(s, 1);
    /* graceful_close: others hold it, too, so this close stays bare; the last one may be gc_close */
    close(s);
}

void only_if(int s, int hard)
{
    struct linger l;

    send(s, "x", 1, 0);
    if (hard) {
        l.l_onoff = 1;
        l.l_linger = 0;
        setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    }
    /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
    gc_close(s, 5000);
}

void variable(int s, int on)
{
    struct linger l;

    send(s, "x", 1, 0);
    l.l_onoff = on;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
    gc_close(s, 5000);
}

void field(int s, struct c *c)
{
    struct linger l;

    send(s, "x", 1, 0);
    l.l_onoff = c->on;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
    gc_close(s, 5000);
}

void timed_if(int s, int soft)
{
    struct linger l;

    send(s, "x", 1, 0);
    l.l_onoff = 1;
    l.l_linger = 30;
    if (soft) {}
    gc_close(s, 5000);
}
