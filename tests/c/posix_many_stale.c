/*
 * One of the numbers is no socket when gc_close_many() is called, and that of a new socket before its turn: on_data,
 * which is called for the one before it, opens one. It is refused, and the new socket is left alone.
 */
#include "check.h"

#include "graceful_close.h"

static check_socket stale = -1, fresh = -1;

static int opens(void *user, const void *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
    if (fresh != -1) return 0;
    fresh = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_IS(fresh, stale);
    return 0;
}

int main(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report reports[2] = { GC_REPORT_INIT, GC_REPORT_INIT };
    check_socket socks[2], peer;
    check_start();
    stale = socket(AF_INET, SOCK_STREAM, 0); /* the lowest that is free */
    check_pair(&socks[0], &peer);
    socks[1] = stale;
    CHECK_IS(close(stale), 0);
    CHECK_IS(check_send(peer, "x", 1), 1);
    CHECK_IS(shutdown(peer, SHUT_WR), 0);
    check_wait_readable(socks[0]);
    options.on_data = opens;
    options.timeout_ms = 2000;
    gc_close_many(socks, 2, &options, reports);
    CHECK_IS(fresh, stale);
    CHECK_IS(reports[0].outcome, GC_GRACEFUL);
    CHECK_IS(reports[1].outcome, GC_ERR_NOT_A_SOCKET);
    CHECK_IS(reports[1].closed, 0);
    CHECK(check_is_socket(fresh));
    CHECK_IS(close(fresh), 0);
    check_close(peer);
    return 0;
}
