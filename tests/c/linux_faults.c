/*
 * Each system call that a close makes fails, at each of its occurrences, once and from then on, with
 * each error that it may well have (a signal, no memory, a seccomp filter, no descriptor left), or
 * succeeds with an odd value. Whatever happens, a close ends in time, with a documented code; it is
 * closed once, or open and the caller's; no descriptor is left over; nothing is called graceful that
 * was not, judged by what the peer got; what a bare close would have delivered is delivered; and
 * nobody else's connection is touched.
 *
 * A part of the faults, the same each time, is tried here. GC_TEST_FAULTS=1 (or any argument): all of
 * them, in some minutes; a larger number N: every Nth. docs/proof-record.md has what came out.
 */
#include "reaper_test.h"

#include "faults_inject.h"
#include "faults_scenes.h"
#include "faults_forms.h"
#include "faults_run.h"

#include <dirent.h>

#define WORKERS 6
#define EVERY 6
#define BOUND_MS 4000
/* Calls of one kind in one close. In its time-out of 2 ms no machine makes so many: that is a loop
   that spins, and goes on behind the time-out. */
#define MOST_CALLS 30000
/* so many occurrences of a call */
#define MOST_TIMES 12

static int is_open(check_socket sock)
{
    return fcntl(sock, F_GETFD) != -1;
}

/* --- the checks --- */

/* a connection, a file and a pipe of the program's */
static check_socket bystander, bystanders_peer;
static int bystanders_pipe[2];

static void check_bystanders(void)
{
    char byte = 0;
    check_works(bystander, bystanders_peer);
    CHECK_IS(write(bystanders_pipe[1], "p", 1), 1);
    CHECK_IS(read(bystanders_pipe[0], &byte, 1), 1);
    CHECK(byte == 'p');
}

static int keeps_it(const struct form *form, const gc_report *report)
{
    return form->way == FINISH || (form->fallback == GC_THEN_KEEP && report->closed == 0);
}

/* these do not tell more than that it is closed */
static int has_report(const struct form *form)
{
    return form->way != PLAIN && form->way != FINISH && form->way != CLOSESOCKET && form->way != ABORT;
}

static void check_code(const struct form *form, int scene, const tried *one, int code, const gc_report *report)
{
    CHECK_BETWEEN(code, GC_ERR_SYSTEM, GC_CONTINUED);
    CHECK(code != GC_ERR_ARGUMENT && code != GC_ERR_STOPPED && code != GC_ERR_NOT_A_SOCKET);
    CHECK(code != GC_GRACEFUL || (scenes[scene].is & GRACEFUL));
    CHECK(code != GC_CONTINUED || form->fallback == GC_THEN_BACKGROUND);
    CHECK(code != GC_DELIVERED || (form->flags & GC_UNTIL_ACKED));
    CHECK(code != GC_RELEASED || form->if_shared == GC_SHARED_RELEASE);
    CHECK(!closed_twice);
    if (code < 0) { /* untouched, and ours */
        CHECK(is_open(one->sock));
        if (scenes[scene].is & CARRIES) CHECK_IS(check_send(one->sock, "!", 1), 1);
    } else if (keeps_it(form, report)) {
        CHECK(is_open(one->sock));
    } else {
        CHECK(!is_open(one->sock));
        if (has_report(form)) CHECK_IS(report->closed, 1);
    }
}

/* what came to the peer: everything, where that is claimed or a bare close would have done it */
static void check_peer(const struct form *form, int scene, const tried *one, int code)
{
    int is_told = code == GC_GRACEFUL || code == GC_DELIVERED;
    int is_due = (scenes[scene].is & DELIVERS) && form->fallback != GC_THEN_ABORT;
    long bytes;
    if (one->peer == CHECK_NO_SOCKET || code < 0 || (!is_told && !is_due)) return;
    CHECK_IS(read_it(one->peer, &bytes), 0);
    CHECK_IS(bytes, one->sent);
}

/* another holder's connection goes on, where that was asked for */
static void check_sharer(const struct form *form, const tried *one, int code)
{
    char room[sizeof(words)];
    if (one->copy == CHECK_NO_SOCKET || form->if_shared != GC_SHARED_RELEASE || code < 0) return;
    CHECK(code == GC_RELEASED || form->way == CLOSESOCKET);
    CHECK_IS(check_receive(one->peer, room, sizeof(room)), WORDS);
    check_works(one->copy, one->peer);
}

/* A number of calls that no close of some milliseconds makes is a loop that spins. Looking for
   sharing goes through all that /proc has, until the time is up. */
static void check_spins(const struct form *form)
{
    int call;
    for (call = 0; call < CALLS && form->if_shared != GC_SHARED_RELEASE; call++) {
        if (made[call] > MOST_CALLS) printf("%s spins:\n", calls[call].name);
        CHECK_BETWEEN(made[call], 0, MOST_CALLS);
    }
}

static void try_once(const struct form *form, int scene)
{
    gc_report report = GC_REPORT_INIT;
    tried one;
    double start;
    int code;
    check_round = first * 10 + for_ever; /* told if it fails */
    set_scene(scene, &one);
    memset((void *)made, 0, sizeof(made));
    hits = 0;
    start = check_now();
    errno = 77;
    is_armed = 1;
    code = close_by(form, one.sock, &report);
    if (code >= 0 && form->way <= MANY) CHECK_IS(errno, 77);
    if (code == GC_CONTINUED) gc_flush(BOUND_MS);
    is_armed = 0;
    CHECK_BETWEEN(check_now() - start, 0, BOUND_MS);
    check_spins(form);
    check_code(form, scene, &one, code, &report);
    check_sharer(form, &one, code);
    if (code < 0 || keeps_it(form, &report)) close(one.sock);
    check_peer(form, scene, &one, code);
    if (one.copy != CHECK_NO_SOCKET) close(one.copy);
    if (one.peer != CHECK_NO_SOCKET) check_close(one.peer);
}

/* --- the faults --- */

static long count_open(void)
{
    long count = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    while (readdir(folder) != NULL) count++;
    closedir(folder);
    return count;
}

static void fail_by(const struct form *form, int scene, int occurrences)
{
    /* a search for other holders takes ten times as long as the rest */
    unsigned long rare = form->if_shared == GC_SHARED_RELEASE && every > 1 ? 20 : 1;
    for (for_ever = 0; for_ever < 2; for_ever++)
        for (first = 0; first < occurrences; first++) {
            if (!is_picked(rare)) continue;
            try_once(form, scene);
            if (hits > 0) __sync_fetch_and_add(faults, 1);
        }
}

/* each call that this close makes */
static void fail_each(const struct form *form, int scene)
{
    static char doing[200];
    int usual[CALLS];
    long before = count_open();
    int which;
    refused = CALLS;
    try_once(form, scene);
    memcpy(usual, (void *)made, sizeof(usual));
    check_doing = doing;
    for (refused = 0; refused < CALLS; refused++) {
        for (which = 0; which < ERRORS && calls[refused].errors[which] != 0; which++) {
            with_error = calls[refused].errors[which];
            sprintf(doing, "%s, %s: %s with %d", form->name, scenes[scene].name, calls[refused].name, with_error);
            fail_by(form, scene, usual[refused] < MOST_TIMES ? usual[refused] : MOST_TIMES);
        }
        CHECK_IS(count_open(), before);
    }
    check_bystanders();
}

static void work(int worker)
{
    int cell;
    house_open(&home);
    check_pair(&bystander, &bystanders_peer);
    CHECK_IS(pipe(bystanders_pipe), 0);
    gc_set_default_timeout(TIME_MS);
    reaper = new_reaper(0, GC_FULL_REFUSE);
    refused = CALLS;
    for (cell = 0; cell < FORMS; cell++) try_once(&forms[cell], HAS_FINISHED); /* what is made once */
    for (cell = worker; cell < FORMS * SCENES; cell += WORKERS) fail_each(&forms[cell / SCENES], cell % SCENES);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
}

int main(int count, char **arguments)
{
    share_out(count, arguments, EVERY, WORKERS, work);
    CHECK(*faults >= (every > 1 ? 60000 : 100000) / (long)every);
    return 0;
}
