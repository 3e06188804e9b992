/*
 * tunlink.h - a wire with a delay: two network namespaces, a TUN device in each, and a carrier between.
 *
 * A packet read from one device is written to the other a fixed time later. Order is kept, nothing
 * is lost on purpose, and the queue of each direction is long enough that nothing is lost for want of room
 * (a drop would be counted). No tool from outside is needed: devices are set up by ioctl.
 */
#ifndef TUNLINK_H
#define TUNLINK_H

#include "bench.h"

/* after net/if.h, whose names it shares */
#include <linux/if_tun.h>

#define TUNLINK_SERVER 0x0A4D0001 /* 10.77.0.1 */
#define TUNLINK_CLIENT 0x0A4D0002 /* 10.77.0.2 */
#define TUNLINK_MTU 1500
#define TUNLINK_SLOTS 32768

struct tunlink {
    int device[2];     /* 0: the server's, 1: the client's */
    int namespaces[2];
};

static inline int tunlink_set(int control, struct ifreq *request, unsigned long what, uint32_t address)
{
    struct sockaddr_in in;
    memset(&in, 0, sizeof in);
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(address);
    memcpy(&request->ifr_addr, &in, sizeof in);
    return ioctl(control, what, request);
}

/* one end: a new namespace with an up and running point-to-point device; the process moves into it */
static inline const char *tunlink_end(struct tunlink *link, int end)
{
    struct ifreq request;
    uint32_t mine = end == 0 ? TUNLINK_SERVER : TUNLINK_CLIENT;
    uint32_t other = end == 0 ? TUNLINK_CLIENT : TUNLINK_SERVER;
    if (unshare(CLONE_NEWNET))
        return "no right to make a network namespace (root is needed)";
    link->namespaces[end] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    link->device[end] = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (link->namespaces[end] < 0 || link->device[end] < 0)
        return "/dev/net/tun cannot be opened";
    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    strcpy(request.ifr_name, "wire0");
    if (ioctl(link->device[end], TUNSETIFF, &request))
        return "no TUN device can be made";
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int failed = control < 0 || tunlink_set(control, &request, SIOCSIFADDR, mine) ||
                 tunlink_set(control, &request, SIOCSIFDSTADDR, other);
    request.ifr_mtu = TUNLINK_MTU;
    failed = failed || ioctl(control, SIOCSIFMTU, &request);
    request.ifr_qlen = 10000;
    failed = failed || ioctl(control, SIOCSIFTXQLEN, &request);
    request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_POINTOPOINT;
    failed = failed || ioctl(control, SIOCSIFFLAGS, &request);
    if (control >= 0)
        close(control);
    return failed ? "the TUN device cannot be set up" : NULL;
}

/* NULL, or the reason why there is no link here; the process ends up in its old namespace */
static inline const char *tunlink_open(struct tunlink *link)
{
    int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    const char *why = NULL;
    for (int end = 0; end < 2 && why == NULL; end++)
        why = tunlink_end(link, end);
    if (before < 0 || (setns(before, CLONE_NEWNET) && why == NULL))
        why = "setns is not possible";
    if (before >= 0)
        close(before);
    return why;
}

struct tunlink_packet {
    int64_t due;
    int size;
    unsigned char data[TUNLINK_MTU];
};

struct tunlink_queue {
    struct tunlink_packet *packets;
    unsigned int first, end; /* counted up for ever; slot = number % TUNLINK_SLOTS */
};

/* carries packets until killed */
static inline void tunlink_carry(struct tunlink *link, int64_t delay_ns, int64_t *dropped)
{
    struct tunlink_queue queues[2];
    for (int d = 0; d < 2; d++) {
        queues[d].packets = calloc(TUNLINK_SLOTS, sizeof *queues[d].packets);
        queues[d].first = queues[d].end = 0;
        if (queues[d].packets == NULL)
            die("calloc");
    }
    for (;;) {
        int64_t now = now_ns(), next = now + 1000000000;
        for (int d = 0; d < 2; d++) { /* from device d to the other */
            struct tunlink_queue *q = &queues[d];
            for (int burst = 0; burst < 256; burst++) {
                struct tunlink_packet *p = &q->packets[q->end % TUNLINK_SLOTS];
                unsigned char excess[TUNLINK_MTU];
                int full = q->end - q->first == TUNLINK_SLOTS;
                ssize_t n = read(link->device[d], full ? excess : p->data, TUNLINK_MTU);
                if (n <= 0)
                    break;
                if (full) {
                    ++*dropped;
                    continue;
                }
                p->size = (int)n;
                p->due = now + delay_ns;
                q->end++;
            }
            while (q->first != q->end && q->packets[q->first % TUNLINK_SLOTS].due <= now) {
                struct tunlink_packet *p = &q->packets[q->first % TUNLINK_SLOTS];
                if (write(link->device[1 - d], p->data, (size_t)p->size) < 0)
                    ++*dropped;
                q->first++;
            }
            if (q->first != q->end && q->packets[q->first % TUNLINK_SLOTS].due < next)
                next = q->packets[q->first % TUNLINK_SLOTS].due;
        }
        struct pollfd p[2] = {{link->device[0], POLLIN, 0}, {link->device[1], POLLIN, 0}};
        int64_t left = next - now_ns();
        struct timespec t = {left / 1000000000, left % 1000000000};
        if (left > 0)
            ppoll(p, 2, &t, NULL);
    }
}

#endif
