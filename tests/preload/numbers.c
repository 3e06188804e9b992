/* Descriptor numbers and limits: T16, T20-T22, T29, T48, T55, T99, T100. */
#include "lab.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>

/* Numbers of this process that are open and not the program's, as far as /proc tells. */
static int high_numbers(int *numbers, int most)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = 0;

    MUST(folder != NULL);
    while ((entry = readdir(folder)) != NULL && count < most) {
        int fd = atoi(entry->d_name);
        if (fd >= 100)
            numbers[count++] = fd;
    }
    closedir(folder);
    return count;
}

/* A connection whose peer stays silent, closed: it is waited for in the background. */
static void close_silent(int listening, int silent_ms)
{
    habits how;
    int fd;

    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = silent_ms;
    start_peer(listening, how);
    fd = served(listening);
    close(fd);
}

/* T16: the number is free at once, and the next descriptor gets it. */
static void lowest_number(void)
{
    int listening = listener(), i, first = -1;

    for (i = 0; i < 5; i++) {
        habits how;
        int fd, file;
        memset(&how, 0, sizeof how);
        how.request = REQUEST;
        how.wait_ms = 300;
        close(start_peer(listening, how).report);
        fd = served(listening);
        MUST(fd < FD_SETSIZE);
        if (first < 0)
            first = fd;
        MUST(fd == first);
        close(fd);
        file = open("/dev/null", O_RDONLY);
        MUST(file == fd);
        MUST(dup(file) == file + 1);
        close(file + 1);
        close(file);
    }
}

/* One that goes on sending: it sees a reset if the connection is dropped. */
static peer late_client(int listening)
{
    habits how;

    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = 100;
    how.more = 3000000;
    return start_peer(listening, how);
}

/* T20: close_range() and closefrom() take the program's descriptors and spare ours. */
static void everything_closed(void)
{
    int listening = listener();
    peer one = late_client(listening), two;

    close(served(listening));
    MUST(dup2(1, 60) == 60);
    MUST(close_range(50, ~0U, 0) == 0);
    MUST(fcntl(60, F_GETFD) == -1);
    came_whole(one);
    two = late_client(listening);
    close(served(listening));
    MUST(dup2(two.report, 60) == 60);
    two.report = 60;
    closefrom(61);
    came_whole(two);
    MUST(dup2(1, 70) == 70);
    closefrom(65);
    MUST(fcntl(70, F_GETFD) == -1);
}

/* T21: the same in a loop. */
static void loop_of_closes(void)
{
    int listening = listener(), i;
    peer one;

    close_range(20, ~0U, 0);
    one = late_client(listening);
    close(served(listening));
    for (i = 3; i < 2000; i++)
        if (i != one.report && close(i) == 0 && i >= 20)
            fail("descriptor %d could be closed", i);
    came_whole(one);
}

/* T22: dup2() onto one of our numbers: the program gets it, and nothing is lost. */
static void number_taken(void)
{
    int listening = listener(), numbers[8], count, i;
    peer one;
    habits how;
    char text[3] = "";
    int ends[2];

    close_range(20, ~0U, 0);
    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = 200;
    how.more = 500000;
    one = start_peer(listening, how);
    close(served(listening));
    MUST(pipe(ends) == 0);
    count = high_numbers(numbers, 8);
    for (i = 0; i < count; i++) {
        MUST(dup2(ends[1], numbers[i]) == numbers[i]);
        MUST(write(numbers[i], "ab", 2) == 2);
        MUST(read(ends[0], text, 2) == 2 && strcmp(text, "ab") == 0);
    }
    came_whole(one);
    for (i = 0; i < count; i++) {
        MUST(write(numbers[i], "cd", 2) == 2);
        MUST(close(numbers[i]) == 0);
    }
}

static pthread_barrier_t together;

static void *takes(void *number)
{
    int fd = *(int *)number, other = open("/dev/null", O_RDWR);

    MUST(other >= 0);
    pthread_barrier_wait(&together);
    MUST(dup2(other, fd) == fd);
    return NULL;
}

/* T100: several threads do so at once: what they have put there stays theirs. */
static void numbers_taken_at_once(void)
{
    int listening = listener(), numbers[8], count, i;
    pthread_t threads[8];
    peer all[5];
    habits how;

    close_range(20, ~0U, 0);
    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = 300;
    how.more = 500000;
    for (i = 0; i < 5; i++) {
        all[i] = start_peer(listening, how);
        close(served(listening));
    }
    count = high_numbers(numbers, 8);
    pthread_barrier_init(&together, NULL, (unsigned)count);
    for (i = 0; i < count; i++)
        MUST(pthread_create(&threads[i], NULL, takes, &numbers[i]) == 0);
    for (i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < 5; i++)
        end_of(all[i]);
    sleep_ms(300);
    for (i = 0; i < count; i++)
        MUST(write(numbers[i], "x", 1) == 1 && close(numbers[i]) == 0);
}

/* T99: the same while it is still looked up whether a child has the connection: it answers afterwards. */
static void number_taken_in_doubt(void)
{
    static char answer[ANSWER];
    int listening = listener(), numbers[8], count, i, size = 2 * ANSWER;
    peer one;
    int fd, other;
    pid_t child;

    close_range(20, ~0U, 0);
    one = client(listening);
    fd = accepted(listening);
    MUST(send(fd, "x", 1, 0) == 1);
    child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    MUST(child >= 0);
    if (child == 0) {
        sleep_ms(400);
        MUST(recv(fd, answer, REQUEST, MSG_WAITALL) == REQUEST);
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        MUST(send(fd, answer, ANSWER - 1, MSG_NOSIGNAL) == ANSWER - 1);
        _exit(0);
    }
    close(fd);
    sleep_ms(10);
    MUST((other = open("/dev/null", O_RDWR)) >= 0);
    count = high_numbers(numbers, 8);
    for (i = 0; i < count; i++)
        MUST(dup2(other, numbers[i]) == numbers[i]);
    came_whole(one);
    MUST(waitpid(child, NULL, 0) == child);
}

/* T29: a program with a limit that is just enough for it. */
static void small_limit(void)
{
    struct rlimit limit;
    int listening = listener(), i, fds[64];

    limit.rlim_cur = limit.rlim_max = 40;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (i = 0; i < 4; i++)
        close_silent(listening, 500);
    for (i = 0; i < 20; i++) {
        fds[i] = open("/dev/null", O_RDONLY);
        MUST(fds[i] >= 0);
    }
}

/* T55: a number that was ours for a while is an ordinary one afterwards. */
static void number_given_back(void)
{
    int listening = listener(), i, fd;

    for (i = 0; i < 5; i++) {
        peer one = client(listening);
        close(served(listening));
        came_whole(one);
    }
    sleep_ms(50);
    for (i = 500; i < 520; i++) {
        fd = fcntl(1, F_DUPFD, i);
        MUST(fd >= i);
        MUST(close(fd) == 0);
        MUST(fcntl(fd, F_GETFD) == -1);
    }
    for (i = 500; i < 520; i++)
        if (fcntl(i, F_GETFD) == -1) {
            MUST(dup2(1, i) == i);
            MUST(close(i) == 0);
        }
}

/* T48: the program's last number is ours for the moment: accept() gets it. */
static void crowded(void)
{
    struct rlimit limit;
    int listening = listener(), mine, i, left;

    limit.rlim_cur = limit.rlim_max = left = 300;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (i = 0; i < 300; i++)
        left -= fcntl(i, F_GETFD) != -1;
    for (i = 0; i < 8; i++)
        close_silent(listening, 1000);
    mine = connection_to(listening);
    /* the peers' reports and the connection are open, too; one is left for accept() */
    left -= 8 + 1 + 1;
    for (i = 0; i < left; i++)
        MUST(open("/dev/null", O_RDONLY) >= 0);
    MUST(fcntl(mine, F_GETFD) >= 0);
    MUST(accept(listening, NULL, NULL) >= 0);
    MUST(open("/dev/null", O_RDONLY) == -1 && errno == EMFILE);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T16", lowest_number},  {"T20", everything_closed}, {"T21", loop_of_closes},
        {"T22", number_taken},   {"T29", small_limit},       {"T48", crowded},
        {"T55", number_given_back}, {"T99", number_taken_in_doubt},
        {"T100", numbers_taken_at_once},
    };

    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
