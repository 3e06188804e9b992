/* Who may hold a connection, and who cannot: ancestors of another user, helpers that have left, the
 * first process of a container, and the rest of the machine: T78-T82, T95. */
#include "lab.h"

#include <linux/capability.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

extern char **environ;

static void become(char *role)
{
    char *words[] = {"/proc/self/exe", role, NULL};

    execve(words[0], words, environ);
    _exit(127);
}

static void be_nobody(void)
{
    MUST(setgid(65534) == 0 && setuid(65534) == 0);
}

static void ended_well(pid_t child)
{
    int status;

    MUST(waitpid(child, &status, 0) == child);
    if (status != 0)
        fail("the server ended with status %x", status);
}

static void need_root(void)
{
    if (geteuid() != 0)
        skip("needs root");
}

/* Answers, with a program started in between that might have the connection. */
static int answer_in_doubt(void)
{
    char *words[] = {"/proc/self/exe", "T-nothing", NULL};
    int listening = listener();
    peer one = client(listening);
    int fd = served(listening);
    pid_t child;

    MUST(posix_spawn(&child, words[0], NULL, NULL, words, environ) == 0);
    MUST(waitpid(child, NULL, 0) == child);
    close(fd);
    came_whole(one);
    return 0;
}

/* The calling process goes on in a child, the first of a container; its parent tells how it ended. */
static void enter_container(void)
{
    pid_t child;

    need_root();
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0)
        skip("no namespaces here");
    child = fork();
    if (child != 0) {
        ended_well(child);
        exit(0);
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("proc", "/proc", "proc", 0, NULL) != 0)
        fail("no /proc here: %s", strerror(errno));
}

/* T78: those who have started the program cannot be read; they were there before the connection. */
static void ancestors_of_another_user(void)
{
    pid_t child;

    enter_container();
    child = fork();
    if (child == 0) {
        be_nobody();
        become("T-answer");
    }
    ended_well(child);
}

/* A helper that cannot be read, and whose parent is init. */
static void leave_a_helper(int fd)
{
    pid_t child = fork();

    if (child == 0) {
        setsid();
        if (fork() == 0) {
            prctl(PR_SET_DUMPABLE, 0);
            sleep_ms(300);
            MUST(write(fd, "second\n", 7) == 7);
        }
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static int write_first(void)
{
    char request[10];

    MUST(read(0, request, sizeof request) == (int)sizeof request);
    return write(1, "first\n", 6) != 6;
}

static void start_on(int fd, char *role)
{
    MUST(dup2(fd, 0) == 0 && dup2(fd, 1) == 1);
    close(fd);
    become(role);
}

/* T79: a helper that cannot be read has left for init with the connection, and goes on with it. */
static void helper_that_has_left(void)
{
    habits how = {.request = 10};
    int listening = listener();
    peer one;
    fate end;

    need_root();
    one = start_peer(listening, how);
    if (fork() == 0) {
        /* a daemon, all of whose ancestors can be read */
        if (fork() == 0) {
            be_nobody();
            prctl(PR_SET_DUMPABLE, 1);
            setsid();
            if (fork() == 0) {
                int fd = accepted(listening);
                leave_a_helper(fd);
                start_on(fd, "T-first");
            }
            wait(NULL);
        }
        _exit(0);
    }
    end = end_of(one);
    if (end.bytes != 13 || end.error != 0)
        fail("%d of 13 bytes came, then %s", end.bytes, strerror(end.error));
}

/* T80: a server that is the first process of its container: nobody outside can have its connections. */
static void first_process(void)
{
    enter_container();
    become("T-answer");
}

/* T81: 60,000 descriptors of somebody else on the machine hold nobody up. */
static void crowded_machine(void)
{
    enum { ALL = 60000 };
    struct rlimit limit;
    int full[2], i, made;
    char text;
    pid_t child;

    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_max < 2000)
        skip("60,000 descriptors: too many processes for them");
    MUST(pipe(full) == 0);
    for (made = 0; made < ALL; made += (int)limit.rlim_max - 100) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (i = 0; i < ALL && i < (int)limit.rlim_max - 100; i++)
                MUST(dup(full[0]) >= 0);
            MUST(write(full[1], "!", 1) == 1);
            sleep_ms(20000);
            _exit(0);
        }
        MUST(read(full[0], &text, 1) == 1);
    }
    sleep_ms(30);
    child = fork();
    if (child == 0)
        become("T-quick");
    ended_well(child);
}

static int answer_quickly(void)
{
    char *words[] = {"/proc/self/exe", "T-nothing", NULL};
    double best = 1;
    int listening = listener(), i;

    for (i = 0; i < 5; i++) {
        habits how = {.request = REQUEST};
        peer one = start_peer(listening, how);
        int fd = served(listening);
        double start = seconds();
        pid_t child;

        MUST(posix_spawn(&child, words[0], NULL, NULL, words, environ) == 0);
        MUST(waitpid(child, NULL, 0) == child);
        start = seconds();
        close(fd);
        end_of(one);
        if (seconds() - start < best)
            best = seconds() - start;
    }
    if (best > 0.025)
        fail("the end came after %.0f ms", best * 1000);
    return 0;
}

static int answer_the_standard(void)
{
    wait_for_bytes(0, REQUEST);
    send_answer(0);
    return 0;
}

/* T82: a superserver that has given up root, as tcpserver -u: nobody may read what it holds. */
static void superserver_of_another_user(void)
{
    int listening = listener(), i;

    need_root();
    be_nobody();
    for (i = 0; i < 5; i++) {
        peer one = client(listening);
        int fd = accepted(listening);
        pid_t child = fork();
        if (child == 0)
            start_on(fd, "T-standard");
        close(fd);
        came_whole(one);
        ended_well(child);
    }
}

static int drop_a_capability(void)
{
    return prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0);
}

static int enter_user_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

/* A shell of which the programs that it starts see the numbers, and not where they lead. */
static void be_a_shell(int fd, int (*lessen)(void))
{
    pid_t child;

    MUST(dup2(fd, 0) == 0 && dup2(fd, 1) == 1);
    close(fd);
    MUST(write_first() == 0);
    child = fork();
    if (child == 0) {
        if (lessen() != 0)
            _exit(77);
        become("T-nothing");
    }
    waitpid(child, NULL, 0);
    sleep_ms(50);
    MUST(write(1, "second\n", 7) == 7);
    exit(0);
}

/* T95: a program that may do less than its shell ends: the shell goes on with the connection. */
static void shell_that_may_do_more(void)
{
    int (*ways[])(void) = {drop_a_capability, enter_user_namespace};
    int listening = listener();
    unsigned i;

    need_root();
    for (i = 0; i < sizeof ways / sizeof *ways; i++) {
        habits how = {.request = 10};
        peer one = start_peer(listening, how);
        fate end;
        if (fork() == 0)
            be_a_shell(accepted(listening), ways[i]);
        end = end_of(one);
        if (end.bytes != 13 || end.error != 0)
            fail("way %u: %d of 13 bytes came, then %s", i, end.bytes, strerror(end.error));
    }
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T78", ancestors_of_another_user},
        {"T79", helper_that_has_left},
        {"T80", first_process},
        {"T81", crowded_machine},
        {"T82", superserver_of_another_user},
        {"T95", shell_that_may_do_more},
    };
    static const struct role {
        const char *name;
        int (*run)(void);
    } roles[] = {
        {"T-answer", answer_in_doubt},
        {"T-first", write_first},
        {"T-quick", answer_quickly},
        {"T-standard", answer_the_standard},
    };
    unsigned i;

    for (i = 0; argc > 1 && i < sizeof roles / sizeof *roles; i++)
        if (strcmp(argv[1], roles[i].name) == 0)
            return roles[i].run();
    if (argc > 1 && strcmp(argv[1], "T-nothing") == 0)
        return 0;
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
