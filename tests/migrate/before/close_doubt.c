#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(s);
}

void reset_by_initialiser(int s)
{
    struct linger l = {1, 0};

    send(s, "x", 1, 0);
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(s);
}

void reset_by_static(int s)
{
    static const struct linger l = {.l_onoff = 1, .l_linger = 0};

    send(s, "x", 1, 0);
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(s);
}

void reset_by_memset(int s)
{
    struct linger l;

    memset(&l, 0, sizeof(l));
    l.l_onoff = 1;
    send(s, "x", 1, 0);
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(s);
}

void reset_elsewhere(int s, struct linger *l)
{
    send(s, "x", 1, 0);
    setsockopt(s, SOL_SOCKET, SO_LINGER, l, sizeof(*l));
    close(s);
}

void vforked(int listener)
{
    int s = accept(listener, NULL, NULL);

    if (vfork() == 0) {
        execl("/bin/cat", "cat", (char *)0);
        _exit(1);
    }
    close(s);
}

void inetd(int listener)
{
    int s = accept(listener, NULL, NULL);

    dup2(s, 0);
    dup2(s, 1);
    close(s);
    execl("/bin/cat", "cat", (char *)0);
}

void stream(int listener)
{
    int s = accept(listener, NULL, NULL), t;
    FILE *f;

    t = dup(s);
    f = fdopen(t, "w");
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
    close(s);
}

void some(int s, int x)
{
    if (x) send(s, "x", 1, 0);
    close(s);
}

void dupped(int s, int x)
{
    send(s, "x", 1, 0);
    if (x) dup2(s, 1);
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
    close(s);
}

void variable(int s, int on)
{
    struct linger l;

    send(s, "x", 1, 0);
    l.l_onoff = on;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(s);
}

void field(int s, struct c *c)
{
    struct linger l;

    send(s, "x", 1, 0);
    l.l_onoff = c->on;
    l.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(s);
}

void timed_if(int s, int soft)
{
    struct linger l;

    send(s, "x", 1, 0);
    l.l_onoff = 1;
    l.l_linger = 30;
    if (soft) setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(s);
}
