/* Limits that the program runs under: what it is allowed must be there for it: T74-. */
#include "lab.h"

#include <dirent.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

enum { LIMIT = 256, WAITING = 40 };

static int open_numbers(void)
{
    int fd, count = 0;

    for (fd = 0; fd < LIMIT; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static int one_of_a_kind(int kind)
{
    switch (kind) {
    case 0: return open("/dev/null", O_RDONLY);
    case 1: return openat(AT_FDCWD, "/dev/null", O_RDONLY);
    case 2: { FILE *made = fopen("/dev/null", "r"); return made ? fileno(made) : -1; }
    case 3: { DIR *made = opendir("/"); return made ? dirfd(made) : -1; }
    case 4: return eventfd(0, 0);
    case 5: return epoll_create1(0);
    case 6: return timerfd_create(CLOCK_MONOTONIC, 0);
    case 7: return dup(1);
    case 8: return creat("/dev/null", 0600);
    case 9: return socket(AF_INET, SOCK_DGRAM, 0);
    default: return open64("/dev/null", O_RDONLY);
    }
}

/* T74: all the numbers that the limit leaves are the program's, however it asks for them. */
static void all_numbers(void)
{
    habits how = {.request = REQUEST, .wait_ms = 3000};
    struct rlimit limit = {LIMIT, LIMIT};
    int listening = listener(), i, free_ones, made;

    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (i = 0; i < WAITING; i++)
        start_peer(listening, how);
    free_ones = LIMIT - open_numbers();
    for (i = 0; i < WAITING; i++)
        close(served(listening));
    for (made = 0; made + 2 < free_ones; made++) {
        if (made % 12 == 11) {
            int ends[2];
            if ((made % 24 == 11 ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) != 0)
                fail("%d of %d numbers, then no pair: %s", made, free_ones, strerror(errno));
            made++;
        } else if (one_of_a_kind(made % 12) < 0) {
            fail("%d of %d numbers, then not one of kind %d: %s", made, free_ones, made % 12, strerror(errno));
        }
    }
    /* to the last one */
    while (made < free_ones) {
        if (open("/dev/null", O_RDONLY) < 0)
            fail("%d of %d numbers: %s", made, free_ones, strerror(errno));
        made++;
    }
    MUST(open("/dev/null", O_RDONLY) == -1 && errno == EMFILE);
}

/* T75: few are given up for few files: the others wait on. */
static void few_for_few(void)
{
    static peer some[WAITING];
    habits how = {.request = REQUEST, .wait_ms = 500, .more = REQUEST};
    struct rlimit limit = {LIMIT, LIMIT};
    int listening = listener(), i, whole = 0, free_ones;

    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (i = 0; i < WAITING; i++)
        some[i] = start_peer(listening, how);
    free_ones = LIMIT - open_numbers();
    for (i = 0; i < WAITING; i++)
        close(served(listening));
    for (i = 0; i < free_ones - WAITING; i++)
        MUST(open("/dev/null", O_RDONLY) >= 0);
    for (i = 0; i < WAITING; i++)
        whole += end_of(some[i]).bytes == ANSWER;
    if (whole < WAITING / 4)
        fail("%d of %d answers came whole", whole, WAITING);
}

/* T97: the limit falls below what is open, for a while: poll() takes no more entries than it allows. */
static void lower_for_a_while(void)
{
    static peer some[WAITING];
    habits how = {.request = REQUEST, .wait_ms = 1000};
    struct rlimit limit = {LIMIT, LIMIT};
    int listening = listener(), i;
    peer late;

    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (i = 0; i < WAITING; i++)
        some[i] = start_peer(listening, how);
    for (i = 0; i < WAITING; i++)
        close(served(listening));
    limit.rlim_cur = 8;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    sleep_ms(400);
    limit.rlim_cur = LIMIT;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    late = client(listening);
    close(served(listening));
    came_whole(late);
    for (i = 0; i < WAITING; i++)
        came_whole(some[i]);
}

/* T76: exec is delayed by a silent peer no longer than the end is. */
static void exec_with_a_silent_peer(void)
{
    char *words[] = {"/proc/self/exe", NULL};
    habits how = {.request = REQUEST, .wait_ms = 4000};
    int listening = listener(), status;
    double start;
    pid_t server;

    start_peer(listening, how);
    start = seconds();
    server = fork();
    if (server == 0) {
        close(served(listening));
        MUST(dup2(open("/dev/null", O_WRONLY), 1) == 1);
        execv(words[0], words);
        _exit(127);
    }
    MUST(waitpid(server, &status, 0) == server && status == 0);
    if (seconds() - start > 0.9)
        fail("exec took %.2f s", seconds() - start);
}

/* Sends on and on, and does not read. */
static void start_slow_upload(int listening)
{
    char piece[100] = "";
    int fd, i;

    if (fork() != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fd = connection_to(listening);
    for (i = 0; i < 400 && send(fd, piece, sizeof piece, MSG_NOSIGNAL) > 0; i++)
        sleep_ms(10);
    sleep_ms(4000);
    _exit(0);
}

/* T77: a superserver that allows so many processes: few of them wait for slow uploads. */
static void few_wait(void)
{
    enum { ALL = 10 };
    int listening = listener(), i, fd, early = 0, status;
    double start;

    for (i = 0; i < ALL; i++)
        start_slow_upload(listening);
    start = seconds();
    for (i = 0; i < ALL; i++) {
        fd = accepted(listening);
        if (fork() == 0) {
            wait_for_bytes(fd, 100);
            MUST(send(fd, "no", 2, MSG_NOSIGNAL) == 2);
            close(fd);
            exit(77);
        }
        close(fd);
    }
    for (i = 0; i < ALL; i++) {
        do
            MUST(wait(&status) > 0);
        while (!WIFEXITED(status) || WEXITSTATUS(status) != 77);
        early += seconds() - start < 0.7;
        if (seconds() - start > 3)
            fail("the end of number %d took %.2f s", i, seconds() - start);
    }
    if (early < 6)
        fail("%d of %d ended early", early, ALL);
}

/* T91: a superserver that allows so many processes: while clients wait to be accepted none waits for slow uploads. */
static void clients_are_let_in(void)
{
    enum { MOST = 4, SLOW = 4, QUICK = 8 };
    static peer quick[QUICK];
    habits how = {.request = 100, .is_done = 1};
    int listening = listener(), running = 0, i, fd;
    double start;

    for (i = 0; i < SLOW; i++)
        start_slow_upload(listening);
    start = seconds();
    for (i = 0; i < SLOW + QUICK; i++) {
        for (; running == MOST; running--)
            MUST(wait(NULL) > 0);
        if (i == SLOW - 1)
            for (fd = 0; fd < QUICK; fd++)
                quick[fd] = start_peer(listening, how);
        fd = accepted(listening);
        if (fork() == 0) {
            wait_for_bytes(fd, 100);
            MUST(send(fd, "no", 2, MSG_NOSIGNAL) == 2);
            close(fd);
            exit(0);
        }
        close(fd);
        running++;
    }
    for (i = 0; i < QUICK; i++)
        if (end_of(quick[i]).bytes != 2)
            fail("quick client %d got no answer", i);
    if (seconds() - start > 1.2)
        fail("the last quick client was answered after %.2f s", seconds() - start);
}

/* T92: and while none waits, a slow upload is waited for; a fast one always is. */
static void upload(int more_ms, int bytes, int others)
{
    habits how = {.request = 100, .wait_ms = more_ms, .more = bytes};
    int listening = listener(), fd;
    peer one = start_peer(listening, how);

    fd = accepted(listening);
    while (others-- > 0)
        connection_to(listening);
    if (fork() == 0) {
        wait_for_bytes(fd, 100);
        send_answer(fd);
        exit(0);
    }
    close(fd);
    came_whole(one);
}

static void uploads_are_waited_for(void)
{
    upload(120, REQUEST, 0);
    upload(0, 3 * REQUEST, 2);
}

static void no_thread(void)
{
    struct rlimit limit = {1, 1};

    if (geteuid() == 0)
        MUST(setgid(65534) == 0 && setuid(65534) == 0);
    MUST(setrlimit(RLIMIT_NPROC, &limit) == 0);
}

/* T87: a process that may have no thread: the close itself drives it, for a moment. */
static void close_without_a_thread(void)
{
    habits silent = {.request = REQUEST, .wait_ms = 3000};
    int listening = listener(), fd;
    peer one = client(listening);
    double start;

    start_peer(listening, silent);
    no_thread();
    fd = served(listening);
    close(fd);
    fd = served(listening);
    start = seconds();
    close(fd);
    if (seconds() - start > 0.3)
        fail("close() took %.2f s", seconds() - start);
    came_whole(one);
}

/* T88: and so does the end of the process. */
static void end_without_a_thread(void)
{
    int listening = listener(), i;

    for (i = 0; i < 2; i++) {
        peer one = client(listening);
        int fd = served(listening);
        pid_t child = fork();
        if (child == 0) {
            no_thread();
            exit(0);
        }
        close(fd);
        came_whole(one);
        waitpid(child, NULL, 0);
    }
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T74", all_numbers},
        {"T75", few_for_few},
        {"T97", lower_for_a_while},
        {"T76", exec_with_a_silent_peer},
        {"T77", few_wait},
        {"T91", clients_are_let_in},
        {"T92", uploads_are_waited_for},
        {"T87", close_without_a_thread},
        {"T88", end_without_a_thread},
    };

    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
