/* What a program has from its starter: blocked signals, a limit of descriptors, a connection; and how often it is
   stopped; how its first thread ends: T71-T73, T111, T112, T120. */
#include "lab.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

extern char **environ;

static int answer_blocked(void)
{
    int listening = listener();
    peer one = client(listening);

    close(served(listening));
    came_whole(one);
    return 0;
}

/* T71: whoever has started the program had a signal blocked, as supervisors that use sigwait(). */
static void blocked_by_the_starter(void)
{
    char *self[] = {"/proc/self/exe", "T-blocked", "-", NULL};
    sigset_t one;

    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    MUST(sigprocmask(SIG_BLOCK, &one, NULL) == 0);
    execve(self[0], self, environ);
    fail("execve: %s", strerror(errno));
}

/* T72: select() can use what the program opens, although others wait for their end. */
static void numbers_for_select(void)
{
    enum { WAITING = 60, OPENED = 940 };
    static peer some[WAITING];
    habits how;
    struct rlimit limit = {4096, 4096};
    int listening, i;

    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        skip("4096 descriptors: not allowed here");
    listening = listener();
    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = 1000;
    for (i = 0; i < WAITING; i++)
        some[i] = start_peer(listening, how);
    for (i = 0; i < WAITING; i++)
        close(served(listening));
    for (i = 0; i < OPENED; i++) {
        int fd = dup(listening);
        MUST(fd >= 0);
        if (fd >= FD_SETSIZE)
            fail("number %d, with %d open", fd, i);
    }
    for (i = 0; i < WAITING; i++)
        end_of(some[i]);
}

/* T73: a client's connection that has come by exec is still a client's: it is closed normally. */
static void inherited_client(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(8080)};
    char *self[] = {"/proc/self/exe", "T-client", "-", NULL};
    int listening = socket(AF_INET, SOCK_STREAM, 0), made, fd, on = 1;
    char text[10];
    pid_t child;

    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, (struct sockaddr *)&here, sizeof here) != 0)
        skip("port 8080 is taken");
    MUST(listen(listening, 5) == 0);
    made = connection_to(listening);
    fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    MUST(fd >= 0);
    MUST(send(fd, "unread", 6, 0) == 6);
    wait_for_bytes(made, 6);
    child = fork();
    if (child == 0) {
        MUST(dup2(made, 0) == 0);
        close(made);
        execve(self[0], self, environ);
        _exit(127);
    }
    close(made);
    waitpid(child, NULL, 0);
    MUST(recv(fd, text, sizeof text, 0) == -1 || recv(fd, text, sizeof text, 0) == -1);
    MUST(errno == ECONNRESET);
}

/* how many sockets a process has open */
static int sockets_of(pid_t pid)
{
    char path[64], link[64];
    struct dirent *entry;
    int count = 0;
    DIR *folder;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    MUST((folder = opendir(path)) != NULL);
    while ((entry = readdir(folder)) != NULL) {
        ssize_t got = readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);
        if (got > 0 && strncmp(link, "socket:", 7) == 0)
            count++;
    }
    closedir(folder);
    return count;
}

enum { STOPPED_MS = 2000 };

/* a server that closes while its peer reads nothing, and has no other socket */
static pid_t closing_server(int *peer)
{
    int listening = listener(), fd;
    pid_t server;
    *peer = connection_to(listening);
    MUST(send(*peer, "request", 7, 0) == 7);
    server = fork();
    MUST(server >= 0);
    if (server == 0) {
        close(*peer);
        fd = accepted(listening);
        close(listening);
        wait_for_bytes(fd, 7);
        send_answer(fd);
        close(fd);
        sleep_ms(20000);
        _exit(0);
    }
    close(listening);
    sleep_ms(100);
    return server;
}

static void end_server(pid_t server, int peer)
{
    MUST(kill(server, SIGKILL) == 0);
    MUST(waitpid(server, NULL, 0) == server);
    close(peer);
}

/* Under a time-out of STOPPED_MS. With the time that was left when it was stopped it would go on for as long again. */
static int close_while_stopped(void)
{
    double start;
    int peer, i;
    pid_t server = closing_server(&peer);
    MUST(kill(server, SIGSTOP) == 0);
    sleep_ms(STOPPED_MS);
    MUST(kill(server, SIGCONT) == 0);
    start = seconds();
    while (sockets_of(server) > 0)
        if (sleep_ms(5), seconds() - start > STOPPED_MS * 0.75 / 1000)
            fail("stopped across its deadline it goes on for %.1f s", seconds() - start);
    end_server(server, peer);

    start = seconds();
    server = closing_server(&peer);
    for (i = 0; sockets_of(server) > 0; i++) {
        MUST(kill(server, SIGSTOP) == 0);
        sleep_ms(40);
        MUST(kill(server, SIGCONT) == 0);
        sleep_ms(10);
        if (seconds() - start > STOPPED_MS * 3.0 / 1000)
            fail("stopped again and again it goes on for %.1f s", seconds() - start);
    }
    if (i > 0 && seconds() - start < STOPPED_MS / 1000.0)
        fail("stopped again and again it ends after %.1f s", seconds() - start);
    end_server(server, peer);
    return 0;
}

/* T120: a process that is stopped and continued ends its closes at their deadline. */
static void stopped_and_continued(void)
{
    char *self[] = {"/proc/self/exe", "T-stopped", "-", NULL};
    setenv("GRACEFUL_CLOSE_TIMEOUT_MS", "2000", 1);
    setenv("GRACEFUL_CLOSE_IDLE_MS", "0", 1);
    execve(self[0], self, environ);
    fail("execve: %s", strerror(errno));
}

/* Not by a function of the C library. */
static void end_of_a_thread(long status)
{
#if defined(__x86_64__)
    __asm__ volatile("syscall" : : "a"(SYS_exit), "D"(status) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long number __asm__("x8") = SYS_exit;
    register long argument __asm__("x0") = status;
    __asm__ volatile("svc 0" : : "r"(number), "r"(argument) : "memory");
#else
    syscall(SYS_exit, status);
#endif
}

static void by_call(void)
{
    syscall(SYS_exit, 7L);
}

static void unseen(void)
{
    end_of_a_thread(7);
}

/* the background thread has nothing to do any more */
static void unseen_later(void)
{
    sleep_ms(300);
    end_of_a_thread(7);
}

static void nothing(int number)
{
    (void)number;
}

/* with the stack and the signals of any thread of the program's */
static void last_words(void)
{
    volatile char much[1 << 20];
    size_t i;

    for (i = 0; i < sizeof much; i += 1000)
        much[i] = 1;
    signal(SIGALRM, nothing);
    alarm(1);
    if (much[0] && pause() == -1 && errno == EINTR)
        (void)!write(1, "!", 1);
}

static void by_pthread_exit(void)
{
    MUST(atexit(last_words) == 0);
    pthread_exit(NULL);
}

static void *work_on(void *unused)
{
    sleep_ms(1200);
    exit(9);
    return unused;
}

static void outlived(void)
{
    pthread_t thread;

    MUST(pthread_create(&thread, NULL, work_on, NULL) == 0);
    end_of_a_thread(7);
}

/* A server closes in the face of a peer that is silent for so long, and its first thread ends: so soon the process has
   ended, with this status. */
static double status_after(void (*end)(void), int silent_ms, int expected, const char *words)
{
    int listening = listener(), status, text[2];
    habits how;
    char room[4];
    double start;
    pid_t server;

    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = silent_ms;
    start_peer(listening, how);
    MUST(pipe(text) == 0);
    server = fork();
    MUST(server >= 0);
    if (server == 0) {
        MUST(dup2(text[1], 1) == 1);
        close(text[0]);
        close(text[1]);
        close(served(listening));
        end();
        _exit(99);
    }
    close(text[1]);
    close(listening);
    start = seconds();
    MUST(waitpid(server, &status, 0) == server);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != expected)
        fail("its status is %#x instead of %d", status, expected);
    if (read(text[0], room, sizeof room) != (ssize_t)strlen(words))
        fail("its exit handlers have not run once");
    close(text[0]);
    return seconds() - start;
}

/* T111: the program's only thread ends by itself, and the process with it, although one of ours is there. */
static void first_thread_ends(void)
{
    MUST(status_after(by_call, 8000, 7, "") < 1);
    MUST(status_after(unseen, 8000, 7, "") < 1.5);
    MUST(status_after(unseen_later, 20, 7, "") < 1);
    /* its exit handler takes a second itself */
    MUST(status_after(by_pthread_exit, 8000, 0, "!") < 2.5);
}

/* T112: its first thread ends, and others go on. */
static void first_thread_is_outlived(void)
{
    double took = status_after(outlived, 8000, 9, "");

    MUST(took > 1.1 && took < 2.5);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T71", blocked_by_the_starter},
        {"T72", numbers_for_select},
        {"T73", inherited_client},
        {"T111", first_thread_ends},
        {"T112", first_thread_is_outlived},
        {"T120", stopped_and_continued},
    };

    if (argc > 2 && strcmp(argv[1], "T-client") == 0)
        return write(0, "x", 1) != 1;
    if (argc > 2 && strcmp(argv[1], "T-blocked") == 0)
        return answer_blocked();
    if (argc > 2 && strcmp(argv[1], "T-stopped") == 0)
        return close_while_stopped();
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
