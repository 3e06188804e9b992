/*
 * With an empty heap every close still does its work, also the drop-in, which looks
 * for other holders of the connection first: the program lives, the answer arrives,
 * a connection that is shared is not ended for its other holder, and the log has its line.
 */
#include "check_heap.h"

#include "graceful_close.h"

#ifdef HEAP_WHY_NOT

int main(void)
{
    check_skip(HEAP_WHY_NOT);
    return 0;
}

#else

/* the peer has said something that nobody reads, and waits for the answer */
static void answered(check_socket *sock, check_socket *peer)
{
    check_pair(sock, peer);
    check_send_pattern(*peer, 3000, 0);
    check_half_close(*peer);
    check_wait_readable(*sock);
    check_send_pattern(*sock, 100000, 0);
}

static void check_answer(check_socket sock, check_socket peer)
{
    size_t bytes;
    CHECK(!check_is_socket(sock));
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    CHECK_IS(bytes, 100000);
    check_close(peer);
}

static int lines, last_number;

static void counts(void *user, int number, const char *line)
{
    (void)user;
    (void)line;
    lines++;
    last_number = number;
}

int main(void)
{
    check_socket sock, peer, other;
    int result;
    check_start();
    gc_set_log(counts, NULL);
    heap_is_empty = 1;

    check_doing = "gc_close of a connection that was reset";
    check_pair(&sock, &peer);
    check_reset(peer);
    check_wait_readable(sock);
    heap_watch_start();
    result = gc_close(sock, 20000);
    heap_watch_end();
    CHECK_IS(result, GC_RESET);
    CHECK_IS(lines, 1);
    CHECK_IS(last_number, GC_RESET);

    check_doing = "gc_close";
    answered(&sock, &peer);
    heap_watch_start();
    result = gc_close(sock, 20000);
    heap_watch_end();
    CHECK_IS(result, GC_GRACEFUL);
    check_answer(sock, peer);

    check_doing = "gc_closesocket of a shared connection";
    answered(&sock, &peer);
    other = dup(sock);
    heap_watch_start();
    result = gc_closesocket(sock);
    heap_watch_end();
    CHECK_IS(result, 0);
    CHECK(!check_is_socket(sock));
    CHECK_IS(check_send(other, "x", 1), 1);
    check_close(other);
    check_close(peer);

    check_doing = "gc_closesocket";
    answered(&sock, &peer);
    heap_watch_start();
    result = gc_closesocket(sock);
    heap_watch_end();
    CHECK_IS(result, 0);
    check_answer(sock, peer);

    heap_check_watch();
    return 0;
}

#endif
