/*
 * graceful_server.c - the server's half of the textbook shutdown sequence
 *
 *   client                                    server
 *   sends its request
 *   shutdown(SD_SEND)  ------- FIN -------->  recv() returns 0: the request is complete
 *                      <------ answer ------  sends what it still has to say
 *                      <------- FIN --------  gc_close_with(): shutdown(SD_SEND), waits until
 *   recv() returns 0                          the client has acknowledged all of it, closes
 *   closes
 *
 * The part that nobody writes by hand is the waiting: that the bytes were handed to
 * send() says nothing about their arrival. The report does.
 *
 *   graceful_server [port [connections]]      port 0, the default: any; it is printed
 */
#include "example_net.h"
#include "graceful_close.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_LINES 20000UL
#define LINE_MAX_SIZE 48
#define CLOSE_TIMEOUT_MS 10000U

/* Everything that the client sends until its shutdown. -1 if the end is not a clean one. */
static int read_until_end(SOCKET sock, unsigned long *size)
{
    char buffer[4096];
    long got;

    *size = 0;
    while ((got = net_recv(sock, buffer, sizeof(buffer))) > 0)
        *size += (unsigned long)got;
    if (got == 0)
        return 0;
    net_complain("the request cannot be read");
    return -1;
}

/* Made whole and sent at once: a send() per line would cost a packet and a wait each. */
static int send_answer(SOCKET sock, unsigned long request_size)
{
    static char answer[LINE_MAX_SIZE * (ANSWER_LINES + 2)];
    char *end = answer;
    unsigned long i;

    end += sprintf(end, "your request had %lu bytes\n", request_size);
    for (i = 1; i <= ANSWER_LINES; i++)
        end += sprintf(end, "line %lu of %lu\n", i, ANSWER_LINES);
    end += sprintf(end, "the end\n");
    return net_send_all(sock, answer, (size_t)(end - answer));
}

static void print_report(const gc_report *report)
{
    printf("closed: %s, after %.1f ms", gc_outcome_name(report->outcome),
           (double)report->elapsed_us / 1000.0);
    if (report->unacked_bytes == GC_UNKNOWN)
        printf(", bytes not acknowledged: unknown here");
    else
        printf(", bytes not acknowledged: %lu", (unsigned long)report->unacked_bytes);
    if (report->system_error != 0)
        printf(", first error met: %d", report->system_error);
    printf("\n");
    fflush(stdout);
}

/* 0 if the client has everything. The socket is gone afterwards in any case. */
static int close_and_report(SOCKET sock)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    int outcome;

    options.timeout_ms = CLOSE_TIMEOUT_MS;
    outcome = gc_close_with(sock, &options, &report);
    if (outcome < 0) { /* an error: nothing was done, the socket is still ours */
        fprintf(stderr, "gc_close_with: %s\n", gc_outcome_name(outcome));
        closesocket(sock);
        return -1;
    }
    print_report(&report);
    return outcome == GC_GRACEFUL ? 0 : -1;
}

static int serve_one(SOCKET sock)
{
    unsigned long size;

    if (read_until_end(sock, &size) == 0 && send_answer(sock, size) != 0)
        net_complain("the answer cannot be sent");
    return close_and_report(sock);
}

static SOCKET listen_on(unsigned int port)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(0x7F000001UL); /* 127.0.0.1; 0 would be all addresses */
    if (listener != INVALID_SOCKET && bind(listener, (struct sockaddr *)&address, size) == 0
        && listen(listener, 16) == 0
        && getsockname(listener, (struct sockaddr *)&address, &size) == 0) {
        printf("listening on port %u\n", (unsigned int)ntohs(address.sin_port));
        fflush(stdout);
        return listener;
    }
    net_complain("the port cannot be listened on");
    if (listener != INVALID_SOCKET)
        closesocket(listener);
    return INVALID_SOCKET;
}

int main(int argc, char **argv)
{
    unsigned long port = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned long connections = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    unsigned long served = 0;
    SOCKET listener, sock;
    int failed = 0;

    if (argc > 3 || port > 65535UL) {
        fprintf(stderr, "usage: graceful_server [port [connections]]\n");
        return EXIT_FAILURE;
    }
    if (net_start() != 0)
        return EXIT_FAILURE;
    listener = listen_on((unsigned int)port);
    if (listener == INVALID_SOCKET)
        return EXIT_FAILURE;
    while (connections == 0 || served < connections) {
        sock = accept(listener, NULL, NULL);
        if (sock == INVALID_SOCKET) {
            net_complain("accept");
            failed = 1;
            break;
        }
        if (serve_one(sock) != 0)
            failed = 1;
        served++;
    }
    closesocket(listener);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
