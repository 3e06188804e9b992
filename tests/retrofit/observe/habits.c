/* Habits that are no close, or not only one: each in a function of its own, of a name that the report
 * must have. */
#define _GNU_SOURCE
#include "site.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char *words[] = {"true", NULL};

SITE_OF(shut_with_unread, shutdown(fd, SHUT_RDWR))
SITE_OF(shut_after_the_peer, shutdown(fd, SHUT_RDWR))
SITE_OF(shut_one_way, shutdown(fd, SHUT_WR))
SITE_OF(hands_on, execv("/bin/true", words))
SITE_OF(hands_nothing_on, execv("/bin/true", words))
SITE_OF(starts_nothing, execv("/nonexistent/true", words))
SITE_OF(by_system, system("true"))
SITE_OF(closes_first, close(fd))
SITE_OF(closes_again, close(fd))

static int listener;
static struct sockaddr_in address;

static void pair(int *server, int *client)
{
    *client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(*client, (struct sockaddr *)&address, sizeof address) != 0)
        exit(2);
    *server = accept(listener, NULL, NULL);
}

static void arrived(int fd, int bytes)
{
    int there = -1;
    struct pollfd entry = {fd, POLLIN | POLLRDHUP, 0};
    poll(&entry, 1, 5000);
    while (bytes > 0 && ioctl(fd, FIONREAD, &there) == 0 && there < bytes)
        usleep(1000);
}

static void in_a_child(int (*site)(int), int fd)
{
    pid_t child = fork();
    if (child == 0) {
        site(fd);
        _exit(1);
    }
    waitpid(child, NULL, 0);
}

APART void spawns(int fd)
{
    pid_t child;
    (void)fd;
    if (posix_spawn(&child, "/bin/true", NULL, NULL, words, environ) == 0)
        waitpid(child, NULL, 0);
    STAYS;
}

static void *other_thread(void *fd)
{
    closes_first(*(int *)fd);
    return NULL;
}

int main(void)
{
    int s, c;
    char byte;
    socklen_t size = sizeof address;
    pthread_t thread;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 8);
    getsockname(listener, (struct sockaddr *)&address, &size);

    pair(&s, &c);
    (void)!write(c, "0123456789", 10);
    arrived(s, 10);
    shut_one_way(s);
    shut_with_unread(s);
    close(s);
    close(c);

    pair(&s, &c);
    close(c);
    arrived(s, 0);
    (void)!read(s, &byte, 1);
    shut_after_the_peer(s);
    close(s);

    pair(&s, &c);
    in_a_child(hands_on, s);
    spawns(s);
    starts_nothing(s);
    by_system(s);
    fcntl(s, F_SETFD, FD_CLOEXEC);
    in_a_child(hands_nothing_on, s);
    close(s);
    close(c);

    /* one thread closes what another one holds for its own */
    pair(&s, &c);
    close(c);
    arrived(s, 0);
    pthread_create(&thread, NULL, other_thread, &s);
    pthread_join(thread, NULL);
    if (closes_again(s) != -1 || errno != EBADF)
        return 4;
    puts("done");
    return 0;
}
