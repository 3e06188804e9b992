/* Programs that have a connection from before their start, and what a starter leaves them: T68-T72. */
#include "lab.h"

#include <sys/resource.h>

extern char **environ;

#define WRITTEN 960000

/* Starts this program once more, as `part`, with a connection under 0, 1 and 2. */
static void become(const char *part, int fd)
{
    char *self[] = {"/proc/self/exe", (char *)part, "-", NULL};

    if (fd >= 0) {
        MUST(dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2);
        close(fd);
    }
    execve(self[0], self, environ);
    _exit(127);
}

/* As inetd's services: the end of it is still in the stream when main() returns. */
static int write_by_stdio(void)
{
    int i, size = 8192;

    /* something has been sent, and the rest takes as long as the peer wants */
    MUST(write(1, "begin", 5) == 5);
    setsockopt(1, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setvbuf(stdout, NULL, _IOFBF, 2 * WRITTEN);
    for (i = 0; i < WRITTEN / 16; i++)
        printf("%015d\n", i);
    return 0;
}

/* T68: input and output are one connection, and the last of the output is in the stream. */
static void stream_of_several_numbers(void)
{
    int listening = listener(), fd;
    habits how;
    fate end;
    peer one;
    pid_t child;

    memset(&how, 0, sizeof how);
    how.wait_ms = 300;
    one = start_peer(listening, how);
    fd = accepted(listening);
    child = fork();
    if (child == 0)
        become("T-stdio", fd);
    close(fd);
    waitpid(child, NULL, 0);
    end = end_of(one);
    if (end.bytes != WRITTEN + 5 || end.error != 0)
        fail("%d of %d bytes, error %d", end.bytes, WRITTEN + 5, end.error);
}

/* T69: a program of another user, in a session of its own, ends; its starter goes on answering. */
static void starter_unreadable(void)
{
    int listening = listener(), fd;
    habits how;
    fate end;
    peer one;
    pid_t child;

    memset(&how, 0, sizeof how);
    one = start_peer(listening, how);
    fd = accepted(listening);
    MUST(send(fd, "first", 5, 0) == 5);
    child = fork();
    if (child == 0) {
        setsid();
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(77);
        become("T-nothing", fd);
    }
    {
        int status;
        waitpid(child, &status, 0);
        if (WEXITSTATUS(status) == 77)
            skip("another user: not allowed here");
        MUST(WEXITSTATUS(status) == 0);
    }
    sleep_ms(50);
    MUST(send(fd, "second", 6, MSG_NOSIGNAL) == 6);
    close(fd);
    end = end_of(one);
    if (end.bytes != 11 || end.error != 0)
        fail("%d of 11 bytes, error %d", end.bytes, end.error);
}

static int answer_blocked(void)
{
    int listening = listener();
    peer one = client(listening);

    close(served(listening));
    came_whole(one);
    return 0;
}

/* T70: whoever has started the program had a signal blocked, as supervisors that use sigwait(). */
static void blocked_by_the_starter(void)
{
    sigset_t one;

    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    MUST(sigprocmask(SIG_BLOCK, &one, NULL) == 0);
    become("T-blocked", -1);
}

/* T71: select() can use what the program opens, although others wait for their end. */
static void numbers_for_select(void)
{
    enum { WAITING = 60, OPENED = 940 };
    static peer some[WAITING];
    habits how;
    struct rlimit limit = {4096, 4096};
    int listening, i;

    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        skip("4096 descriptors: not allowed here");
    listening = listener();
    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = 1000;
    for (i = 0; i < WAITING; i++)
        some[i] = start_peer(listening, how);
    for (i = 0; i < WAITING; i++)
        close(served(listening));
    for (i = 0; i < OPENED; i++) {
        int fd = dup(listening);
        MUST(fd >= 0);
        if (fd >= FD_SETSIZE)
            fail("number %d, with %d open", fd, i);
    }
    for (i = 0; i < WAITING; i++)
        end_of(some[i]);
}

/* T72: small programs that have the connection of a script cost it nothing when they end. */
static void small_programs(void)
{
    int listening = listener(), fd, turn;
    double best = 9;
    peer one = client(listening);

    fd = accepted(listening);
    MUST(send(fd, "x", 1, 0) == 1);
    for (turn = 0; turn < 10; turn++) {
        double start = seconds();
        pid_t child = fork();
        if (child == 0)
            become("T-nothing", fd);
        waitpid(child, NULL, 0);
        if (seconds() - start < best)
            best = seconds() - start;
    }
    if (best > 0.06)
        fail("the fastest of ten took %.0f ms", best * 1000);
    close(fd);
    end_of(one);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T68", stream_of_several_numbers}, {"T69", starter_unreadable},
        {"T70", blocked_by_the_starter},    {"T71", numbers_for_select},
        {"T72", small_programs},
    };

    if (argc > 2 && strcmp(argv[1], "T-stdio") == 0)
        return write_by_stdio();
    if (argc > 2 && strcmp(argv[1], "T-nothing") == 0)
        return 0;
    if (argc > 2 && strcmp(argv[1], "T-blocked") == 0)
        return answer_blocked();
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
