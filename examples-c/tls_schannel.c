/*
 * tls_schannel.c - the server of tls_openssl.c by SChannel, the TLS of Windows
 *
 * The order is the same: EncryptMessage() and send() of all, then close_notify
 * (ApplyControlToken() with SCHANNEL_SHUTDOWN, and AcceptSecurityContext() once more makes
 * its bytes), then gc_close() on the bare socket. One deadline counts for the last two, and
 * the bytes of close_notify are sent without blocking: a client that does not read must
 * not hold the server. After that nothing is decrypted any more: gc_close() throws away
 * what the client still sends, as it is.
 *
 * SCHANNEL_CRED, which this uses, ends at TLS 1.2. A program that asks for TLS 1.3 by
 * SCH_CREDENTIALS ends a connection in the same way.
 *
 *     tls_schannel graceful|bare PORT [COUNT]     PORT 0: any, it is printed
 *
 * Ends after COUNT connections and prints how they ended. Needs secur32, crypt32 and
 * advapi32. Tried under Wine 10, whose SChannel is GnuTLS behind; the SChannel of Wine 8
 * knows clients only. Not tried under Windows itself.
 */
#include "example_net.h"
#include "example_clock.h"
#include "example_tls.h"
#include "example_schannel.h"
#include "graceful_close.h"
#include "example_tls_blocking.h"

#define WANTED                                                                             \
    (ASC_REQ_SEQUENCE_DETECT | ASC_REQ_REPLAY_DETECT | ASC_REQ_CONFIDENTIALITY |           \
     ASC_REQ_STREAM | ASC_REQ_ALLOCATE_MEMORY)

/* One connection. */
struct tls {
    SOCKET sock;
    CredHandle *credentials;
    CtxtHandle context;
    int has_context;
    char received[40000]; /* not yet decrypted: the largest record has 16 KiB and a little */
    size_t size;
};

/* --- a connection --- */

static void set_buffer(SecBuffer *buffer, unsigned long type, void *data, size_t size)
{
    buffer->BufferType = type;
    buffer->pvBuffer = data;
    buffer->cbBuffer = (unsigned long)size;
}

static void set_buffers(SecBufferDesc *list, SecBuffer *buffers, unsigned long count)
{
    list->ulVersion = SECBUFFER_VERSION;
    list->cBuffers = count;
    list->pBuffers = buffers;
}

static int receive_more(struct tls *tls)
{
    long got = net_recv(tls->sock, tls->received + tls->size, sizeof(tls->received) - tls->size);

    if (got <= 0)
        return -1;
    tls->size += (size_t)got;
    return 0;
}

/* What SChannel has not used stands at the end of what it was given. */
static void keep_rest(struct tls *tls, const SecBuffer *buffers, int count)
{
    size_t rest = 0;
    int i;

    for (i = 0; i < count; i++)
        if (buffers[i].BufferType == SECBUFFER_EXTRA)
            rest = buffers[i].cbBuffer;
    memmove(tls->received, tls->received + tls->size - rest, rest);
    tls->size = rest;
}

/* One step of the handshake, or of the shutdown (input NULL). The caller frees the token. */
static SECURITY_STATUS next_token(struct tls *tls, SecBufferDesc *input, SecBuffer *token)
{
    SECURITY_STATUS status;
    SecBufferDesc output;
    unsigned long attributes;

    set_buffer(token, SECBUFFER_TOKEN, NULL, 0);
    set_buffers(&output, token, 1);
    status = AcceptSecurityContext(tls->credentials, tls->has_context ? &tls->context : NULL, input,
                                   WANTED, 0, &tls->context, &output, &attributes, NULL);
    if (status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED)
        tls->has_context = 1;
    return status;
}

/* 0: the connection speaks TLS now. */
static int accept_tls(struct tls *tls)
{
    SECURITY_STATUS status = SEC_E_INCOMPLETE_MESSAGE;
    SecBuffer given[2], token;
    SecBufferDesc input;

    while (status != SEC_E_OK) {
        if ((tls->size == 0 || status == SEC_E_INCOMPLETE_MESSAGE) && receive_more(tls) != 0)
            return -1;
        set_buffer(&given[0], SECBUFFER_TOKEN, tls->received, tls->size);
        set_buffer(&given[1], SECBUFFER_EMPTY, NULL, 0);
        set_buffers(&input, given, 2);
        status = next_token(tls, &input, &token);
        if (token.pvBuffer != NULL) {
            int failed = net_send_all(tls->sock, (const char *)token.pvBuffer, token.cbBuffer);

            FreeContextBuffer(token.pvBuffer);
            if (failed)
                return -1;
        }
        if (status == SEC_E_INCOMPLETE_MESSAGE)
            continue;
        if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED) {
            tls_complain("AcceptSecurityContext", (unsigned long)status);
            return -1;
        }
        keep_rest(tls, given, 2);
    }
    return 0;
}

/* Until the empty line behind the head. 0 is success. */
static int read_head(struct tls *tls)
{
    SECURITY_STATUS status = SEC_E_INCOMPLETE_MESSAGE;
    char head[8192];
    size_t size = 0;
    SecBuffer parts[4];
    SecBufferDesc message;
    int i;

    for (;;) {
        if ((tls->size == 0 || status == SEC_E_INCOMPLETE_MESSAGE) && receive_more(tls) != 0)
            return -1;
        set_buffer(&parts[0], SECBUFFER_DATA, tls->received, tls->size);
        for (i = 1; i < 4; i++)
            set_buffer(&parts[i], SECBUFFER_EMPTY, NULL, 0);
        set_buffers(&message, parts, 4);
        status = DecryptMessage(&tls->context, &message, 0, NULL);
        if (status == SEC_E_INCOMPLETE_MESSAGE)
            continue;
        if (status != SEC_E_OK) /* SEC_I_CONTEXT_EXPIRED: the client's close_notify */
            return -1;
        for (i = 0; i < 4; i++) {
            size_t room = sizeof(head) - 1 - size, more = parts[i].cbBuffer;

            if (parts[i].BufferType != SECBUFFER_DATA)
                continue;
            more = more < room ? more : room;
            memcpy(head + size, parts[i].pvBuffer, more);
            size += more;
        }
        keep_rest(tls, parts, 4);
        head[size] = '\0';
        if (tls_is_whole_head(head))
            return 0;
        if (size == sizeof(head) - 1)
            return -1;
    }
}

/* Header, data and trailer of a record stand one behind the other. 0 is success. */
static int write_all(struct tls *tls, const char *data, size_t size)
{
    SecPkgContext_StreamSizes sizes;
    char record[20000];
    int failed = 0;

    if (QueryContextAttributesA(&tls->context, SECPKG_ATTR_STREAM_SIZES, &sizes) != SEC_E_OK ||
        sizes.cbHeader + sizes.cbTrailer >= sizeof(record))
        return -1;
    while (size > 0 && !failed) {
        size_t most = sizeof(record) - sizes.cbHeader - sizes.cbTrailer, now;
        SecBuffer parts[4];
        SecBufferDesc message;

        if (most > sizes.cbMaximumMessage)
            most = sizes.cbMaximumMessage;
        now = size < most ? size : most;
        memcpy(record + sizes.cbHeader, data, now);
        set_buffer(&parts[0], SECBUFFER_STREAM_HEADER, record, sizes.cbHeader);
        set_buffer(&parts[1], SECBUFFER_DATA, record + sizes.cbHeader, now);
        set_buffer(&parts[2], SECBUFFER_STREAM_TRAILER, record + sizes.cbHeader + now, sizes.cbTrailer);
        set_buffer(&parts[3], SECBUFFER_EMPTY, NULL, 0);
        set_buffers(&message, parts, 4);
        failed = EncryptMessage(&tls->context, 0, &message, 0) != SEC_E_OK ||
                 net_send_all(tls->sock, record, (size_t)parts[0].cbBuffer + parts[1].cbBuffer +
                                                     parts[2].cbBuffer) != 0;
        data += now;
        size -= now;
    }
    return failed ? -1 : 0;
}

/* --- the end --- */

/* The bytes of close_notify; FreeContextBuffer() frees them. 0: there are none to be sent. */
static int make_notify(struct tls *tls, SecBuffer *token)
{
    unsigned long shut = SCHANNEL_SHUTDOWN;
    SecBuffer control;
    SecBufferDesc list;

    set_buffer(&control, SECBUFFER_TOKEN, &shut, sizeof(shut));
    set_buffers(&list, &control, 1);
    if (!tls->has_context || ApplyControlToken(&tls->context, &list) != SEC_E_OK)
        return 0;
    next_token(tls, NULL, token);
    return token->pvBuffer != NULL && token->cbBuffer > 0;
}

/* Sends it without blocking, until the deadline. */
static void send_notify(struct tls *tls, double deadline)
{
    SecBuffer token;
    const char *next;
    size_t left;

    if (!make_notify(tls, &token))
        return;
    next = (const char *)token.pvBuffer;
    left = token.cbBuffer;
    while (left > 0) {
        long sent = (long)send(tls->sock, next, (net_size)left, 0);

        if (sent > 0) {
            next += sent;
            left -= (size_t)sent;
        } else if (WSAGetLastError() == WSAEWOULDBLOCK && left_until(deadline) > 0) {
            wait_writable(tls->sock, left_until(deadline));
        } else {
            break;
        }
    }
    FreeContextBuffer(token.pvBuffer);
}

/*
 * Ends TLS, then TCP, in at most timeout_ms. Returns as gc_close(): negative, and the
 * socket is still the caller's.
 */
static int tls_close(struct tls *tls, unsigned int timeout_ms)
{
    double deadline = now_ms() + timeout_ms;

    if (net_unblock(tls->sock) == 0)
        send_notify(tls, deadline);
    if (tls->has_context)
        DeleteSecurityContext(&tls->context);
    return gc_close(tls->sock, left_until(deadline));
}

static int bare_close(struct tls *tls)
{
    send_notify(tls, now_ms());
    if (tls->has_context)
        DeleteSecurityContext(&tls->context);
    closesocket(tls->sock);
    return GC_GRACEFUL; /* nobody can tell */
}

/* One connection. What gc_close() said. */
static int serve(void *credentials, SOCKET sock, int bare)
{
    static struct tls tls; /* one client at a time */
    int code;

    memset(&tls, 0, sizeof(tls));
    tls.sock = sock;
    tls.credentials = (CredHandle *)credentials;
    if (accept_tls(&tls) != 0 || read_head(&tls) != 0)
        fprintf(stderr, "no request\n");
    else if (write_all(&tls, tls_answer, tls_answer_size) != 0)
        net_complain("the answer cannot be sent");
    if (bare)
        return bare_close(&tls);
    code = tls_close(&tls, CLOSE_TIMEOUT_MS);
    if (code < 0) {
        net_complain("gc_close");
        closesocket(sock);
    }
    return code;
}

int main(int argc, char **argv)
{
    struct identity identity;
    int code = 1;

    if (tls_begin(argc, argv, "tls_schannel") != 0)
        return 2;
    if (make_credentials(&identity) == 0)
        code = tls_serve_clients(argc, argv, serve, &identity.credentials);
    drop_credentials(&identity);
    return code;
}
