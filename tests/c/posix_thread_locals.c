/*
 * Many thread-local variables: some systems take the room for them out of the stack of
 * every thread, so that of the background must have enough. Callbacks run on it, too.
 */
#include "reaper_test.h"

#define SIZE 1000000
#define FRAME 65536

__extension__ static __thread volatile char locals[SIZE];
static volatile char last;

static void uses_much(void *user, gc_socket sock, const gc_report *report)
{
    volatile char frame[FRAME];
    int i;
    for (i = 0; i < FRAME; i += 1000) frame[i] = 1;
    for (i = 0; i < SIZE; i += 1000) locals[i] = frame[0];
    last = locals[SIZE - 1000];
    tell(user, sock, report);
}

int main(void)
{
    check_socket sock, peer;
    gc_reaper *reaper;
    told end;
    check_start();
    locals[0] = 1;
    check_pair(&sock, &peer);
    check_close(peer);
    CHECK_IS(gc_close_async(sock, 20000), 0);
    CHECK_IS(gc_flush(PATIENCE), 0);
    reaper = new_reaper(0, GC_FULL_REFUSE);
    check_pair(&sock, &peer);
    told_start(&end, sock);
    CHECK_IS(gc_reaper_close(reaper, sock, NULL, uses_much, &end), 0);
    check_close(peer);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    CHECK_IS(end.report.outcome, GC_GRACEFUL);
    return 0;
}
