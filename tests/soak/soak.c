/*
 * soak SECONDS SEED PLAIN PRELOAD - all forms of the library side by side, with random faults
 *
 * A driver that uses the library, peers that know nothing of it, and the program PLAIN under the
 * library PRELOAD, in a network namespace of their own. This process does the harm, and at the end
 * holds the descriptors, threads, memory, statistics and the kernel's counters against what was done.
 * Exit status 77: cannot be run here.
 */
#include "soak.h"
#include "faults.h"
#include "driver.h"

#include <net/if.h>
#include <sched.h>
#include <stdarg.h>

#define MORE_KIB 2048 /* that the allocator may keep between the middle and the end */

static void own_network(void)
{
    struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        puts("no network namespace is to be had");
        exit(77);
    }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &up) != 0) die("the loopback");
    close(fd);
}

static pid_t start_driver(unsigned seed)
{
    pid_t parent = getpid(), pid = fork();
    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    for (int i = 0; i < PEERS; i++) close(shared->commands[i][0]);
    drive(seed);
    _exit(1);
}

static pid_t start_plain(int memory, const char *program, const char *library)
{
    char number[16];
    pid_t pid = fork();
    if (pid != 0) return pid;
    snprintf(number, sizeof number, "%d", memory);
    setenv("LD_PRELOAD", library, 1);
    setenv("GRACEFUL_CLOSE_TIMEOUT_MS", "2000", 1);
    fcntl(memory, F_SETFD, 0);
    execl(program, program, number, (char *)NULL);
    die(program);
    return -1;
}

/* --- the clients of the program under the preload library --- */

static void judge_plain(struct slot *slot)
{
    int is_whole = slot->has_end && slot->error == 0 && slot->got == slot->sent;
    int had_descriptors = slot->limits == shared->limits && !shared->is_limited;
    add(&shared->plain, 1);
    add(&shared->plain_whole, is_whole);
    if (slot->took > SLACK_MS) complain(slot, "close() has waited, under the preload library");
    /* what the peer has sent is drained, but by a child's end for a short while only, and not where nothing was answered */
    int is_promised = slot->kind != TALKER || (had_descriptors && slot->form != PLAIN_CHILD && slot->sent > 0);
    if (slot->kind < READERS && is_promised && !is_whole) complain(slot, "not whole, under the preload library");
    add(&shared->resets_explained, slot->kind >= READERS || !is_whole || !had_descriptors);
    slot->state = FREE;
}

static int collect_plain(void)
{
    int left = 0;
    for (int i = PLAIN_AT; i < SLOTS; i++) {
        struct slot *slot = &shared->slots[i];
        if (slot->state == ENDED && slot->is_done) judge_plain(slot);
        left += slot->state != FREE;
    }
    return left;
}

static void *call_plain(void *argument)
{
    unsigned state = *(unsigned *)argument;
    while (!shared->is_over) {
        int left = collect_plain();
        for (int i = PLAIN_AT; i < SLOTS && left < 60; i++) {
            if (shared->slots[i].state != FREE) continue;
            struct slot *slot = plan(&shared->slots[i], &state, (int)dice(&state, PLAIN_FORMS));
            slot->timeout_ms = 1000;
            slot->port = PLAIN_PORT;
            call_peer(slot, &state);
            break;
        }
        usleep(dice(&state, 20000));
    }
    for (double most = now_ms() + 20000; collect_plain() > 0 && now_ms() < most;) nap(10);
    return NULL;
}

/* --- the verdict --- */

static void expect(int holds, const char *what, const char *format, ...)
{
    va_list rest;
    printf("%s  %s: ", holds ? "ok     " : "FAILED ", what);
    va_start(rest, format);
    vprintf(format, rest);
    va_end(rest);
    putchar('\n');
    if (!holds) add(&shared->violations, 1);
}

/* the driver, and the program under the preload library */
static void judge_processes(void)
{
    const struct process *a = &shared->driver, *b = &shared->under_preload;
    expect(a->descriptors[0] > 0 && a->descriptors[1] == a->descriptors[0] && b->descriptors[0] > 0 && b->descriptors[1] == b->descriptors[0],
           "descriptors as at the start", "%d, then %d; %d, then %d", a->descriptors[0], a->descriptors[1], b->descriptors[0], b->descriptors[1]);
    expect(a->threads[0] > 0 && a->threads[1] == a->threads[0] && b->threads[0] > 0 && b->threads[1] <= b->threads[0],
           "threads as at the start", "%d, then %d; %d, then %d", a->threads[0], a->threads[1], b->threads[0], b->threads[1]);
    expect(a->memory[0] > 0 && a->memory[1] < a->memory[0] + a->memory[0] / 4 + MORE_KIB && b->memory[0] > 0 &&
               b->memory[1] < b->memory[0] + b->memory[0] / 4 + MORE_KIB,
           "memory does not grow", "%ld KiB in the middle, %ld at the end; %ld, %ld", a->memory[0], a->memory[1], b->memory[0], b->memory[1]);
}

static void judge_kernel(void)
{
    long resets = counter("/proc/self/net/snmp", "Tcp", "OutRsts"), aborts = extended("TCPAbortOnData") + extended("TCPAbortOnClose");
    long never = extended("TCPAbortOnMemory") + extended("TCPAbortOnLinger") + extended("TCPAbortFailed");
    expect(resets >= 0 && resets <= 2 * shared->resets_explained && aborts >= 0 && aborts <= shared->resets_explained && never == 0,
           "the faults explain the kernel's counters", "%ld resets sent, %ld aborted, of %ld connections that the faults explain; %ld for another reason",
           resets, aborts, shared->resets_explained, never);
}

static void judge_transfers(long violations)
{
    long unused = 0;
    for (int i = 0; i < FORMS; i++) unused += shared->by_form[i] == 0;
    for (int i = 0; i < KINDS; i++) unused += shared->by_kind[i] == 0;
    expect(violations == 0 && shared->graceful > 0, "each close ended once, in time, and what is called graceful has arrived",
           "%ld transfers, %ld graceful, %ld whole at the peer; %ld violations", shared->transfers, shared->graceful, shared->whole, violations);
    expect(shared->plain_whole > 0, "under the preload library", "%ld transfers, %ld whole at the peer", shared->plain, shared->plain_whole);
    expect(unused == 0, "all forms and kinds of peers", "%d and %d, %ld not met", FORMS, KINDS, unused);
}

static int ended_well(pid_t pid, const char *name, unsigned seconds)
{
    int status = 0;
    for (double most = now_ms() + seconds * 1e3; now_ms() < most; nap(20))
        if (waitpid(pid, &status, WNOHANG) == pid) {
            if (status != 0) printf("FAILED   %s: it ended with status %d\n", name, status);
            return status == 0;
        }
    printf("FAILED   %s: it does not end\n", name);
    kill(pid, SIGKILL);
    return 0;
}

static void await(const volatile int *what, const char *name)
{
    for (double most = now_ms() + 30000; !*what; nap(10))
        if (now_ms() > most) die(name);
}

static void run(const struct processes *all, unsigned seconds, unsigned seed)
{
    double start = now_ms(), span = seconds * 1e3;
    int is_half = 0;
    unsigned state = seed;
    pthread_t clients;
    if (pthread_create(&clients, NULL, call_plain, &seed) != 0) die("pthread_create");
    while (now_ms() < start + span) {
        do_harm(all, &state);
        if (!is_half && now_ms() > start + span / 2) {
            shared->driver.memory[0] = memory_of(all->driver);
            shared->under_preload.memory[0] = memory_of(all->plain);
            is_half = 1;
        }
    }
    shared->driver.memory[1] = memory_of(all->driver);
    shared->under_preload.memory[1] = memory_of(all->plain);
    shared->is_over = 1;
    pthread_join(clients, NULL);
}

int main(int argc, char **argv)
{
    struct processes all;
    if (argc != 5) return 2;
    unsigned seconds = (unsigned)atoi(argv[1]), seed = (unsigned)strtoul(argv[2], NULL, 10);
    printf("soak: %u s, seed %u\n", seconds, seed);
    own_network();
    int memory = memfd_create("soak", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, sizeof *shared) != 0) die("memfd_create");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (shared == MAP_FAILED) die("mmap");
    signal(SIGPIPE, SIG_IGN);
    fflush(NULL);
    for (int i = 0; i < PEERS; i++)
        if (pipe2(shared->commands[i], O_CLOEXEC) != 0) die("pipe");
    for (int i = 0; i < PEERS; i++) all.peers[i] = start_peers(i);
    all.plain = start_plain(memory, argv[3], argv[4]);
    all.driver = start_driver(seed);
    await(&shared->driver.is_ready, "the driver");
    await(&shared->under_preload.is_ready, "the program under the preload library");
    set_limit(all.driver, 4096);
    set_limit(all.plain, 4096);
    run(&all, seconds, seed);
    int is_well = ended_well(all.driver, "the driver", 90) & ended_well(all.plain, "the program under the preload library", 60);
    for (int i = 0; i < PEERS; i++) kill(all.peers[i], SIGKILL);
    printf("faults: peers stopped %ld, driver %ld, plain program %ld; no descriptors %ld and %ld, no threads %ld (met %ld times)\n",
           faults[STOP_PEER], faults[STOP_DRIVER], faults[STOP_PLAIN], faults[FEW_IN_DRIVER], faults[FEW_IN_PLAIN], faults[NO_THREADS],
           shared->thread_refusals);
    judge_transfers(shared->violations + !is_well);
    judge_processes();
    judge_kernel();
    return shared->violations > 0 || !is_well;
}
