/* Limits that the program runs under: what it is allowed must be there for it: T74-. */
#include "lab.h"

#include <dirent.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
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

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T74", all_numbers},
        {"T75", few_for_few},
    };

    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
