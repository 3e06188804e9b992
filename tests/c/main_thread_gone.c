/*
 * A program may end its first thread and live on in the others. The drop-in still
 * sees there that somebody else holds a connection, and leaves it alone.
 */
#include "check.h"

#include "graceful_close.h"

#ifndef __linux__

int main(void)
{
    check_skip("Linux only: what the first thread takes with it is its entry in /proc");
    return 0;
}

#else

static void rest_of_the_program(void *unused)
{
    check_socket sock, peer, other;
    size_t bytes;
    (void)unused;
    check_sleep(50); /* the first thread is gone by then */

    check_doing = "a shared connection";
    check_pair(&sock, &peer);
    check_half_close(peer);
    other = dup(sock);
    CHECK_IS(gc_closesocket(sock), 0);
    CHECK(!check_is_socket(sock));
    CHECK_IS(check_send(other, "x", 1), 1);
    CHECK_IS(check_receive(peer, &bytes, 1), 1);

    check_doing = "a connection of our own";
    CHECK_IS(gc_closesocket(other), 0);
    CHECK(!check_is_socket(other));
    CHECK_IS(check_receive(peer, &bytes, 1), 0);
    check_close(peer);
    exit(0);
}

int main(void)
{
    static check_thread thread;
    check_start();
    if (check_is_slow()) check_skip("Valgrind takes what a thread owns at the end for a leak");
    check_thread_start(&thread, rest_of_the_program, NULL);
    pthread_exit(NULL);
}

#endif
