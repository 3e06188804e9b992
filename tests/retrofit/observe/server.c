/* Ten close sites of known kinds, each a function of its own, and a client in the same program that
 * knows what each of them leaves behind. Prints a line for each when it has been closed. */
#define _GNU_SOURCE
#include "site.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

SITE(unread_request)
SITE(late_bytes)
SITE(shut_both)
SITE(linger_reset)
SITE(linger_wait)
SITE(forked_parent)
SITE(forked_child)
SITE(double_close)
SITE(already_finished)
SITE(is_listener)
SITE(is_datagram)
SITE(in_handler)
SITE(reset_before)

static int listener;
static struct sockaddr_in address;

static void pair(int *server, int *client)
{
    int size = 1 << 16;
    *client = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(*client, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (connect(*client, (struct sockaddr *)&address, sizeof address) != 0)
        exit(2);
    *server = accept(listener, NULL, NULL);
}

/* waits until so many bytes, or the end, can be read */
static void arrived(int fd, int bytes)
{
    int there = -1;
    struct pollfd entry = {fd, POLLIN | POLLRDHUP, 0};
    poll(&entry, 1, 5000);
    while (bytes > 0 && ioctl(fd, FIONREAD, &there) == 0 && there < bytes)
        usleep(1000);
}

/* more than the client's buffer takes, and it does not read */
static void in_flight(int fd)
{
    static char block[1 << 20];
    while (send(fd, block, sizeof block, MSG_DONTWAIT) > 0)
        ;
}

static int handled;

static void handler(int number)
{
    (void)number;
    errno = 77;
    in_handler(handled);
    if (errno != 77)
        _exit(3);
}

int main(void)
{
    int s, c, udp;
    socklen_t size = sizeof address;
    struct linger linger;
    pid_t child;
    setvbuf(stdout, NULL, _IOLBF, 0);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 8);
    getsockname(listener, (struct sockaddr *)&address, &size);

    pair(&s, &c);
    (void)!write(c, "0123456789", 10);
    arrived(s, 10);
    unread_request(s);
    puts("unread");

    pair(&s, &c);
    in_flight(s);
    late_bytes(s);
    puts("late");

    pair(&s, &c);
    shutdown(s, SHUT_RDWR);
    arrived(c, 0);
    shut_both(s);
    puts("shut both");

    pair(&s, &c);
    linger.l_onoff = 1;
    linger.l_linger = 0;
    setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    linger_reset(s);
    puts("linger 0");

    pair(&s, &c);
    linger.l_linger = 1;
    setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    in_flight(s);
    linger_wait(s);
    puts("linger 1");

    pair(&s, &c);
    child = fork();
    if (child == 0) {
        usleep(200000);
        forked_child(s);
        _exit(0);
    }
    forked_parent(s);
    waitpid(child, NULL, 0);
    puts("fork");

    pair(&s, &c);
    close(c);
    arrived(s, 0);
    double_close(s);
    if (double_close(s) != -1 || errno != EBADF)
        return 4;
    puts("double");

    pair(&s, &c);
    shutdown(c, SHUT_WR);
    arrived(s, 0);
    shutdown(s, SHUT_WR);
    arrived(c, 0);
    usleep(100000);
    already_finished(s);
    puts("finished");

    pair(&s, &c);
    linger.l_linger = 0;
    setsockopt(c, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(c);
    arrived(s, 0);
    reset_before(s);
    puts("reset");

    pair(&s, &c);
    handled = s;
    signal(SIGALRM, handler);
    raise(SIGALRM);
    puts("handler");

    udp = socket(AF_INET, SOCK_DGRAM, 0);
    is_datagram(udp);
    pair(&s, &c); /* for the end of the process */
    is_listener(listener);
    puts("others");
    return 0;
}
