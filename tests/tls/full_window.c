/*
 * The end that examples-c/tls_openssl.c gives a connection, where the client's window is full:
 * close_notify cannot be sent, and it costs no more than the deadline of the whole close.
 */
#include "../c/check.h"

#define main example_main
#include "../../examples-c/tls_openssl.c"
#undef main

#define TIMEOUT_MS 300

static SSL_CTX *client;

/* shakes hands and never reads again */
static void connects(void *argument)
{
    SSL *ssl = SSL_new(client);
    CHECK(ssl != NULL);
    CHECK_IS(SSL_set_fd(ssl, *(check_socket *)argument), 1);
    CHECK_IS(SSL_connect(ssl), 1);
    SSL_free(ssl);
}

int main(void)
{
    static char data[65536];
    check_thread thread;
    check_socket sock, peer;
    SSL_CTX *context;
    double start;
    SSL *ssl;
    int code;
    check_start();
    CHECK_IS(net_start(), 0);
    context = tls_server();
    client = SSL_CTX_new(TLS_client_method());
    CHECK(context != NULL && client != NULL);
    check_pair(&sock, &peer);
    check_thread_start(&thread, connects, &peer);
    ssl = SSL_new(context);
    CHECK_IS(SSL_set_fd(ssl, sock), 1);
    CHECK_IS(SSL_accept(ssl), 1);
    check_thread_join(&thread);
    check_set_blocking(sock, 0);
    do { /* until nothing fits for a while: the window closes in steps */
        while (check_send(sock, data, sizeof(data)) > 0) {
        }
        check_sleep(20);
    } while (check_send(sock, data, 1) > 0);
    check_set_blocking(sock, 1);
    start = check_now();
    code = tls_close(ssl, sock, TIMEOUT_MS);
    CHECK_ELAPSED(start, TIMEOUT_MS - 1, 5000); /* what is left is whole milliseconds */
    CHECK_IS(code, GC_TIMED_OUT);
    CHECK(!check_is_socket(sock));
    check_close(peer);
    SSL_CTX_free(client);
    SSL_CTX_free(context);
    return 0;
}
