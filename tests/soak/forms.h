/* The forms of the library, each as a program would use it. */
#ifndef FORMS_H
#define FORMS_H

#include "account.h"

#define GROUP 8

struct one {
    struct slot *slot;
    int fd;
};

static gc_reaper *common;

static int take_data(void *user, const void *data, size_t size)
{
    (void)user, (void)data, (void)size;
    return 0;
}

static int stop_it(void *user, const void *data, size_t size)
{
    (void)user, (void)data, (void)size;
    return 1;
}

static gc_options options_of(struct slot *slot)
{
    gc_options options = GC_OPTIONS_INIT;
    unsigned state = slot->seed;
    options.timeout_ms = slot->timeout_ms;
    if (slot->form == BACKGROUND) {
        options.fallback = GC_THEN_BACKGROUND;
        options.background_ms = BACKGROUND_MS;
        return options;
    }
    if (slot->form == KEEP) options.fallback = GC_THEN_KEEP;
    else if (dice(&state, 4) == 0) options.fallback = GC_THEN_ABORT;
    slot->aborts = options.fallback == GC_THEN_ABORT;
    if (slot->form == RELEASE) options.if_shared = GC_SHARED_RELEASE;
    if (slot->form == DEFERRED) options.flags |= GC_DEFERRED;
    if (slot->form == ACKED) options.flags |= GC_UNTIL_ACKED;
    if (dice(&state, 6) == 0) options.idle_timeout_ms = 50 + slot->timeout_ms / 2;
    if (dice(&state, 8) == 0) options.peer_first_ms = 50;
    if (dice(&state, 8) == 0) options.max_drain_bytes = 5000;
    if (dice(&state, 4) == 0) options.on_data = dice(&state, 8) ? take_data : stop_it;
    slot->is_unbounded_loss = options.idle_timeout_ms != 0;
    return options;
}

/* what is left of one whose form was refused */
static void by_itself(struct one *one)
{
    int code;
    one->slot->aborts = 0;
    one->slot->began = now_ms(); /* those of the group before it may have taken their time, one after the other */
    code = gc_close(one->fd, one->slot->timeout_ms);
    if (code < 0) refused(one->slot, code);
    told_code(one->slot, code);
}

static void close_with(struct one *one)
{
    gc_options options = options_of(one->slot);
    gc_report report = GC_REPORT_INIT;
    int code = gc_close_with(one->fd, &options, &report);
    if (code < 0) {
        refused(one->slot, code);
        by_itself(one);
        return;
    }
    if (!report.closed && code != GC_CONTINUED) close(one->fd);
    if (code != report.outcome || (one->slot->form != KEEP && !report.closed && code != GC_CONTINUED)) complain(one->slot, "the report is another");
    told(one->slot, &report);
}

static void close_simply(struct one *one)
{
    struct slot *slot = one->slot;
    int code;
    switch (slot->form) {
    case CLOSE: code = gc_close(one->fd, slot->timeout_ms); break;
    case FINISH:
        code = gc_finish(one->fd, slot->timeout_ms);
        if (close(one->fd) != 0) complain(slot, "gc_finish has closed it");
        break;
    case ABORT:
        code = gc_abort(one->fd);
        if (code != 0) break;
        add(slot->kind < READERS ? &counted.aborted : &counted.perhaps_aborted, 1);
        end(slot, UNKNOWN_OUTCOME); /* no close */
        return;
    default:
        code = gc_closesocket(one->fd);
        slot->timeout_ms = 1500;
        if (code != 0) break;
        told_nothing(slot);
        return;
    }
    if (code < 0) refused(slot, code);
    told_code(slot, code);
}

static void close_many(struct one *all, int count)
{
    gc_socket fds[GROUP];
    gc_report reports[GROUP];
    gc_options options = options_of(all[0].slot);
    int graceful = 0, code;
    for (int i = 0; i < count; i++) {
        fds[i] = all[i].fd;
        reports[i] = (gc_report)GC_REPORT_INIT;
        all[i].slot->timeout_ms = options.timeout_ms;
        all[i].slot->aborts = all[0].slot->aborts;
        all[i].slot->is_unbounded_loss = all[0].slot->is_unbounded_loss;
    }
    code = gc_close_many(fds, (size_t)count, &options, reports);
    if (code < 0) {
        refused(all[0].slot, code);
        for (int i = 0; i < count; i++) by_itself(&all[i]);
        return;
    }
    for (int i = 0; i < count; i++) {
        graceful += reports[i].outcome == GC_GRACEFUL;
        if (reports[i].outcome < 0) refused(all[i].slot, reports[i].outcome);
        told(all[i].slot, &reports[i]);
    }
    if (graceful != code) complain(all[0].slot, "gc_close_many has counted otherwise");
}

/* an event loop by poll; is_left: the last ones are freed while they are pending */
static void close_in_steps(struct one *all, int count, int is_left)
{
    gc_closing *closings[GROUP];
    int left = 0, steps = 0;
    for (int i = 0; i < count; i++) {
        gc_options options = options_of(all[i].slot);
        int code = gc_closing_new(all[i].fd, &options, &closings[i]);
        if (code != 0) {
            refused(all[i].slot, code);
            closings[i] = NULL;
            by_itself(&all[i]);
        }
    }
    do {
        struct pollfd p[GROUP] = { { 0, 0, 0 } };
        int used = 0;
        unsigned least = 1000;
        left = 0;
        for (int i = 0; i < count; i++) {
            gc_report report = GC_REPORT_INIT;
            if (closings[i] == NULL) continue;
            int code = gc_closing_step(closings[i]);
            if (code == GC_PENDING) {
                unsigned ms = gc_closing_timeout_ms(closings[i]);
                if (ms < least) least = ms;
                left++;
                p[used].fd = gc_closing_socket(closings[i]);
                p[used].events = POLLIN;
                used += gc_closing_wants_read(closings[i]) != 0;
                continue;
            }
            if (code < 0) refused(all[i].slot, code);
            if (gc_closing_report(closings[i], &report) != 0 || report.outcome != code) complain(all[i].slot, "the report is another");
            gc_closing_free(closings[i]);
            closings[i] = NULL;
            told(all[i].slot, &report);
        }
        if (left > 0) poll(p, (nfds_t)used, (int)least);
    } while (left > 0 && !(is_left && ++steps > 3));
    for (int i = 0; i < count; i++) {
        if (closings[i] == NULL) continue;
        gc_closing_free(closings[i]);
        if (all[i].slot->aborts) add(&counted.perhaps_aborted, 1);
        told_nothing(all[i].slot);
    }
}

static void hand_over(gc_reaper *reaper, struct one *one)
{
    gc_options options = options_of(one->slot);
    int is_process = one->slot->form == ASYNC_WITH || one->slot->form == FORKED, code;
    code = is_process ? gc_close_async_with(one->fd, &options, done, one->slot) : gc_reaper_close(reaper, one->fd, &options, done, one->slot);
    if (code == 0) {
        add(&counted.handed, 1);
        return;
    }
    refused(one->slot, code);
    by_itself(one);
}

/* a reaper that lives for these few alone */
static void close_by_small_reaper(struct one *all, int count)
{
    gc_reaper_options options = GC_REAPER_OPTIONS_INIT;
    gc_reaper *reaper;
    int is_refusing = all[0].slot->form == REFUSING, code;
    options.max_pending = is_refusing ? 2 : 4;
    options.when_full = is_refusing ? GC_FULL_REFUSE : GC_FULL_EVICT_OLDEST;
    code = gc_reaper_new(&options, &reaper);
    if (code != 0) {
        refused(all[0].slot, code);
        add(&shared->thread_refusals, shared->refuse_threads);
        for (int i = 0; i < count; i++) by_itself(&all[i]);
        return;
    }
    for (int i = 0; i < count; i++) hand_over(reaper, &all[i]);
    code = gc_reaper_flush(reaper, 200);
    if (code != 0 && code != GC_TIMED_OUT) refused(all[0].slot, code);
    code = gc_reaper_free(reaper, 300);
    if (code != 0 && code != GC_TIMED_OUT) refused(all[0].slot, code);
    for (int i = 0; i < count; i++)
        if (all[i].slot->ends != 1) complain(all[i].slot, "pending after gc_reaper_free");
}

static void close_async(struct one *one)
{
    int code = gc_close_async(one->fd, one->slot->timeout_ms);
    if (code != 0) {
        refused(one->slot, code);
        by_itself(one);
        return;
    }
    told_nothing(one->slot);
}

/* A fork in the middle of everything: the parent's reaper says no in the child, whose own starts anew. */
static void be_child(struct one *one)
{
    gc_options options = options_of(one->slot);
    int code;
    alarm(60);
    code = gc_reaper_close(common, one->fd, &options, done, one->slot);
    if (code != GC_ERR_STOPPED) complain(one->slot, "a parent's reaper is running in a child");
    hand_over(NULL, one);
    if (gc_flush(one->slot->timeout_ms + 20000) != 0) complain(one->slot, "gc_flush in a child");
    if (one->slot->ends != 1) complain(one->slot, "pending after gc_flush");
    _exit(0);
}

static void close_in_children(struct one *all, int count)
{
    pid_t children[GROUP];
    for (int i = 0; i < count; i++) {
        children[i] = fork();
        if (children[i] == 0) be_child(&all[i]);
        if (children[i] < 0) by_itself(&all[i]);
        else close(all[i].fd);
    }
    for (int i = 0; i < count; i++) {
        int status = 0;
        if (children[i] > 0 && (waitpid(children[i], &status, 0) != children[i] || status != 0)) {
            complain(all[i].slot, "a child has died");
            if (all[i].slot->ends == 0) end(all[i].slot, UNKNOWN_OUTCOME);
        }
    }
}

static void close_group(struct one *all, int count)
{
    int form = all[0].slot->form;
    for (int i = 0; i < count; i++) begin(all[i].slot);
    switch (form) {
    case MANY: close_many(all, count); return;
    case STEPS:
    case ABANDONED: close_in_steps(all, count, form == ABANDONED); return;
    case EVICTING:
    case REFUSING: close_by_small_reaper(all, count); return;
    case FORKED: close_in_children(all, count); return;
    case ASYNC: close_async(&all[0]); return;
    case REAPER:
    case DEFERRED:
    case ASYNC_WITH: hand_over(common, &all[0]); return;
    case WITH:
    case KEEP:
    case RELEASE:
    case BACKGROUND:
    case ACKED: close_with(&all[0]); return;
    default: close_simply(&all[0]); return;
    }
}

#endif
