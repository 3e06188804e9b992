/*
 * run.c - runs blocks of C of README.md and docs/, as they stand there
 *
 * scripts/docs-code writes each block into a file of its own (blocks/NAME.h). Every one
 * closes a connection whose peer is hard on it: the peer has sent 21,000 bytes, of which
 * 1,000 are read, it reads the answer of 1 MiB slowly, and it closes at the end. The
 * answer must come whole.
 */
#include "context.h"

#include <stdarg.h>
#include <sys/wait.h>

#define REQUEST 21000
#define ANSWER 1048576

/* what context.h only declares */
SOCKET s, sock;
int fd, how, outcome, count, milliseconds;
gc_options options;
gc_report report;
gc_closing *closing;

static char bytes[ANSWER];
static int logged;

#include "blocks/finish.h"
#include "blocks/close_by_hand.h"
#include "blocks/close_in_loop.h"
#include "blocks/refuse.h"
#include "blocks/log_line.h"

static void by_finish(SOCKET given) { finish(given); }
static void by_hand(SOCKET given) { close_by_hand(given); }

static void by_loop(SOCKET given)
{
    if (gc_closing_new(given, NULL, &closing) == 0)
        how = close_in_loop(closing);
}

static void by_one_call(SOCKET s)
{
#include "blocks/one_call.h"
    if (how != GC_GRACEFUL)
        fprintf(stderr, "one_call: %s\n", gc_outcome_name(how));
}

static void by_options(SOCKET s)
{
#include "blocks/options.h"
    if (how != GC_GRACEFUL || report.peer_closed != 1)
        fprintf(stderr, "options: %s\n", gc_outcome_name(how));
}

static void reboot_now(void) { count++; }

static void before_reboot(SOCKET s)
{
    options = (gc_options)GC_OPTIONS_INIT;
    report = (gc_report)GC_REPORT_INIT;
    count = 0;
#include "blocks/reboot.h"
    if (count != 1)
        fprintf(stderr, "reboot: %s\n", gc_outcome_name(how));
}

static void serve(int client) { (void)net_send_all(client, bytes, 0); }

static void forked(SOCKET given)
{
    fd = given;
#include "blocks/fork.h"
}

static void early(SOCKET given)
{
    refuse(given);
    gc_flush(5000);
}

/* ---- the peer, a process ---- */

static int peer(const struct sockaddr_in *address, size_t expected)
{
    SOCKET connection = socket(AF_INET, SOCK_STREAM, 0);
    size_t have = 0;
    long got;
    int window = 32768;

    setsockopt(connection, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
    if (connect(connection, (const struct sockaddr *)address, sizeof(*address)) != 0
        || net_send_all(connection, bytes, REQUEST) != 0)
        return 1;
    usleep(20000);
    while ((got = net_recv(connection, bytes, sizeof(bytes))) > 0)
        have += (size_t)got;
    close(connection);
    return got == 0 && have == expected ? 0 : 1;
}

static int run(const char *name, void (*way)(SOCKET), size_t answer, size_t expected)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0), connection;
    size_t have = 0;
    int status = 1;
    pid_t child;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1) != 0
        || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return 1;
    child = fork();
    if (child == 0)
        _exit(peer(&address, expected));
    connection = accept(listener, NULL, NULL);
    close(listener);
    while (have < 1000) {
        long got = net_recv(connection, bytes, 1000 - have);

        if (got <= 0)
            return 1;
        have += (size_t)got;
    }
    (void)net_send_all(connection, bytes, answer);
    way(connection);
    waitpid(child, &status, 0);
    printf("%-8s%s\n", status == 0 ? "ok" : "FAILED", name);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    return status != 0;
}

static void counted(void *user, int code, const char *line)
{
    log_line(user, code, line);
    logged++;
}

int main(void)
{
    int failed = 0;

    signal(SIGPIPE, SIG_IGN);
    failed |= run("README: finish()", by_finish, ANSWER, ANSWER);
    failed |= run("problem.md: one call", by_one_call, ANSWER, ANSWER);
    failed |= run("choose.md: options and report", by_options, ANSWER, ANSWER);
    failed |= run("sequence.md: close_by_hand()", by_hand, ANSWER, ANSWER);
    failed |= run("event-loops.md: close_in_loop()", by_loop, ANSWER, ANSWER);
    failed |= run("delivery.md: before a reboot", before_reboot, ANSWER, ANSWER);
    failed |= run("servers.md: fork()", forked, ANSWER, ANSWER);
    failed |= run("servers.md: refuse()", early, 0, sizeof(too_large) - 1);
    gc_set_log(counted, stdout);
    gc_close((gc_socket)-1, 0);
    printf("%-8squestions.md: log_line()\n", logged == 1 ? "ok" : "FAILED");
    return failed || logged != 1;
}
