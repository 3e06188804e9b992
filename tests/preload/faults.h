/*
 * Lets the system calls of this process fail, whoever makes them: a filter hands each of them to a thread
 * of ours (seccomp_unotify(2)), which answers with an error, or lets it go on. The library to preload
 * makes its calls without the C library, so nothing else would see them.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "lab.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* not poll(), by which the test itself waits */
static const int faulty[] = {
    SYS_close, SYS_shutdown, SYS_recvfrom, SYS_getsockopt, SYS_setsockopt, SYS_ppoll, SYS_timerfd_create,
    SYS_timerfd_settime, SYS_fcntl, SYS_ioctl, SYS_getpeername, SYS_getsockname, SYS_openat, SYS_read,
    SYS_readlinkat, SYS_getdents64, SYS_epoll_ctl, SYS_prlimit64, SYS_prctl, SYS_madvise
};
#define FAULTY ((int)(sizeof faulty / sizeof *faulty))

static volatile int armed, refused = -1, first, for_ever, with_error;
static volatile int made[FAULTY], hits;
static int listener_fd = -1;

/* The calls of the thread that answers: neither filtered, nor seen by the library. */
static long bare(long number, long a, long b, long c)
{
    long result;
#if defined(__x86_64__)
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    result = x0;
#endif
    return result;
}

/* 0: goes on */
static int fault_of(const struct seccomp_notif *call)
{
    int which = 0, now;
    while (which < FAULTY && faulty[which] != call->data.nr)
        which++;
    if (!armed || which == FAULTY)
        return 0;
    now = made[which]++;
    if (which != refused || now < first || (now > first && !for_ever))
        return 0;
    hits++;
    return with_error;
}

static void *answer_calls(void *unused)
{
    (void)unused;
    while (listener_fd < 0)
        bare(SYS_sched_yield, 0, 0, 0);
    for (;;) {
        struct seccomp_notif call;
        struct seccomp_notif_resp answer;
        memset(&call, 0, sizeof call);
        memset(&answer, 0, sizeof answer);
        if (bare(SYS_ioctl, listener_fd, (long)SECCOMP_IOCTL_NOTIF_RECV, (long)&call) < 0)
            continue;
        answer.id = call.id;
        answer.error = -fault_of(&call);
        if (answer.error == 0)
            answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        else if (call.data.nr == SYS_close)
            bare(SYS_close, (long)call.data.args[0], 0, 0); /* it is free after an error (close(2)) */
        bare(SYS_ioctl, listener_fd, (long)SECCOMP_IOCTL_NOTIF_SEND, (long)&answer);
    }
    return NULL;
}

/* For this thread, and those that it starts. */
static void begin_faults(void)
{
    struct sock_filter filter[3 * FAULTY + 8];
    struct sock_fprog program = { 0, filter };
    pthread_t thread;
    int at = 0, i, made_fd;
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (i = 0; i < FAULTY; i++) {
        filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)faulty[i], 0, 1);
        filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    }
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program.len = (unsigned short)at;
    MUST(pthread_create(&thread, NULL, answer_calls, NULL) == 0);
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    made_fd = (int)bare(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, (long)&program);
    if (made_fd < 0)
        skip("no system calls can be handed over here (seccomp)");
    listener_fd = made_fd;
}

#endif
