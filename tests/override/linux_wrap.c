/*
 * Linked with libgraceful_close_wrap.a under --wrap: which closes it takes over, and that all
 * others stay what they were. Arguments: "all" (graceful_close_wrap.opts), "some" (close and
 * accept alone) or "none" (switched off by GRACEFUL_CLOSE_OFF=1).
 */
#include "../c/check.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "graceful_close.h"

unsigned long graceful_close_override_active(void);
int library_duplicate(int fd);
int library_epoll_set(int fd);

#define ANSWER 100000
static int on; /* something is to be taken over */
static int sees_messages;

static unsigned long taken(void)
{
    return graceful_close_override_active();
}

/* a connection with an answer sent and the peer's bytes unread, the trap for a bare close */
static int trap(int *peer)
{
    int sock;

    check_pair(&sock, peer);
    check_send_pattern(*peer, 3000, 0);
    check_wait_readable(sock);
    check_send_pattern(sock, ANSWER, 0);
    return sock;
}

/* the peer goes on talking, reads late, and gets all of it and a proper end */
static int came_whole(int peer)
{
    size_t bytes = 0;
    int error;

    check_send(peer, "late", 4);
    check_sleep(5);
    check_send(peer, "later", 5);
    error = check_read_to_end(peer, &bytes, 0);
    close(peer);
    return error == 0 && bytes == ANSWER;
}

/* as much as goes into the connection without blocking */
static size_t send_all_that_fits(int sock)
{
    static const char zeros[65536];
    size_t sent = 0;
    ssize_t got;

    CHECK_IS(fcntl(sock, F_SETFL, O_NONBLOCK), 0);
    while ((got = send(sock, zeros, sizeof(zeros), 0)) > 0) sent += (size_t)got;
    return sent;
}

static size_t receive_all(int peer)
{
    static char bytes[65536];
    size_t received = 0;
    ssize_t got;

    while ((got = recv(peer, bytes, sizeof(bytes), 0)) > 0) received += (size_t)got;
    return received;
}

static void close_is_plain(int fd)
{
    unsigned long before = taken();

    CHECK_IS(close(fd), 0);
    CHECK_IS(taken(), before);
}

static void ordinary(void)
{
    int peer, sock = trap(&peer);
    unsigned long before = taken();
    double started = check_now();

    errno = 77;
    CHECK_IS(close(sock), 0);
    CHECK_IS(errno, 77);
    CHECK(check_now() - started < 1000.0);
    CHECK_IS(taken() - before, on);
    if (on)
        CHECK(came_whole(peer));
    else
        CHECK(!came_whole(peer));
    /* the reaper has its descriptors by now: the number is free */
    sock = trap(&peer);
    CHECK_IS(close(sock), 0);
    CHECK_IS(fcntl(sock, F_GETFD), -1);
    CHECK_IS(close(sock), -1);
    CHECK_IS(errno, EBADF);
    CHECK_IS(dup2(peer, sock), sock);
    before = taken();
    close_is_plain(sock);
    CHECK_IS(taken(), before);
    close(peer);
}

static void left_alone(void)
{
    int pair[2], peer, sock, other;
    struct sockaddr_in address;

    check_doing = "nothing sent";
    check_pair(&sock, &peer);
    check_send_pattern(peer, 100, 0);
    check_wait_readable(sock);
    close_is_plain(sock);
    close_is_plain(peer);

    check_doing = "a client";
    check_pair(&sock, &peer);
    check_send_pattern(peer, 100, 0);
    close_is_plain(peer);
    close(sock);

    check_doing = "a reset on purpose";
    sock = trap(&peer);
    check_set_linger(sock, 1, 0);
    close_is_plain(sock);
    CHECK(!came_whole(peer));

    check_doing = "shut for reading";
    sock = trap(&peer);
    CHECK_IS(shutdown(sock, SHUT_RD), 0);
    close_is_plain(sock);
    close_is_plain(peer);

    check_doing = "listener, datagrams, pipe, UNIX";
    close_is_plain(check_listener(&address));
    close_is_plain(check_bound(SOCK_DGRAM, &address));
    CHECK_IS(pipe(pair), 0);
    close_is_plain(pair[0]);
    close_is_plain(pair[1]);
    CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    check_send(pair[0], "x", 1);
    close_is_plain(pair[0]);
    close_is_plain(pair[1]);

    check_doing = "a duplicate in the same process";
    sock = trap(&peer);
    other = dup(sock);
    close_is_plain(sock);
    CHECK_IS(check_send(other, "x", 1), 1);
    close(other);
    close(peer);
}

/* both sides have shut down for sending, and something is unread */
static void both_shut(void)
{
    int peer, sock;
    size_t sent;

    check_pair(&sock, &peer);
    check_send_pattern(peer, 3000, 0);
    CHECK_IS(shutdown(peer, SHUT_WR), 0);
    check_wait_readable(sock);
    check_sleep(20);
    sent = send_all_that_fits(sock);
    CHECK_IS(shutdown(sock, SHUT_WR), 0);
    CHECK_IS(close(sock), 0);
    check_sleep(20);
    if (on)
        CHECK_IS(receive_all(peer), sent);
    else
        CHECK(receive_all(peer) < sent);
    close(peer);
}

/* closed behind our back, and a pipe by now */
static void another_by_now(void)
{
    int peer, sock = trap(&peer), pair[2];
    FILE *stream = fdopen(sock, "w");

    CHECK(stream != NULL && fclose(stream) == 0);
    CHECK_IS(pipe(pair), 0);
    CHECK_IS(dup2(pair[0], sock), sock);
    errno = 77;
    close_is_plain(sock);
    CHECK_IS(errno, 77);
    close(pair[0]);
    close(pair[1]);
    close(peer);
}

/* Whatever the limit is, a number that is the program's can be closed. */
static void numbers(rlim_t most)
{
    static int all[3000];
    int peer[2], sock, count = 0, i;
    struct rlimit before, limit;

    CHECK_IS(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = most;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (i = 0; i < 2; i++) {
        sock = trap(&peer[i]);
        CHECK_IS(close(sock), 0);
    }
    while (count < 1000 && (all[count] = dup(0)) >= 0) count++;
    CHECK(count > 500);
    for (i = 0; i < count; i++) CHECK_IS(close(all[i]), 0);
    for (i = 0; i < 2; i++) CHECK(came_whole(peer[i]) == on);
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void in_an_epoll_set(void)
{
    int peer, sock = trap(&peer), set = epoll_create1(EPOLL_CLOEXEC), second = epoll_create1(0);
    struct epoll_event event;

    memset(&event, 0, sizeof(event));
    event.events = EPOLLIN;
    CHECK_IS(epoll_ctl(set, EPOLL_CTL_ADD, sock, &event), 0);
    CHECK_IS(epoll_ctl(second, EPOLL_CTL_ADD, sock, &event), 0);
    CHECK_IS(close(sock), 0);
    check_send(peer, "x", 1);
    CHECK_IS(epoll_wait(set, &event, 1, 50), 0);
    CHECK_IS(epoll_wait(second, &event, 1, 0), 0);
    close_is_plain(set);
    close_is_plain(second);
    if (on) CHECK(came_whole(peer));
}

/* the same in a shared library, whose calls are not wrapped */
static void in_a_library(void)
{
    int peer, sock = trap(&peer), set, other;
    struct epoll_event event;

    set = library_epoll_set(sock);
    CHECK(set >= 0);
    CHECK_IS(close(sock), 0);
    check_send(peer, "x", 1);
    CHECK_IS(epoll_wait(set, &event, 1, 50), 0);
    close(set);
    if (on) CHECK(came_whole(peer));

    sock = trap(&peer);
    other = library_duplicate(sock);
    CHECK(other >= 0);
    close_is_plain(sock);
    CHECK_IS(check_send(other, "x", 1), 1); /* not shut */
    close(other);
    close(peer);
}

/* The parent closes its own reference, and the child answers. Where not all is counted the parent's
   close has to look who else holds it, and so does the child's, if something was sent before the
   fork: should they look at the same time, both give up their own reference alone, and the end is
   an ordinary close. What may never happen is that the parent's close ends the child's connection. */
static void forked(int sent_before)
{
    int peer, sock, status, round;
    size_t bytes = 0;
    pid_t child;

    for (round = 0; round < 20; round++) {
        check_round = round;
        check_pair(&sock, &peer);
        check_send_pattern(peer, 3000, 0);
        check_wait_readable(sock);
        if (sent_before) check_send_pattern(sock, ANSWER / 2, 0);
        child = fork();
        if (child == 0) {
            close(peer);
            check_sleep(20);
            if (!sent_before) check_send_pattern(sock, ANSWER / 2, 0);
            check_send_pattern(sock, ANSWER / 2, ANSWER / 2);
            if (close(sock) != 0) _exit(2);
            if (round % 2 && sees_messages) _exit(0);
            exit(0);
        }
        CHECK(child > 0);
        CHECK_IS(close(sock), 0);
        if (on && (!sent_before || sees_messages)) {
            CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
            CHECK_IS(bytes, ANSWER);
        } else {
            check_read_to_end(peer, &bytes, 0);
        }
        close(peer);
        CHECK_IS(waitpid(child, &status, 0), child);
        CHECK_IS(status, 0);
    }
}

/* both close at the same moment: the last of them is graceful, whoever that is */
static void closed_together(void)
{
    int peer, sock, status, start[2], round;
    size_t bytes;
    char go;
    pid_t child;

    for (round = 0; round < 100; round++) {
        check_round = round;
        sock = trap(&peer);
        CHECK_IS(pipe(start), 0);
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            close(peer);
            if (read(start[0], &go, 1) != 1) _exit(2);
            if (close(sock) != 0) _exit(3);
            _exit(0);
        }
        CHECK_IS(write(start[1], "g", 1), 1);
        CHECK_IS(close(sock), 0);
        bytes = 0;
        check_send(peer, "late", 4);
        CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
        CHECK_IS(bytes, ANSWER);
        close(peer);
        close(start[0]);
        close(start[1]);
        CHECK_IS(waitpid(child, &status, 0), child);
        CHECK_IS(status, 0);
    }
    check_round = 0;
}

/* a descriptor in a message is held by nobody who could be seen */
static void passed(void)
{
    int peer, sock = trap(&peer), pair[2], got;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message;
    struct cmsghdr *part;
    struct iovec vector;
    char byte = 'x';

    CHECK_IS(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    memset(&message, 0, sizeof(message));
    memset(&control, 0, sizeof(control));
    vector.iov_base = &byte;
    vector.iov_len = 1;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof(control.bytes);
    part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(part), &sock, sizeof(int));
    CHECK_IS(sendmsg(pair[0], &message, 0), 1);
    close_is_plain(sock);
    CHECK_IS(recvmsg(pair[1], &message, 0), 1);
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    CHECK_IS(check_send(got, "x", 1), 1); /* not shut */
    close(got);
    close(peer);
    close(pair[0]);
    close(pair[1]);
}

/* a child that was started without fork() holds the connection, and has the last word */
static void held_by_a_program(void)
{
    int peer, sock, status;
    char command[64];
    char answer[16];

    check_pair(&sock, &peer);
    check_send_pattern(peer, 100, 0);
    check_wait_readable(sock);
    check_send(sock, "first ", 6);
    sprintf(command, "(sleep 0.2; echo second >&%d) &", sock);
    status = system(command);
    CHECK_IS(status, 0);
    CHECK_IS(close(sock), 0);
    memset(answer, 0, sizeof(answer));
    CHECK_IS(check_receive(peer, answer, 6), 6);
    CHECK_IS(check_receive(peer, answer, 7), 7);
    CHECK_IS(strcmp(answer, "second\n"), 0);
    close(peer);
}

/* a program that closes all numbers there are does not close what waits in the background */
static void everything_closed(void)
{
    int peer, sock = trap(&peer), fd;

    CHECK_IS(close(sock), 0);
    /* nor the background's own two descriptors; the low numbers are the test's */
    for (fd = 512; fd < 4096; fd++)
        if (fd != peer) close(fd);
    if (on) CHECK(came_whole(peer));
}

/* the program ends right after its close */
static void at_the_end(int how)
{
    struct sockaddr_in address;
    int listener = check_listener(&address), status, peer, sock;
    pid_t child = fork();

    if (child == 0) {
        sock = accept(listener, NULL, NULL);
        check_wait_readable(sock);
        check_send_pattern(sock, ANSWER, 0);
        close(sock);
        if (how == 0) exit(0);
        _exit(0);
    }
    close(listener);
    peer = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_IS(connect(peer, (struct sockaddr *)&address, sizeof(address)), 0);
    check_send_pattern(peer, 3000, 0);
    check_sleep(50);
    if (on) CHECK(came_whole(peer));
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK_IS(status, 0);
}

static int for_the_handler;

static void handler(void)
{
    close(for_the_handler);
}

/* the program closes in a handler of atexit() that is older than its first close */
static void in_a_handler(void)
{
    struct sockaddr_in address;
    int listener = check_listener(&address), status, peer, ends[2];
    size_t sent = 0;
    pid_t child;

    CHECK_IS(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        for_the_handler = accept(listener, NULL, NULL);
        check_wait_readable(for_the_handler);
        sent = send_all_that_fits(for_the_handler);
        CHECK_IS(write(ends[1], &sent, sizeof(sent)), sizeof(sent));
        close(ends[1]);
        exit(0);
    }
    peer = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_IS(connect(peer, (struct sockaddr *)&address, sizeof(address)), 0);
    check_send_pattern(peer, 3000, 0);
    CHECK_IS(read(ends[0], &sent, sizeof(sent)), sizeof(sent));
    check_sleep(100);
    check_send(peer, "late", 4);
    if (on)
        CHECK_IS(receive_all(peer), sent);
    else
        CHECK(receive_all(peer) < sent);
    close(peer);
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK_IS(status, 0);
    close(listener);
    close(ends[0]);
    close(ends[1]);
    for_the_handler = -1;
}

/* one close, whatever comes of it: what the settings do is seen outside */
static int one_close(void)
{
    int peer, sock = trap(&peer);

    return close(sock);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    check_start();
    signal(SIGPIPE, SIG_IGN);
    on = strcmp(mode, "none") != 0;
    sees_messages = strcmp(mode, "all") == 0;
    if (strcmp(mode, "one") == 0) return one_close();
    for_the_handler = -1;
    atexit(handler);
    check_doing = "atexit, before the first close";
    in_a_handler();
    check_doing = "a connection";
    ordinary();
    ordinary();
    left_alone();
    check_doing = "both sides shut";
    both_shut();
    check_doing = "a pipe under the number of a connection";
    another_by_now();
    check_doing = "limit 1500";
    numbers(1500);
    check_doing = "limit 1024";
    numbers(1024);
    check_doing = "epoll";
    in_an_epoll_set();
    check_doing = "a shared library";
    in_a_library();
    check_doing = "fork";
    forked(0);
    check_doing = "fork, after something was sent";
    forked(1);
    if (sees_messages) {
        check_doing = "closed by parent and child at the same moment";
        closed_together();
        check_doing = "SCM_RIGHTS";
        passed();
    }
    check_doing = "system()";
    held_by_a_program();
    check_doing = "exit";
    at_the_end(0);
    if (sees_messages || !on) {
        check_doing = "_exit";
        at_the_end(1);
    }
    check_doing = "closing everything";
    everything_closed();
    return 0;
}
