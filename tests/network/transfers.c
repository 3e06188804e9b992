/*
 * transfers.c HARM COUNT - transfers over a wire that does HARM, from two namespaces of its own
 *
 * We send, and close by one of the library's forms; the peer, another process, reads to the end, and
 * answers, or has finished before. Half of the connections are made by us, half by the peer. Held
 * against what passed on the wire and what the peer's program got:
 *   - GC_GRACEFUL: the peer's FIN came to us, and an acknowledgement of all of ours and our FIN; where
 *     its program was not killed, it got every byte;
 *   - GC_DELIVERED: the acknowledgement;
 *   - what a bare close would have delivered in the end (loss, a cut) is delivered;
 *   - nothing takes longer than its time-out allows.
 * The last line is one of a table. Exit status 77: cannot be run here.
 */
#define _GNU_SOURCE
#include "wire.h"
#include "transfers.h"

#define TIME_MS 2500
#define SLACK_MS 1500 /* a machine that others use, too */
#define PATIENCE_MS 12000

enum form { WITH, MANY, STEPS, REAPER, DEFERRED, ACKED, ABORTING, FORMS };

static struct wire *wire;
static struct shared *shared;
static gc_reaper *reaper;
static int harm, count;

struct ours {
    int at, fd, accepted;
    struct passed *passed;
    int outcome;
    double took_ms;
    gc_report report;
    volatile int told;
};
static struct ours all[MOST];

/* one that is cut off for two seconds is tried again after three */
static int time_ms(void) { return harm == CUT ? 2 * TIME_MS : TIME_MS; }

static double now_ms(void) { return (double)now_ns() / 1e6; }

static void tell(void *user, gc_socket sock, const gc_report *report)
{
    struct ours *one = user;
    (void)sock;
    one->report = *report;
    one->took_ms = now_ms() - one->took_ms;
    one->told = 1;
}

static int in_steps(struct ours *one, const gc_options *options)
{
    gc_closing *closing;
    int code = gc_closing_new(one->fd, options, &closing);
    if (code != 0) return code;
    while ((code = gc_closing_step(closing)) == GC_PENDING) {
        struct pollfd p = { gc_closing_socket(closing), gc_closing_wants_read(closing) ? POLLIN : 0, 0 };
        unsigned ms = gc_closing_timeout_ms(closing);
        if (p.events) poll(&p, 1, ms > 10000 ? 10000 : (int)ms);
        else usleep(ms > 10 ? 10000 : ms * 1000 + 500);
    }
    gc_closing_free(closing);
    return code;
}

static int close_it(struct ours *one)
{
    gc_options options = GC_OPTIONS_INIT;
    int form = one->at % FORMS, code;
    options.timeout_ms = (unsigned)time_ms();
    if (form == DEFERRED) options.flags = GC_DEFERRED;
    if (form == ACKED) options.flags = GC_UNTIL_ACKED;
    if (form == ABORTING) options.fallback = GC_THEN_ABORT;
    switch (form) {
    case STEPS: return in_steps(one, &options);
    case MANY:
        code = gc_close_many(&one->fd, 1, &options, &one->report);
        return code < 0 ? code : one->report.outcome;
    case REAPER:
    case DEFERRED:
        code = gc_reaper_close(reaper, one->fd, &options, tell, one);
        while (code == 0 && !one->told) usleep(2000);
        return code < 0 ? code : one->report.outcome;
    default: return gc_close_with(one->fd, &options, &one->report);
    }
}

static void *transfer(void *argument)
{
    struct ours *one = argument;
    static const char data[1 << 17];
    one->report = (gc_report)GC_REPORT_INIT;
    size_t size = harm == WINDOW ? sizeof data : BYTES;
    await_go(shared);
    ssize_t sent = send(one->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    one->accepted = sent < 0 ? 0 : (int)sent;
    if (harm == KILLED) usleep((useconds_t)(one->at * 37 % 20) * 1000);
    one->took_ms = now_ms();
    double start = one->took_ms;
    one->outcome = close_it(one);
    if (!one->told) one->took_ms = now_ms() - start;
    return NULL;
}

/* --- the verdict --- */

static int violations;

static void complain(const struct ours *one, const char *what)
{
    const struct result *peer = &shared->results[one->at];
    violations++;
    fprintf(stderr, "%s, transfer %d (form %d): %s: %s after %.0f ms; accepted %d, the peer got %ld (ended %d, error %d)\n",
            harms[harm], one->at, one->at % FORMS, what, gc_outcome_name(one->outcome), one->took_ms,
            one->accepted, peer->bytes, peer->ended, peer->error);
}

/* the peer's program, or its TCP, has all of it */
static int has_acked(const struct ours *one)
{
    return one->passed->has_fin && one->passed->has_ack && (int32_t)(one->passed->acked - one->passed->fin) >= 0;
}

/* nothing but time is needed, and nobody resets on purpose */
static int arrives_in_the_end(const struct ours *one)
{
    int ends = harm <= CUT || harm == BOTH;
    return ends && one->at % FORMS != ABORTING && one->outcome != GC_RESET;
}

static void judge(const struct ours *one)
{
    const struct result *peer = &shared->results[one->at];
    int is_all = peer->ended && peer->error == 0 && peer->bytes == one->accepted;
    if (one->outcome < 0) complain(one, "refused");
    if (one->took_ms > time_ms() + SLACK_MS) complain(one, "late");
    if (one->outcome == GC_GRACEFUL && !(has_acked(one) && one->passed->peer_fin)) complain(one, "not graceful");
    if (one->outcome == GC_GRACEFUL && harm != KILLED && !is_all) complain(one, "not all of it has arrived");
    if (one->outcome == GC_DELIVERED && !has_acked(one)) complain(one, "not delivered");
    if (one->outcome == GC_RESET && !one->passed->was_reset) complain(one, "nobody has reset it");
    if (arrives_in_the_end(one) && peer->ended && !is_all) complain(one, "a bare close would have delivered it");
}

static void tell_all(void)
{
    int by_outcome[16] = { 0 }, in_full = 0;
    double most = 0;
    for (int i = 0; i < count; i++) {
        const struct result *peer = &shared->results[i];
        judge(&all[i]);
        if (all[i].outcome >= 0 && all[i].outcome < 16) by_outcome[all[i].outcome]++;
        in_full += peer->ended && peer->error == 0 && peer->bytes == all[i].accepted;
        if (all[i].took_ms > most) most = all[i].took_ms;
    }
    printf("| %s | %d | %ld of %ld |", harms[harm], count, wire->harmed, wire->packets);
    for (int code = 0; code < 16; code++)
        if (by_outcome[code] > 0) printf(" %s %d", gc_outcome_name(code), by_outcome[code]);
    printf(" | %d | %.0f ms | %d |\n", in_full, most, violations);
}

/* --- the parts --- */

/* every second one connects to the peer's listener, the others are accepted */
static void connect_all(int listener)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(TUNLINK_CLIENT) } }, own;
    for (int i = 0; i < count; i++) {
        struct ours *one = &all[i];
        socklen_t size = sizeof own;
        if (i % 2 == 0) {
            int index = -1;
            int fd = accept(listener, (struct sockaddr *)&own, &size);
            if (fd < 0 || recv(fd, &index, sizeof index, MSG_WAITALL) != sizeof index) die("accept");
            one = &all[index];
            one->fd = fd;
        } else {
            address.sin_port = htons((uint16_t)(FIRST_PORT + 1 + i % PEERS));
            one->fd = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(one->fd, (struct sockaddr *)&address, sizeof address) || send(one->fd, &i, sizeof i, 0) != sizeof i)
                die("connect");
            getsockname(one->fd, (struct sockaddr *)&own, &size);
        }
        one->passed = &wire->passed[i % 2][ntohs(own.sin_port)];
    }
}

static void kill_peers(const pid_t *peers)
{
    for (int i = 0; i < PEERS; i++) {
        usleep(6000);
        kill(peers[i], SIGKILL);
    }
}

static void await_peers(void)
{
    double start = now_ms();
    int left = count;
    while (left > 0 && now_ms() - start < PATIENCE_MS) {
        left = 0;
        for (int i = 0; i < count; i++) left += !shared->results[i].ended && arrives_in_the_end(&all[i]);
        usleep(10000);
    }
}

static void run(struct tunlink *link)
{
    pid_t peers[PEERS];
    pthread_t carrier, threads[MOST];
    void *argument[2] = { wire, link };
    int listener;
    pthread_create(&carrier, NULL, carry, argument);
    if (setns(link->namespaces[0], CLONE_NEWNET)) die("setns");
    listener = listener_at(TUNLINK_SERVER, FIRST_PORT);
    start_peers(link, shared, harm, count, peers);
    connect_all(listener);
    if (gc_reaper_new(NULL, &reaper)) die("gc_reaper_new");
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 * 1024);
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], &small, transfer, &all[i])) die("pthread_create");
    wire->began = now_ns();
    wire->harm = harm;
    close(shared->go[1]);
    if (harm == KILLED) kill_peers(peers);
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
    if (gc_reaper_free(reaper, 1000)) die("gc_reaper_free");
    shared->is_over = 1;
    if (harm <= CUT || harm == BOTH) await_peers();
    for (int i = 0; i < PEERS; i++) kill(peers[i], SIGKILL);
    while (wait(NULL) > 0) {}
}

int main(int argc, char **argv)
{
    static struct tunlink link;
    const char *why;
    for (harm = 0; harm < HARMS && argc > 1 && strcmp(argv[1], harms[harm]) != 0; harm++) {}
    if (argc != 3 || harm == HARMS || (count = atoi(argv[2])) < 1 || count > MOST) return 2;
    why = tunlink_open(&link);
    if (why != NULL) {
        puts(why);
        return 77;
    }
    struct rlimit limit = { 16384, 16384 };
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < count; i++) all[i].at = i;
    wire = shared_memory(sizeof *wire);
    shared = shared_memory(sizeof *shared);
    if (pipe(shared->go)) die("pipe");
    run(&link);
    tell_all();
    return violations > 0;
}
