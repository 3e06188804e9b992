/* What a program has from its starter: blocked signals, a limit of descriptors, a connection: T71-T73. */
#include "lab.h"

#include <sys/resource.h>

extern char **environ;

static int answer_blocked(void)
{
    int listening = listener();
    peer one = client(listening);

    close(served(listening));
    came_whole(one);
    return 0;
}

/* T71: whoever has started the program had a signal blocked, as supervisors that use sigwait(). */
static void blocked_by_the_starter(void)
{
    char *self[] = {"/proc/self/exe", "T-blocked", "-", NULL};
    sigset_t one;

    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    MUST(sigprocmask(SIG_BLOCK, &one, NULL) == 0);
    execve(self[0], self, environ);
    fail("execve: %s", strerror(errno));
}

/* T72: select() can use what the program opens, although others wait for their end. */
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

/* T73: a client's connection that has come by exec is still a client's: it is closed normally. */
static void inherited_client(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(8080)};
    char *self[] = {"/proc/self/exe", "T-client", "-", NULL};
    int listening = socket(AF_INET, SOCK_STREAM, 0), made, fd, on = 1;
    char text[10];
    pid_t child;

    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, (struct sockaddr *)&here, sizeof here) != 0)
        skip("port 8080 is taken");
    MUST(listen(listening, 5) == 0);
    made = connection_to(listening);
    fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    MUST(fd >= 0);
    MUST(send(fd, "unread", 6, 0) == 6);
    wait_for_bytes(made, 6);
    child = fork();
    if (child == 0) {
        MUST(dup2(made, 0) == 0);
        close(made);
        execve(self[0], self, environ);
        _exit(127);
    }
    close(made);
    waitpid(child, NULL, 0);
    MUST(recv(fd, text, sizeof text, 0) == -1 || recv(fd, text, sizeof text, 0) == -1);
    MUST(errno == ECONNRESET);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T71", blocked_by_the_starter},
        {"T72", numbers_for_select},
        {"T73", inherited_client},
    };

    if (argc > 2 && strcmp(argv[1], "T-client") == 0)
        return write(0, "x", 1) != 1;
    if (argc > 2 && strcmp(argv[1], "T-blocked") == 0)
        return answer_blocked();
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
