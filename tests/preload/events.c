/* Event loops: T15, T18, T19, T49, T83, T98, T192. */
#include "lab.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

static void add(int set, int fd)
{
    struct epoll_event event;

    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.fd = fd;
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
}

static int events_within(int set, int ms)
{
    struct epoll_event event;
    int count = 0;
    double until = seconds() + ms / 1000.0;

    while (seconds() < until && count < 1000)
        if (epoll_wait(set, &event, 1, 5) == 1)
            count++;
    return count;
}

static peer slow_client(int listening)
{
    habits how;

    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = 150;
    how.more = 1000;
    return start_peer(listening, how);
}

/* T15: three silent clients do not hold up the one thread that serves all. */
static void silent_clients(void)
{
    int listening = listener(), i;
    habits silent;
    double start;

    memset(&silent, 0, sizeof silent);
    silent.request = REQUEST;
    silent.wait_ms = 4000;
    for (i = 0; i < 3; i++) {
        start_peer(listening, silent);
        start = seconds();
        close(served(listening));
    }
    for (i = 0; i < 20; i++) {
        peer one = client(listening);
        int fd = served(listening);
        start = seconds();
        close(fd);
        if (seconds() - start > 0.1)
            fail("close() took %.2f s", seconds() - start);
        came_whole(one);
    }
    _exit(0);
}

/* T18: after close() its epoll set hears nothing of it. */
static void no_stale_events(void)
{
    int listening = listener(), set = epoll_create1(0), count;
    peer one = slow_client(listening);
    int fd = served(listening);

    add(set, fd);
    close(fd);
    count = events_within(set, 400);
    if (count > 0)
        fail("%d events after close()", count);
    came_whole(one);
}

/* T19: registered in many sets. */
static void many_sets(void)
{
    int listening = listener(), sets[12], i;
    peer one = slow_client(listening);
    int fd = served(listening);

    for (i = 0; i < 12; i++)
        add(sets[i] = epoll_create(1), fd);
    close(fd);
    for (i = 0; i < 12; i++)
        if (events_within(sets[i], 30) > 0)
            fail("events in set %d", i);
    came_whole(one);
}

/* T49: registered in more sets than can be remembered, or in one that is closed by number and
 * lives on: no events, whatever else. */
static void unknown_sets(void)
{
    int listening = listener(), sets[80], i, other;
    peer one = slow_client(listening);
    int fd = served(listening);

    for (i = 0; i < 80; i++)
        add(sets[i] = epoll_create1(0), fd);
    close(fd);
    if (events_within(sets[79], 400) > 0 || events_within(sets[0], 10) > 0)
        fail("events in set 79 or 0");
    end_of(one);
    for (i = 0; i < 80; i++)
        close(sets[i]);
    one = slow_client(listening);
    fd = served(listening);
    sets[0] = epoll_create1(0);
    add(sets[0], fd);
    other = dup(sets[0]);
    close(sets[0]);
    close(fd);
    if (events_within(other, 300) > 0)
        fail("events in a set under another number");
    end_of(one);
}

/* T83: event loops that are closed after a fork: their number does not matter. */
static void many_loops(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int listening = listener(), i, loop, fd;
    peer one;

    for (i = 0; i < 70; i++) {
        pid_t child;
        loop = epoll_create1(EPOLL_CLOEXEC);
        MUST(loop >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, listening, &event) == 0);
        child = fork();
        if (child == 0)
            _exit(0);
        MUST(waitpid(child, NULL, 0) == child);
        close(loop);
    }
    one = client(listening);
    fd = served(listening);
    loop = epoll_create1(EPOLL_CLOEXEC);
    MUST(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0);
    close(fd);
    came_whole(one);
}

/* T98: a child that no fork handler hears of waits for the connection in the set of both. */
static void set_of_a_child(void)
{
    static char request[REQUEST];
    struct epoll_event event;
    int listening = listener(), set = epoll_create1(EPOLL_CLOEXEC), status;
    peer one = slow_client(listening);
    int fd = accepted(listening);
    pid_t child;

    MUST(send(fd, "x", 1, 0) == 1);
    add(set, fd);
    child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    MUST(child >= 0);
    if (child == 0) {
        MUST(recv(fd, request, sizeof request, MSG_WAITALL) == REQUEST);
        _exit(epoll_wait(set, &event, 1, 5000) == 1 ? 0 : 1);
    }
    close(fd);
    MUST(waitpid(child, &status, 0) == child);
    if (status != 0)
        fail("the child hears nothing of what its client sends");
    end_of(one);
}

/* T192: registered through a duplicate of the set's number that is closed before: no events. */
static void through_a_duplicate(void)
{
    int listening = listener(), set = epoll_create1(0), other = dup(set);
    peer one = slow_client(listening);
    int fd = served(listening);

    add(other, fd);
    close(other);
    close(fd);
    if (events_within(set, 400) > 0)
        fail("events after close()");
    end_of(one);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T15", silent_clients}, {"T18", no_stale_events}, {"T19", many_sets}, {"T49", unknown_sets},
        {"T83", many_loops}, {"T98", set_of_a_child},
        {"T192", through_a_duplicate},
    };

    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
