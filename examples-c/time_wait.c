/*
 * time_wait.c - who keeps the TIME_WAIT entries, and at what price
 *
 * Everybody who looked at netstat has seen thousands of TIME_WAIT entries and some
 * remedy against them. This program makes 200 connections over loopback for each way
 * of closing, twice: once the server has read the whole request, once 20 kB of it are
 * left unread. Each time the server sends 1 MiB and closes. Then it counts, for both
 * sides, the entries that are left, and the answers that did not arrive whole.
 *
 * The client knows how long the answer is. It reads that much, gives the server 10 ms
 * to close first, and closes. Its receive buffer holds 64 KiB: loopback has no delay,
 * and this keeps a part of the answer at the server, as a real network does.
 * Server and client are two threads of this process.
 *
 *   time_wait [connections]
 */
#include "example_net.h"
#include "graceful_close.h"

#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#include <iphlpapi.h>
#ifdef _MSC_VER
#pragma comment(lib, "iphlpapi.lib")
#endif
typedef HANDLE thread_handle;
#define THREAD_FUNCTION DWORD WINAPI
#define THREAD_END 0
#else
#include <pthread.h>
typedef pthread_t thread_handle;
#define THREAD_FUNCTION void *
#define THREAD_END NULL
#endif

#define READ_SIZE 1000    /* what the server reads of a request */
#define UNREAD_SIZE 20000 /* what it may leave unread */
#define ANSWER_SIZE 1048576
#define WINDOW 65536      /* the client's receive buffer */
#define PATIENCE_MS 10    /* how long the client leaves the first close to the server */
#define CLOSE_TIMEOUT_MS 5000U

enum way { BARE, LINGER_OFF, LINGER_ZERO, SHUTDOWN_BOTH, GC_CLOSE, GC_PEER_FIRST, GC_ABORT, WAYS };

static const char *const way_names[WAYS] = {
    "closesocket()",
    "SO_LINGER {0,0}, closesocket()",
    "SO_LINGER {1,0}, closesocket()",
    "shutdown(SD_BOTH), closesocket()",
    "gc_close(), we close first",
    "gc_close_with(), peer_first_ms",
    "gc_abort()"
};

struct server {
    SOCKET listener;
    int way;
    long connections;
    long failures; /* of the close itself */
};

static char answer_sent[ANSWER_SIZE];
static char answer_came[ANSWER_SIZE];

/* ---- the ways to close ---- */

static int close_bare(SOCKET sock)
{
    if (closesocket(sock) == 0)
        return 0;
    net_complain("closesocket");
    return -1;
}

static int close_with_linger(SOCKET sock, int on)
{
    struct linger linger;

    memset(&linger, 0, sizeof(linger));
    linger.l_onoff = on ? 1 : 0;
    linger.l_linger = 0;
    if (setsockopt(sock, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof(linger)) != 0)
        net_complain("SO_LINGER");
    return close_bare(sock);
}

static int close_after_shutdown(SOCKET sock)
{
    if (shutdown(sock, SD_BOTH) != 0)
        net_complain("shutdown");
    return close_bare(sock);
}

/* 0 is GC_GRACEFUL as well as the success of gc_abort. */
static int check(SOCKET sock, const char *function, int result)
{
    if (result == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", function, gc_outcome_name(result));
    if (result < 0) /* an error: the socket is still ours */
        close_bare(sock);
    return -1;
}

static int close_peer_first(SOCKET sock)
{
    gc_options options = GC_OPTIONS_INIT;

    options.timeout_ms = CLOSE_TIMEOUT_MS;
    options.peer_first_ms = CLOSE_TIMEOUT_MS / 2;
    return check(sock, "gc_close_with", gc_close_with(sock, &options, NULL));
}

static int close_by(SOCKET sock, int way)
{
    switch (way) {
    case LINGER_OFF:    return close_with_linger(sock, 0);
    case LINGER_ZERO:   return close_with_linger(sock, 1);
    case SHUTDOWN_BOTH: return close_after_shutdown(sock);
    case GC_CLOSE:      return check(sock, "gc_close", gc_close(sock, CLOSE_TIMEOUT_MS));
    case GC_PEER_FIRST: return close_peer_first(sock);
    case GC_ABORT:      return check(sock, "gc_abort", gc_abort(sock));
    default:            return close_bare(sock);
    }
}

/* ---- the server ---- */

static int read_request(SOCKET sock)
{
    char request[READ_SIZE];
    long have = 0;

    while (have < READ_SIZE) {
        long got = net_recv(sock, request, READ_SIZE - have);

        if (got <= 0) {
            net_complain("the request does not come");
            return -1;
        }
        have += got;
    }
    return 0;
}

static THREAD_FUNCTION serve(void *argument)
{
    struct server *server = (struct server *)argument;
    long i;

    for (i = 0; i < server->connections; i++) {
        SOCKET sock = accept(server->listener, NULL, NULL);

        if (sock == INVALID_SOCKET) {
            net_complain("accept");
            server->failures++;
            break;
        }
        if (read_request(sock) == 0 && net_send_all(sock, answer_sent, ANSWER_SIZE) != 0)
            net_complain("the answer cannot be sent");
        if (close_by(sock, server->way) != 0)
            server->failures++;
    }
    closesocket(server->listener); /* a client still to come is refused, not left waiting */
    return THREAD_END;
}

static int start_server(struct server *server, thread_handle *thread)
{
#ifdef _WIN32
    *thread = CreateThread(NULL, 0, serve, server, 0, NULL);
    if (*thread != NULL)
        return 0;
    fprintf(stderr, "no thread for the server (error %lu)\n", (unsigned long)GetLastError());
#else
    int error = pthread_create(thread, NULL, serve, server);

    if (error == 0)
        return 0;
    fprintf(stderr, "no thread for the server: %s\n", strerror(error));
#endif
    return -1;
}

static void wait_for_server(thread_handle thread)
{
#ifdef _WIN32
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
#else
    pthread_join(thread, NULL);
#endif
}

static SOCKET listen_on_loopback(struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);

    memset(address, 0, sizeof(*address));
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(0x7F000001UL); /* 127.0.0.1, any port */
    if (listener != INVALID_SOCKET && bind(listener, (struct sockaddr *)address, size) == 0
        && listen(listener, 16) == 0
        && getsockname(listener, (struct sockaddr *)address, &size) == 0)
        return listener;
    net_complain("loopback cannot be listened on");
    if (listener != INVALID_SOCKET)
        closesocket(listener);
    return INVALID_SOCKET;
}

/* ---- the client ---- */

/* 1: every byte of the answer came. A failing send is no reason not to read. */
static int answer_is_whole(SOCKET sock, size_t request_size)
{
    static const char request[READ_SIZE + UNREAD_SIZE] = "";
    size_t have = 0;

    (void)net_send_all(sock, request, request_size);
    while (have < ANSWER_SIZE) {
        long got = net_recv(sock, answer_came + have, ANSWER_SIZE - have);

        if (got <= 0)
            return 0; /* the end or a reset, and too early */
        have += (size_t)got;
    }
    return memcmp(answer_came, answer_sent, ANSWER_SIZE) == 0;
}

static void wait_for_end(SOCKET sock)
{
    fd_set readable;
    struct timeval patience;

    FD_ZERO(&readable);
    FD_SET(sock, &readable);
    patience.tv_sec = 0;
    patience.tv_usec = PATIENCE_MS * 1000;
    if (select((int)sock + 1, &readable, NULL, NULL, &patience) < 0)
        net_complain("select");
}

/* 1: the answer came whole. Without a connection there is nothing to measure. */
static int ask(const struct sockaddr_in *address, size_t request_size)
{
    SOCKET sock = socket(AF_INET, SOCK_STREAM, 0);
    int window = WINDOW;
    int whole;

    if (sock == INVALID_SOCKET
        || setsockopt(sock, SOL_SOCKET, SO_RCVBUF, (const char *)&window, sizeof(window)) != 0
        || connect(sock, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        net_complain("connect");
        exit(EXIT_FAILURE);
    }
    whole = answer_is_whole(sock, request_size);
    wait_for_end(sock);
    close_bare(sock);
    return whole;
}

/* ---- counting ---- */

struct counts {
    int known;
    long server, client; /* entries in TIME_WAIT whose own, or other, port is the server's */
};

static void count_entry(struct counts *counts, unsigned int own, unsigned int other, unsigned int port)
{
    counts->server += own == port;
    counts->client += other == port;
}

#ifdef _WIN32
static struct counts count_time_wait(unsigned int port)
{
    struct counts counts = {0, 0, 0};
    DWORD size = 0, error, i;
    MIB_TCPTABLE *table = NULL;

    while ((error = GetTcpTable(table, &size, FALSE)) == ERROR_INSUFFICIENT_BUFFER) {
        free(table);
        size += 4096; /* the table may grow before the next call */
        table = (MIB_TCPTABLE *)malloc(size);
        if (table == NULL)
            return counts;
    }
    counts.known = error == NO_ERROR && table != NULL && table->dwNumEntries > 0;
    for (i = 0; counts.known && i < table->dwNumEntries; i++)
        if (table->table[i].dwState == MIB_TCP_STATE_TIME_WAIT)
            count_entry(&counts, ntohs((u_short)table->table[i].dwLocalPort),
                        ntohs((u_short)table->table[i].dwRemotePort), port);
    free(table);
    return counts;
}
#else
static void count_in_file(const char *path, unsigned int port, struct counts *counts)
{
    char line[512];
    unsigned int own, other, state;
    FILE *file = fopen(path, "r");

    if (file == NULL)
        return; /* no /proc, or no IPv6 */
    counts->known = 1;
    while (fgets(line, (int)sizeof(line), file) != NULL)
        if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%x %x", &own, &other, &state) == 3
            && state == 6) /* TCP_TIME_WAIT */
            count_entry(counts, own, other, port);
    fclose(file);
}

static struct counts count_time_wait(unsigned int port)
{
    struct counts counts = {0, 0, 0};

    count_in_file("/proc/net/tcp", port, &counts);
    count_in_file("/proc/net/tcp6", port, &counts);
    return counts;
}
#endif

/* ---- the table ---- */

static int counts_unknown;

static void print_row(int way, size_t unread, struct counts left, long lost)
{
    printf("%-34s %-8s", way_names[way], unread == 0 ? "nothing" : "20 kB");
    if (left.known) {
        printf(" %8ld %8ld", left.server, left.client);
    } else {
        printf(" %8s %8s", "-", "-");
        counts_unknown = 1;
    }
    printf(" %9ld\n", lost);
    fflush(stdout);
}

static int run(int way, size_t unread, long connections)
{
    struct server server;
    struct sockaddr_in address;
    thread_handle thread;
    long i, lost = 0;

    server.listener = listen_on_loopback(&address);
    server.way = way;
    server.connections = connections;
    server.failures = 0;
    if (server.listener == INVALID_SOCKET)
        return -1;
    if (start_server(&server, &thread) != 0) {
        closesocket(server.listener);
        return -1;
    }
    for (i = 0; i < connections; i++)
        lost += !ask(&address, READ_SIZE + unread);
    wait_for_server(thread);
    print_row(way, unread, count_time_wait(ntohs(address.sin_port)), lost);
    if (lost > 0 && (way == GC_CLOSE || way == GC_PEER_FIRST))
        return -1; /* what must never happen */
    return server.failures == 0 ? 0 : -1;
}

static void print_head(long connections)
{
    printf("%ld connections each, answers of 1 MiB\n\n", connections);
    printf("%-34s %-8s %17s %9s\n", "", "left", "TIME_WAIT entries", "answers");
    printf("%-34s %-8s %8s %8s %9s\n", "the server's close", "unread", "server", "client", "cut short");
}

static void print_legend(void)
{
    if (counts_unknown)
        printf("\n- : the TIME_WAIT entries cannot be read here\n");
    printf("\nTIME_WAIT stays with the side that closes first. A reset leaves none on either side,\n"
           "and cuts off what was still on its way. peer_first_ms lets the client be the first.\n");
}

int main(int argc, char **argv)
{
    long connections = argc > 1 ? strtol(argv[1], NULL, 10) : 200;
    int way, failed = 0;
    size_t i;

    if (argc > 2 || connections < 1) {
        fprintf(stderr, "usage: time_wait [connections]\n");
        return EXIT_FAILURE;
    }
    if (net_start() != 0)
        return EXIT_FAILURE;
    for (i = 0; i < ANSWER_SIZE; i++)
        answer_sent[i] = (char)('a' + i % 23);
    print_head(connections);
    for (way = 0; way < WAYS; way++) {
        failed |= run(way, 0, connections) != 0;
        failed |= run(way, UNREAD_SIZE, connections) != 0;
    }
    print_legend();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
