/*
 * tls_openssl.c - a small HTTPS server that answers early and closes without losing the end
 *
 * It answers as soon as it has the head of a request, whatever the client still sends. A
 * plain SSL_shutdown() and close() then resets the connection: what the client has sent
 * is unread. TLS makes that likely even with clients that send nothing more, since their
 * own close_notify and key updates arrive after the close.
 *
 * The order is: SSL_write() of all, close_notify, gc_close() on the bare socket. One
 * deadline counts for the last two, and close_notify may not block: behind a full window
 * a blocking SSL_shutdown() would wait for a client that does not read. After the close
 * began nothing more is read through TLS: gc_close() throws the bytes away as they are.
 *
 *     tls_openssl graceful|bare PORT [COUNT]     PORT 0: any, it is printed
 *
 * Ends after COUNT connections and prints how they ended. Needs OpenSSL 1.1.1 or newer
 * (-lssl -lcrypto).
 */
#include "example_net.h"
#include "example_clock.h"
#include "example_tls.h"
#include "example_openssl.h"
#include "graceful_close.h"
#include "example_tls_blocking.h"

/* Until the empty line behind the head. 0 is success. */
static int read_head(SSL *ssl)
{
    char head[8192];
    size_t size = 0;

    for (;;) {
        int got = SSL_read(ssl, head + size, (int)(sizeof(head) - size - 1));

        if (got <= 0)
            return -1;
        size += (size_t)got;
        head[size] = '\0';
        if (tls_is_whole_head(head))
            return 0;
        if (size == sizeof(head) - 1)
            return -1;
    }
}

/*
 * Ends TLS, then TCP, in at most timeout_ms. Frees ssl. Returns as gc_close(): negative,
 * and the socket is still the caller's.
 */
static int tls_close(SSL *ssl, SOCKET sock, unsigned int timeout_ms)
{
    double deadline = now_ms() + timeout_ms;

    if (net_unblock(sock) == 0)
        while (tls_send_notify(ssl) == TLS_WAITS && left_until(deadline) > 0)
            wait_writable(sock, left_until(deadline));
    SSL_free(ssl); /* leaves the socket open: SSL_set_fd() has not given it away */
    return gc_close(sock, left_until(deadline));
}

static int bare_close(SSL *ssl, SOCKET sock)
{
    SSL_shutdown(ssl);
    SSL_free(ssl);
    closesocket(sock);
    return GC_GRACEFUL; /* nobody can tell */
}

/* One connection. What gc_close() said. */
static int serve(void *context, SOCKET sock, int bare)
{
    SSL *ssl = SSL_new((SSL_CTX *)context);
    int code;

    if (ssl == NULL || SSL_set_fd(ssl, (int)sock) != 1) {
        tls_complain("no TLS for this connection");
        SSL_free(ssl);
        closesocket(sock);
        return GC_ERR_RESOURCES;
    }
    if (SSL_accept(ssl) == 1 && read_head(ssl) == 0) {
        if (SSL_write(ssl, tls_answer, (int)tls_answer_size) <= 0)
            tls_complain("the answer cannot be sent");
    } else if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST) {
        net_send_all(sock, tls_plain, sizeof(tls_plain) - 1); /* without TLS, as the client speaks */
    } else {
        tls_complain("no request");
    }
    if (bare)
        return bare_close(ssl, sock);
    code = tls_close(ssl, sock, CLOSE_TIMEOUT_MS);
    if (code < 0) {
        net_complain("gc_close");
        closesocket(sock);
    }
    return code;
}

int main(int argc, char **argv)
{
    SSL_CTX *context;
    int code;

    if (tls_begin(argc, argv, "tls_openssl") != 0)
        return 2;
    context = tls_server();
    code = context != NULL ? tls_serve_clients(argc, argv, serve, context) : 1;
    SSL_CTX_free(context);
    return code;
}
