/*
 * graceful_client.c - the client's half of the textbook shutdown sequence
 *
 * After its request the client has nothing more to say but still wants the answer. By
 * hand that is shutdown(SD_SEND), a loop of recv() until 0, some way to stop waiting,
 * and closesocket(). Here it is one call: gc_close_with() half-closes, hands over what
 * the server still sends, waits for the server's end, closes, and reports how it ended.
 *
 *   graceful_client host port [request bytes]      talks to graceful_server
 */
#include "example_net.h"
#include "graceful_close.h"

#include <stdlib.h>
#include <string.h>

#define CLOSE_TIMEOUT_MS 10000U
#define IDLE_TIMEOUT_MS 3000U
#define TAIL_SIZE 8 /* "the end\n" */

struct answer {
    unsigned long size;
    char tail[TAIL_SIZE]; /* the last bytes that came: a lost tail shows here */
};

/* Called by gc_close_with for every piece of the answer. 0 means go on. */
static int take_answer(void *user, const void *data, size_t size)
{
    struct answer *answer = (struct answer *)user;
    const char *bytes = (const char *)data;
    size_t kept = size < TAIL_SIZE ? size : TAIL_SIZE;

    memmove(answer->tail, answer->tail + kept, TAIL_SIZE - kept);
    memcpy(answer->tail + TAIL_SIZE - kept, bytes + size - kept, kept);
    answer->size += (unsigned long)size;
    return 0;
}

static SOCKET connect_to(const char *host, const char *port)
{
    struct addrinfo hints, *found = NULL, *one;
    SOCKET sock = INVALID_SOCKET;
    int error;

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        fprintf(stderr, "%s port %s: %s\n", host, port, gai_strerror(error));
        return INVALID_SOCKET;
    }
    for (one = found; one != NULL && sock == INVALID_SOCKET; one = one->ai_next) {
        sock = socket(one->ai_family, one->ai_socktype, one->ai_protocol);
        if (sock == INVALID_SOCKET) {
            net_complain("socket");
        } else if (connect(sock, one->ai_addr, (socklen_t)one->ai_addrlen) != 0) {
            net_complain("connect");
            closesocket(sock);
            sock = INVALID_SOCKET;
        }
    }
    freeaddrinfo(found);
    return sock;
}

static int send_request(SOCKET sock, unsigned long size)
{
    static const char line[] = "tell me how much this was, please\n";

    while (size > 0) {
        unsigned long piece = size < sizeof(line) - 1 ? size : (unsigned long)(sizeof(line) - 1);

        if (net_send_all(sock, line, piece) != 0)
            return -1;
        size -= piece;
    }
    return 0;
}

static void print_report(const gc_report *report)
{
    printf("closed: %s, after %.1f ms, %lu bytes received while closing",
           gc_outcome_name(report->outcome), (double)report->elapsed_us / 1000.0,
           (unsigned long)report->drained_bytes);
    if (report->system_error != 0)
        printf(", first error met: %d", report->system_error);
    printf("\n");
}

/* Half-close, take the answer, close. The socket is gone afterwards in any case. */
static int take_answer_and_close(SOCKET sock, struct answer *answer)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    int outcome;

    options.timeout_ms = CLOSE_TIMEOUT_MS;
    options.idle_timeout_ms = IDLE_TIMEOUT_MS; /* a server that fell silent is given up sooner */
    options.on_data = take_answer;
    options.user = answer;
    outcome = gc_close_with(sock, &options, &report);
    if (outcome < 0) { /* an error: nothing was done, the socket is still ours */
        fprintf(stderr, "gc_close_with: %s\n", gc_outcome_name(outcome));
        closesocket(sock);
        return -1;
    }
    print_report(&report);
    return outcome == GC_GRACEFUL ? 0 : -1;
}

int main(int argc, char **argv)
{
    unsigned long request_size = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
    struct answer answer;
    SOCKET sock;
    int whole;

    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: graceful_client host port [request bytes]\n");
        return EXIT_FAILURE;
    }
    if (net_start() != 0)
        return EXIT_FAILURE;
    sock = connect_to(argv[1], argv[2]);
    if (sock == INVALID_SOCKET)
        return EXIT_FAILURE;
    if (send_request(sock, request_size) != 0)
        net_complain("the request cannot be sent"); /* there may be an answer all the same */
    memset(&answer, 0, sizeof(answer));
    whole = take_answer_and_close(sock, &answer) == 0
            && memcmp(answer.tail, "the end\n", TAIL_SIZE) == 0;
    printf("the answer: %lu bytes, %s\n", answer.size, whole ? "whole" : "NOT whole");
    return whole ? EXIT_SUCCESS : EXIT_FAILURE;
}
