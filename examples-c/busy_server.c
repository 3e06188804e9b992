/*
 * busy_server.c - a select() server that answers early and never waits for a close
 *
 * One thread, one select() loop, up to 2,000 clients. It looks at the header of a
 * request, answers, and is done with the client: the rest of the request stays unread.
 * A bare closesocket would reset the connection and cut the answer; a graceful close
 * takes as long as the client likes to. So the socket leaves the server's own table
 * first, and gc_close_async finishes it in the background: see let_go().
 *
 * On POSIX select() knows only descriptors below FD_SETSIZE, often 1024. A client that
 * is slow to hang up costs none of these: gc_close_async moves its socket above 1023,
 * and the low number is free for the next client. On Windows FD_SETSIZE is the number
 * of sockets in a set, and is ours to choose.
 *
 *   busy_server serve [port [connections]]
 *   busy_server selftest [bare]
 *
 * serve: port 0, the default, lets the system choose one. Ends after so many
 * connections, or by Ctrl-C. Any path will do; a number in it (GET /17) chooses
 * where in its text the answer begins. Tells its statistics at the end.
 *
 * selftest: serves 2,000 clients from eight more processes of this program, slow,
 * talkative and rude ones among them, which compare every byte of their answers. Exits 0
 * only if all of them came whole. With "bare" the server calls closesocket instead, to
 * show that the test notices.
 */
#ifdef _WIN32
#define FD_SETSIZE 2048 /* before winsock2.h */
#endif
#include "example_net.h"
#include "example_process.h"
#include "graceful_close.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#define MAX_CLIENTS 2000U
#define fits_into_fd_set(sock) ((void)(sock), 1) /* a set is a list of sockets */
#else
#define MAX_CLIENTS ((unsigned int)FD_SETSIZE - 64U) /* some numbers are files, listeners ... */
#define fits_into_fd_set(sock) ((sock) < (int)FD_SETSIZE)
#endif

#define HEADER_SIZE 1024U
#define ANSWER_SIZE 40000UL
#define NUMBERS 2000UL             /* how many different answers there are */
#define CLIENT_TIMEOUT_MS 30000.0  /* for a client to take its answer */
#define CLOSE_TIMEOUT_MS 5000U
#define EXIT_TIMEOUT_MS 5000U      /* how long the end of the program waits for pending closes */
#define MOST_PENDING 4000UL        /* descriptors to ask for on top of the clients' */

static void sleep_ms(unsigned int ms)
{
#ifdef _WIN32
    Sleep(ms);
#else
    struct timespec pause;

    pause.tv_sec = (time_t)(ms / 1000U);
    pause.tv_nsec = (long)(ms % 1000U) * 1000000L;
    nanosleep(&pause, NULL);
#endif
}

/* ---- the answers: server and self-test make the same ---- */

static char answer_head[128];
static size_t answer_head_size;
static char answer_text[ANSWER_SIZE + NUMBERS];

/* Answer n begins n bytes into the text: none is like another, and none needs memory. */
static void make_answers(void)
{
    unsigned long random = 1, i;

    for (i = 0; i < sizeof(answer_text); i++) {
        random = (random * 1103515245UL + 12345UL) & 0x7FFFFFFFUL;
        answer_text[i] = (char)(i % 64 == 63 ? '\n' : 'a' + (int)(random >> 16) % 26);
    }
    answer_head_size = (size_t)sprintf(answer_head,
                                       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                       "Content-Length: %lu\r\nConnection: close\r\n\r\n",
                                       ANSWER_SIZE);
}

/* What follows the first `at` bytes of answer `number`; size 0: nothing. */
static const char *rest_of_answer(unsigned long number, size_t at, size_t *size)
{
    if (at < answer_head_size) {
        *size = answer_head_size - at;
        return answer_head + at;
    }
    at -= answer_head_size;
    *size = ANSWER_SIZE - at;
    return answer_text + number % NUMBERS + at;
}

/* ---- the server ---- */

struct client {
    SOCKET sock;
    int answers;          /* 0: its header is being read */
    unsigned long number; /* of the answer */
    size_t at;            /* so much of the header came, or of the answer is sent */
    double deadline;
    char header[HEADER_SIZE];
};

static struct client clients[MAX_CLIENTS];
static unsigned int client_count;
static int close_bare; /* selftest bare */
static unsigned long accepted, turned_away;
static unsigned int most_clients;
static unsigned long most_pending;
static SOCKET highest_watched;
static double accept_again; /* no accept() before: there were no descriptors */
static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

/* On whichever thread a close has ended. */
static void log_line(void *user, int outcome, const char *line)
{
    (void)user;
    (void)outcome;
    fprintf(stderr, "busy_server: %s\n", line);
}

static unsigned long count_pending(void)
{
    gc_stats stats = GC_STATS_INIT;

    return gc_get_stats(&stats) == 0 ? (unsigned long)stats.pending : 0;
}

/* Whatever was not read of the request, and however long the client takes: we are done. */
static void close_in_background(SOCKET sock)
{
    unsigned long pending;
    int error = close_bare ? -1 : gc_close_async(sock, CLOSE_TIMEOUT_MS);

    if (error != 0) { /* refused: the socket is still ours */
        if (!close_bare)
            fprintf(stderr, "busy_server: gc_close_async: %s\n", gc_outcome_name(error));
        closesocket(sock);
    }
    pending = count_pending();
    if (pending > most_pending)
        most_pending = pending;
}

/* Out of our table first: it must not be in any set of ours when it is handed over. */
static void let_go(unsigned int index)
{
    SOCKET sock = clients[index].sock;

    client_count--;
    if (index != client_count)
        clients[index] = clients[client_count];
    close_in_background(sock);
}

static void send_answer(unsigned int index)
{
    struct client *client = &clients[index];
    const char *piece;
    size_t size;
    long sent;

    for (;;) {
        piece = rest_of_answer(client->number, client->at, &size);
        if (size == 0)
            break;
        sent = (long)send(client->sock, piece, (net_size)size, 0);
        if (sent < 0 && net_would_block())
            return;
        if (sent < 0) {
            net_complain("busy_server: an answer cannot be sent");
            break;
        }
        client->at += (size_t)sent;
    }
    let_go(index);
}

/* The header alone says what to answer; the body, if there is one, is never read. */
static void read_header(unsigned int index)
{
    struct client *client = &clients[index];
    const char *path;
    long got = net_recv(client->sock, client->header + client->at, HEADER_SIZE - 1 - client->at);

    if (got < 0 && net_would_block())
        return;
    if (got > 0) {
        client->at += (size_t)got;
        client->header[client->at] = '\0';
        if (strstr(client->header, "\r\n\r\n") != NULL) {
            path = strchr(client->header, '/');
            client->number = path == NULL ? 0 : strtoul(path + 1, NULL, 10);
            client->at = 0;
            client->answers = 1;
            send_answer(index);
            return;
        }
        if (client->at < HEADER_SIZE - 1)
            return;
    }
    let_go(index); /* it left, or its header is too long */
}

/*
 * Its descriptor is one that select() cannot watch: one word, without waiting. This comes
 * to pass only where the limit of descriptors leaves the pending closes none above 1023.
 */
static void turn_away(SOCKET sock)
{
    static const char busy[] = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    turned_away++;
    if (net_send_all(sock, busy, strlen(busy)) != 0)
        net_complain("busy_server: nobody could be told that we are busy");
    close_in_background(sock);
}

static void welcome(SOCKET sock)
{
    struct client *client;

    if (net_unblock(sock) != 0) {
        net_complain("busy_server: a socket cannot be made non-blocking");
        closesocket(sock);
        return;
    }
    if (!fits_into_fd_set(sock)) {
        turn_away(sock);
        return;
    }
    client = &clients[client_count++];
    client->sock = sock;
    client->answers = 0;
    client->number = 0;
    client->at = 0;
    client->deadline = now_ms() + CLIENT_TIMEOUT_MS;
    if (client_count > most_clients)
        most_clients = client_count;
    if (sock > highest_watched)
        highest_watched = sock;
}

/* connections == 0: no limit */
static int takes_more(unsigned long connections)
{
    return client_count < MAX_CLIENTS && (connections == 0 || accepted < connections);
}

static void accept_all(SOCKET listener, unsigned long connections)
{
    while (takes_more(connections)) {
        SOCKET sock = accept(listener, NULL, NULL);

        if (sock == INVALID_SOCKET) {
            if (!net_would_block()) { /* no descriptors, say. The listener stays readable: */
                net_complain("busy_server: accept");
                accept_again = now_ms() + 100.0; /* do not spin */
            }
            return;
        }
        accepted++;
        welcome(sock);
    }
}

/* Waits a moment for something to do. The sets are made anew each time. */
static int watch(SOCKET listener, int with_listener, fd_set *readable, fd_set *writable)
{
    SOCKET highest = listener;
    struct timeval patience;
    unsigned int i;
    int ready;

    FD_ZERO(readable);
    FD_ZERO(writable);
    if (with_listener)
        FD_SET(listener, readable);
    for (i = 0; i < client_count; i++) {
        if (clients[i].answers)
            FD_SET(clients[i].sock, writable);
        else
            FD_SET(clients[i].sock, readable);
        if (clients[i].sock > highest)
            highest = clients[i].sock;
    }
    if (!with_listener && client_count == 0) { /* Winsock does not wait for nothing */
        sleep_ms(20);
        return 0;
    }
    patience.tv_sec = 0;
    patience.tv_usec = 100000;
    ready = select((int)highest + 1, readable, writable, NULL, &patience);
    if (ready >= 0 || net_would_block()) /* interrupted counts as that */
        return ready > 0 ? 1 : 0;
    net_complain("busy_server: select");
    return -1;
}

/* From the end, because let_go() moves the last client into the gap. */
static void serve_clients(int any_ready, fd_set *readable, fd_set *writable)
{
    double now = now_ms();
    unsigned int i;

    for (i = client_count; i-- > 0;) {
        if (any_ready && FD_ISSET(clients[i].sock, readable))
            read_header(i);
        else if (any_ready && FD_ISSET(clients[i].sock, writable))
            send_answer(i);
        else if (now >= clients[i].deadline)
            let_go(i);
    }
}

/* Until Ctrl-C, or until so many connections are dealt with; until_ms 0: no time limit. */
static int serve(SOCKET listener, unsigned long connections, double until_ms)
{
    fd_set readable, writable;
    int result = 0;

    while (!stop_asked && (connections == 0 || accepted < connections || client_count > 0)) {
        double now = now_ms();
        int with_listener = takes_more(connections) && now >= accept_again;
        int ready = watch(listener, with_listener, &readable, &writable);

        if (ready < 0 || (until_ms > 0.0 && now > until_ms)) {
            result = -1;
            break;
        }
        serve_clients(ready, &readable, &writable);
        if (with_listener && ready && FD_ISSET(listener, &readable))
            accept_all(listener, connections);
    }
    while (client_count > 0)
        let_go(client_count - 1);
    return result;
}

/* Called by exit(), after gc_flush_at_exit(): what is registered last runs first. */
static void print_statistics(void)
{
    gc_stats stats = GC_STATS_INIT;
    int outcome;

    printf("clients: %lu, at once %u, turned away %lu\n", accepted, most_clients, turned_away);
#ifndef _WIN32
    printf("highest descriptor in select(): %lu, FD_SETSIZE %lu\n", (unsigned long)highest_watched,
           (unsigned long)FD_SETSIZE);
#endif
    if (gc_get_stats(&stats) != 0)
        return;
    printf("closes pending: at once %lu, now %lu\n", most_pending, (unsigned long)stats.pending);
    for (outcome = 0; outcome < (int)(sizeof(stats.by_outcome) / sizeof(stats.by_outcome[0])); outcome++)
        if (stats.by_outcome[outcome] > 0)
            printf("closed, %s: %lu\n", gc_outcome_name(outcome), (unsigned long)stats.by_outcome[outcome]);
    printf("bytes that nobody read: %lu\n", (unsigned long)stats.drained_bytes);
}

static int start_server(SOCKET *listener, unsigned int *port)
{
    struct sockaddr_in address;
    unsigned long wanted = MAX_CLIENTS + MOST_PENDING;
    unsigned long allowed = allow_descriptors(wanted);

    if (allowed < wanted)
        fprintf(stderr, "busy_server: only %lu descriptors are allowed\n", allowed);
    *listener = listen_on_loopback(&address, *port);
    if (*listener == INVALID_SOCKET)
        return -1;
    *port = ntohs(address.sin_port);
    if (net_unblock(*listener) == 0) /* who was in the queue may have left again */
        return 0;
    net_complain("the listener cannot be made non-blocking");
    closesocket(*listener);
    return -1;
}

static int run_server(unsigned int port, unsigned long connections)
{
    SOCKET listener;
    int result;

    if (start_server(&listener, &port) != 0)
        return EXIT_FAILURE;
    printf("listening on port %u\n", port);
    fflush(stdout); /* whoever started us may be reading a pipe */
    signal(SIGINT, ask_to_stop);
    signal(SIGTERM, ask_to_stop);
    result = serve(listener, connections, 0.0);
    closesocket(listener);
    printf("stopping with %lu closes pending\n", count_pending());
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the clients of the self-test: they know nothing of the library ---- */

#define PROCESSES 8
#define VISITORS 250U /* in each process; an exit status can count so far */
#define VISITOR_DESCRIPTORS (VISITORS + 20UL)
#define START_EVERY_MS 2.0
#define STAY_MS 2000.0
#define BODY_SIZE 100000UL
#define WINDOW 16384  /* receive buffer: keeps a part of the answer at the server, as a real network does */
#define TEST_LIMIT_MS 100000.0
#define VISIT_LIMIT_MS 60000.0

enum kind {
    QUICK,     /* takes the answer, hangs up */
    SLOW,      /* takes the answer in small pieces */
    TALKATIVE, /* sends all of a long request before it reads anything */
    STAYING,   /* goes on with its request long after it has the answer */
    RUDE       /* hangs up by a reset, once it has the answer */
};

enum phase { TO_COME, SENDING, READING, LOITERING, GONE };

struct visitor {
    SOCKET sock;
    unsigned long number;
    enum kind kind;
    enum phase phase;
    double wake;       /* does nothing before */
    double leave;      /* LOITERING until */
    char header[128];
    size_t header_size, request_size, sent, came;
    int is_whole;
};

static struct visitor visitors[VISITORS];
static int has_complained;

/* Most stay: more connections are pending then than select() could watch. */
static enum kind kind_of(unsigned long number)
{
    if (number % 200 == 199)
        return RUDE;
    if (number % 8 < 3)
        return (enum kind)(number % 8);
    return STAYING;
}

static void expect_visitor(struct visitor *visitor, unsigned long number, double start)
{
    memset(visitor, 0, sizeof(*visitor));
    visitor->sock = INVALID_SOCKET;
    visitor->number = number;
    visitor->kind = kind_of(number);
    visitor->phase = TO_COME;
    visitor->wake = start;
    visitor->header_size = (size_t)sprintf(visitor->header,
                                           "POST /%lu HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                           "Content-Length: %lu\r\n\r\n", number, BODY_SIZE);
    visitor->request_size = visitor->header_size;
    if (visitor->kind == TALKATIVE)
        visitor->request_size += BODY_SIZE;
}

static void leave(struct visitor *visitor)
{
    if (visitor->sock != INVALID_SOCKET && visitor->kind == RUDE)
        close_by_reset(visitor->sock);
    else if (visitor->sock != INVALID_SOCKET)
        closesocket(visitor->sock);
    visitor->sock = INVALID_SOCKET;
    visitor->phase = GONE;
}

/* What happened to the first, at least. */
static void miss(struct visitor *visitor, const char *why)
{
    if (!has_complained)
        fprintf(stderr, "client %lu: after %lu bytes: %s\n", visitor->number, (unsigned long)visitor->came, why);
    has_complained = 1;
    leave(visitor);
}

static void come(struct visitor *visitor, unsigned int port)
{
    visitor->sock = connect_to_loopback(port, WINDOW);
    if (visitor->sock == INVALID_SOCKET || net_unblock(visitor->sock) != 0)
        miss(visitor, "no connection");
    else
        visitor->phase = SENDING;
}

static void send_request(struct visitor *visitor)
{
    static const char body[16384] = "";
    const char *piece = body;
    size_t size = visitor->request_size - visitor->sent;
    long sent;

    if (visitor->sent < visitor->header_size) {
        piece = visitor->header + visitor->sent;
        size = visitor->header_size - visitor->sent;
    } else if (size > sizeof(body)) {
        size = sizeof(body);
    }
    sent = (long)send(visitor->sock, piece, (net_size)size, 0);
    if (sent < 0 && net_would_block())
        return;
    if (sent >= 0)
        visitor->sent += (size_t)sent;
    if (sent >= 0 && visitor->sent < visitor->request_size)
        return;
    visitor->phase = READING; /* a failing send is no reason not to read */
    if (visitor->kind == SLOW || visitor->kind == TALKATIVE)
        visitor->wake = now_ms() + 300.0;
}

/* All came, and then the end, and no reset. */
static void be_content(struct visitor *visitor)
{
    visitor->is_whole = 1;
    if (visitor->kind == STAYING) {
        visitor->phase = LOITERING;
        visitor->leave = now_ms() + STAY_MS;
    } else {
        leave(visitor);
    }
}

static void read_answer(struct visitor *visitor)
{
    static char piece[16384];
    size_t wanted = visitor->kind == SLOW ? 2000 : sizeof(piece), done = 0, size;
    long got = net_recv(visitor->sock, piece, wanted);

    if (got < 0 && net_would_block())
        return;
    if (got < 0) {
        miss(visitor, "reset");
        return;
    }
    while (done < (size_t)got) {
        const char *expected = rest_of_answer(visitor->number, visitor->came, &size);

        if (size > (size_t)got - done)
            size = (size_t)got - done;
        if (size == 0 || memcmp(expected, piece + done, size) != 0) {
            miss(visitor, "wrong bytes");
            return;
        }
        done += size;
        visitor->came += size;
    }
    if (visitor->kind == SLOW)
        visitor->wake = now_ms() + 25.0;
    if (got > 0)
        return;
    if (visitor->came == answer_head_size + ANSWER_SIZE)
        be_content(visitor);
    else
        miss(visitor, "the end, too early");
}

static void loiter(struct visitor *visitor, double now)
{
    static const char more[100] = "";

    if (now >= visitor->leave) {
        leave(visitor);
        return;
    }
    (void)send(visitor->sock, more, (net_size)sizeof(more), 0); /* nobody listens */
    visitor->wake = now + 200.0;
}

static int watch_visitors(fd_set *readable, fd_set *writable, double now)
{
    SOCKET highest = 0;
    struct timeval patience;
    unsigned int i;
    int any = 0;

    FD_ZERO(readable);
    FD_ZERO(writable);
    for (i = 0; i < VISITORS; i++) {
        struct visitor *visitor = &visitors[i];

        if (visitor->phase == SENDING)
            FD_SET(visitor->sock, writable);
        else if (visitor->phase == READING && now >= visitor->wake)
            FD_SET(visitor->sock, readable);
        else
            continue;
        any = 1;
        if (visitor->sock > highest)
            highest = visitor->sock;
    }
    if (!any) {
        sleep_ms(5);
        return 0;
    }
    patience.tv_sec = 0;
    patience.tv_usec = 20000;
    return select((int)highest + 1, readable, writable, NULL, &patience);
}

static unsigned int move_visitors(unsigned int port, int any_ready, fd_set *readable, fd_set *writable)
{
    double now = now_ms();
    unsigned int i, left = 0;

    for (i = 0; i < VISITORS; i++) {
        struct visitor *visitor = &visitors[i];

        if (visitor->phase == TO_COME && now >= visitor->wake)
            come(visitor, port);
        else if (visitor->phase == SENDING && any_ready && FD_ISSET(visitor->sock, writable))
            send_request(visitor);
        else if (visitor->phase == READING && any_ready && FD_ISSET(visitor->sock, readable))
            read_answer(visitor);
        else if (visitor->phase == LOITERING && now >= visitor->wake)
            loiter(visitor, now);
        left += visitor->phase != GONE;
    }
    return left;
}

/* The second process. Returns how many answers did not come whole: its exit status. */
static int visit(unsigned int port, unsigned long first)
{
    fd_set readable, writable;
    double start = now_ms();
    int missing = 0;
    unsigned int i;

    allow_descriptors(VISITOR_DESCRIPTORS);
    for (i = 0; i < VISITORS; i++)
        expect_visitor(&visitors[i], first + i, start + START_EVERY_MS * i);
    do {
        int ready = watch_visitors(&readable, &writable, now_ms());

        if (ready < 0 && !net_would_block()) {
            net_complain("client: select");
            break;
        }
        if (move_visitors(port, ready > 0, &readable, &writable) == 0)
            break;
    } while (now_ms() - start < VISIT_LIMIT_MS);
    for (i = 0; i < VISITORS; i++)
        missing += !visitors[i].is_whole;
    return missing;
}

/* ---- the self-test ---- */

static int start_visitors(char *program, unsigned int port, unsigned int index, process_handle *process)
{
    char mode[] = "visit", port_word[16], first_word[16];
    char *words[5];

    sprintf(port_word, "%u", port);
    sprintf(first_word, "%u", index * VISITORS);
    words[0] = program;
    words[1] = mode;
    words[2] = port_word;
    words[3] = first_word;
    words[4] = NULL;
    return start_process(process, words);
}

static int self_test(char *program)
{
    process_handle processes[PROCESSES];
    unsigned int port = 0, started = 0, i;
    unsigned long whole = 0, all = PROCESSES * VISITORS;
    double begun = now_ms();
    SOCKET listener;

    if (allow_descriptors(VISITOR_DESCRIPTORS) < VISITOR_DESCRIPTORS) {
        fprintf(stderr, "busy_server: the test needs %lu descriptors in a process\n", VISITOR_DESCRIPTORS);
        return EXIT_FAILURE;
    }
    if (start_server(&listener, &port) != 0)
        return EXIT_FAILURE;
    while (started < PROCESSES && start_visitors(program, port, started, &processes[started]) == 0)
        started++;
    if (started == 0) {
        closesocket(listener);
        return EXIT_FAILURE;
    }
    if (serve(listener, (unsigned long)started * VISITORS, begun + TEST_LIMIT_MS) != 0)
        fprintf(stderr, "busy_server: the test was given up\n");
    closesocket(listener);
    printf("%u clients served after %.1f s, %lu closes pending\n", started * VISITORS,
           (now_ms() - begun) / 1000.0, count_pending());
    fflush(stdout);
    for (i = 0; i < started; i++) {
        int missing = wait_for_process(processes[i]);

        if (missing >= 0 && missing <= (int)VISITORS)
            whole += VISITORS - (unsigned long)missing;
        else
            fprintf(stderr, "busy_server: the clients of process %u do not tell\n", i);
    }
    printf("answers that came whole: %lu of %lu\n", whole, all);
    return whole == all ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int usage(void)
{
    fprintf(stderr, "usage: busy_server serve [port [connections]]\n"
                    "       busy_server selftest [bare]\n");
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    unsigned long port = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    unsigned long number = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

    if (port > 65535UL || argc > 4)
        return usage();
    make_answers();
    if (strcmp(mode, "visit") == 0 && argc == 4) /* for ourselves, see start_visitors() */
        return net_start() == 0 ? visit((unsigned int)port, number) : EXIT_FAILURE;
    if (strcmp(mode, "serve") != 0 && strcmp(mode, "selftest") != 0)
        return usage();

    if (atexit(print_statistics) != 0 || GRACEFUL_CLOSE_FLUSH_AT_EXIT(EXIT_TIMEOUT_MS) != 0)
        fprintf(stderr, "busy_server: pending closes will be cut off at the end\n");
    gc_set_log(log_line, NULL);
    if (net_start() != 0)
        return EXIT_FAILURE;
    if (strcmp(mode, "serve") == 0)
        return run_server((unsigned int)port, number);
    close_bare = argc > 2 && strcmp(argv[2], "bare") == 0;
    if (argc > 2 + close_bare)
        return usage();
    return self_test(argv[0]);
}
