/* Programs that confine themselves while connections wait for their end: T84-T86. */
#include "lab.h"

#include <dirent.h>
#include <dlfcn.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define REFUSED(number, what)                              \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, what)

typedef long (*system_call)(long, ...);

/* Refuses what the background thread lives by to all threads, by way of this function. */
static void confine(system_call call, unsigned how)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSED(SYS_ppoll, how),
        REFUSED(SYS_recvfrom, how),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof rules / sizeof *rules, rules};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
        skip("no seccomp here");
}

/* poll() is refused now */
static void pause_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&left, NULL);
}

static void close_with_a_silent_peer(void)
{
    habits how = {.request = REQUEST, .wait_ms = 5000};
    int listening = listener();

    start_peer(listening, how);
    close(served(listening));
}

static int threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *one;
    int count = 0;

    MUST(tasks);
    while ((one = readdir(tasks)))
        count += one->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* T84: a filter that the library has not seen refuses it everything: its thread ends, and uses no processor time. */
static void refused_unseen(void)
{
    void *library = dlopen("libc.so.6", RTLD_NOW);
    system_call real = (system_call)dlsym(library, "syscall");
    struct timespec used;
    int i;

    close_with_a_silent_peer();
    confine(real, SECCOMP_RET_ERRNO | EPERM);
    for (i = 0; i < 100 && threads() > 1; i++)
        pause_ms(30);
    if (threads() > 1)
        fail("there is still a thread");
    MUST(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0);
    if (used.tv_sec > 0 || used.tv_nsec > 300000000)
        fail("%ld.%03ld s of processor time", (long)used.tv_sec, used.tv_nsec / 1000000);
}

/* T85: a filter that kills who calls what is not allowed: the thread has ended before. */
static void killed_by_a_filter(void)
{
    pid_t child;
    int status;

    close_with_a_silent_peer();
    child = fork();
    if (child == 0) {
        close_with_a_silent_peer();
        confine(syscall, SECCOMP_RET_KILL_PROCESS);
        pause_ms(300);
        _exit(0);
    }
    MUST(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip("no seccomp here");
    if (status != 0)
        fail("ended with status %x", status);
}

/* T86: what is allowed to a process with one thread only is allowed with the library, too. */
static void one_thread(void)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(unshare(CLONE_NEWUSER) == 0 ? 0 : 77);
    MUST(waitpid(child, &status, 0) == child);
    if (status != 0)
        skip("no user namespaces here");
    close_with_a_silent_peer();
    MUST(unshare(CLONE_NEWUSER) == 0);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T84", refused_unseen},
        {"T85", killed_by_a_filter},
        {"T86", one_thread},
    };

    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
