/* Connections that several descriptors or processes hold: T05-T13, T42-T45. Whoever closes must
 * not end the connection under the one who is still answering; the last one must end it well. */
#include "lab.h"

#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>

extern char **environ;

#define ROUNDS 20

/* The first byte is sent before anybody shares the connection: one on which nothing was sent is
 * left alone anyway. */
static int greeted(int listening)
{
    int fd = accepted(listening);

    MUST(send(fd, "x", 1, 0) == 1);
    return fd;
}

static void send_the_rest(int fd)
{
    static char answer[ANSWER];
    int size = 2 * ANSWER;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    MUST(send(fd, answer, ANSWER - 1, MSG_NOSIGNAL) == ANSWER - 1);
}

/* Answers a little later, as a child does that works. */
static void answer_and(int fd, void (*end)(int fd))
{
    sleep_ms(20);
    wait_for_bytes(fd, REQUEST);
    send_the_rest(fd);
    end(fd);
}

static void just_exit(int fd)
{
    (void)fd;
    exit(0);
}

static void close_then_exit(int fd)
{
    close(fd);
    exit(0);
}

static void underscore(int fd)
{
    (void)fd;
    _exit(0);
}

static void forking_server(void (*end)(int fd), int close_listening)
{
    int listening = listener(), i;

    for (i = 0; i < ROUNDS; i++) {
        peer one = client(listening);
        int fd = greeted(listening);
        pid_t child = fork();
        MUST(child >= 0);
        if (child == 0) {
            if (close_listening)
                close(listening);
            answer_and(fd, end);
        }
        close(fd);
        came_whole(one);
        waitpid(child, NULL, 0);
    }
}

/* T05: the parent closes at once, the child answers and closes. */
static void parent_closes_first(void)
{
    forking_server(close_then_exit, 1);
}

/* T06: as T05, and the child just ends. */
static void child_exits(void)
{
    forking_server(just_exit, 0);
    forking_server(underscore, 0);
}

static char *self[] = {"/proc/self/exe", "T-answer", NULL};

/* The program that others start: answers on descriptor 0 or 1, whichever is the connection. */
static void answer_as_a_program(void)
{
    answer_and(0, just_exit);
}

static char *nothing[] = {"/bin/true", NULL}, *missing[] = {"/no/such/program", NULL};

static pid_t start_by_vfork(int fd, char **program)
{
    pid_t child = vfork();

    if (child == 0) {
        dup2(fd, 0);
        execve(program[0], program, environ);
        _exit(127);
    }
    return child;
}

/* T07: inetd with vfork(): the parent closes, a program answers on descriptor 0. */
static void vfork_and_exec(void)
{
    int listening = listener(), i;

    for (i = 0; i < 5; i++) {
        peer one = client(listening);
        int fd = greeted(listening);
        pid_t child;
        /* dup2() gives it to the child in either case */
        fcntl(fd, F_SETFD, i % 2 ? FD_CLOEXEC : 0);
        child = start_by_vfork(fd, self);
        close(fd);
        came_whole(one);
        waitpid(child, NULL, 0);
    }
    /* a program that does nothing with it, or that is not there: we answer */
    for (i = 0; i < 4; i++) {
        peer one = client(listening);
        int fd = greeted(listening);
        waitpid(start_by_vfork(fd, i % 2 ? nothing : missing), NULL, 0);
        wait_for_bytes(fd, REQUEST);
        send_the_rest(fd);
        close(fd);
        came_whole(one);
    }
}

/* T08: the same by posix_spawn(); the descriptor is close-on-exec. */
static void spawned(void)
{
    int listening = listener(), i;

    for (i = 0; i < 5; i++) {
        posix_spawn_file_actions_t actions;
        peer one = client(listening);
        int fd = greeted(listening);
        pid_t child;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, fd, 0);
        MUST(posix_spawn(&child, self[0], &actions, NULL, self, environ) == 0);
        posix_spawn_file_actions_destroy(&actions);
        close(fd);
        came_whole(one);
        waitpid(child, NULL, 0);
    }
}

/* T09: two descriptors of one process. */
static void duplicated(void)
{
    int listening = listener();
    peer one = client(listening);
    int fd = greeted(listening), other = dup(fd);

    close(fd);
    sleep_ms(30);
    wait_for_bytes(other, REQUEST);
    send_the_rest(other);
    close(other);
    came_whole(one);
}

/* T10: under 0, 1 and 2, as inetd hands it over, closed one after the other. */
static void standard_three(void)
{
    int listening = listener();
    peer one = client(listening);
    pid_t child = fork();

    if (child == 0) {
        int fd = greeted(listening);
        dup2(fd, 0);
        dup2(fd, 1);
        fcntl(fd, F_DUPFD, 20);
        close(fd);
        close(0);
        sleep_ms(30);
        wait_for_bytes(1, REQUEST);
        send_the_rest(1);
        exit(0);
    }
    came_whole(one);
    waitpid(child, NULL, 0);
}

static void send_descriptor(int channel, int fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message;
    struct iovec part;

    memset(&message, 0, sizeof message);
    memset(&control, 0, sizeof control);
    part.iov_base = "x";
    part.iov_len = 1;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    MUST(sendmsg(channel, &message, 0) == 1);
}

static int receive_descriptor(int channel)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message;
    struct iovec part;
    char byte;
    int fd;

    memset(&message, 0, sizeof message);
    part.iov_base = &byte;
    part.iov_len = 1;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    MUST(recvmsg(channel, &message, 0) == 1);
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

/* T11: sent to another process, and in flight when the sender closes. */
static void passed(void)
{
    int listening = listener(), channel[2], i;

    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, channel) == 0);
    for (i = 0; i < 5; i++) {
        peer one = client(listening);
        pid_t child = fork();
        int fd;
        if (child == 0) {
            sleep_ms(50);
            answer_and(receive_descriptor(channel[1]), close_then_exit);
        }
        fd = greeted(listening);
        send_descriptor(channel[0], fd);
        close(fd);
        came_whole(one);
        waitpid(child, NULL, 0);
    }
}

/* T12: parent and child close in the same moment. */
static void both_at_once(void)
{
    int listening = listener(), i, lost = 0;

    for (i = 0; i < 60; i++) {
        peer one = client(listening);
        int fd = served(listening), go[2];
        fate end;
        pid_t child;
        MUST(pipe(go) == 0);
        child = fork();
        if (child == 0) {
            char byte;
            (void)!read(go[0], &byte, 1);
            close(fd);
            exit(0);
        }
        (void)!write(go[1], "x", 1);
        close(fd);
        end = end_of(one);
        lost += end.bytes != ANSWER || end.error != 0;
        waitpid(child, NULL, 0);
        close(go[0]);
        close(go[1]);
    }
    if (lost > 0)
        fail("%d of 60 answers lost", lost);
}

/* T13: programs run by system() and popen() meanwhile; one stays, and has the descriptor. */
static void programs_meanwhile(void)
{
    int listening = listener();
    peer one = client(listening);
    int fd = greeted(listening);
    FILE *pipe_end;

    wait_for_bytes(fd, REQUEST);
    MUST(system("exit 0") == 0);
    pipe_end = popen("exit 0", "r");
    MUST(pipe_end != NULL && pclose(pipe_end) == 0);
    send_the_rest(fd);
    close(fd);
    came_whole(one);
}

/* T42: as T13, but the started program is the one that answers, after our close. */
static void program_answers(void)
{
    int listening = listener();
    peer one = client(listening);
    int fd = greeted(listening);
    char command[100];

    fcntl(fd, F_SETFD, 0);
    MUST(dup2(fd, 9) == 9);
    close(fd);
    snprintf(command, sizeof command, "/proc/%d/exe T-answer-late <&9 &", (int)getpid());
    MUST(system(command) == 0);
    close(9);
    came_whole(one);
}

/* T43: a child made by a bare system call, of which no fork handler hears. */
static void bare_fork(void)
{
    int listening = listener(), i;

    for (i = 0; i < 5; i++) {
        peer one = client(listening);
        int fd = greeted(listening);
        pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (child == 0)
            answer_and(fd, underscore);
        close(fd);
        /* what the child does cannot be known: only that it must not be disturbed */
        if (end_of(one).bytes < 1000)
            fail("the child's connection was ended");
        waitpid(child, NULL, 0);
    }
}

/* T44: fork() fails: nobody else holds it after all. */
static void failed_fork(void)
{
    struct rlimit none = {0, 0}, before;
    int listening = listener();
    peer one = client(listening);
    int fd;
    pid_t child;

    /* a first one, so that the background thread is there: it counts as a process, too */
    close(served(listening));
    came_whole(one);
    one = client(listening);
    fd = served(listening);
    MUST(getrlimit(RLIMIT_NPROC, &before) == 0);
    MUST(setrlimit(RLIMIT_NPROC, &none) == 0);
    /* root is not held to the limit */
    if (geteuid() == 0)
        MUST(setresuid(65534, 65534, 65534) == 0);
    child = fork();
    if (child == 0)
        _exit(0);
    if (child > 0)
        skip("fork() cannot be made to fail here");
    close(fd);
    came_whole(one);
}

/* T45: a helper is forked while connections are open, and ends; they are closed later. */
static void helper_comes_and_goes(void)
{
    int listening = listener();
    peer one = client(listening);
    int fd = served(listening);
    pid_t helper = fork();

    if (helper == 0)
        _exit(0);
    waitpid(helper, NULL, 0);
    helper = fork();
    if (helper == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    waitpid(helper, NULL, 0);
    close(fd);
    came_whole(one);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T05", parent_closes_first}, {"T06", child_exits}, {"T07", vfork_and_exec},
        {"T08", spawned},             {"T09", duplicated},  {"T10", standard_three},
        {"T11", passed},              {"T12", both_at_once}, {"T13", programs_meanwhile},
        {"T42", program_answers},     {"T43", bare_fork},   {"T44", failed_fork},        {"T45", helper_comes_and_goes},
    };

    if (argc > 1 && strcmp(argv[1], "T-answer-late") == 0)
        sleep_ms(500);
    if (argc > 1 && strncmp(argv[1], "T-answer", 8) == 0)
        answer_as_a_program();
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
