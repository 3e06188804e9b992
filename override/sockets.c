/* The table of what accept() gave the program. */
/* all files of this folder can be compiled in, on both systems */
#ifndef _WIN32
#define _GNU_SOURCE
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* asm-generic/socket.h; Linux 4.12 */
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

/* descriptors above are not known, and closed as ever */
#define MOST 65536

typedef struct cookie {
    unsigned int half[2];
} cookie;

typedef struct entry {
    cookie name;
    unsigned int children; /* the count when it was accepted */
    unsigned int known;
} entry;

/* zero pages until they are used; one thread at a time has a descriptor */
static entry table[MOST];
static volatile unsigned int children = 0;

/* the process (1, and one more in each forked child) that has parked a socket under the number */
static volatile unsigned char parked_by[MOST];
static unsigned char process = 1;

static int name_of(int fd, cookie *name)
{
    socklen_t size = (socklen_t)sizeof(*name);

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, name, &size) == 0;
}

/* fork() wherever it is called from: the child has all connections, and none of the threads */
static void after_fork(void)
{
    children++;
}

static void in_the_child(void)
{
    children++;
    process = (unsigned char)(process == 255 ? 1 : process + 1);
    gco_forget_reaper();
}

static void watch_forks(void)
{
    pthread_atfork(NULL, after_fork, in_the_child);
}

void gco_accepted(int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int error = errno;
    entry *self;

    pthread_once(&once, watch_forks);
    if (fd < 0 || fd >= MOST) return;
    parked_by[fd] = 0;
    self = &table[fd];
    self->known = name_of(fd, &self->name) ? GCO_ACCEPTED : 0;
    self->children = children;
    errno = error;
}

void gco_children_may_hold(void)
{
    children++;
}

void gco_passed(int fd)
{
    if (fd >= 0 && fd < MOST) table[fd].known |= GCO_PASSED;
}

int gco_is_accepted(int fd)
{
    cookie now;

    return fd >= 0 && fd < MOST && (table[fd].known & GCO_ACCEPTED) != 0 && name_of(fd, &now) &&
           memcmp(&now, &table[fd].name, sizeof(now)) == 0;
}

unsigned int gco_forget(int fd, int *alone)
{
    unsigned int known;
    cookie now;

    *alone = 0;
    if (fd < 0 || fd >= MOST || table[fd].known == 0) return 0;
    known = table[fd].known;
    table[fd].known = 0;
    if (!name_of(fd, &now) || memcmp(&now, &table[fd].name, sizeof(now)) != 0) return 0;
    *alone = table[fd].children == children;
    return known;
}

int gco_is_parked(int fd)
{
    return fd >= 0 && fd < MOST && parked_by[fd] == process;
}

void gco_set_parked(int fd, int parked)
{
    if (fd >= 0 && fd < MOST) parked_by[fd] = parked ? process : 0;
}

/* where the library puts its own, as far up as is looked */
#define OWN_FROM 1024
#define OWN_MOST 64

/* an epoll set or an eventfd, of which the background has one each */
static int is_internal(int fd)
{
    char path[40], target[40];
    ssize_t size;

    sprintf(path, "/proc/self/fd/%d", fd);
    size = readlink(path, target, sizeof(target) - 1);
    if (size < 0) return 0;
    target[size] = '\0';
    return strcmp(target, "anon_inode:[eventpoll]") == 0 || strcmp(target, "anon_inode:[eventfd]") == 0;
}

void gco_look_at_numbers(int after)
{
    static unsigned char was_open[OWN_MOST];
    int i;

    for (i = 0; i < OWN_MOST; i++) {
        int is_open = fcntl(OWN_FROM + i, F_GETFD) >= 0;
        if (!after)
            was_open[i] = (unsigned char)is_open;
        else if (is_open && !was_open[i] && is_internal(OWN_FROM + i))
            gco_set_parked(OWN_FROM + i, 1);
    }
}

#else
typedef int gco_nothing_here; /* ISO C wants something in every file */
#endif
