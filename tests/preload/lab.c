#include "lab.h"

#include <net/if.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

/* In a network namespace of its own the loopback is down at first. */
static void raise_loopback(void)
{
    struct ifreq request;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
}

int lab_main(int argc, char **argv, const check *checks, int count)
{
    int i;

    if (argc < 2) {
        for (i = 0; i < count; i++)
            puts(checks[i].name);
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (i = 0; i < count; i++) {
        if (strcmp(argv[1], checks[i].name) == 0) {
            raise_loopback();
            checks[i].run();
            return 0;
        }
    }
    fprintf(stderr, "no check called %s\n", argv[1]);
    return 2;
}

void fail(const char *format, ...)
{
    va_list arguments;
    char text[512];

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dprintf(1, "%s\n", text);
    /* at once: what the library does at the end is no part of the check any more */
    kill(getpid(), SIGKILL);
    abort();
}

void skip(const char *why)
{
    dprintf(1, "SKIPPED: %s\n", why);
    _exit(77);
}

double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sleep_ms(int ms)
{
    poll(NULL, 0, ms);
}

int listener(void)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(fd >= 0);
    MUST(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    MUST(listen(fd, 128) == 0);
    return fd;
}

int connection_to(int listening)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int small = 4096;

    MUST(getsockname(listening, (struct sockaddr *)&address, &size) == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    MUST(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

int accepted(int listening)
{
    int fd = accept(listening, NULL, NULL);

    MUST(fd >= 0);
    return fd;
}

void wait_for_bytes(int fd, int bytes)
{
    int there = 0;

    while (there < bytes) {
        MUST(ioctl(fd, FIONREAD, &there) == 0);
        sleep_ms(1);
    }
}

void send_answer(int fd)
{
    static char answer[ANSWER];
    int size = 2 * ANSWER;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    MUST(send(fd, answer, ANSWER, MSG_NOSIGNAL) == ANSWER);
}

int served(int listening)
{
    int fd = accepted(listening);

    wait_for_bytes(fd, REQUEST);
    send_answer(fd);
    return fd;
}

static void send_bytes(int fd, int bytes)
{
    static char data[65536];

    while (bytes > 0) {
        int part = bytes < (int)sizeof data ? bytes : (int)sizeof data;
        ssize_t sent = send(fd, data, (size_t)part, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes -= (int)sent;
    }
}

static void be_a_peer(int listening, habits how, int report)
{
    static char data[65536];
    fate end;
    double start = seconds();
    int fd = connection_to(listening);
    ssize_t got;

    memset(&end, 0, sizeof end);
    send_bytes(fd, how.request);
    if (how.is_done)
        shutdown(fd, SHUT_WR);
    sleep_ms(how.wait_ms);
    send_bytes(fd, how.more);
    while ((got = recv(fd, data, sizeof data, 0)) > 0)
        end.bytes += (int)got;
    end.error = got < 0 ? errno : 0;
    end.took = seconds() - start;
    (void)!write(report, &end, sizeof end);
    close(report);
    sleep_ms(how.silent_ms);
    kill(getpid(), SIGKILL);
}

peer start_peer(int listening, habits how)
{
    peer one;
    int ends[2];

    MUST(pipe2(ends, O_CLOEXEC) == 0);
    one.pid = fork();
    MUST(one.pid >= 0);
    if (one.pid == 0) {
        /* a check that has failed leaves nobody behind */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        be_a_peer(listening, how, ends[1]);
    }
    close(ends[1]);
    one.report = ends[0];
    return one;
}

fate end_of(peer one)
{
    fate end;
    struct pollfd entry;

    entry.fd = one.report;
    entry.events = POLLIN;
    if (poll(&entry, 1, 15000) != 1)
        fail("the client has no end after 15 s");
    if (read(one.report, &end, sizeof end) != sizeof end)
        fail("the client has died");
    close(one.report);
    return end;
}

peer client(int listening)
{
    habits how;

    memset(&how, 0, sizeof how);
    how.request = REQUEST;
    how.wait_ms = 60;
    return start_peer(listening, how);
}

void came_whole(peer one)
{
    fate end = end_of(one);

    if (end.bytes != ANSWER || end.error != 0)
        fail("%d of %d bytes came, then %s", end.bytes, ANSWER, end.error ? strerror(end.error) : "the end");
}
