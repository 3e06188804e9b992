/* The program that uses the library: threads that make connections and close them by all forms at once. */
#ifndef DRIVER_H
#define DRIVER_H

#include <dlfcn.h>

#include "forms.h"

static int in_driver;

/* The library's threads are refused while the faults say so; ours are made before. */
int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    if (in_driver && shared->refuse_threads) return EAGAIN;
    return real(thread, how, run, argument);
}

struct worker {
    int at, listening;
    unsigned state;
    struct slot *slots;
};

/* judges those whose two ends have ended; how many are under way */
static int collect(struct worker *self)
{
    int left = 0;
    for (int i = 0; i < SLOTS_EACH; i++) {
        struct slot *slot = &self->slots[i];
        if (slot->state == ENDED && slot->is_done) judge(slot);
        left += slot->state != FREE;
    }
    return left;
}

static struct slot *free_slot(struct worker *self)
{
    for (;;) {
        collect(self);
        for (int i = 0; i < SLOTS_EACH; i++)
            if (self->slots[i].state == FREE) return &self->slots[i];
        nap(5);
    }
}

static int accepted_by(const struct worker *self)
{
    double most = now_ms() + 60000;
    while (now_ms() < most) {
        struct pollfd p = { self->listening, POLLIN, 0 };
        int fd = poll(&p, 1, 100) > 0 ? accept4(self->listening, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0) return fd;
        nap(2); /* no descriptor is to be had for a while */
    }
    die("a peer that does not come");
    return -1;
}

static struct one open_one(struct worker *self, int form)
{
    struct one one = { plan(free_slot(self), &self->state, form), -1 };
    int index = (int)(one.slot - shared->slots), got = -1;
    if (dice(&self->state, 2)) {
        while ((one.fd = connected_to(PEER_PORT + (int)dice(&self->state, PEERS))) < 0) nap(5);
        if (send(one.fd, &index, sizeof index, MSG_NOSIGNAL) != sizeof index) die("send");
    } else {
        one.slot->port = WORKER_PORT + self->at;
        call_peer(one.slot, &self->state);
        one.fd = accepted_by(self);
        if (recv(one.fd, &got, sizeof got, MSG_WAITALL) != sizeof got || got != index) die("a stranger");
    }
    send_answer(one.slot, one.fd);
    return one;
}

static void *work(void *argument)
{
    struct worker *self = argument;
    while (!shared->is_over) {
        struct one all[GROUP];
        int form = (int)dice(&self->state, FORMS), count = 1;
        if (form == FORKED && dice(&self->state, 4)) continue; /* each of them costs a process */
        if (form == MANY || form == STEPS || form == ABANDONED || form == EVICTING || form == REFUSING || form == FORKED)
            count = 1 + (int)dice(&self->state, GROUP);
        for (int i = 0; i < count; i++) all[i] = open_one(self, form);
        usleep(dice(&self->state, 15000));
        close_group(all, count);
    }
    return NULL;
}

/* so that the thread and the descriptors of the process's reaper are there from the start */
static void warm_up(void)
{
    struct slot *slot = &shared->slots[0];
    gc_options options = GC_OPTIONS_INIT;
    int listening = listener_at(WORKER_PORT + WORKERS), fd = connected_to(WORKER_PORT + WORKERS), peer = accept(listening, NULL, NULL);
    begin(slot);
    if (gc_close_async_with(fd, &options, done, slot) != 0) die("gc_close_async_with");
    nap(20);
    close(peer);
    close(listening);
    if (gc_flush(10000) != 0 || slot->outcome != GC_GRACEFUL) die("gc_flush");
    memset(slot, 0, sizeof *slot);
    memset(&counted, 0, sizeof counted);
    stats_before = (gc_stats)GC_STATS_INIT;
    gc_get_stats(&stats_before);
}

static void drive(unsigned seed)
{
    static struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    double most;
    gc_set_log(logged, NULL);
    gc_set_default_timeout(1500);
    warm_up();
    look(&shared->driver, 0);
    if (gc_reaper_new(NULL, &common) != 0) die("gc_reaper_new");
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){ i, listener_at(WORKER_PORT + i), seed * 31 + (unsigned)i + 1, &shared->slots[i * SLOTS_EACH] };
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) die("pthread_create");
    }
    in_driver = 1;
    shared->driver.is_ready = 1;
    for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
    most = now_ms() + 30000;
    for (int i = 0; i < WORKERS; i++) {
        while (collect(&workers[i]) > 0 && now_ms() < most) nap(10);
        for (int k = 0; k < SLOTS_EACH; k++)
            if (workers[i].slots[k].state != FREE) complain(&workers[i].slots[k], "it never ended");
        close(workers[i].listening);
    }
    if (gc_reaper_free(common, 5000) != 0) complain(&shared->slots[0], "gc_reaper_free");
    if (gc_flush(20000) != 0) complain(&shared->slots[0], "gc_flush");
    look(&shared->driver, 1);
    account();
    fflush(NULL);
    _exit(0);
}

#endif
