/* Closes whose connections end in known ways, each at a site of its own, and a peer in a process of its own
 * that counts what it gets. Prints "SITE FIGURE NUMBER" for what a report with --follow must have.
 * usage: followed [ANSWER_FOR_OTHER_NAMESPACES] */
#define _GNU_SOURCE
#include "site.h"
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

SITE(unread_and_unacked)
SITE(unread_after_all)
SITE(unread_and_peer_closed)
SITE(late_byte)
SITE(late_but_read)
SITE(byte_after_all)
SITE(ended_well)
SITE(peer_stays)
SITE(wants_reset)
SITE(peer_was_first)
SITE(parent_of_a_holder)

struct order {
    char what;
    int family;
    in_port_t port;
};

/* the peer: does what it is told, and answers with a number */
static long obey(struct order *order, int *fd)
{
    static char room[1 << 16];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = order->port};
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = order->port};
    int size = 1 << 16;
    ssize_t more;
    long got = 0;
    switch (order->what) {
    case 'c': /* connect */
        *fd = socket(order->family, SOCK_STREAM, 0);
        setsockopt(*fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address6.sin6_addr = in6addr_loopback;
        return order->family == AF_INET ? connect(*fd, (struct sockaddr *)&address, sizeof address)
                                        : connect(*fd, (struct sockaddr *)&address6, sizeof address6);
    case 's': /* send */
        return send(*fd, "late", 4, MSG_NOSIGNAL);
    case 'f':
        return shutdown(*fd, SHUT_WR);
    case 'r': /* to the end, or to the reset */
        while ((more = read(*fd, room, sizeof room)) > 0)
            got += more;
        return got;
    default: /* close */
        return close(*fd);
    }
}

static int wire, listener, family;
static in_port_t port;

static long tell(char what)
{
    struct order order = {what, family, port};
    long answer = -1;
    if (write(wire, &order, sizeof order) != sizeof order || read(wire, &answer, sizeof answer) != sizeof answer)
        exit(2);
    return answer;
}

static void start_peer(void)
{
    int ends[2], fd = -1;
    struct order order;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        exit(2);
    wire = ends[0];
    if (fork() != 0) {
        close(ends[1]);
        return;
    }
    close(ends[0]);
    freopen("/dev/null", "w", stdout);
    freopen("/dev/null", "w", stderr);
    while (read(ends[1], &order, sizeof order) == sizeof order) {
        long answer = obey(&order, &fd);
        (void)!write(ends[1], &answer, sizeof answer);
    }
    sleep(6); /* what it has not closed stays open behind the end of the server */
    _exit(0);
}

/* listens as this family, for a client of that one */
static int listens(int as, int client)
{
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6};
    struct sockaddr_in address = {.sin_family = AF_INET};
    int off = 0;
    socklen_t size = sizeof address6;
    listener = socket(as, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (as == AF_INET6)
        setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (listener < 0 ||
        (as == AF_INET ? bind(listener, (struct sockaddr *)&address, sizeof address)
                       : bind(listener, (struct sockaddr *)&address6, sizeof address6)) != 0)
        return 0;
    listen(listener, 8);
    getsockname(listener, (struct sockaddr *)&address6, &size);
    /* the port has the same place in both */
    port = address6.sin6_port;
    family = client;
    return 1;
}

static int connection(void)
{
    if (tell('c') != 0)
        exit(3);
    return accept(listener, NULL, NULL);
}

static void unread(int fd)
{
    int there = 0;
    while (ioctl(fd, FIONREAD, &there) == 0 && there < 4)
        usleep(1000);
}

/* until the peer has acknowledged all */
static void arrived(int fd)
{
    int left = 1;
    while (ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0)
        usleep(1000);
}

/* more than the peer's buffer takes; what it can take it has acknowledged */
static long fill(int fd)
{
    static char block[1 << 20];
    long sent = 0;
    ssize_t more;
    while ((more = send(fd, block, sizeof block, MSG_DONTWAIT)) > 0)
        sent += more;
    usleep(300000);
    return sent;
}

static long lost[2];

static void round_of_all(void)
{
    struct linger reset = {1, 0};
    long sent;
    int fd = connection();
    sent = fill(fd);
    tell('s');
    unread(fd);
    unread_and_unacked(fd);
    lost[0] += sent - tell('r');
    tell('k');

    fd = connection();
    tell('s');
    unread(fd);
    (void)!write(fd, "answer", 6);
    arrived(fd);
    unread_after_all(fd);
    tell('k');

    fd = connection();
    tell('s');
    tell('f');
    unread(fd);
    (void)!write(fd, "answer", 6);
    arrived(fd);
    unread_and_peer_closed(fd);
    tell('k');

    fd = connection();
    sent = fill(fd);
    late_byte(fd);
    tell('s');
    lost[1] += sent - tell('r');
    tell('k');

    fd = connection();
    sent = fill(fd);
    late_but_read(fd);
    if (tell('r') != sent)
        exit(4);
    tell('k');

    fd = connection();
    (void)!write(fd, "answer", 6);
    arrived(fd);
    byte_after_all(fd);
    usleep(100000);
    tell('s');
    tell('k');

    fd = connection();
    (void)!write(fd, "answer", 6);
    ended_well(fd);
    if (tell('r') != 6)
        exit(4);
    tell('k');

    fd = connection();
    peer_stays(fd);

    fd = connection();
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    wants_reset(fd);
    tell('k');

    fd = connection();
    tell('f');
    usleep(50000);
    peer_was_first(fd);
    tell('k');

    fd = connection();
    if (fork() == 0) {
        usleep(100000);
        _exit(0);
    }
    parent_of_a_holder(fd);
    tell('k');
}

int main(int argc, char **argv)
{
    int rounds = 0;
    (void)argv;
    start_peer();
    if (listens(AF_INET, AF_INET)) {
        round_of_all();
        rounds++;
    }
    if (listens(AF_INET6, AF_INET6)) {
        round_of_all();
        rounds++;
    }
    /* a socket of IPv6 with a client of IPv4 */
    if (listens(AF_INET6, AF_INET)) {
        round_of_all();
        rounds++;
    }
    if (argc > 1)
        return 0;
    printf("unread_and_unacked reset_after %d\nunread_and_unacked lost %d\nunread_and_unacked lost_bytes %ld\n", rounds,
           rounds, lost[0]);
    printf("unread_after_all reset_after %d\nunread_and_peer_closed reset_after %d\n", rounds, rounds);
    printf("late_byte reset_after %d\nlate_byte lost %d\nlate_byte lost_bytes %ld\n", rounds, rounds, lost[1]);
    printf("late_but_read arrived %d\nbyte_after_all reset_after %d\n", rounds, rounds);
    printf("ended_well arrived %d\npeer_stays still_open %d\n", rounds, rounds);
    return 0;
}
