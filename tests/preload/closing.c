/* Where a connection is closed, and whether its answer arrives: T01-T04, T33-T41, T61. */
#include "lab.h"

#include <sys/syscall.h>

/* The server is a process of its own, so that its end can be part of the check. */
static void as_server(void (*serve)(int listening), int expected_status)
{
    int listening = listener();
    habits how;
    peer one;
    pid_t server;
    int status;

    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = 60;
    how.more = 1000000;
    one = start_peer(listening, how);
    server = fork();

    MUST(server >= 0);
    if (server == 0) {
        serve(listening);
        _exit(99);
    }
    close(listening);
    came_whole(one);
    MUST(waitpid(server, &status, 0) == server);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != expected_status)
        fail("the server's status is %#x", status);
}

/* T01: an early answer, close(), and the process lives on. */
static void early_answer(void)
{
    int listening = listener();
    peer one = client(listening);

    MUST(close(served(listening)) == 0);
    came_whole(one);
}

static void close_and_exit(int listening)
{
    close(served(listening));
    exit(3);
}

/* T02: exit() right after close(). */
static void exit_after_close(void)
{
    as_server(close_and_exit, 3);
}

static void exit_open(int listening)
{
    served(listening);
    exit(4);
}

/* T03: exit() without close(). */
static void exit_without_close(void)
{
    as_server(exit_open, 4);
}

static void underscore_exit(int listening)
{
    served(listening);
    _exit(5);
}

/* T04: _exit() without close(). */
static void underscore_exit_without_close(void)
{
    as_server(underscore_exit, 5);
}

/* T33: a stream on the socket, closed by fclose() with part of the answer still held back. */
static void stream_closed(void)
{
    static char answer[ANSWER];
    int listening = listener();
    peer one = client(listening);
    int fd = accepted(listening), size = 2 * ANSWER;
    FILE *stream = fdopen(fd, "w");

    MUST(stream != NULL);
    wait_for_bytes(fd, REQUEST);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    MUST(setvbuf(stream, NULL, _IOFBF, 2 * ANSWER) == 0);
    MUST(fwrite(answer, 1, ANSWER, stream) == ANSWER);
    MUST(fclose(stream) == 0);
    MUST(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
    came_whole(one);
}

/* T34: by syscall(), as libuv closes. */
static void system_call(void)
{
    int listening = listener();
    peer one = client(listening);
    int fd = served(listening);

    MUST(syscall(SYS_close, fd) == 0);
    MUST(syscall(SYS_close, fd) == -1 && errno == EBADF);
    came_whole(one);
}

/* T35: another descriptor is put in its place by dup2(). */
static void replaced(void)
{
    int listening = listener();
    peer one = client(listening);
    int fd = served(listening), other = open("/dev/null", O_RDONLY);

    MUST(dup2(other, fd) == fd);
    came_whole(one);
}

static void print_and_exit(int listening)
{
    static char answer[ANSWER];
    int fd = accepted(listening), size = 2 * ANSWER;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    wait_for_bytes(fd, REQUEST);
    MUST(dup2(fd, 1) == 1);
    close(fd);
    setvbuf(stdout, NULL, _IOFBF, 2 * ANSWER);
    fwrite(answer, 1, ANSWER / 2, stdout);
    fflush(stdout);
    fwrite(answer, 1, ANSWER - ANSWER / 2, stdout);
    exit(6);
}

/* T36: what stdout holds back is written by exit(), after the last destructor. */
static void held_back_by_stdout(void)
{
    as_server(print_and_exit, 6);
}

static void close_and_exec(int listening)
{
    close(served(listening));
    execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
}

/* T37: exec right after close(). */
static void exec_after_close(void)
{
    as_server(close_and_exec, 7);
}

/* T38: a connection that close_range() takes. */
static void range_closed(void)
{
    int listening = listener();
    peer one = client(listening);
    int fd = served(listening);

    MUST(close_range((unsigned)fd, ~0U, 0) == 0);
    MUST(fcntl(fd, F_GETFD) == -1);
    came_whole(one);
}

/* T39: as T01, after the peer's FIN: nothing may be left unread at the close. */
static void peer_closed_first(void)
{
    int listening = listener();
    peer one;
    habits how;
    fate end;
    int fd;

    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    one = start_peer(listening, how);
    fd = accepted(listening);
    wait_for_bytes(fd, REQUEST);
    MUST(send(fd, "x", 1, 0) == 1);
    shutdown(fd, SHUT_WR);
    end = end_of(one);
    sleep_ms(30);
    close(fd);
    if (end.bytes != 1 || end.error != 0)
        fail("%d bytes, %s", end.bytes, strerror(end.error));
}

/* T40: SO_LINGER {1, 3} must not keep others waiting, and loses nothing. */
static void linger_three(void)
{
    struct linger three = {1, 3};
    int listening = listener(), i;
    peer some[4];
    double start;

    for (i = 0; i < 4; i++)
        some[i] = client(listening);
    for (i = 0; i < 4; i++) {
        int fd = served(listening);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &three, sizeof three);
        start = seconds();
        close(fd);
        if (seconds() - start > 1)
            fail("close() took %.1f s", seconds() - start);
    }
    for (i = 0; i < 4; i++)
        came_whole(some[i]);
}

/* T41: the peer goes on sending for a while after the close. */
static void late_data(void)
{
    int listening = listener();
    habits how;
    peer one;

    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = 60;
    how.more = 3000000;
    one = start_peer(listening, how);
    close(served(listening));
    came_whole(one);
}

/* T61: the peer has sent all it had, and more of it is unread than one pass takes. */
static void much_unread(void)
{
    int listening = listener(), room = 8 << 20, all = 3 << 20, fd;
    habits how;
    peer one;

    if (setsockopt(listening, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
        skip("no large receive buffer: not allowed here");
    memset(&how, 0, sizeof how);
    how.request = all;
    how.is_done = 1;
    how.wait_ms = 300;
    one = start_peer(listening, how);
    fd = accepted(listening);
    wait_for_bytes(fd, all);
    sleep_ms(30);
    send_answer(fd);
    close(fd);
    came_whole(one);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T01", early_answer},        {"T02", exit_after_close},
        {"T03", exit_without_close},  {"T04", underscore_exit_without_close},
        {"T33", stream_closed},       {"T34", system_call},
        {"T35", replaced},            {"T36", held_back_by_stdout},
        {"T37", exec_after_close},    {"T38", range_closed},
        {"T39", peer_closed_first},   {"T40", linger_three},
        {"T41", late_data},           {"T61", much_unread},
    };

    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
