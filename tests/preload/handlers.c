/* A program with threads ends: what its exit handlers destroy, and what its threads notice: T113-T115,
   T197. */
#include "lab.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { PAGE = 4096, STATUS = 3 };

static volatile char *in_use;

static void destroy(void)
{
    munmap((void *)in_use, PAGE);
}

/* It looks rarely: the moment of the end itself is none of the library's, and its wait is many times as long. */
static void *use(void *unused)
{
    for (;;) {
        in_use[0]++;
        sleep_ms(20);
    }
    return unused;
}

static void start(void *(*body)(void *), long argument)
{
    pthread_t thread;

    MUST(pthread_create(&thread, NULL, body, (void *)argument) == 0);
}

/* what its worker uses is there until the program's end, and no longer */
static void begin_to_work(void)
{
    in_use = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(in_use != MAP_FAILED);
    MUST(atexit(destroy) == 0);
    start(use, 0);
}

static void work_and_exit(int listening)
{
    begin_to_work();
    close(served(listening));
    exit(STATUS);
}

/* a program of its own, which returns from main() */
static void work_and_return(int listening)
{
    char number[12], *words[] = {"/proc/self/exe", "T-return", number, NULL};

    snprintf(number, sizeof number, "%d", dup(listening));
    execv(words[0], words);
}

#define WORDS 512

/* what its worker uses is on the stack of main(), and there for a moment after that */
static void *use_frame(void *frame)
{
    volatile char *const volatile *pages = frame;
    int i;

    for (;;) {
        for (i = 0; i < WORDS; i++)
            pages[i][0]++;
        sleep_ms(20);
    }
    return NULL;
}

static int returning(int listening)
{
    volatile char *frame[WORDS];
    int i;

    in_use = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(in_use != MAP_FAILED);
    for (i = 0; i < WORDS; i++)
        frame[i] = in_use;
    start(use_frame, (long)frame);
    close(served(listening));
    return STATUS;
}

static void *write_or_abort(void *fd)
{
    for (;;) {
        if (send((int)(long)fd, "x", 1, MSG_NOSIGNAL) != 1)
            abort();
        usleep(100);
    }
    return NULL;
}

/* another connection is closed with a silent peer, and would be waited for */
static void begin_to_write(int listening)
{
    close(served(listening));
    start(write_or_abort, accepted(listening));
    sleep_ms(50);
}

static void write_and_exit(int listening)
{
    begin_to_write(listening);
    exit(STATUS);
}

static void write_and_leave(int listening)
{
    begin_to_write(listening);
    _exit(STATUS);
}

static void ends_with_its_status(void (*serve)(int listening), int listening)
{
    int status;
    pid_t server = fork();

    MUST(server >= 0);
    if (server == 0) {
        serve(listening);
        _exit(99);
    }
    MUST(waitpid(server, &status, 0) == server);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != STATUS)
        fail("the server's status is %#x", status);
}

static void with_silent_peers(void (*serve)(int listening))
{
    int listening = listener();
    habits silent;

    memset(&silent, 0, sizeof silent);
    silent.request = REQUEST;
    silent.wait_ms = 8000;
    start_peer(listening, silent);
    start_peer(listening, silent);
    ends_with_its_status(serve, listening);
    close(listening);
}

/* T113: nobody waits while other threads use what the exit handlers have destroyed. */
static void used_to_the_end(void)
{
    with_silent_peers(work_and_exit);
    with_silent_peers(work_and_return);
}

/* T114: a thread that writes to the end notices nothing of it. */
static void written_and_aborted(void)
{
    with_silent_peers(write_and_exit);
    with_silent_peers(write_and_leave);
}

/* that sends on before it reads: a process that has ended by then resets the connection */
static void with_a_client(void (*serve)(int listening))
{
    int listening = listener();
    habits how;
    peer one;

    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = 60;
    how.more = 1000000;
    one = start_peer(listening, how);
    ends_with_its_status(serve, listening);
    close(listening);
    came_whole(one);
}

static void work_and_leave(int listening)
{
    begin_to_work();
    close(served(listening));
    _exit(STATUS);
}

/* T115: what a program with threads has closed arrives, if it ends by exit() or _exit(). */
static void closed_before_the_end(void)
{
    with_a_client(work_and_exit);
    with_a_client(work_and_leave);
}

static char empty[] = "/tmp/preload-XXXXXX";

/* no /proc from there on */
static void lock_in(void)
{
    MUST(chroot(empty) == 0 && chdir("/") == 0);
}

static void *leave_unseen(void *unused)
{
    syscall(SYS_exit, 0);
    return unused;
}

static void work_unseen(int listening)
{
    pthread_t thread;

    lock_in();
    begin_to_work();
    close(served(listening));
    MUST(pthread_create(&thread, NULL, leave_unseen, NULL) == 0);
    sleep_ms(100);
    exit(STATUS);
}

static void write_unseen(int listening)
{
    lock_in();
    begin_to_write(listening);
    exit(STATUS);
}

/* T197: the same without /proc; the end of a thread is not that of the process. */
static void unseen(void)
{
    if (geteuid() != 0)
        skip("chroot() is root's");
    MUST(mkdtemp(empty));
    with_silent_peers(work_unseen);
    with_silent_peers(write_unseen);
    rmdir(empty);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T113", used_to_the_end},
        {"T114", written_and_aborted},
        {"T115", closed_before_the_end},
        {"T197", unseen},
    };

    if (argc > 2 && strcmp(argv[1], "T-return") == 0)
        return returning(atoi(argv[2]));
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
