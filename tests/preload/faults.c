/* Each system call of a close fails, at each of its occurrences: T96-. */
#include "faults.h"

#include <sys/stat.h>

#define MOST_TIMES 8
#define BOUND 1.5 /* seconds, for a close() that waits for nothing */
#define ANSWERED 2000

enum { HAS_CLOSED, HAS_FINISHED, HAS_UNREAD, IS_SILENT, HAS_RESET, SCENES };

static const int errors[] = { EINTR, EAGAIN, ENOMEM, ENOBUFS, EPERM, EACCES, EINVAL, EIO, EMFILE, ENOTCONN };
#define ERRORS ((int)(sizeof errors / sizeof *errors))

static int listening;
static long faults;

/* what a bare close delivers, and a FIN; with unread data it resets */
static int delivers(int scene)
{
    return scene == HAS_FINISHED || scene == IS_SILENT;
}

static int is_plausible(int call, int error)
{
    int is_close = faulty[call] == SYS_close;
    /* getsockopt: EIO tells of a FIN, the others that there is no such question; recvfrom: the first
       two are no errors; timerfd, epoll: EINVAL says that it is another file */
    if (is_close)
        return error == EINTR || error == EIO;
    if (error == EIO && faulty[call] == SYS_getsockopt)
        return 0;
    return error != ENOTCONN || faulty[call] == SYS_shutdown || faulty[call] == SYS_recvfrom;
}

static int open_scene(int scene, int *peer)
{
    char answer[ANSWERED] = { 0 };
    int fd;
    *peer = connection_to(listening);
    fd = accepted(listening);
    MUST(send(fd, answer, sizeof answer, 0) == ANSWERED);
    if (scene == HAS_UNREAD)
        MUST(send(*peer, "request", 7, 0) == 7);
    if (scene == HAS_CLOSED || scene == HAS_FINISHED)
        MUST(shutdown(*peer, SHUT_WR) == 0);
    if (scene == HAS_RESET) {
        struct linger now = { 1, 0 };
        MUST(setsockopt(*peer, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
        MUST(close(*peer) == 0);
        *peer = -1;
    }
    if (scene != IS_SILENT) {
        struct pollfd p = { fd, POLLIN, 0 };
        MUST(poll(&p, 1, 5000) == 1);
    }
    return fd;
}

/* all of it, and a FIN */
static void came(int peer, const char *what)
{
    char room[4096];
    ssize_t now;
    int bytes = 0;
    struct pollfd p = { peer, POLLIN, 0 };
    for (;;) {
        if (poll(&p, 1, 5000) != 1)
            fail("%s: the stream does not end", what);
        now = recv(peer, room, sizeof room, 0);
        if (now <= 0)
            break;
        bytes += (int)now;
    }
    if (now < 0 || bytes != ANSWERED)
        fail("%s: %d bytes came, then %s", what, bytes, now < 0 ? strerror(errno) : "the end");
}

static void try_once(int scene, const char *what)
{
    int peer, fd = open_scene(scene, &peer), result, error;
    double start = seconds();
    struct stat was, now; /* the library may take the number for a moment, for a look at /proc */
    MUST(fstat(fd, &was) == 0);
    memset((void *)made, 0, sizeof made);
    hits = 0;
    armed = 1;
    result = close(fd);
    error = errno;
    armed = 0;
    if (seconds() - start > BOUND)
        fail("%s: close() took %.1f s", what, seconds() - start);
    if (result != 0 && (faulty[refused] != SYS_close || error != with_error))
        fail("%s: close() fails: %s", what, strerror(error));
    if (fstat(fd, &now) == 0 && now.st_ino == was.st_ino && now.st_dev == was.st_dev)
        fail("%s: the connection still has its number", what);
    if (delivers(scene))
        came(peer, what);
    if (peer >= 0)
        close(peer);
    faults += hits > 0;
}

static void fail_by(int scene, int call, int error)
{
    char what[200];
    with_error = error;
    refused = call;
    for (for_ever = 0; for_ever < 2; for_ever++)
        for (first = 0; first < MOST_TIMES; first++) {
            snprintf(what, sizeof what, "scene %d, system call %d with %d, the %d. time%s", scene, faulty[call],
                     error, first, for_ever ? " and on" : "");
            try_once(scene, what);
            if (hits == 0)
                break;
        }
}

/* T96: whatever a system call of close() answers: the number is free at once, and what a bare close delivers is. */
static void each_call_fails(void)
{
    int scene, call, error;
    listening = listener();
    begin_faults();
    refused = 0;
    with_error = EINTR;
    first = 1000;
    try_once(HAS_FINISHED, "the first one");
    for (scene = 0; scene < SCENES; scene++)
        for (call = 0; call < FAULTY; call++)
            for (error = 0; error < ERRORS; error++)
                if (is_plausible(call, errors[error]))
                    fail_by(scene, call, errors[error]);
    printf("%ld faults\n", faults);
    if (faults < (getenv("LD_PRELOAD") != NULL ? 300 : 10))
        fail("only %ld", faults);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T96", each_call_fails},
    };

    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
