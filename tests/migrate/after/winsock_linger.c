#include "winsock_names.h"
#include "graceful_close.h"

void waits_in_close(SOCKET s)
{
    struct linger l;

    l.l_onoff = 1;
    l.l_linger = 30;
    gc_close(s, 5000);
}

void resets(SOCKET s)
{
    struct linger l;

    l.l_onoff = 1;
    l.l_linger = 0;
    /* graceful_close: it was a reset on purpose; gc_close(s, 5000) if it was not meant so */
    gc_abort(s);
}

/* an option that is set for later stays */
void set_only(SOCKET s, struct linger *l)
{
    setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)l, sizeof(*l));
}
