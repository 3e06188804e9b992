/*
 * In a PID namespace of its own a program may still see the /proc of the outer one
 * (unshare --pid without --mount-proc, some jails), where its number is another than
 * getpid() says. It must not take itself for somebody else who holds the connection.
 */
#include "reaper_test.h"

#include <sched.h>
#include <sys/wait.h>

static int release(check_socket sock)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = 20000;
    options.if_shared = GC_SHARED_RELEASE;
    return gc_close_with(sock, &options, NULL);
}

static void inside(void)
{
    check_socket sock, peer, other;
    pid_t child;
    int status = 0;
    check_doing = "alone";
    check_pair(&sock, &peer);
    check_half_close(peer);
    CHECK_IS(release(sock), GC_GRACEFUL);
    check_close(peer);

    check_doing = "a duplicate";
    check_pair(&sock, &peer);
    check_half_close(peer);
    other = dup(sock);
    CHECK_IS(release(sock), GC_RELEASED);
    CHECK_IS(release(other), GC_GRACEFUL);
    check_close(peer);

    check_doing = "a child";
    check_pair(&sock, &peer);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) { /* until it is told that the parent has let go */
        char byte;
        check_close(peer);
        CHECK_IS(check_receive(sock, &byte, 1), 1);
        _exit(0);
    }
    CHECK_IS(release(sock), GC_RELEASED);
    CHECK_IS(check_send(peer, "a", 1), 1);
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK_IS(status, 0);
    check_close(peer);
}

/* in a process of its own: the leak check of the sanitizers could not start another one here */
static void in_a_namespace(void)
{
    pid_t outer = getpid(), child;
    int status = 0;
    if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) _exit(77);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        CHECK(getpid() != outer);
        inside();
        _exit(0);
    }
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK_IS(status, 0);
    _exit(0);
}

int main(void)
{
    pid_t child;
    int status = 0;
    check_start();
    child = fork();
    CHECK(child >= 0);
    if (child == 0) in_a_namespace();
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) check_skip("no PID namespace to be had");
    CHECK_IS(WEXITSTATUS(status), 0);
    return 0;
}
