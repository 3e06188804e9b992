/*
 * bench_rtt.c - answers that arrive whole over a wire with 20 ms round trip.
 *
 * The server reads 1 KiB of a request of 64 KiB or 1 MiB that is still arriving, writes an answer of 64 KiB and
 * ends the connection: a bare close(), shutdown(SHUT_WR)+close(), or gc_close(). The client writes its whole
 * request, then reads until the end; an answer is whole when all its bytes came, with or without an error
 * after them, and clean when the stream also ended by a FIN and no call of the client failed.
 *
 * Loopback hides this damage because everything arrives at once. So the wire is our own: two network
 * namespaces, a TUN device in each, and a carrier that reads packets from either and writes them to the
 * other 10 ms later, in order and without loss (tunlink.h). Needs root and /dev/net/tun; without them the row
 * says "skipped" and why.
 *
 * Fairness: the same server and the same client for all three ways; only the last call differs. The ways take
 * turns in portions of 250 connections.
 *
 * Goal: 1000 of 1000 with gc_close. (The bare close delivers none.)
 *
 * Arguments: --n CONNECTIONS (default 1000), --parallel CLIENTS (default 50).
 */
#include <sys/mman.h>
#include <sys/prctl.h>

#include "bench.h"
#include "tunlink.h"

#define ANSWER 65536
#define PEEK 1024
#define PORT 4711
#define PORTION 250
#define DELAY_NS 10000000

enum { GC, SHUTDOWN, BARE, WAYS };

static const char *names[WAYS] = {"gc_close", "shutdown+close", "bare close"};

/* shared by the three processes */
static struct shared {
    int way;
    int todo, whole, clean, bytes_kib;
    int not_graceful;
    int server_ready;
    int64_t dropped;
} *shared;

static int add(int *counter, int n) { return __atomic_add_fetch(counter, n, __ATOMIC_SEQ_CST); }

static void patience(int fd)
{
    struct timeval t = {20, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

/* ---- server ---------------------------------------------------------------------------------- */

static int listener;

static void *server_thread(void *unused)
{
    char *answer = calloc(1, ANSWER), peek[PEEK];
    (void)unused;
    for (;;) {
        int fd = accept_new(listener);
        size_t got = 0;
        ssize_t n;
        patience(fd);
        while (got < PEEK && (n = recv(fd, peek, PEEK - got, 0)) > 0)
            got += (size_t)n;
        for (size_t sent = 0; sent < ANSWER; sent += (size_t)n)
            if ((n = send(fd, answer + sent, ANSWER - sent, MSG_NOSIGNAL)) <= 0)
                break;
        switch (shared->way) {
        case GC:
            if (gc_close(fd, 15000) != GC_GRACEFUL)
                add(&shared->not_graceful, 1);
            break;
        case SHUTDOWN:
            shutdown(fd, SHUT_WR);
            close(fd);
            break;
        default:
            close(fd);
        }
    }
    return NULL;
}

static void server(int parallel)
{
    struct sockaddr_in address;
    int on = 1;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(TUNLINK_SERVER);
    address.sin_port = htons(PORT);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024))
        die("listen on the wire");
    for (int i = 0; i < parallel + 8; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, server_thread, NULL))
            die("pthread_create");
    }
    shared->server_ready = 1;
    for (;;)
        pause();
}

/* ---- client ---------------------------------------------------------------------------------- */

static size_t request_size;

static void one_request(const char *request)
{
    char buffer[16384];
    struct sockaddr_in address;
    int failed = 0;
    size_t got = 0;
    ssize_t n;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(TUNLINK_SERVER);
    address.sin_port = htons(PORT);
    int fd = connect_new(&address);
    patience(fd);
    for (size_t sent = 0; sent < request_size; sent += (size_t)n)
        if ((n = send(fd, request + sent, request_size - sent, MSG_NOSIGNAL)) <= 0) {
            failed = 1;
            break;
        }
    while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0)
        got += (size_t)n;
    failed |= n < 0;
    close(fd);
    add(&shared->whole, got == ANSWER);
    add(&shared->clean, got == ANSWER && !failed);
    add(&shared->bytes_kib, (int)(got / 1024));
}

static void *client_thread(void *unused)
{
    char *request = calloc(1, request_size);
    (void)unused;
    while (add(&shared->todo, -1) >= 0)
        one_request(request);
    free(request);
    return NULL;
}

static void client(int parallel, int way, int n, size_t size)
{
    pthread_t threads[256];
    shared->way = way;
    shared->todo = n;
    request_size = size;
    for (int i = 0; i < parallel; i++)
        if (pthread_create(&threads[i], NULL, client_thread, NULL))
            die("pthread_create");
    for (int i = 0; i < parallel; i++)
        pthread_join(threads[i], NULL);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static pid_t child_in(int namespace, void (*run)(void *), void *argument)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (namespace >= 0 && setns(namespace, CLONE_NEWNET))
            die("setns");
        run(argument);
        _exit(0);
    }
    return pid;
}

static struct tunlink link_;
static int parallel;

static void run_server(void *unused)
{
    (void)unused;
    server(parallel);
}

static void run_carrier(void *unused)
{
    (void)unused;
    tunlink_carry(&link_, DELAY_NS, &shared->dropped);
}

struct portion {
    int way, n;
    size_t size;
};

static void run_client(void *argument)
{
    struct portion *p = argument;
    client(parallel, p->way, p->n, p->size);
}

static int measure(int n, size_t size)
{
    int whole[WAYS] = {0}, clean[WAYS] = {0}, kib[WAYS] = {0}, done[WAYS] = {0}, wrong;
    double seconds[WAYS] = {0};
    shared->not_graceful = 0;
    for (int turn = 0; done[WAYS - 1] < n || done[0] < n; turn++) {
        struct portion p = {turn % WAYS, PORTION, size};
        int64_t start = now_ns();
        int status;
        if (p.n > n - done[p.way])
            p.n = n - done[p.way];
        shared->whole = shared->clean = shared->bytes_kib = 0;
        waitpid(child_in(link_.namespaces[1], run_client, &p), &status, 0);
        if (status != 0)
            exit(1);
        usleep(200000); /* what is still under way must meet its own way, not the next one */
        done[p.way] += p.n;
        whole[p.way] += shared->whole;
        clean[p.way] += shared->clean;
        kib[p.way] += shared->bytes_kib;
        seconds[p.way] += (double)(now_ns() - start) / 1e9 - 0.2;
    }
    wrong = whole[GC] != n;
    for (int way = 0; way < WAYS; way++) {
        row(text("20 ms round trip, request of %zu KiB, answers whole (clean): %s", size / 1024, names[way]), "",
            text("%d (%d) of %d", whole[way], clean[way], n),
            text("%.1f %% of the bytes, %.1f s", 100.0 * kib[way] / (n * (ANSWER / 1024.0)), seconds[way]),
            way == GC ? text("%d of %d", n, n) : "", way == GC ? verdict(!wrong) : "");
    }
    if (shared->not_graceful)
        fprintf(stderr, "bench_rtt: %d closes were not graceful\n", shared->not_graceful);
    return wrong;
}

int main(int argc, char **argv)
{
    int n = argument(argc, argv, "--n", 1000), wrong;
    const char *why;
    parallel = argument(argc, argv, "--parallel", 50);
    if (parallel > 256)
        parallel = 256;
    if ((why = tunlink_open(&link_)) != NULL) {
        row("20 ms round trip, answers whole", "", "", "", "1000 of 1000", text("skipped: %s", why));
        fprintf(stderr, "bench_rtt: SKIPPED: %s\n", why);
        return 0;
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("mmap");
    pid_t carrier = child_in(-1, run_carrier, NULL);
    pid_t serving = child_in(link_.namespaces[0], run_server, NULL);
    for (int i = 0; i < 500 && !__atomic_load_n(&shared->server_ready, __ATOMIC_SEQ_CST); i++)
        usleep(10000);

    wrong = measure(n, 64 << 10);
    wrong += measure(n, 1 << 20);
    if (shared->dropped)
        fprintf(stderr, "bench_rtt: the carrier dropped %lld packets\n", (long long)shared->dropped);
    kill(serving, SIGKILL);
    kill(carrier, SIGKILL);
    waitpid(serving, NULL, 0);
    waitpid(carrier, NULL, 0);
    return wrong != 0;
}
