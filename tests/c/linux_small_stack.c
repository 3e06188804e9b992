/*
 * A thread with the smallest stack that there is (PTHREAD_STACK_MIN: 16 KiB on most machines) closes
 * as any other does, also where it is looked for who else holds the connection.
 */
#include "check.h"

#include "graceful_close.h"

#ifndef __linux__

int main(void)
{
    check_skip("Linux only: who else holds a connection is not looked for elsewhere");
    return 0;
}

#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

int main(void)
{
    check_skip("the sanitizers need more stack themselves");
    return 0;
}

#else

#include <limits.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { SMALL = 16384, SOCKETS = 3 };

static gc_socket ours[SOCKETS];
static check_socket peers[SOCKETS];
static gc_options options = GC_OPTIONS_INIT;

/* --- the forms; what they end with is for others to test --- */

static void drop_in(void) { (void)gc_closesocket(ours[0]); }

static void close_with(void)
{
    static gc_report report = GC_REPORT_INIT;
    CHECK(gc_close_with(ours[0], &options, &report) >= 0);
    CHECK_IS(report.closed, 1);
}

static void close_many(void)
{
    static gc_report reports[SOCKETS];
    static const gc_report report = GC_REPORT_INIT;
    int i;
    for (i = 0; i < SOCKETS; i++) reports[i] = report;
    CHECK(gc_close_many(ours, SOCKETS, &options, reports) >= 0);
    for (i = 0; i < SOCKETS; i++) CHECK_IS(reports[i].closed, 1);
}

static void stepped(void)
{
    gc_closing *closing;
    CHECK_IS(gc_closing_new(ours[0], &options, &closing), 0);
    while (gc_closing_step(closing) == GC_PENDING) check_sleep(1);
    gc_closing_free(closing);
}

static void in_the_background(void)
{
    /* refused without a descriptor to spare */
    if (gc_close_async_with(ours[0], &options, NULL, NULL) >= 0) (void)gc_flush(10000);
}

/* --- where they look --- */

static void as_it_is(void) { return; }

/* the processes of others cannot be looked at: are they relations? */
static void as_another_user(void)
{
    if (geteuid() != 0) return;
    CHECK_IS(syscall(SYS_setgroups, 0, NULL), 0);
    CHECK_IS(setgid(23456), 0);
    CHECK_IS(setuid(23456), 0);
}

/* a thread with a table of its own looks */
static void without_descriptors(void)
{
    struct rlimit few;
    int next = dup(0);
    CHECK(next >= 0);
    close(next);
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &few), 0);
    few.rlim_cur = (rlim_t)next;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &few), 0);
}

/* --- the thread --- */

static size_t smallest(void)
{
    long least = SMALL;
#ifdef _SC_THREAD_STACK_MIN
    long system = sysconf(_SC_THREAD_STACK_MIN);
    if (system > least) least = system;
#endif
    return (size_t)least;
}

static void *run(void *form)
{
    (*(void (**)(void))form)();
    return NULL;
}

/* below the stack there is nothing */
static void on_a_small_stack(void (*form)(void))
{
    pthread_attr_t attributes;
    pthread_t thread;
    size_t size = smallest(), guard = 65536;
    char *place = (char *)mmap(NULL, guard + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(place != MAP_FAILED);
    CHECK_IS(mprotect(place + guard, size, PROT_READ | PROT_WRITE), 0);
    CHECK_IS(pthread_attr_init(&attributes), 0);
    CHECK_IS(pthread_attr_setstack(&attributes, place + guard, size), 0);
    CHECK_IS(pthread_create(&thread, &attributes, run, &form), 0);
    CHECK_IS(pthread_join(thread, NULL), 0);
}

static void scene(const char *name, void (*where)(void), void (*form)(void))
{
    pid_t child;
    int i, status;
    check_doing = name;
    check_round++;
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        for (i = 0; i < SOCKETS; i++) {
            check_pair(&ours[i], &peers[i]);
            check_half_close(peers[i]);
        }
        where();
        on_a_small_stack(form);
        _exit(0);
    }
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK_IS(status, 0);
}

static void everywhere(const char *name, void (*form)(void))
{
    scene(name, as_it_is, form);
    scene(name, as_another_user, form);
    scene(name, without_descriptors, form);
}

int main(void)
{
    check_start();
    options.timeout_ms = 200;
    options.if_shared = GC_SHARED_RELEASE;
    everywhere("gc_closesocket", drop_in);
    everywhere("gc_close_with", close_with);
    everywhere("gc_close_many", close_many);
    everywhere("gc_closing", stepped);
    everywhere("gc_close_async_with", in_the_background);
    return 0;
}

#endif
