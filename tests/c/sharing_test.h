/* What the tests of who else holds a connection share. Each case runs in a process of its own. Linux alone. */
#ifndef SHARING_TEST_H
#define SHARING_TEST_H

#include "reaper_test.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* who has no other process, also while this test runs twice at a time */
static uid_t user;

static const char *this_program;
static check_socket sock, peer;

CHECK_HELPER void sharing_start(char **words)
{
    this_program = words[0];
    user = 20000 + 2 * (uid_t)(getpid() % 20000);
    signal(SIGPIPE, SIG_IGN);
    check_start();
}

CHECK_HELPER void make_pair(void)
{
    check_pair(&sock, &peer);
    CHECK_IS(check_send(peer, "request", 7), 7);
}

CHECK_HELPER void become(uid_t other)
{
    CHECK_IS(syscall(SYS_setgroups, 0, NULL), 0);
    CHECK_IS(setgid((gid_t)other), 0);
    CHECK_IS(setuid(other), 0);
}

CHECK_HELPER gc_report release(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    int outcome;
    options.timeout_ms = 3000;
    options.if_shared = GC_SHARED_RELEASE;
    outcome = gc_close_with(sock, &options, &report);
    CHECK_IS(outcome, report.outcome);
    return report;
}

/* nobody else: the request is read, and the end is seen */
CHECK_HELPER void closed_by_all_rules(void)
{
    check_half_close(peer);
    CHECK_IS(release().outcome, GC_GRACEFUL);
}

CHECK_HELPER void leave_no_descriptor(void)
{
    struct rlimit limit;
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (dup(2) >= 0) {}
    CHECK_IS(errno, EMFILE);
}

CHECK_HELPER void skip(void) { _exit(77); }

CHECK_HELPER void mount_proc(const char *options)
{
    if (unshare(CLONE_NEWNS) != 0) skip();
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0) skip();
    if (mount("proc", "/proc", "proc", 0, options) != 0) skip();
}

/* as the child that was waited for */
CHECK_HELPER void end_like(int status)
{
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* each in a process of its own */
CHECK_HELPER int in_a_process(const char *name, void (*run)(void))
{
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    check_doing = name;
    if (child == 0) {
        alarm(60);
        run();
        _exit(0);
    }
    CHECK_IS(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("SKIPPED: %s: not permitted here\n", name);
        return 0;
    }
    if (status != 0) printf("%s: status %d\n", name, status);
    return status != 0;
}

#define RUN(what) failed += in_a_process(#what, what)

#endif
