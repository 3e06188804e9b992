/*
 * context.h - what the fragments of C in README.md and docs/ take for granted
 *
 * scripts/tools code compiles each of them behind this file: names that a reader
 * understands without a declaration stand here, so that the fragments need not declare
 * them. A block with a function in it is compiled as a file, any other as the body of one.
 */
#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#include <stdio.h>
#include <string.h>
#else
#define _GNU_SOURCE 1
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include "example_net.h"
#endif
#include "graceful_close.h"

struct answer;
typedef struct ssl SSL;
enum { TLS_WAITS = 1 };

extern SOCKET s, sock;
extern int fd, how, outcome, count, milliseconds;
extern gc_options options;
extern gc_report report;
extern gc_closing *closing;
extern struct answer answer;
extern FILE *file;
static const char too_large[] = "HTTP/1.1 413 Content Too Large\r\n\r\n";

static int take_answer(void *user, const void *data, size_t size);
static void done(void *user, gc_socket ended, const gc_report *about);
static void log_line(void *user, int code, const char *line);
static void serve(int client);
static int run_server(void);
static void reboot_now(void);

/* of examples-c, for TLS */
static double now_ms(void);
static int net_unblock(SOCKET socket);
static int tls_send_notify(SSL *ssl);
static unsigned int left_until(double deadline);
static void wait_writable(SOCKET socket, unsigned int ms);
static void SSL_free(SSL *ssl);
#ifndef _WIN32
extern struct pollfd entry;
#endif
