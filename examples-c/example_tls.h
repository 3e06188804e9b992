/*
 * example_tls.h - what the HTTPS examples share, whatever does their TLS: the answer and
 * the listening socket
 *
 * Include example_net.h before it.
 */
#ifndef EXAMPLE_TLS_H
#define EXAMPLE_TLS_H

#include <string.h>

#define TLS_ANSWER_BYTES 2000000

/* What both servers say: to a request, and to one that comes without TLS. */
static const char tls_plain[] = "HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks TLS: ask by https.\n";
static char tls_answer[TLS_ANSWER_BYTES + 200];
static size_t tls_answer_size;

static void tls_make_answer(void)
{
    int head = sprintf(tls_answer,
                       "HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain\r\n"
                       "Content-Length: %d\r\nConnection: close\r\n\r\n",
                       TLS_ANSWER_BYTES);

    memset(tls_answer + head, 'x', TLS_ANSWER_BYTES);
    tls_answer[head + TLS_ANSWER_BYTES - 1] = '\n';
    tls_answer_size = (size_t)head + TLS_ANSWER_BYTES;
}

/* On the loopback. INVALID_SOCKET on error, which has been told. */
static SOCKET tls_listen(int port)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address;
#ifdef _WIN32
    int size = (int)sizeof(address);
#else
    socklen_t size = (socklen_t)sizeof(address);
#endif

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)port);
    if (listener == INVALID_SOCKET ||
        bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        net_complain("cannot listen");
        if (listener != INVALID_SOCKET)
            closesocket(listener);
        return INVALID_SOCKET;
    }
    printf("port %u\n", (unsigned int)ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

#endif
