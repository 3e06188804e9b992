/*
 * The main job. A server answers without having read the request to its end,
 * closes, and the client gets every byte of the answer and a clean end, though
 * its own bytes lay unread in the server's receive buffer or came later still.
 */
#include "graceful_close.h" /* first: it stands alone */

#include "check.h"

#define REQUEST 50000
#define ANSWER 1000000

/* a client that goes on talking while it is answered */
static void chatty_client(void *argument)
{
    check_socket sock = *(check_socket *)argument;
    unsigned char portion[8192];
    size_t got = 0, said = 0;
    for (;;) {
        long now;
        if (said < REQUEST) {
            check_send_pattern(sock, 1000, said);
            said += 1000;
        }
        now = check_receive(sock, portion, sizeof(portion));
        CHECK(now >= 0);
        if (now == 0) break;
        CHECK(check_is_filled(portion, (size_t)now, got));
        got += (size_t)now;
    }
    CHECK_IS(got, ANSWER);
    CHECK_IS(said, REQUEST);
    check_close(sock);
}

/* accepts, answers the first bytes of a request, and leaves the rest unread */
static check_socket answered(check_socket *peer, check_thread *client)
{
    check_socket sock;
    char byte;
    check_pair(&sock, peer);
    check_thread_start(client, chatty_client, peer);
    check_wait_readable(sock);
    CHECK_IS(check_receive(sock, &byte, 1), 1);
    check_send_pattern(sock, ANSWER, 0);
    return sock;
}

static void by_gc_close(void)
{
    check_thread client;
    check_socket sock, peer;
    check_doing = "gc_close";
    sock = answered(&peer, &client);
    CHECK_IS(gc_close(sock, 20000), GC_GRACEFUL);
    CHECK(!check_is_socket(sock));
    check_thread_join(&client);
}

static void by_gc_close_with(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    check_thread client;
    check_socket sock, peer;
    double start;
    check_doing = "gc_close_with";
    options.timeout_ms = 20000;
    sock = answered(&peer, &client);
    start = check_now();
    CHECK_IS(gc_close_with(sock, &options, &report), GC_GRACEFUL);
    CHECK_BETWEEN((double)report.elapsed_us / 1000, 0.001, check_now() - start);
    CHECK(!check_is_socket(sock));
    CHECK_IS(report.struct_size, sizeof(report));
    CHECK_IS(report.outcome, GC_GRACEFUL);
    CHECK_IS(report.system_error, 0);
    CHECK_IS(report.closed, 1);
    CHECK_IS(report.peer_closed, 1);
    CHECK_IS(report.drained_bytes, REQUEST - 1);
    CHECK(report.unacked_bytes == 0 || report.unacked_bytes == GC_UNKNOWN);
#ifdef __linux__
    if (!check_is_generic()) CHECK_IS(report.unacked_bytes, 0);
#endif
    check_thread_join(&client);
}

static void without_options_and_report(void)
{
    check_thread client;
    check_socket sock, peer;
    check_doing = "gc_close_with(sock, NULL, NULL)";
    sock = answered(&peer, &client);
    CHECK_IS(gc_close_with(sock, NULL, NULL), GC_GRACEFUL);
    CHECK(!check_is_socket(sock));
    check_thread_join(&client);
}

static void by_gc_closesocket(void)
{
    check_thread client;
    check_socket sock, peer;
    check_doing = "gc_closesocket";
    gc_set_default_timeout(20000);
    sock = answered(&peer, &client);
    CHECK_IS(gc_closesocket(sock), 0);
    CHECK(!check_is_socket(sock));
    check_thread_join(&client);
    gc_set_default_timeout(5000);
}

#ifndef _WIN32
/* the other one goes on with the connection; on Windows win_shared.c tries it */
static void by_gc_closesocket_of_two(void)
{
    check_socket sock, peer, other;
    check_doing = "gc_closesocket of a descriptor of two";
    check_pair(&sock, &peer);
    other = dup(sock);
    CHECK(other != CHECK_NO_SOCKET);
    CHECK_IS(gc_closesocket(sock), 0);
    CHECK(!check_is_socket(sock));
    CHECK_IS(check_send(other, "goes on", 7), 7);
    check_close(other);
    check_close(peer);
}
#endif

static void by_gc_abort(void)
{
    check_socket sock, peer;
    char byte;
    long got;
    double start;
    check_doing = "gc_abort";
    check_pair(&sock, &peer);
    start = check_now();
    CHECK_IS(gc_abort(sock), 0);
    CHECK_ELAPSED(start, 0, 3000);
    CHECK(!check_is_socket(sock));
    check_wait_readable(peer);
    got = check_receive(peer, &byte, 1);
    if (check_hides_resets()) {
        /* and tells of it at the next send */
        CHECK_IS(got, 0);
        CHECK_IS(check_send(peer, "x", 1), -1);
    } else {
        CHECK_IS(got, -1);
        CHECK_IS(check_last_error(), CHECK_ECONNRESET);
    }
    check_close(peer);

    check_doing = "gc_abort without a connection";
    sock = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_IS(gc_abort(sock), 0);
    CHECK(!check_is_socket(sock));
}

static void without_a_connection(void)
{
    struct sockaddr_in address;
    check_socket sock;
    check_doing = "not connected";
    sock = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_IS(gc_close(sock, GC_INFINITE), GC_NOT_CONNECTED);
    CHECK(!check_is_socket(sock));
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_IS(gc_close(sock, GC_INFINITE), GC_NOT_CONNECTED);
    CHECK(!check_is_socket(sock));
    sock = check_listener(&address);
    CHECK_IS(gc_close(sock, GC_INFINITE), GC_NOT_CONNECTED);
    CHECK(!check_is_socket(sock));
}

int main(void)
{
    check_start();
    by_gc_close();
    by_gc_close_with();
    without_options_and_report();
    by_gc_closesocket();
#ifndef _WIN32
    by_gc_closesocket_of_two();
#endif
    by_gc_abort();
    without_a_connection();
    return 0;
}
