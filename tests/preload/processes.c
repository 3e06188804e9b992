/* Forks, signals and the end of a process: T23, T24, T27, T28, T50-T54, T62. */
#include "lab.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static peer slow_client(int listening, int ms)
{
    habits how;

    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = ms;
    how.more = 5000000;
    return start_peer(listening, how);
}

/* T23: fork() while something is finished in the background: the child keeps none of it. */
static void fork_meanwhile(void)
{
    int listening = listener(), status, fd;
    peer one = slow_client(listening, 200);
    pid_t child;

    /* whoever has started this may have left something open */
    close_range(20, ~0U, 0);
    close(served(listening));
    child = fork();
    if (child == 0) {
        for (fd = 100; fd < 2000; fd++)
            if (fcntl(fd, F_GETFD) >= 0)
                fail("the child has descriptor %d", fd);
        /* longer than the connection lasts: it must not be kept open by us */
        sleep_ms(600);
        _exit(0);
    }
    came_whole(one);
    MUST(waitpid(child, &status, 0) == child && status == 0);
}

static int blocked_signals(void)
{
    sigset_t mask;
    int signal, count = 0;

    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (signal = 1; signal < 32; signal++)
        count += sigismember(&mask, signal);
    return count;
}

/* T24: the child finishes its own connections; no signal is left blocked. */
static void child_has_its_own(void)
{
    int listening = listener(), status;
    peer one = client(listening), two;
    pid_t child;

    close(served(listening));
    MUST(blocked_signals() == 0);
    two = slow_client(listening, 100);
    child = fork();
    if (child == 0) {
        MUST(blocked_signals() == 0);
        close(served(listening));
        MUST(blocked_signals() == 0);
        sleep_ms(400);
        _exit(0);
    }
    came_whole(two);
    came_whole(one);
    MUST(waitpid(child, &status, 0) == child && status == 0);
}

/* T27: a silent peer: the process' end is delayed, and no longer than by the limit of silence. */
static void delayed_end(void)
{
    int listening = listener(), status;
    pid_t server;
    double start;
    habits silent;

    memset(&silent, 0, sizeof silent);
    silent.request = REQUEST;
    silent.wait_ms = 8000;
    start_peer(listening, silent);
    start = seconds();
    server = fork();
    if (server == 0) {
        close(served(listening));
        exit(0);
    }
    MUST(waitpid(server, &status, 0) == server && status == 0);
    printf("exit() took %.2f s\n", seconds() - start);
    MUST(seconds() - start < 0.9);
}

static volatile int to_close = -1;

static void close_in_handler(int signal)
{
    (void)signal;
    errno = 4711;
    close(to_close);
    if (errno != 4711)
        to_close = -2;
}

/* T28: close() in a signal handler, which may have interrupted malloc() anywhere. */
static void in_a_handler(void)
{
    int listening = listener(), i;
    peer some[20];

    signal(SIGUSR1, close_in_handler);
    /* the background thread is there: it cannot be started in a handler */
    some[0] = client(listening);
    close(served(listening));
    came_whole(some[0]);
    for (i = 0; i < 20; i++) {
        pid_t child;
        double until;
        some[i] = client(listening);
        to_close = served(listening);
        child = fork();
        if (child == 0) {
            sleep_ms(10);
            kill(getppid(), SIGUSR1);
            _exit(0);
        }
        until = seconds() + 0.04;
        while (seconds() < until)
            free(malloc(100 + (size_t)(rand() % 100000)));
        waitpid(child, NULL, 0);
        MUST(to_close != -2);
        end_of(some[i]);
    }
}

static void *serve_alone(void *listening)
{
    peer one = client((int)(long)listening);

    close(served((int)(long)listening));
    came_whole(one);
    return NULL;
}

/* T50: the main thread has gone, and when the last of the program's threads ends so does the
 * process, though one of ours is there. */
static void main_thread_gone(void)
{
    pthread_t thread;
    pid_t child = fork();
    double start = seconds();
    int status;

    if (child == 0) {
        pthread_create(&thread, NULL, serve_alone, (void *)(long)listener());
        pthread_detach(thread);
        pthread_exit(NULL);
    }
    MUST(waitpid(child, &status, 0) == child && status == 0);
    MUST(seconds() - start < 5);
}

#define ALLOW(number) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* T51: a program that confines itself to what it needs is not killed for what we would do. */
static void confined(void)
{
    int listening = listener(), status;
    peer one = client(listening);
    pid_t child = fork();

    if (child == 0) {
        struct sock_filter rules[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            ALLOW(SYS_close), ALLOW(SYS_exit_group), ALLOW(SYS_write), ALLOW(SYS_rt_sigreturn),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        };
        struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
        int fd = served(listening);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
            _exit(77);
        close(fd);
        _exit(0);
    }
    MUST(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip("no seccomp here");
    MUST(status == 0);
    end_of(one);
}

static void *write_on(void *fd)
{
    static char data[1000];

    for (;;)
        (void)!write((int)(long)fd, data, sizeof data);
    return NULL;
}

/* T52: exit() while another thread is writing to the connection: the status is the program's. */
static void written_to_the_end(void)
{
    int i;

    for (i = 0; i < 5; i++) {
        int listening = listener(), status;
        peer one = client(listening);
        pid_t child = fork();
        if (child == 0) {
            pthread_t thread;
            int fd = accepted(listening);
            pthread_create(&thread, NULL, write_on, (void *)(long)fd);
            sleep_ms(100);
            exit(9);
        }
        MUST(waitpid(child, &status, 0) == child);
        MUST(WIFEXITED(status) && WEXITSTATUS(status) == 9);
        end_of(one);
        close(listening);
    }
}

/* T53: a daemon made by daemon(), which forks without a call of fork(). */
static void daemon_serves(void)
{
    int listening = listener(), go[2];
    char byte;
    peer one = client(listening);
    pid_t child;

    MUST(pipe(go) == 0);
    child = fork();
    if (child == 0) {
        MUST(daemon(1, 1) == 0);
        close(served(listening));
        (void)!write(go[1], "x", 1);
        sleep_ms(500);
        _exit(0);
    }
    close(listening);
    MUST(read(go[0], &byte, 1) == 1);
    came_whole(one);
}

/* T54: many threads accept and close, and the process forks all the time. */
static volatile int stop;
static int shared_listening;

static void *accept_and_close(void *unused)
{
    (void)unused;
    while (!stop) {
        int fd = accept(shared_listening, NULL, NULL);
        if (fd < 0)
            break;
        wait_for_bytes(fd, REQUEST);
        send_answer(fd);
        close(fd);
    }
    return NULL;
}

static void threads_and_forks(void)
{
    pthread_t threads[4];
    peer some[40];
    int i, lost = 0;

    shared_listening = listener();
    for (i = 0; i < 40; i++)
        some[i] = client(shared_listening);
    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, accept_and_close, NULL);
    for (i = 0; i < 60; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    }
    for (i = 0; i < 40; i++) {
        fate end = end_of(some[i]);
        lost += end.bytes != ANSWER || end.error != 0;
    }
    stop = 1;
    if (lost > 0)
        fail("%d of 40 answers lost", lost);
    _exit(0);
}

/* T62: children that are killed never give back what they held: when there is no room left to
 * count, fork() is not slower for it. */
static void killed_children(void)
{
    double longest = 0;
    int round, i;

    for (round = 0; round < 75; round++) {
        int first = -1, last = -1;
        double start;
        pid_t child;
        for (i = 0; i < 900; i++) {
            last = socket(AF_INET, SOCK_DGRAM, 0);
            MUST(last >= 0);
            if (first < 0)
                first = last;
        }
        start = seconds();
        child = fork();
        if (child == 0)
            for (;;)
                pause();
        if (seconds() - start > longest)
            longest = seconds() - start;
        MUST(child > 0 && kill(child, SIGKILL) == 0);
        MUST(waitpid(child, NULL, 0) == child);
        for (i = first; i <= last; i++)
            close(i);
    }
    printf("the longest fork() took %.0f ms\n", longest * 1000);
    MUST(longest < 0.5);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T23", fork_meanwhile},  {"T24", child_has_its_own}, {"T27", delayed_end},
        {"T28", in_a_handler},    {"T50", main_thread_gone},  {"T51", confined},
        {"T52", written_to_the_end}, {"T53", daemon_serves},  {"T54", threads_and_forks},
        {"T62", killed_children},
    };

    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
