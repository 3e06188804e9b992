/* What the drivers were told, counted here and held against the library's own statistics at the end. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "peers.h"
#include "graceful_close.h"

#define SLACK_MS 3000     /* a machine that others use, and stops of up to 400 ms */
#define BACKGROUND_MS 400
#define UNKNOWN_OUTCOME (-100)

static struct {
    volatile long told[16];      /* by the return value, a report or a callback */
    volatile long untold;        /* ended without anybody being told */
    volatile long handed, called_back;
    volatile long refused, aborted, drained;
    volatile long perhaps_aborted; /* the connection may have ended before */
    volatile long logged[16], logged_refusals;
} counted;

static gc_stats stats_before;

static void complain(const struct slot *slot, const char *what)
{
    add(&shared->violations, 1);
    dprintf(2, "VIOLATION: %s: form %d, kind %d, outcome %d (%s), error %d, time-out %u ms, took %.0f ms; sent %ld, the peer got %ld "
               "(end %d, error %d)\n", what, slot->form, slot->kind, slot->outcome, gc_outcome_name(slot->outcome), slot->system_error,
            slot->timeout_ms, slot->took, slot->sent, slot->got, slot->has_end, slot->error);
}

static void begin(struct slot *slot)
{
    slot->began = now_ms();
    slot->state = CLOSING;
}

static void end(struct slot *slot, int outcome)
{
    slot->took = now_ms() - slot->began;
    slot->outcome = outcome;
    slot->is_told = outcome != UNKNOWN_OUTCOME;
    __atomic_fetch_add(&slot->ends, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&slot->state, ENDED, __ATOMIC_SEQ_CST);
}

/* nobody says how it ended */
static void told_nothing(struct slot *slot)
{
    add(&counted.untold, 1);
    end(slot, UNKNOWN_OUTCOME);
}

static int is_cut_short(int outcome)
{
    return outcome == GC_TIMED_OUT || outcome == GC_DRAIN_LIMIT || outcome == GC_STOPPED || outcome == GC_UNCERTAIN || outcome == GC_EVICTED;
}

static void told(struct slot *slot, const gc_report *report)
{
    int outcome = report->outcome;
    if (outcome == GC_CONTINUED) {
        told_nothing(slot); /* it counts when the background has ended it */
        return;
    }
    if (outcome >= 0 && outcome < 16) add(&counted.told[outcome], 1);
    if (slot->aborts && is_cut_short(outcome)) add(&counted.aborted, 1);
    add(&counted.drained, (long)report->drained_bytes);
    slot->elapsed_us = report->elapsed_us;
    slot->drained = report->drained_bytes;
    slot->system_error = report->system_error;
    end(slot, outcome);
}

/* a return value alone */
static void told_code(struct slot *slot, int outcome)
{
    gc_report report = GC_REPORT_INIT;
    report.outcome = outcome;
    report.elapsed_us = (size_t)((now_ms() - slot->began) * 1e3) + 1;
    told(slot, &report);
}

static void done(void *user, gc_socket sock, const gc_report *report)
{
    struct slot *slot = user;
    (void)sock;
    add(&counted.called_back, 1);
    told(slot, report);
}

/* A call that says no: the socket is still ours. Only a fault of ours is a reason. */
static void refused(struct slot *slot, int code)
{
    add(&counted.refused, 1);
    add(&shared->refused, 1);
    slot->outcome = code;
    if (code != GC_ERR_RESOURCES) complain(slot, "refused");
}

static void logged(void *user, int outcome, const char *line)
{
    (void)user;
    if (outcome >= 0 && outcome < 16) add(&counted.logged[outcome], 1);
    else add(&counted.logged_refusals, 1);
    if (line == NULL || *line == 0) add(&shared->violations, 1);
}

/* --- one connection, when both ends have ended --- */

static void judge(struct slot *slot)
{
    int is_known = slot->outcome != UNKNOWN_OUTCOME, is_reader = slot->kind < READERS, outcome = slot->outcome;
    int is_whole = slot->has_end && slot->error == 0 && slot->got == slot->sent;
    if (slot->ends != 1) complain(slot, "it did not end once");
    if (is_known && (outcome < 0 || outcome > GC_CONTINUED)) complain(slot, "no documented outcome");
    if (outcome == GC_GRACEFUL && !is_reader) complain(slot, "a false graceful");
    if (outcome == GC_GRACEFUL && !is_whole) complain(slot, "graceful, and not whole");
    if ((outcome == GC_RESET || outcome == GC_NOT_CONNECTED) && is_reader) complain(slot, "nobody has reset it");
    if (outcome == GC_TIMED_OUT && !slot->is_unbounded_loss && slot->elapsed_us < (size_t)slot->timeout_ms * 1000) complain(slot, "early");
    if (is_known && slot->took > slot->timeout_ms + SLACK_MS) complain(slot, "late");
    /* what a bare close delivers: it has no unread bytes, and nobody resets */
    if (is_reader && slot->form != ABORT && !slot->aborts && (slot->kind != TALKER || outcome == GC_GRACEFUL) && !is_whole)
        complain(slot, "a bare close would have delivered it");
    add(&shared->transfers, 1);
    add(&shared->graceful, outcome == GC_GRACEFUL);
    add(&shared->whole, is_whole);
    add(&shared->by_form[slot->form], 1);
    add(&shared->by_kind[slot->kind], 1);
    add(&shared->resets_explained, outcome != GC_GRACEFUL);
    __atomic_store_n(&slot->state, FREE, __ATOMIC_SEQ_CST);
}

/* --- all of them, at the end --- */

static void must_be(const char *what, long is, long should_be)
{
    if (is == should_be) return;
    add(&shared->violations, 1);
    dprintf(2, "VIOLATION: statistics: %s: %ld, and it should be %ld\n", what, is, should_be);
}

static void account(void)
{
    gc_stats now = GC_STATS_INIT;
    long all_told = 0, ended = 0, before = shared->violations;
    if (gc_get_stats(&now) != 0) die("gc_get_stats");
    for (int code = 0; code < 16; code++) {
        long count = (long)(now.by_outcome[code] - stats_before.by_outcome[code]);
        ended += count;
        all_told += counted.told[code];
        if (count < counted.told[code]) must_be(gc_outcome_name(code), count, counted.told[code]);
        if (code != GC_GRACEFUL) must_be("lines of the log", counted.logged[code], count);
    }
    must_be("closes", (long)(now.closed - stats_before.closed), all_told + counted.untold);
    must_be("the sum by outcome", ended, all_told + counted.untold);
    long aborted = (long)(now.aborted - stats_before.aborted);
    if (aborted < counted.aborted || aborted > counted.aborted + counted.perhaps_aborted)
        must_be("resets on purpose", aborted, counted.aborted);
    must_be("callbacks", counted.called_back, counted.handed);
    must_be("lines about refusals", counted.logged_refusals, counted.refused);
    must_be("pending", (long)now.pending, 0);
    if ((long)(now.drained_bytes - stats_before.drained_bytes) < counted.drained)
        must_be("bytes drained", (long)(now.drained_bytes - stats_before.drained_bytes), counted.drained);
    printf("%s  the statistics add up: %ld closes, %ld told, %ld without a word; %ld resets on purpose; %ld callbacks; %ld refusals\n",
           shared->violations == before ? "ok     " : "FAILED ", ended, all_told, counted.untold, aborted, counted.called_back, counted.refused);
    printf("outcomes:");
    for (int code = 0; code < 16; code++)
        if (now.by_outcome[code] > stats_before.by_outcome[code])
            printf(" %s %lu,", gc_outcome_name(code), (unsigned long)(now.by_outcome[code] - stats_before.by_outcome[code]));
    printf(" pending %lu\n", (unsigned long)now.pending);
    fflush(stdout);
}

#endif
