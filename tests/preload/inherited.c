/* Connections that others have in ways that are hard to see: a started program although the
 * descriptor is close-on-exec, a child without fork handlers, a thread by itself: T63-T66. */
#include "lab.h"

#include <dlfcn.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
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

static void answer(int fd)
{
    static char data[ANSWER];
    int size = 2 * ANSWER;

    sleep_ms(50);
    wait_for_bytes(fd, REQUEST);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    MUST(send(fd, data, ANSWER - 1, MSG_NOSIGNAL) == ANSWER - 1);
}

/* The program that is started: answers a little later. */
static void answer_on(int fd)
{
    answer(fd);
    exit(0);
}

/* Answers, and needs nobody's help to end well. */
static void answer_and_read(int fd)
{
    static char data[REQUEST];

    answer(fd);
    MUST(recv(fd, data, sizeof data, MSG_WAITALL) == REQUEST);
    _exit(0);
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

/* T65: a child of which no fork handler hears answers. */
static void fork_without_handlers(void)
{
    pid_t (*fork_alone)(void) = (pid_t (*)(void))dlsym(RTLD_DEFAULT, "_Fork");
    int listening = listener();
    peer one;
    pid_t child;
    int fd;

    if (fork_alone == NULL)
        skip("no _Fork() in this C library");
    one = client(listening);
    fd = greeted(listening);
    child = fork_alone();
    if (child == 0)
        answer_and_read(fd);
    close(fd);
    came_whole(one);
    waitpid(child, NULL, 0);
}

static void *close_own(void *fd)
{
    if (unshare(CLONE_FILES) != 0)
        skip("unshare() is not allowed here");
    close((int)(long)fd);
    return NULL;
}

/* T66: a thread with descriptors of its own closes: the others still have the connection. */
static void descriptors_apart(void)
{
    int listening = listener();
    peer one = client(listening);
    int fd = greeted(listening);
    static char data[REQUEST];
    pthread_t thread;

    MUST(pthread_create(&thread, NULL, close_own, (void *)(long)fd) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    answer(fd);
    MUST(recv(fd, data, sizeof data, MSG_WAITALL) == REQUEST);
    close(fd);
    came_whole(one);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T63", passed_on},
        {"T64", too_late},
        {"T65", fork_without_handlers},
        {"T66", descriptors_apart},
    };

    if (argc > 2 && strcmp(argv[1], "T-answer") == 0)
        answer_on(atoi(argv[2]));
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
