/* Threads that block signals, that are interrupted by them, that are cancelled, or have much data: T56-T60,
 * T67. */
#include "lab.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/signalfd.h>

static void *serve_one(void *listening)
{
    peer one = client((int)(long)listening);

    close(served((int)(long)listening));
    came_whole(one);
    return NULL;
}

static void *serve_two(void *listening)
{
    serve_one(listening);
    /* longer than the background thread stays with nothing to do */
    sleep_ms(1500);
    return serve_one(listening);
}

static void start_blocked(pthread_t *thread, void *(*body)(void *), long argument)
{
    sigset_t all, before;

    sigfillset(&all);
    MUST(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    MUST(pthread_create(thread, NULL, body, (void *)argument) == 0);
    MUST(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static void ignored(int signal)
{
    (void)signal;
}

/* T56: a worker that was started with all signals blocked, as those of haproxy are. */
static void blocked_worker(void)
{
    pthread_t thread;

    signal(SIGTERM, ignored);
    start_blocked(&thread, serve_two, listener());
    MUST(pthread_join(thread, NULL) == 0);
}

/* T57: a program that has its signals blocked to read them from a descriptor. */
static void blocked_by_call(void)
{
    sigset_t some;

    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGINT);
    MUST(sigprocmask(SIG_BLOCK, &some, NULL) == 0);
    MUST(signalfd(-1, &some, SFD_CLOEXEC) >= 0);
    serve_one((void *)(long)listener());
}

static int threads_now(void)
{
    DIR *folder = opendir("/proc/self/task");
    struct dirent *entry;
    int count = 0;

    MUST(folder != NULL);
    while ((entry = readdir(folder)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static volatile int to_close = -1, is_closed;

static void close_in_handler(int signal)
{
    sigset_t all, before;

    (void)signal;
    /* neither this nor what the thread was started with makes it another place than a handler */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(to_close);
    is_closed = 1;
}

static void *be_interrupted(void *unused)
{
    sigset_t one;

    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    while (!is_closed)
        sleep_ms(1);
    return unused;
}

/* T58: a handler that closes may have interrupted malloc(): no thread is started from it. */
static void in_handlers(void)
{
    int listening = listener(), turn;

    signal(SIGUSR1, close_in_handler);
    for (turn = 0; turn < 2; turn++) {
        peer one = client(listening);
        pthread_t thread;
        is_closed = 0;
        to_close = served(listening);
        if (turn == 0) {
            raise(SIGUSR1);
        } else {
            start_blocked(&thread, be_interrupted, 0);
            sleep_ms(30);
            MUST(pthread_kill(thread, SIGUSR1) == 0);
            MUST(pthread_join(thread, NULL) == 0);
        }
        MUST(is_closed);
        MUST(fcntl(to_close, F_GETFD) == -1);
        if (threads_now() != 1)
            fail("turn %d: a thread was started in a signal handler", turn);
        end_of(one);
    }
}

static void *in_accept(void *fd)
{
    accept((int)(long)fd, NULL, NULL);
    return NULL;
}

static void *in_recvmsg(void *fd)
{
    struct msghdr message;

    memset(&message, 0, sizeof message);
    recvmsg((int)(long)fd, &message, 0);
    return NULL;
}

static void *in_lock(void *fd)
{
    struct flock lock;

    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    fcntl((int)(long)fd, F_OFD_SETLKW, &lock);
    return NULL;
}

static void *in_system(void *unused)
{
    (void)!system("exec sleep 5");
    return unused;
}

static void cancelled_in(void *(*body)(void *), long argument)
{
    pthread_t thread;
    void *result;
    double start = seconds();

    MUST(pthread_create(&thread, NULL, body, (void *)argument) == 0);
    sleep_ms(50);
    MUST(pthread_cancel(thread) == 0);
    MUST(pthread_join(thread, &result) == 0);
    MUST(result == PTHREAD_CANCELED);
    MUST(seconds() - start < 3);
}

/* T59: a thread is cancelled in the calls that wait. */
static void cancelled(void)
{
    char name[] = "/tmp/lock-XXXXXX";
    int pair[2], file = mkstemp(name), again = open(name, O_RDWR);
    struct flock lock;

    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    unlink(name);
    MUST(file >= 0 && again >= 0 && fcntl(file, F_OFD_SETLK, &lock) == 0);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    cancelled_in(in_accept, listener());
    cancelled_in(in_recvmsg, pair[0]);
    cancelled_in(in_lock, again);
    cancelled_in(in_system, 0);
}

static void close_again(void *fd)
{
    is_closed = close((int)(long)fd) == 0;
}

static void *close_cancelled(void *fd)
{
    pthread_cleanup_push(close_again, fd);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_cancel(pthread_self());
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    close((int)(long)fd);
    pthread_cleanup_pop(0);
    return NULL;
}

/* T60: a thread that is cancelled at its close(), which its clean-up makes then: nothing of the
 * connection is left, and nothing is waited for at the end. */
static void cancelled_close(void)
{
    int listening = listener(), status, fd;
    peer one = client(listening);
    pid_t server;
    double start;

    close_range(20, ~0U, 0);
    server = fork();
    if (server == 0) {
        pthread_t thread;
        void *result;
        fd = served(listening);
        MUST(pthread_create(&thread, NULL, close_cancelled, (void *)(long)fd) == 0);
        MUST(pthread_join(thread, &result) == 0);
        MUST(result == PTHREAD_CANCELED);
        MUST(is_closed && fcntl(fd, F_GETFD) == -1);
        came_whole(one);
        sleep_ms(100);
        for (fd = 100; fd < 2000; fd++) {
            int protocol;
            socklen_t size = sizeof protocol;
            if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0)
                fail("descriptor %d is a socket that nobody closes", fd);
        }
        exit(0);
    }
    start = seconds();
    MUST(waitpid(server, &status, 0) == server && status == 0);
    MUST(seconds() - start < 1.5);
}

static __thread char large[400000];

/* T67: a program whose threads have much data of their own: the background thread has them, too. */
static void much_thread_data(void)
{
    memset(large, 1, sizeof large);
    serve_one((void *)(long)listener());
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T56", blocked_worker}, {"T57", blocked_by_call}, {"T58", in_handlers},
        {"T59", cancelled},      {"T60", cancelled_close},
        {"T67", much_thread_data},
    };

    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
