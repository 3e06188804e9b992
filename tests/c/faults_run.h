/* How the programs that inject faults share them out: which ones are tried, by processes side by side. */
#ifndef FAULTS_RUN_INCLUDED
#define FAULTS_RUN_INCLUDED

#include <sys/mman.h>
#include <sys/wait.h>

#define MOST_WORKERS 8

static unsigned long every, at;
static volatile long *faults; /* of all workers */

/* Every one, or a part: the same ones each time, and no row of neighbours. RARE: so much fewer of them. */
static int is_picked(unsigned long rare)
{
    at++;
    return (at * 2654435761UL >> 13) % (every * rare) == 0;
}

static void *shared_memory(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

/* For main(). One in USUAL is tried, unless an argument or GC_TEST_FAULTS says another number. */
static void share_out(int count, char **arguments, unsigned long usual, int workers, void (*work)(int worker))
{
    const char *wish = count > 1 ? arguments[1] : getenv("GC_TEST_FAULTS");
    pid_t started[MOST_WORKERS];
    int worker, status, failed = 0;
    check_start();
#ifndef __GLIBC__
    check_skip("puts functions in front of those of a shared C library");
#endif
    if (check_is_slow()) check_skip("not under a sanitizer or Valgrind, which put their own in front");
    CHECK(workers <= MOST_WORKERS);
    every = wish != NULL && atol(wish) > 0 ? (unsigned long)atol(wish) : usual;
    faults = (volatile long *)shared_memory();
    for (worker = 0; worker < workers; worker++) {
        started[worker] = fork();
        CHECK(started[worker] >= 0);
        if (started[worker] == 0) {
            work(worker);
            exit(0);
        }
    }
    for (worker = 0; worker < workers; worker++) {
        CHECK_IS(waitpid(started[worker], &status, 0), started[worker]);
        failed += status != 0;
    }
    printf("%ld faults\n", *faults);
    CHECK_IS(failed, 0);
}

#endif
