/* The last that a program does: streams, alarms, small stacks and limits, a descriptor that was given away: T101-T107, T110. */
#include "lab.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>

extern char **environ;

enum { ENDED_WELL = 5, HELD_BACK = 3000, DONE = HELD_BACK + 4 };

/* A service of inetd: `serve` runs in a process of its own, with the connection as 0 and 1; its status. */
static int status_of(void (*serve)(void), habits how, fate *end)
{
    int listening = listener(), status, fd;
    peer one = start_peer(listening, how);
    pid_t service = fork();

    if (service == 0) {
        fd = accepted(listening);
        close(listening);
        wait_for_bytes(fd, how.request);
        MUST(dup2(fd, 0) == 0 && dup2(fd, 1) == 1);
        close(fd);
        serve();
        _exit(9);
    }
    close(listening);
    MUST(waitpid(service, &status, 0) == service);
    *end = end_of(one);
    return status;
}

static void expect_end(void (*serve)(void), habits how, int bytes)
{
    fate end;
    int status = status_of(serve, how, &end);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != ENDED_WELL)
        fail("status %x", status);
    if (end.bytes != bytes || end.error != 0)
        fail("%d of %d bytes came, then %s", end.bytes, bytes, end.error ? strerror(end.error) : "the end");
}

static habits small_request(void)
{
    habits how;

    memset(&how, 0, sizeof how);
    how.request = 5;
    return how;
}

/* The client has read all, and the service has nothing unread: stock does no harm. */
static void read_request(void)
{
    char request[5];

    MUST(read(0, request, sizeof request) == sizeof request);
    MUST(write(1, "head", 4) == 4);
}

static void hold_back(FILE *stream, int bytes)
{
    MUST(stream != NULL);
    while (bytes-- > 0)
        putc('x', stream);
}

static void several_on_one_number(void)
{
    FILE *first, *second;

    read_request();
    first = fdopen(1, "w");
    second = fdopen(1, "w");
    hold_back(first, HELD_BACK / 3);
    hold_back(stdout, HELD_BACK / 3);
    hold_back(second, HELD_BACK / 3);
    exit(ENDED_WELL);
}

static void reader_came_later(void)
{
    int fd = dup(1);
    FILE *out = fdopen(fd, "w"), *in = fdopen(fd, "r");

    read_request();
    MUST(in != NULL);
    hold_back(out, HELD_BACK);
    exit(ENDED_WELL);
}

static ssize_t write_through(void *cookie, const char *bytes, size_t size)
{
    (void)cookie;
    return write(1, bytes, size);
}

static void of_its_own_kind(void)
{
    cookie_io_functions_t functions = {.write = write_through};

    read_request();
    hold_back(fopencookie(NULL, "w", functions), HELD_BACK);
    exit(ENDED_WELL);
}

/* T101: what several streams of one connection hold back, and one that has no number, is written at the end. */
static void streams(void)
{
    expect_end(several_on_one_number, small_request(), DONE);
    expect_end(reader_came_later, small_request(), DONE);
    expect_end(of_its_own_kind, small_request(), DONE);
}

static void alarm_soon(void)
{
    struct itimerval soon = {{0, 0}, {0, 40000}};

    read_request();
    MUST(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    exit(ENDED_WELL);
}

/* T102: a program that has ended in time is not killed by its own alarm() while we wait for the client. */
static void alarm_at_the_end(void)
{
    habits how = small_request();

    how.silent_ms = 300;
    expect_end(alarm_soon, how, 4);
}

static void end_with_unread(void)
{
    MUST(write(1, "head", 4) == 4);
    exit(ENDED_WELL);
}

/* Bytes that come slowly for so long. */
static pid_t slow_peer(int listening, int ms)
{
    pid_t peer = fork();

    if (peer == 0) {
        int fd = connection_to(listening);
        for (; ms > 0; ms -= 10) {
            (void)!send(fd, "a", 1, MSG_NOSIGNAL);
            sleep_ms(10);
        }
        kill(getpid(), SIGKILL);
    }
    return peer;
}

/* T103: a process that is asked to end while it waits for a slow client ends at once, as it was about to. */
static void asked_to_end(void)
{
    int listening = listener(), status, fd;
    pid_t peer = slow_peer(listening, 1800), service = fork();
    double start;

    if (service == 0) {
        fd = accepted(listening);
        wait_for_bytes(fd, 1);
        MUST(dup2(fd, 0) == 0 && dup2(fd, 1) == 1);
        close(fd);
        end_with_unread();
    }
    sleep_ms(300);
    start = seconds();
    kill(service, SIGTERM);
    MUST(waitpid(service, &status, 0) == service);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != ENDED_WELL)
        fail("status %x", status);
    if (seconds() - start > 0.5)
        fail("it took %.1f s", seconds() - start);
    kill(peer, SIGKILL);
    waitpid(peer, NULL, 0);
}

static void end_in_a_handler(int number)
{
    (void)number;
    _exit(ENDED_WELL);
}

static void on_a_small_stack(void)
{
    static char room[8192];
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
    struct sigaction action = {.sa_handler = end_in_a_handler, .sa_flags = SA_ONSTACK};

    read_request();
    MUST(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
    raise(SIGUSR1);
}

/* T104: a signal handler that ends the process has the usual 8 kB of stack. */
static void ended_in_a_handler(void)
{
    expect_end(on_a_small_stack, small_request(), 4);
}

static void *become_another(void *unused)
{
    (void)unused;
    execl("/bin/sh", "sh", "-c", "exit 5", (char *)NULL);
    return NULL;
}

static void exec_on_a_small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    read_request();
    pthread_attr_init(&attributes);
    MUST(pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) == 0);
    MUST(pthread_create(&thread, &attributes, become_another, NULL) == 0);
    pthread_join(thread, NULL);
}

/* T105: exec in a thread with the smallest stack that there is. */
static void exec_in_a_small_thread(void)
{
    expect_end(exec_on_a_small_stack, small_request(), 4);
}

static void give(int channel, int fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control};

    memset(&control, 0, sizeof control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    MUST(sendmsg(channel, &message, MSG_NOSIGNAL) == 1);
}

static int taken(int channel)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    int fd;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control};

    MUST(recvmsg(channel, &message, 0) == 1);
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

/* The program that has the connection from its starter as 0 and 1, and the channel as 3. */
static int give_away(const char *how)
{
    read_request();
    give(3, 1);
    if (strcmp(how, "closes") == 0) {
        close(1);
        close(0);
        sleep_ms(100);
    }
    return 0;
}

/* By a program without the library, so that it is not known who has the connection. */
static void start_uncounted(char *how)
{
    char text[4096], program[4096], *library = getenv("LD_PRELOAD"), *none[] = {NULL};
    char *words[] = {"/usr/bin/env", text, program, "T-give", how, NULL};
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);

    MUST(size > 0);
    program[size] = 0;
    snprintf(text, sizeof text, "LD_PRELOAD=%s", library ? library : "");
    execve(words[0], words, none);
    _exit(127);
}

static void given_away(char *how)
{
    char request[5];
    int listening = listener(), channel[2], client = connection_to(listening), fd = accepted(listening), i;
    pid_t service;

    MUST(send(client, "hello", 5, 0) == 5);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, channel) == 0);
    service = fork();
    if (service == 0) {
        MUST(dup2(channel[1], 3) == 3 && fcntl(3, F_SETFD, 0) == 0);
        MUST(dup2(fd, 0) == 0 && dup2(fd, 1) == 1);
        for (i = 4; i < 30; i++)
            close(i);
        start_uncounted(how);
    }
    close(fd);
    MUST(waitpid(service, NULL, 0) == service);
    sleep_ms(20);
    fd = taken(channel[0]);
    MUST(send(fd, "late", 4, MSG_NOSIGNAL) == 4);
    MUST(recv(client, request, 4, MSG_WAITALL) == 4);
    MUST(recv(client, request, 4, MSG_WAITALL) == 4 && memcmp(request, "late", 4) == 0);
    close(fd);
    close(client);
    close(listening);
    close(channel[0]);
    close(channel[1]);
}

/* T106: inetd's connection has three numbers: one was sent in a message, the others end with the process. */
static void one_number_given_away(void)
{
    given_away("ends");
    given_away("closes");
}

/* T110: a program with a small limit of memory starts, in which the library would not have room. */
static void little_memory(void)
{
    struct rlimit limit = {1 << 20, 1 << 20};
    pid_t child = fork();
    int status;

    if (child == 0) {
        MUST(setrlimit(RLIMIT_DATA, &limit) == 0);
        execl("/bin/sh", "sh", "-c", "exit 5", (char *)NULL);
        _exit(9);
    }
    MUST(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != ENDED_WELL)
        fail("status %x", status);
}

static void end_with_a_library(void)
{
    char path[4096], *name;
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 20);
    void *library;
    void (*start)(void);

    read_request();
    MUST(size > 0);
    path[size] = 0;
    name = strrchr(path, '/') + 1;
    strcpy(name, "libtail.so");
    library = dlopen(path, RTLD_NOW);
    if (library == NULL)
        fail("%s", dlerror());
    *(void **)&start = dlsym(library, "write_a_tail");
    MUST(start != NULL);
    start();
    exit(ENDED_WELL);
}

/* T107: the destructors of the program's libraries come before our end of what is open. */
static void destructors(void)
{
    expect_end(end_with_a_library, small_request(), DONE);
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T101", streams},
        {"T102", alarm_at_the_end},
        {"T103", asked_to_end},
        {"T104", ended_in_a_handler},
        {"T105", exec_in_a_small_thread},
        {"T106", one_number_given_away},
        {"T107", destructors},
        {"T110", little_memory},
    };

    if (argc > 2 && strcmp(argv[1], "T-give") == 0)
        return give_away(argv[2]);
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
