/*
 * shutdown_all.c - everything is closed under one deadline
 *
 * A server that ends has thousands of connections, and each of its clients takes its
 * own time to hang up. Closing them one after another adds these times up; a bare
 * close of all cuts off what the clients have not got yet. gc_close_many closes all of
 * them at once, and tells of each how it ended.
 *
 * This program makes up to 10,000 connections (1,000 on Windows) to a second process of
 * itself, the peers. It says farewell on each, and closes all with gc_close_many in at
 * most three seconds. Of 100 peers
 *
 *   one never hangs up,
 *   one hangs up by a reset,
 *   ten go on talking until they hang up,
 *   the others are silent,
 *
 * and all take up to a second from our FIN on. Then it closes 50 more by gc_close, one
 * after another, with three seconds for all of them together, to compare.
 *
 *   shutdown_all [connections]
 *
 * On POSIX it raises its soft limit of descriptors as far as the hard limit allows, and
 * makes do with fewer connections where that is not enough. It exits with 0 only if each
 * connection ended as its peer wanted it to, and all farewells came whole.
 */
#include "example_net.h"
#include "example_process.h"
#include "graceful_close.h"

#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#define CONNECTIONS 1000UL
#define poll(list, count, timeout) WSAPoll((list), (ULONG)(count), (timeout))
typedef WSAPOLLFD poll_entry;
#else
#include <poll.h>
#define CONNECTIONS 10000UL
typedef struct pollfd poll_entry;
#endif

#define DEADLINE_MS 3000U
#define SAMPLE 50UL            /* closed one after another */
#define SPARE_DESCRIPTORS 50UL /* for files, the listener, the library itself */
#define FAREWELL_SIZE 1000

#define LONGEST_DELAY_MS 1000UL
#define TICK_MS 10
#define TALK_EVERY_MS 50.0
#define TALK_SIZE 500

static char farewell[FAREWELL_SIZE]; /* both sides know it */

static void make_farewell(void)
{
    int i;

    for (i = 0; i < FAREWELL_SIZE; i++)
        farewell[i] = (char)('a' + i % 23);
}

/* ---- what the peers are like: both sides know, by their number ---- */

enum kind { SILENT, TALKATIVE, RESETTING, ENDLESS };

static enum kind kind_of(unsigned long number)
{
    switch (number % 100) {
    case 99: return ENDLESS;
    case 98: return RESETTING;
    default: return number % 10 == 5 ? TALKATIVE : SILENT;
    }
}

static double delay_of(unsigned long number)
{
    return (double)(number * 7919UL % LONGEST_DELAY_MS);
}

static unsigned long count_kind(enum kind kind, unsigned long first, unsigned long count)
{
    unsigned long i, result = 0;

    for (i = first; i < first + count; i++)
        result += kind_of(i) == kind;
    return result;
}

/* ---- the peers: the second process ---- */

struct peer {
    SOCKET sock;
    size_t came;     /* of the farewell */
    int is_whole;
    int has_our_fin; /* it hangs up at `end` */
    double end;
};

struct peers {
    struct peer *list;
    poll_entry *watched;    /* [0] is the control connection, then those that wait for our FIN */
    unsigned long *numbers; /* of the peers in `watched` */
    unsigned long count, watched_count;
};

static int make_room(struct peers *peers, unsigned long wanted)
{
    memset(peers, 0, sizeof(*peers));
    peers->list = (struct peer *)calloc(wanted + 1, sizeof(*peers->list));
    peers->watched = (poll_entry *)calloc(wanted + 1, sizeof(*peers->watched));
    peers->numbers = (unsigned long *)calloc(wanted + 1, sizeof(*peers->numbers));
    if (peers->list != NULL && peers->watched != NULL && peers->numbers != NULL)
        return 0;
    fprintf(stderr, "no memory for %lu peers\n", wanted);
    return -1;
}

static void watch(struct peers *peers, SOCKET sock, unsigned long number)
{
    unsigned long at = peers->watched_count++;

    peers->watched[at].fd = sock;
    peers->watched[at].events = POLLIN;
    peers->watched[at].revents = 0;
    peers->numbers[at] = number;
}

static void watch_no_more(struct peers *peers, unsigned long at)
{
    unsigned long last = --peers->watched_count;

    peers->watched[at] = peers->watched[last];
    peers->numbers[at] = peers->numbers[last];
}

/* As many as the system allows, at most `wanted`. */
static void connect_peers(struct peers *peers, unsigned int port, unsigned long wanted)
{
    while (peers->count < wanted) {
        SOCKET sock = connect_to_loopback(port, 0);

        if (sock == INVALID_SOCKET)
            return;
        if (net_unblock(sock) != 0) {
            net_complain("a peer cannot be made non-blocking");
            closesocket(sock);
            return;
        }
        peers->list[peers->count].sock = sock;
        watch(peers, sock, peers->count++);
    }
}

/* 1: nothing more will come, by our FIN or by an error. */
static int read_farewell(struct peer *peer)
{
    char piece[FAREWELL_SIZE + 1];

    for (;;) {
        long got = net_recv(peer->sock, piece, sizeof(piece));

        if (got < 0)
            return !net_would_block();
        if (got == 0) {
            peer->is_whole = peer->came == FAREWELL_SIZE;
            return 1;
        }
        if ((size_t)got > FAREWELL_SIZE - peer->came
            || memcmp(piece, farewell + peer->came, (size_t)got) != 0)
            return 1;
        peer->came += (size_t)got;
    }
}

/* From the end, because watch_no_more() moves the last one into the gap. */
static void read_farewells(struct peers *peers)
{
    unsigned long at;

    for (at = peers->watched_count; at-- > 1;) {
        unsigned long number = peers->numbers[at];
        struct peer *peer = &peers->list[number];

        if (peers->watched[at].revents == 0 || !read_farewell(peer))
            continue;
        peer->has_our_fin = 1;
        peer->end = now_ms() + delay_of(number);
        watch_no_more(peers, at);
    }
}

static void talk(struct peers *peers)
{
    static const char words[TALK_SIZE] = "";
    unsigned long i;

    for (i = 0; i < peers->count; i++)
        if (kind_of(i) == TALKATIVE && peers->list[i].sock != INVALID_SOCKET)
            (void)send(peers->list[i].sock, words, (net_size)sizeof(words), 0);
}

static void hang_up_in_time(struct peers *peers)
{
    double now = now_ms();
    unsigned long i;

    for (i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->list[i];

        if (peer->sock == INVALID_SOCKET || !peer->has_our_fin || now < peer->end
            || kind_of(i) == ENDLESS)
            continue;
        if (kind_of(i) == RESETTING)
            close_by_reset(peer->sock);
        else
            closesocket(peer->sock);
        peer->sock = INVALID_SOCKET;
    }
}

/* Until the control connection ends, and what was on its way then has come. */
static void live(struct peers *peers)
{
    double now = now_ms(), next_talk = now, give_up = now;
    unsigned long first = 0; /* 1: the control connection is not watched any more */

    while (first == 0 || (peers->watched_count > 1 && now < give_up)) {
        int ready = poll(peers->watched + first, peers->watched_count - first, TICK_MS);

        if (ready < 0 && !net_would_block()) {
            net_complain("peers: poll");
            return;
        }
        now = now_ms();
        if (ready > 0)
            read_farewells(peers);
        hang_up_in_time(peers);
        if (now >= next_talk) {
            talk(peers);
            next_talk = now + TALK_EVERY_MS;
        }
        if (first == 0 && ready > 0 && peers->watched[0].revents != 0) {
            first = 1;
            give_up = now + 1000.0;
        }
    }
}

static int tell_number(SOCKET control, unsigned long number)
{
    char line[32];

    sprintf(line, "%lu\n", number);
    return net_send_all(control, line, strlen(line));
}

static int run_peers(unsigned int port, unsigned long wanted)
{
    struct peers peers;
    unsigned long i, whole = 0;
    SOCKET control = connect_to_loopback(port, 0);
    char welcome;

    /* only once it is known to be the first */
    if (control == INVALID_SOCKET || net_recv(control, &welcome, 1) != 1 || make_room(&peers, wanted) != 0)
        return EXIT_FAILURE;
    allow_descriptors(wanted + SPARE_DESCRIPTORS);
    watch(&peers, control, 0);
    connect_peers(&peers, port, wanted);
    if (tell_number(control, peers.count) != 0)
        return EXIT_FAILURE;
    live(&peers);
    for (i = 0; i < peers.count; i++)
        whole += peers.list[i].is_whole != 0;
    return tell_number(control, whole) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the side that shuts down ---- */

struct service {
    SOCKET listener, control; /* both are below FD_SETSIZE, for they come first */
    process_handle process;
    SOCKET *socks;
    unsigned long count;
};

/* A number and a line end, from the peers. */
static int read_number(SOCKET control, unsigned long *number)
{
    char line[32];
    size_t have = 0;

    while (have < sizeof(line) - 1) {
        if (net_recv(control, line + have, 1) != 1)
            break;
        if (line[have] == '\n') {
            line[have] = '\0';
            *number = strtoul(line, NULL, 10);
            return 0;
        }
        have++;
    }
    fprintf(stderr, "the peers have gone\n");
    return -1;
}

static int start_peers(struct service *service, char *program, unsigned long wanted)
{
    char mode[] = "peers", port_word[16], count_word[32];
    char *words[5];
    struct sockaddr_in address;

    service->listener = listen_on_loopback(&address, 0);
    if (service->listener == INVALID_SOCKET)
        return -1;
    sprintf(port_word, "%u", (unsigned int)ntohs(address.sin_port));
    sprintf(count_word, "%lu", wanted);
    words[0] = program;
    words[1] = mode;
    words[2] = port_word;
    words[3] = count_word;
    words[4] = NULL;
    if (start_process(&service->process, words) != 0)
        return -1;
    service->control = accept(service->listener, NULL, NULL);
    if (service->control != INVALID_SOCKET && net_send_all(service->control, "!", 1) == 0)
        return 0;
    net_complain("the peers cannot be reached");
    return -1;
}

/* Accepts until there are as many as the peers say that they made. */
static int accept_peers(struct service *service, unsigned long wanted)
{
    unsigned long made = wanted;
    int told = 0;

    service->socks = (SOCKET *)malloc(wanted * sizeof(*service->socks));
    if (service->socks == NULL) {
        fprintf(stderr, "no memory for %lu connections\n", wanted);
        return -1;
    }
    while (service->count < made || !told) {
        SOCKET highest = service->listener > service->control ? service->listener : service->control;
        fd_set readable;

        FD_ZERO(&readable);
        FD_SET(service->listener, &readable);
        if (!told)
            FD_SET(service->control, &readable);
        if (select((int)highest + 1, &readable, NULL, NULL, NULL) < 0) {
            net_complain("select");
            return -1;
        }
        if (FD_ISSET(service->listener, &readable)) {
            SOCKET sock = accept(service->listener, NULL, NULL);

            if (sock == INVALID_SOCKET) {
                net_complain("accept");
                return -1;
            }
            service->socks[service->count++] = sock;
        } else if (FD_ISSET(service->control, &readable)) {
            if (read_number(service->control, &made) != 0)
                return -1;
            told = 1;
        }
    }
    return 0;
}

static void say_farewell(const SOCKET *socks, unsigned long count)
{
    unsigned long i;

    for (i = 0; i < count; i++)
        if (net_send_all(socks[i], farewell, FAREWELL_SIZE) != 0)
            net_complain("a farewell cannot be sent");
}

#define OUTCOMES 10

static void print_outcomes(const unsigned long *by_outcome, double took)
{
    int outcome;

    for (outcome = 0; outcome < OUTCOMES; outcome++)
        if (by_outcome[outcome] > 0)
            printf("  %-16s %6lu\n", gc_outcome_name(outcome), by_outcome[outcome]);
    printf("  took %.0f ms\n", took);
}

static void count_report(const gc_report *report, unsigned long *by_outcome)
{
    if (report->outcome >= 0 && report->outcome < OUTCOMES)
        by_outcome[report->outcome]++;
    else
        fprintf(stderr, "gc_close_many: %s\n", gc_outcome_name(report->outcome));
}

/* -1: refused as a whole, or an end that its peer had not in mind. */
static int close_together(const SOCKET *socks, unsigned long first, unsigned long count)
{
    static const gc_report fresh = GC_REPORT_INIT;
    gc_options options = GC_OPTIONS_INIT;
    gc_report *reports = (gc_report *)malloc((count + 1) * sizeof(*reports));
    unsigned long i, by_outcome[OUTCOMES] = {0}, drained = 0;
    double start;
    int graceful;

    if (reports == NULL) {
        fprintf(stderr, "no memory for %lu reports\n", count);
        return -1;
    }
    for (i = 0; i < count; i++)
        reports[i] = fresh;
    options.timeout_ms = DEADLINE_MS;
    start = now_ms();
    /* SOCKET is gc_socket by another name, on each system */
    graceful = gc_close_many((const gc_socket *)socks, count, &options, reports);
    if (graceful < 0) { /* all are still open */
        fprintf(stderr, "gc_close_many: %s\n", gc_outcome_name(graceful));
        free(reports);
        return -1;
    }
    printf("gc_close_many: %lu connections, at most %u ms\n", count, DEADLINE_MS);
    for (i = 0; i < count; i++) {
        count_report(&reports[i], by_outcome);
        drained += (unsigned long)reports[i].drained_bytes;
    }
    print_outcomes(by_outcome, now_ms() - start);
    printf("  %lu bytes came in meanwhile\n", drained);
    free(reports);
    if (by_outcome[GC_TIMED_OUT] == count_kind(ENDLESS, first, count)
        && by_outcome[GC_RESET] == count_kind(RESETTING, first, count)
        && by_outcome[GC_GRACEFUL] == count - by_outcome[GC_TIMED_OUT] - by_outcome[GC_RESET])
        return 0;
    printf("  not what the peers had in mind\n");
    return -1;
}

/* Each may take what its forerunners have left of the same time. */
static void close_one_by_one(const SOCKET *socks, unsigned long count, unsigned long all)
{
    unsigned long i, by_outcome[OUTCOMES] = {0};
    double start = now_ms(), took;

    for (i = 0; i < count; i++) {
        double left = start + DEADLINE_MS - now_ms();
        int outcome = gc_close((gc_socket)socks[i], left > 0.0 ? (unsigned int)left : 0U);

        if (outcome >= 0 && outcome < OUTCOMES) {
            by_outcome[outcome]++;
        } else {
            fprintf(stderr, "gc_close: %s\n", gc_outcome_name(outcome));
            closesocket(socks[i]);
        }
    }
    took = now_ms() - start;
    printf("gc_close, one after another: %lu connections, at most %u ms together\n", count, DEADLINE_MS);
    print_outcomes(by_outcome, took);
    if (by_outcome[GC_GRACEFUL] > 0)
        printf("  at this pace %lu would take %.0f minutes\n", all,
               took / (double)by_outcome[GC_GRACEFUL] * (double)all / 60000.0);
}

static int run_service(struct service *service, char *program, unsigned long wanted)
{
    unsigned long together, whole = 0;
    double start = now_ms();
    int failed;

    if (start_peers(service, program, wanted) != 0 || accept_peers(service, wanted) != 0)
        return -1;
    if (service->count <= SAMPLE) {
        fprintf(stderr, "too few connections\n");
        return -1;
    }
    together = service->count - SAMPLE;
    printf("%lu connections after %.1f s\n", service->count, (now_ms() - start) / 1000.0);
    fflush(stdout);
    say_farewell(service->socks + SAMPLE, together);
    failed = close_together(service->socks + SAMPLE, SAMPLE, together) != 0;
    fflush(stdout);
    say_farewell(service->socks, SAMPLE);
    close_one_by_one(service->socks, SAMPLE, together);

    if (shutdown(service->control, SD_SEND) != 0 || read_number(service->control, &whole) != 0
        || wait_for_process(service->process) != 0)
        return -1;
    printf("farewells that came whole: %lu of %lu\n", whole, service->count);
    return failed || whole != service->count ? -1 : 0;
}

int main(int argc, char **argv)
{
    int is_peers = argc == 4 && strcmp(argv[1], "peers") == 0; /* see start_peers() */
    unsigned long count = argc == 2 ? strtoul(argv[1], NULL, 10) : CONNECTIONS;
    unsigned long allowed;
    struct service service;

    if ((argc > 2 && !is_peers) || count == 0 || count > 1000000UL) {
        fprintf(stderr, "usage: shutdown_all [connections]\n");
        return EXIT_FAILURE;
    }
    make_farewell();
    if (net_start() != 0)
        return EXIT_FAILURE;
    if (is_peers)
        return run_peers((unsigned int)strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));

    allowed = allow_descriptors(count + SAMPLE + SPARE_DESCRIPTORS);
    if (allowed <= SAMPLE + SPARE_DESCRIPTORS) {
        fprintf(stderr, "%lu descriptors are too few\n", allowed);
        return EXIT_FAILURE;
    }
    if (allowed < count + SAMPLE + SPARE_DESCRIPTORS) {
        count = allowed - SAMPLE - SPARE_DESCRIPTORS;
        printf("a process may have %lu descriptors here: %lu connections\n", allowed, count);
    }
    memset(&service, 0, sizeof(service));
    return run_service(&service, argv[0], count + SAMPLE) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
