/*
 * A program ends by exit() while a close is pending that GRACEFUL_CLOSE_FLUSH_AT_EXIT waits for, and each system call
 * that is made from then on fails, at each of its occurrences, once and from then on, with each error that it may well
 * have, or succeeds with an odd value (faults_inject.h). The program ends in time and as it was told to, and what a bare
 * close would have delivered is delivered, with a FIN behind it.
 *
 * GC_TEST_FAULTS as for linux_faults.c.
 */
#include "reaper_test.h"

#include "faults_inject.h"
#include "faults_scenes.h"
#include "faults_run.h"

#define WORKERS 4
#define EVERY 8
#define BOUND_MS 4000
#define MOST_TIMES 12

/* what has happened in the program that has ended */
static volatile struct {
    int made[CALLS], hits;
} *seen;

/* the scene, and whether the peer ends soon, too; else the time is up soon */
static const struct {
    int scene, peer_ends;
} cases[] = {
    { IS_SILENT, 0 }, { IS_SILENT, 1 }, { LINGERS, 0 }, { LINGERS, 1 }, { WINDOW_SHUT, 0 }, { READING_SHUT, 0 }
};
#define CASES ((int)(sizeof(cases) / sizeof(cases[0])))

static void leave_counts(void)
{
    is_armed = 0;
    memcpy((void *)seen->made, (void *)made, sizeof(made));
    seen->hits = hits;
}

static void ends_itself(check_socket sock, int peer_ends)
{
    memset((void *)made, 0, sizeof(made));
    hits = 0;
    CHECK_IS(atexit(leave_counts), 0); /* after the flush */
    CHECK_IS(GRACEFUL_CLOSE_FLUSH_AT_EXIT(BOUND_MS / 2), 0);
    CHECK_IS(gc_close_async(sock, peer_ends ? 10000 : 30), 0);
    is_armed = 1;
    exit(0);
}

static void try_once(int scene, int peer_ends)
{
    tried one;
    double start;
    int status = -1;
    long bytes;
    pid_t child;
    check_round = first * 10 + for_ever; /* told if it fails */
    set_scene(scene, &one);
    start = check_now();
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        check_close(one.peer);
        ends_itself(one.sock, peer_ends);
    }
    check_close(one.sock);
    if (peer_ends) {
        check_sleep(5);
        check_half_close(one.peer);
    }
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK_IS(status, 0);
    CHECK_BETWEEN(check_now() - start, 0, BOUND_MS);
    CHECK_IS(read_it(one.peer, &bytes), 0);
    CHECK_IS(bytes, one.sent);
    check_close(one.peer);
}

static void fail_by(int number, int which, int occurrences)
{
    static char doing[200];
    const char *name = scenes[cases[number].scene].name;
    with_error = calls[refused].errors[which];
    sprintf(doing, "%s, %d: %s with %d", name, cases[number].peer_ends, calls[refused].name, with_error);
    check_doing = doing;
    for (for_ever = 0; for_ever < 2; for_ever++)
        for (first = 0; first < occurrences; first++) {
            if (!is_picked(1)) continue;
            try_once(cases[number].scene, cases[number].peer_ends);
            if (seen->hits > 0) __sync_fetch_and_add(faults, 1);
        }
}

/* each call that this end makes */
static void fail_each(int number)
{
    int usual[CALLS], which;
    refused = CALLS;
    check_doing = scenes[cases[number].scene].name;
    try_once(cases[number].scene, cases[number].peer_ends);
    memcpy(usual, (void *)seen->made, sizeof(usual));
    for (refused = 0; refused < CALLS; refused++)
        for (which = 0; which < ERRORS && calls[refused].errors[which] != 0; which++)
            fail_by(number, which, usual[refused] < MOST_TIMES ? usual[refused] : MOST_TIMES);
}

static void work(int worker)
{
    int number;
    house_open(&home);
    *(void **)&seen = shared_memory();
    for (number = worker; number < CASES; number += WORKERS) fail_each(number);
}

int main(int count, char **arguments)
{
    share_out(count, arguments, EVERY, WORKERS, work);
    CHECK(*faults >= 1200 / (long)every);
    return 0;
}
