/* Connections that a started program has although the descriptor is close-on-exec: T63, T64. */
#include "lab.h"

#include <linux/close_range.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

extern char **environ;

static int greeted(int listening)
{
    int fd = accepted(listening);

    MUST(send(fd, "x", 1, 0) == 1);
    return fd;
}

/* The program that is started: answers a little later. */
static void answer_on(int fd)
{
    static char answer[ANSWER];
    int size = 2 * ANSWER;

    sleep_ms(50);
    wait_for_bytes(fd, REQUEST);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    MUST(send(fd, answer, ANSWER - 1, MSG_NOSIGNAL) == ANSWER - 1);
    exit(0);
}

static char number[20];
static char *self[] = {"/proc/self/exe", "T-answer", number, NULL};

/* T63: a child of vfork() takes close-on-exec away, for its program alone: as Python's subprocess
 * does with what it is to pass on. */
static void passed_on(void)
{
    int listening = listener(), way;

    for (way = 0; way < 3; way++) {
        peer one = client(listening);
        int fd = greeted(listening);
        pid_t child;
        MUST(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
        snprintf(number, sizeof number, "%d", fd);
        child = vfork();
        if (child == 0) {
            if (way == 0)
                fcntl(fd, F_SETFD, 0);
            else if (way == 1)
                ioctl(fd, FIONCLEX);
            else
                syscall(SYS_fcntl, fd, F_SETFD, 0);
            execve(self[0], self, environ);
            _exit(127);
        }
        close(fd);
        came_whole(one);
        waitpid(child, NULL, 0);
    }
}

/* T64: it becomes close-on-exec when the program that has it is there already. */
static void too_late(void)
{
    int listening = listener(), way;

    for (way = 0; way < 3; way++) {
        peer one = client(listening);
        int fd = greeted(listening);
        pid_t child;
        MUST(fcntl(fd, F_SETFD, 0) == 0);
        snprintf(number, sizeof number, "%d", fd);
        MUST(posix_spawn(&child, self[0], NULL, NULL, self, environ) == 0);
        if (way == 0)
            MUST(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
        else if (way == 1)
            MUST(ioctl(fd, FIOCLEX) == 0);
        else
            MUST(close_range((unsigned)fd, (unsigned)fd, CLOSE_RANGE_CLOEXEC) == 0);
        close(fd);
        came_whole(one);
        waitpid(child, NULL, 0);
    }
}

int main(int argc, char **argv)
{
    static const check checks[] = {{"T63", passed_on}, {"T64", too_late}};

    if (argc > 2 && strcmp(argv[1], "T-answer") == 0)
        answer_on(atoi(argv[2]));
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
