/*
 * What nobody else can hold is closed gracefully, also where the processes of others cannot be
 * looked at: after setuid(), as a daemon, without a descriptor left. A stranger that has just been
 * orphaned in our session or control group may hold a connection as well (src/sys/linux/sharing/kin.rs).
 * So what cannot look runs in a PID namespace of its own, where there are no strangers.
 */
#include "sharing_test.h"

static int daemon_says[2];

static void alone_after_setuid(void)
{
    become(user);
    make_pair();
    closed_by_all_rules();
}

static void daemon_alone(void)
{
    pid_t child;
    CHECK(setsid() > 0);
    child = fork();
    CHECK(child >= 0);
    if (child > 0) _exit(0);
    become(user);
    check_sleep(50);
    make_pair();
    closed_by_all_rules();
    CHECK_IS(write(daemon_says[1], "!", 1), 1);
    _exit(0);
}

static void alone_as_a_daemon(void)
{
    char byte;
    int status;
    pid_t child;
    CHECK_IS(pipe(daemon_says), 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) daemon_alone();
    CHECK_IS(waitpid(child, &status, 0), child);
    check_close(daemon_says[1]);
    CHECK_IS(read(daemon_says[0], &byte, 1), 1);
}

static void without_a_descriptor(void)
{
    make_pair();
    leave_no_descriptor();
    closed_by_all_rules();
}

static void without_a_descriptor_after_setuid(void)
{
    become(user);
    without_a_descriptor();
}

/* --- where it runs --- */

/* goes on in a child, and ends like it */
static void go_on_in_a_child(void)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) return;
    CHECK_IS(waitpid(child, &status, 0), child);
    end_like(status);
}

static void go_on_in_a_container(void)
{
    if (unshare(CLONE_NEWPID) != 0) skip();
    go_on_in_a_child();
    mount_proc("");
}

/* The program is loaded there: what it was started with outside of it could be held outside. */
static void load(const char *part)
{
    execl(this_program, this_program, part, (char *)NULL);
    _exit(127);
}

static void as_the_first_process(void)
{
    go_on_in_a_container();
    load("first");
}

/* below an init and a shell that are older, which is told by the hundredth of a second */
static void as_one_of_a_session(void)
{
    go_on_in_a_container();
    go_on_in_a_child();
    check_sleep(50);
    go_on_in_a_child();
    load("session");
}

static void close_as_the_first_process(void)
{
    check_doing = "as the first process";
    CHECK_IS(getpid(), 1);
    make_pair();
    closed_by_all_rules();
}

static int close_as_one_of_a_session(void)
{
    int failed = 0;
    RUN(alone_after_setuid);
    RUN(without_a_descriptor_after_setuid);
    RUN(alone_as_a_daemon); /* the last one: it lives on for a moment, as an orphan */
    return failed != 0;
}

int main(int count, char **words)
{
    int failed = 0;
    sharing_start(words);
    if (count > 1) {
        if (strcmp(words[1], "session") == 0) return close_as_one_of_a_session();
        close_as_the_first_process();
        return 0;
    }
    RUN(without_a_descriptor);
    if (failed != 0) return 1;
    if (getuid() != 0) check_skip("not root: no other users, no namespaces");
    RUN(as_the_first_process);
    RUN(as_one_of_a_session);
    return failed != 0;
}
