/* What must be left exactly as it was: T14, T17, T25, T26, T30-T32, T46, T47, T193, T194. */
#include "lab.h"

#include <sys/mman.h>
#include <sys/syscall.h>

extern char **environ;

/* T14: descriptors of other kinds. */
static void other_kinds(void)
{
    int listening = listener(), pair[2], ends[2], udp, unconnected, half;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    char byte;

    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    MUST(write(pair[0], "ab", 2) == 2 && write(pair[1], "cd", 2) == 2);
    MUST(close(pair[0]) == 0);
    /* closed with something unread: the kernel's own rule for these */
    MUST(read(pair[1], &byte, 1) == 1 || errno == ECONNRESET);
    MUST(close(pair[1]) == 0);
    MUST(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    MUST(close(ends[1]) == 0 && read(ends[0], &byte, 1) == 1 && close(ends[0]) == 0);
    udp = socket(AF_INET, SOCK_DGRAM, 0);
    MUST(getsockname(listening, (struct sockaddr *)&address, &size) == 0);
    MUST(connect(udp, (struct sockaddr *)&address, sizeof address) == 0);
    (void)!send(udp, "x", 1, 0);
    MUST(close(udp) == 0);
    unconnected = socket(AF_INET, SOCK_STREAM, 0);
    MUST(close(unconnected) == 0);
    half = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(0x7f000009);
    (void)!connect(half, (struct sockaddr *)&address, sizeof address);
    MUST(close(half) == 0);
    MUST(close(listening) == 0);
    /* the port is free at once */
    udp = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(bind(udp, (struct sockaddr *)&address, sizeof address) == 0);
}

/* T17: results and errno are close()'s own. */
static void results(void)
{
    int listening = listener(), i;
    peer one = client(listening);
    int fd = served(listening), file = open("/dev/null", O_RDONLY);

    errno = 4711;
    MUST(close(fd) == 0 && errno == 4711);
    MUST(close(fd) == -1 && errno == EBADF);
    errno = 4711;
    MUST(close(file) == 0 && errno == 4711);
    MUST(close(file) == -1 && errno == EBADF);
    MUST(close(-1) == -1 && errno == EBADF);
    MUST(close(1 << 30) == -1 && errno == EBADF);
    MUST(dup2(-1, 5) == -1 && errno == EBADF);
    MUST(fcntl(-1, F_DUPFD, 0) == -1 && errno == EBADF);
    MUST(fcntl(1, F_GETFD) >= 0);
    i = fcntl(1, F_DUPFD, 40);
    MUST(i == 40 && close(i) == 0);
    came_whole(one);
}

/* Closes a connection with unread data in it and returns what the peer sees. */
static fate close_unread(void (*prepare)(int fd), int sends)
{
    int listening = listener();
    peer one = client(listening);
    int fd = accepted(listening);

    wait_for_bytes(fd, REQUEST);
    if (sends)
        MUST(send(fd, "answer", 6, 0) == 6);
    if (prepare)
        prepare(fd);
    close(fd);
    return end_of(one);
}

static void linger_zero(int fd)
{
    struct linger zero = {1, 0};

    MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &zero, sizeof zero) == 0);
}

/* T25: SO_LINGER {1, 0} is a reset, as without the library. */
static void deliberate_reset(void)
{
    fate end = close_unread(linger_zero, 1);

    if (end.error != ECONNRESET)
        fail("the client saw no reset: %s", strerror(end.error));
}

/* T26: where nothing was sent the peer is to learn that nobody reads. */
static void nothing_sent(void)
{
    fate end = close_unread(NULL, 0);

    if (end.error != ECONNRESET)
        fail("the client saw no reset: %s", strerror(end.error));
}

static void both_ways(int fd)
{
    MUST(shutdown(fd, SHUT_RDWR) == 0);
}

/* T30: shutdown(SHUT_RDWR) before: as quick an end as without the library, whatever is lost. */
static void shut_both_ways(void)
{
    int listening = listener();
    habits how;
    peer one;
    int fd;
    double start;
    fate end;

    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = 50;
    how.more = 3000000;
    one = start_peer(listening, how);
    fd = served(listening);
    both_ways(fd);
    start = seconds();
    close(fd);
    end = end_of(one);
    if (seconds() - start > 1.0)
        fail("the client's end came after %.1f s", seconds() - start);
    printf("%d of %d bytes came\n", end.bytes, ANSWER);
    if (getenv("GRACEFUL_CLOSE_SHUTDOWN_BOTH") && (end.bytes != ANSWER || end.error != 0))
        fail("and that with the shutdown made a half-close");
}

static int readers_end[2];

static void read_in_child(int fd)
{
    char byte;
    ssize_t got = read(fd, &byte, 1);

    (void)!write(readers_end[1], got == 0 ? "0" : "x", 1);
    _exit(0);
}

/* T31: shutdown(SHUT_RDWR) wakes who is reading. */
static void readers_are_woken(void)
{
    int listening = listener();
    habits how;
    struct pollfd entry;
    pid_t reader;
    int fd;

    memset(&how, 0, sizeof how);
    how.silent_ms = 5000;
    MUST(pipe(readers_end) == 0);
    start_peer(listening, how);
    fd = accepted(listening);
    MUST(send(fd, "x", 1, 0) == 1);
    reader = fork();
    if (reader == 0)
        read_in_child(fd);
    sleep_ms(30);
    shutdown(fd, SHUT_RDWR);
    entry.fd = readers_end[0];
    entry.events = POLLIN;
    MUST(poll(&entry, 1, 2000) == 1);
}

/* T32: the side that closes first keeps TIME_WAIT: that cannot be otherwise. bind() with
 * SO_REUSEADDR, as servers do it, is not hindered. */
static void time_wait(void)
{
    int listening = listener(), again = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    peer one;
    int fd;

    /* the connection has it from the listener, as that is when it comes */
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    one = client(listening);
    fd = served(listening);
    MUST(getsockname(listening, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    end_of(one);
    close(listening);
    sleep_ms(30);
    if (bind(again, (struct sockaddr *)&address, sizeof address) != 0)
        printf("bind() without SO_REUSEADDR: %s\n", strerror(errno));
    close(again);
    again = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(again, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    MUST(bind(again, (struct sockaddr *)&address, sizeof address) == 0);
}

/* T46: a client that breaks off a download does not go on receiving it. */
static void client_breaks_off(void)
{
    static char data[65536];
    int listening = listener(), fd;
    long sent = 0;
    pid_t child = fork();
    double until;

    if (child == 0) {
        int mine = connection_to(listening);
        MUST(send(mine, "GET", 3, 0) == 3);
        MUST(recv(mine, data, 1000, 0) > 0);
        close(mine);
        sleep_ms(1500);
        kill(getpid(), SIGKILL);
    }
    fd = accepted(listening);
    until = seconds() + 1;
    while (seconds() < until) {
        ssize_t part = send(fd, data, sizeof data, MSG_NOSIGNAL);
        if (part <= 0)
            break;
        sent += part;
    }
    if (sent > 6000000)
        fail("%ld bytes were taken by a client that had closed", sent);
}

/* T47: the peer never closes, and sends without end: the limits hold. */
static void limits(void)
{
    static char data[65536];
    int listening = listener(), mine, fd;
    double start;
    ssize_t part;
    pid_t flooder = fork();

    if (flooder == 0) {
        mine = connection_to(listening);
        start = seconds();
        do
            part = send(mine, data, sizeof data, MSG_NOSIGNAL);
        while (part > 0 && seconds() - start < 10);
        _exit(part > 0 ? 1 : 0);
    }
    fd = accepted(listening);
    wait_for_bytes(fd, 1000);
    MUST(send(fd, "x", 1, 0) == 1);
    close(fd);
    {
        int status;
        MUST(waitpid(flooder, &status, 0) == flooder);
        MUST(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* The program that saves a connection, or one that it has become: it closes in the mode of repair. */
static void save(int listening, int way)
{
    int fd = accepted(listening), on = 1;
    char number[20], *words[] = {"/proc/self/exe", "T-close", number, NULL};

    MUST(send(fd, "x", 1, 0) == 1);
    sleep_ms(20);
    if (way == 0)
        on = syscall(SYS_setsockopt, fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0;
    else
        on = setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0;
    if (!on)
        _exit(77);
    snprintf(number, sizeof number, "%d", fd);
    if (way == 2)
        execv(words[0], words);
    close(fd);
    _exit(0);
}

/* T193: a connection that is saved in the mode of repair (TCP_REPAIR), to be restored elsewhere: its peer hears nothing. */
static void saved(void)
{
    int listening = listener(), way;
    char byte;

    for (way = 0; way < 3; way++) {
        struct pollfd peer = {.fd = connection_to(listening), .events = POLLIN | POLLRDHUP};
        pid_t child = fork();
        int status;
        if (child == 0)
            save(listening, way);
        MUST(recv(peer.fd, &byte, 1, 0) == 1);
        MUST(waitpid(child, &status, 0) == child);
        if (status == 77 << 8)
            skip("no mode of repair here");
        MUST(status == 0);
        if (poll(&peer, 1, 150) != 0)
            fail("way %d: the peer hears of the close", way);
        close(peer.fd);
    }
}

/* T194: what exec is given that is no memory is an error, as without the library. */
static void no_memory(void)
{
    char *gap = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *volatile places[] = {(char *)1, gap, gap + 1, (char *)-1L};
    char *words[] = {"/bin/true", NULL}, *mixed[3] = {"A=1"};
    unsigned i;

    MUST(gap != MAP_FAILED);
    for (i = 0; i < sizeof places / sizeof *places; i++) {
        char *bad = places[i], **list = (char **)((size_t)bad & ~(size_t)7);
        errno = 0;
        MUST(execve(bad, words, environ) == -1 && errno == EFAULT);
        MUST(syscall(SYS_execve, bad, words, environ) == -1 && errno == EFAULT);
        MUST(execveat(AT_FDCWD, bad, words, environ, AT_EMPTY_PATH) == -1 && errno == EFAULT);
        mixed[1] = bad;
        MUST(execve(words[0], words, mixed) == -1 && errno == EFAULT);
        /* the kernel takes null for an empty one */
        MUST(list == NULL || (execve(words[0], words, list) == -1 && errno == EFAULT));
    }
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T14", other_kinds},       {"T17", results},    {"T25", deliberate_reset},
        {"T26", nothing_sent},      {"T30", shut_both_ways}, {"T31", readers_are_woken},
        {"T32", time_wait},         {"T46", client_breaks_off}, {"T47", limits},
        {"T193", saved}, {"T194", no_memory},
    };

    if (argc > 2 && strcmp(argv[1], "T-close") == 0)
        return close(atoi(argv[2]));
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
