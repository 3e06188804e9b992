/*
 * bench_path.c - what one gc_close() is made of: system calls, user-mode instructions, allocations.
 *
 * The connection is the one of bench_close "queued": the peer's FIN is here, nothing is unread.
 *
 *   bench_path alloc N       counts calls of malloc and its family while gc_close() runs, in that case and
 *                            with 1 MiB to drain and with a time-out; goal 0. The allocator's functions are
 *                            interposed by this program itself, so what libc allocates for a call counts too.
 *   bench_path gc N          N closes; a getppid system call stands before and after each, so that a
 *                            trace of system calls can be cut there. For instructions, scripts/bench runs
 *                            this under callgrind, collecting inside gc_close only, with N and with 2N:
 *                            the difference divided by N is free of one-time costs such as symbol binding.
 *   bench_path hand N        the same with hand_close(), the C of "same calls", for comparison
 *   bench_path version       the version of the library
 */
#include <sys/syscall.h>

#include "bench.h"

#define N_MAX 1000

static int ours[N_MAX], peer[N_MAX];
static int wrong;

/* ---- counting allocations -------------------------------------------------------------------- */

#ifdef __GLIBC__
static __thread int counting;
static __thread long allocations;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

void *malloc(size_t size)
{
    allocations += counting;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations += counting;
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    allocations += counting;
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
    allocations += counting;
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    allocations += counting;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    allocations += counting;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

static long counted(int fd, unsigned int timeout_ms, int expected)
{
    allocations = 0;
    counting = 1;
    int outcome = gc_close(fd, timeout_ms);
    counting = 0;
    if (outcome != expected) {
        fprintf(stderr, "bench_path: outcome %d where %d is due\n", outcome, expected);
        wrong++;
    }
    return allocations;
}

static void *send_and_close(void *argument)
{
    int fd = *(int *)argument;
    char *data = calloc(1, 1 << 20);
    write_all(fd, data, 1 << 20);
    free(data);
    close(fd);
    return NULL;
}

static int alloc_main(int n)
{
    long queued = 0, drained, late;
    pthread_t thread;

    /* does the counter count? an allocation of our own must be seen */
    void *(*volatile allocate)(size_t) = malloc; /* volatile: not to be optimised away */
    counting = 1;
    void *probe = allocate(16);
    counting = 0;
    free(probe);
    if (allocations != 1) {
        row("allocations in one blocking close", "", "", "", "0", "skipped: malloc cannot be interposed here");
        return 0;
    }
    pairs_new_finished(ours, peer, n);
    for (int i = 0; i < n; i++)
        queued += counted(ours[i], 5000, GC_GRACEFUL);

    pairs_new(ours, peer, 2);
    if (pthread_create(&thread, NULL, send_and_close, &peer[0]))
        die("pthread_create");
    drained = counted(ours[0], 5000, GC_GRACEFUL);
    pthread_join(thread, NULL);
    late = counted(ours[1], 20, GC_TIMED_OUT);
    close(peer[1]);

    row("allocations: closes with the FIN queued / with 1 MiB to drain / timed out",
        text("%ld in %d", queued, n), text("%ld / %ld", drained, late), "", "0",
        verdict(queued + drained + late == 0));
    return wrong != 0;
}
#else
static int alloc_main(int n)
{
    (void)n;
    row("allocations in one blocking close", "", "", "", "0", "skipped: not the GNU C library");
    return 0;
}
#endif

/* ---- for tracers ----------------------------------------------------------------------------- */

__attribute__((noinline)) int hand_close(int fd)
{
    static char scratch[65536];
    if (hand_begin(fd) != 0 || recv(fd, scratch, sizeof scratch, MSG_DONTWAIT | MSG_TRUNC) != 0)
        return -1;
    return hand_end(fd);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0)
        return printf("%s\n", gc_version_string()) < 0;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_path version, or alloc|gc|hand N\n");
        return 2;
    }
    int n = atoi(argv[2]);
    if (n < 1 || n > N_MAX)
        n = N_MAX;
    if (strcmp(argv[1], "alloc") == 0)
        return alloc_main(n);

    int by_hand = strcmp(argv[1], "hand") == 0;
    pairs_new_finished(ours, peer, n);
    for (int i = 0; i < n; i++) {
        syscall(SYS_getppid);
        int outcome = by_hand ? hand_close(ours[i]) : gc_close(ours[i], 5000);
        syscall(SYS_getppid);
        wrong += outcome != 0;
    }
    if (wrong)
        fprintf(stderr, "bench_path: %d closes did not end as they must\n", wrong);
    return wrong != 0;
}
