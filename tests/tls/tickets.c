/*
 * A client that only sends, over TLS 1.3: the server's session tickets come after the
 * handshake, nothing reads them, and a bare close answers them with a reset that throws
 * away what is still on its way. close_notify has been sent in both cases.
 */
#include "../c/check.h"

#include "../../examples-c/example_net.h"
#include "../../examples-c/example_openssl.h"
#include "graceful_close.h"

#define SIZE 300000
#define ROUNDS 200
#define BARE_ROUNDS 40

static SSL_CTX *server, *client;

typedef struct {
    check_socket sock;
    int is_whole;
} reader;

static SSL *tls_on(SSL_CTX *context, check_socket sock)
{
    SSL *ssl = SSL_new(context);
    CHECK(ssl != NULL);
    CHECK_IS(SSL_set_fd(ssl, sock), 1);
    return ssl;
}

/* whole: every byte, and close_notify behind them */
static void reads_to_the_end(void *argument)
{
    static unsigned char data[20000];
    reader *self = (reader *)argument;
    SSL *ssl = tls_on(server, self->sock);
    size_t bytes = 0;
    int got;
    CHECK_IS(SSL_accept(ssl), 1);
    check_sleep(3);
    while ((got = SSL_read(ssl, data, sizeof(data))) > 0) {
        CHECK(check_is_filled(data, (size_t)got, bytes));
        bytes += (size_t)got;
    }
    self->is_whole = bytes == SIZE && SSL_get_error(ssl, got) == SSL_ERROR_ZERO_RETURN;
    SSL_free(ssl);
    check_close(self->sock);
    ERR_clear_error();
}

static int upload(const unsigned char *data, int bare)
{
    check_thread thread;
    check_socket sock;
    reader peer;
    SSL *ssl;
    check_pair(&peer.sock, &sock);
    check_thread_start(&thread, reads_to_the_end, &peer);
    ssl = tls_on(client, sock);
    CHECK_IS(SSL_connect(ssl), 1);
    CHECK_IS(SSL_version(ssl), TLS1_3_VERSION);
    CHECK_IS(SSL_write(ssl, data, SIZE), SIZE);
    CHECK(tls_send_notify(ssl) == TLS_SENT);
    SSL_free(ssl);
    if (bare)
        check_close(sock);
    else
        CHECK_IS(gc_close(sock, 20000), GC_GRACEFUL);
    check_thread_join(&thread);
    return peer.is_whole;
}

int main(void)
{
    static unsigned char data[SIZE];
    int whole = 0, bare = 0;
    check_start();
    CHECK_IS(net_start(), 0);
    check_fill(data, SIZE, 0);
    server = tls_server();
    client = SSL_CTX_new(TLS_client_method());
    CHECK(server != NULL && client != NULL);
    for (check_round = 0; check_round < BARE_ROUNDS; check_round++)
        bare += upload(data, 1);
    for (check_round = 0; check_round < ROUNDS; check_round++)
        whole += upload(data, 0);
    printf("bare %d of %d uploads whole, graceful %d of %d\n", bare, BARE_ROUNDS, whole, ROUNDS);
    CHECK(bare < BARE_ROUNDS);
    CHECK_IS(whole, ROUNDS);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return 0;
}
