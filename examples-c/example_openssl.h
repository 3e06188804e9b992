/*
 * example_openssl.h - what the examples with OpenSSL share: a certificate made at the
 * start, and the end of a TLS connection
 *
 * A real server loads its certificate from a file. The end is what matters:
 * tls_send_notify() sends close_notify without ever blocking, so that it can be part of
 * the deadline of the close. Include example_net.h before it.
 */
#ifndef EXAMPLE_OPENSSL_H
#define EXAMPLE_OPENSSL_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

/* Says on stderr what failed and why, in OpenSSL's own words. */
static void tls_complain(const char *what)
{
    char text[256];
    unsigned long code = ERR_get_error();

    ERR_error_string_n(code, text, sizeof(text));
    fprintf(stderr, "%s: %s\n", what, code != 0 ? text : "the connection has ended");
    ERR_clear_error();
}

static EVP_PKEY *tls_new_key(void)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;

    if (context == NULL || EVP_PKEY_keygen_init(context) <= 0 ||
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) <= 0 ||
        EVP_PKEY_keygen(context, &key) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

/* Signed by itself: clients must be told not to verify it (curl -k). */
static X509 *tls_new_certificate(EVP_PKEY *key)
{
    const unsigned char name[] = "localhost";
    X509 *certificate = X509_new();
    X509_NAME *subject;

    if (certificate == NULL)
        return NULL;
    subject = X509_get_subject_name(certificate);
    if (X509_set_version(certificate, 2) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), 24L * 3600L) != NULL &&
        X509_set_pubkey(certificate, key) == 1 &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0) == 1 &&
        X509_set_issuer_name(certificate, subject) == 1 &&
        X509_sign(certificate, key, EVP_sha256()) > 0)
        return certificate;
    X509_free(certificate);
    return NULL;
}

/* What a server needs once. NULL on error, which has been told. */
static SSL_CTX *tls_server(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = tls_new_key();
    X509 *certificate = key != NULL ? tls_new_certificate(key) : NULL;

    if (context == NULL || certificate == NULL || SSL_CTX_use_certificate(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey(context, key) != 1) {
        tls_complain("no certificate can be made");
        SSL_CTX_free(context);
        context = NULL;
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

#define TLS_WAITS 0  /* the window is full: once more when the socket is writable */
#define TLS_SENT 1   /* close_notify is on its way */
#define TLS_FAILED 2 /* the connection has ended, or the handshake had not: nothing to be sent */

/* Sends close_notify on a socket that does not block. Call it again while it says TLS_WAITS. */
static int tls_send_notify(SSL *ssl)
{
    int sent;

    ERR_clear_error(); /* what an earlier call has left would be taken for this one's */
    sent = SSL_shutdown(ssl);
    if (sent >= 0) /* 0: the peer's own close_notify has not come yet; it need not be waited for */
        return TLS_SENT;
    switch (SSL_get_error(ssl, sent)) {
    case SSL_ERROR_WANT_WRITE:
    case SSL_ERROR_WANT_READ:
        return TLS_WAITS;
    default:
        ERR_clear_error();
        return TLS_FAILED;
    }
}

#endif
