/* Connections that a manager of services takes or gives, as systemd does: T93, T94, T191. */
#include "lab.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define ROUNDS 5

typedef union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
} control_message;

/* A message of the kind that sd_pid_notify_with_fds() sends (man 3 sd_notify). */
static void fill(struct msghdr *message, struct iovec *part, control_message *control, char *text, int fd)
{
    memset(message, 0, sizeof *message);
    memset(control, 0, sizeof *control);
    part->iov_base = text;
    part->iov_len = strlen(text);
    message->msg_iov = part;
    message->msg_iovlen = 1;
    message->msg_control = control;
    message->msg_controllen = sizeof *control;
    control->header.cmsg_level = SOL_SOCKET;
    control->header.cmsg_type = SCM_RIGHTS;
    control->header.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control->header), &fd, sizeof fd);
}

static void store(int channel, int fd, int how)
{
    char text[] = "FDSTORE=1\nFDNAME=client";
    struct mmsghdr one;
    struct iovec part;
    control_message control;

    memset(&one, 0, sizeof one);
    fill(&one.msg_hdr, &part, &control, text, fd);
    switch (how) {
    case 0: MUST(sendmsg(channel, &one.msg_hdr, MSG_NOSIGNAL) > 0); return;
    case 1: MUST(sendmmsg(channel, &one, 1, MSG_NOSIGNAL) == 1); return;
    default: MUST(syscall(SYS_sendmsg, channel, &one.msg_hdr, MSG_NOSIGNAL) > 0);
    }
}

static int stored(int channel)
{
    char text[100];
    struct msghdr message;
    struct iovec part;
    control_message control;
    int fd;

    fill(&message, &part, &control, text, -1);
    part.iov_len = sizeof text;
    MUST(recvmsg(channel, &message, 0) > 0);
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

static void answer_the_rest(int fd)
{
    static char answer[ANSWER];
    int size = 2 * ANSWER;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    MUST(send(fd, answer, ANSWER - 1, MSG_NOSIGNAL) == ANSWER - 1);
}

/* The service has begun its answer, and hands the connection to its manager; the next one goes on. */
static void restarted_service(int how, int closes)
{
    int listening = listener(), channel[2], fd;
    peer one = client(listening);
    pid_t service;

    MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, channel) == 0);
    service = fork();
    if (service == 0) {
        fd = accepted(listening);
        MUST(send(fd, "x", 1, MSG_NOSIGNAL) == 1);
        wait_for_bytes(fd, REQUEST);
        store(channel[0], fd, how);
        if (closes)
            close(fd);
        exit(0);
    }
    MUST(waitpid(service, NULL, 0) == service);
    /* nobody has it now but the message */
    sleep_ms(50);
    fd = stored(channel[1]);
    service = fork();
    if (service == 0) {
        sleep_ms(20);
        answer_the_rest(fd);
        exit(0);
    }
    close(fd);
    came_whole(one);
    waitpid(service, NULL, 0);
    close(channel[0]);
    close(channel[1]);
    close(listening);
}

/* T93: a connection in the file descriptor store of a manager outlives the service that put it there. */
static void descriptor_store(void)
{
    int how;

    for (how = 0; how < 3; how++) {
        restarted_service(how, 0);
        restarted_service(how, 1);
    }
}

static char *const NOTHING[] = {NULL};

/*
 * The manager: has no library, accepts, and starts a program for each connection, which is 3 there. It has given up its
 * own copy before the program starts: the close of a manager that comes to it after the program's end is the last one,
 * and bare.
 */
static void manage(int listening, char *library, char *service)
{
    char *words[] = {"/proc/self/exe", service, NULL};
    char *variables[] = {library, NULL}, byte;
    int i, fd, given_up[2];

    for (i = 0; i < ROUNDS; i++) {
        fd = accepted(listening);
        MUST(pipe(given_up) == 0);
        if (fork() == 0) {
            close(given_up[1]);
            MUST(read(given_up[0], &byte, 1) == 0 && close(given_up[0]) == 0);
            if (fd != 3)
                MUST(dup2(fd, 3) == 3 && close(fd) == 0);
            execve(words[0], words, library[0] ? variables : NOTHING);
            _exit(127);
        }
        close(fd);
        close(given_up[0]);
        close(given_up[1]);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    while (wait(NULL) > 0)
        ;
}

static void serve(void)
{
    wait_for_bytes(3, REQUEST);
    MUST(send(3, "x", 1, MSG_NOSIGNAL) == 1);
    answer_the_rest(3);
    exit(0);
}

static void start_manager(int listening, char *service)
{
    static char library[4096];
    char number[20], *words[] = {"/proc/self/exe", "T-manager", number, library, service, NULL};

    if (getenv("LD_PRELOAD"))
        snprintf(library, sizeof library, "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
    snprintf(number, sizeof number, "%d", listening);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        MUST(fcntl(listening, F_SETFD, 0) == 0);
        execve(words[0], words, NOTHING);
        _exit(127);
    }
}

/* T94: socket activation with Accept=yes: the connection comes as descriptor 3 from a manager without the library. */
static void activated(void)
{
    int listening = listener(), i;

    start_manager(listening, "T-service");
    for (i = 0; i < ROUNDS; i++)
        came_whole(client(listening));
}

/* A script: its commands have something else where it has the connection. */
static void be_a_shell(void)
{
    char *words[] = {"/proc/self/exe", "T-nothing", NULL};
    int i, null = open("/dev/null", O_RDWR | O_CLOEXEC);

    MUST(write(3, "!", 1) == 1);
    for (i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0) {
            MUST(dup2(null, 3) == 3);
            execv(words[0], words);
            _exit(127);
        }
        MUST(waitpid(child, NULL, 0) == child);
    }
    MUST(write(3, "?", 1) == 1);
    exit(0);
}

/* T191: no command of a script waits before it starts for its shell to give up the connection: 340 ms each, before. */
static void redirected_commands(void)
{
    habits how = {.request = 10};
    int listening = listener(), i;
    double best = 10;

    start_manager(listening, "T-shell");
    for (i = 0; i < ROUNDS && best > 1.5; i++) {
        fate end = end_of(start_peer(listening, how));
        if (end.bytes != 2)
            fail("%d of 2 bytes came, then %s", end.bytes, strerror(end.error));
        if (end.took < best)
            best = end.took;
    }
    if (best > 1.5)
        fail("ten commands took %.3f s", best);
}

int main(int argc, char **argv)
{
    static const check checks[] = {{"T93", descriptor_store}, {"T94", activated}, {"T191", redirected_commands}};

    if (argc > 4 && strcmp(argv[1], "T-manager") == 0) {
        manage(atoi(argv[2]), argv[3], argv[4]);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "T-shell") == 0)
        be_a_shell();
    if (argc > 1 && strcmp(argv[1], "T-nothing") == 0)
        return 0;
    if (argc > 1 && strcmp(argv[1], "T-service") == 0)
        serve();
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
