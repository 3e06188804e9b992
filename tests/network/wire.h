/*
 * A wire that does harm: packets between two TUN devices (benches/tunlink.h) are lost, doubled, late,
 * cut off, or answered by a reset; and a record of what passed, against which claims are held.
 */
#ifndef WIRE_H
#define WIRE_H

#include "../../benches/tunlink.h"

enum harm {
    NO_HARM, LOSS_1, LOSS_5, LOSS_30, DOUBLED, REORDERED, CUT, BLACKHOLE, VANISHES, RESET, KILLED,
    WINDOW, BOTH, MTU, HARMS
};

static const char *const harms[HARMS] = {
    "none", "loss-1", "loss-5", "loss-30", "doubled", "reordered", "cut", "blackhole", "vanishes",
    "reset", "killed", "window", "both", "mtu"
};

#define FIRST_PORT 7000 /* of listeners; the other end's port is the connection's */
#define LAST_PORT 7999
#define CUT_NS 2000000000LL
#define SMALL_PACKET 600

/* what passed of one connection, as seen at our device; in sequence numbers of ours */
struct passed {
    uint32_t fin;      /* behind our FIN */
    uint32_t acked;    /* the most that the peer has acknowledged, and it came to us */
    uint8_t has_fin, has_ack, peer_fin, was_reset;
    uint8_t segments;  /* with data, from us */
    uint8_t limit;     /* RESET, VANISHES: after so many */
};

struct wire {
    volatile int harm;        /* begins when all are connected */
    volatile int64_t began;
    volatile long packets, harmed;
    struct passed passed[2][65536]; /* by who has connected (0 the peer, 1 we), and its port */
};

struct packet {
    int size, to;
    int64_t due;
    unsigned char data[TUNLINK_MTU];
};

static uint32_t word(const unsigned char *at) { return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3]; }
static unsigned half(const unsigned char *at) { return (unsigned)at[0] << 8 | at[1]; }

static void set_word(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(value >> (24 - 8 * i));
}

static uint32_t sum(const unsigned char *at, int size, uint32_t so_far)
{
    for (int i = 0; i + 1 < size; i += 2) so_far += half(at + i);
    return so_far;
}

static void set_sum(unsigned char *at, uint32_t value)
{
    while (value >> 16) value = (value & 0xFFFF) + (value >> 16);
    at[0] = (unsigned char)(~value >> 8);
    at[1] = (unsigned char)~value;
}

/* A reset in answer to a segment, as if from its receiver; and with `onward` to the receiver. */
static void write_reset(struct tunlink *link, const struct packet *p, int onward)
{
    unsigned char r[40] = { 0x45, 0, 0, 40, 0, 0, 0, 0, 64, IPPROTO_TCP };
    const unsigned char *ip = p->data, *tcp = p->data + (ip[0] & 15) * 4;
    int from = onward ? 12 : 16, ports = onward ? 0 : 2;
    memcpy(r + 12, ip + from, 4);
    memcpy(r + 16, ip + (28 - from), 4);
    memcpy(r + 20, tcp + ports, 2);
    memcpy(r + 22, tcp + (2 - ports), 2);
    set_word(r + 24, onward ? word(tcp + 4) : word(tcp + 8));
    r[32] = 5 << 4;
    r[33] = 4; /* RST */
    set_sum(r + 10, sum(r, 20, 0));
    set_sum(r + 36, sum(r + 12, 28, IPPROTO_TCP + 20));
    if (write(link->device[onward ? p->to : 1 - p->to], r, sizeof r) < 0) perror("wire");
}

static struct passed *of(struct wire *wire, const struct packet *p, const unsigned char *tcp)
{
    unsigned from = half(tcp), to = half(tcp + 2);
    int is_ours = p->to == 1; /* device 0 is ours */
    int listener_sends = from >= FIRST_PORT && from <= LAST_PORT;
    return &wire->passed[listener_sends ? !is_ours : is_ours][listener_sends ? to : from];
}

static int data_of(const unsigned char *ip, const unsigned char *tcp)
{
    return (int)half(ip + 2) - (ip[0] & 15) * 4 - (tcp[12] >> 4) * 4;
}

/* what has come to the device of its receiver */
static void note(struct wire *wire, const struct packet *p)
{
    const unsigned char *ip = p->data, *tcp = ip + (ip[0] & 15) * 4;
    if (ip[0] >> 4 != 4 || ip[9] != IPPROTO_TCP) return;
    struct passed *one = of(wire, p, tcp);
    int fin = tcp[13] & 1, reset = tcp[13] & 4, ack = tcp[13] & 16;
    if (p->to == 1 && fin) {
        one->fin = word(tcp + 4) + (uint32_t)data_of(ip, tcp) + 1;
        one->has_fin = 1;
    }
    if (p->to == 0 && ack && (!one->has_ack || (int32_t)(word(tcp + 8) - one->acked) > 0)) {
        one->acked = word(tcp + 8);
        one->has_ack = 1;
    }
    if (p->to == 0 && fin) one->peer_fin = 1;
    if (p->to == 0 && reset) one->was_reset = 1;
}

static int chance(unsigned *seed, int per_cent) { return rand_r(seed) % 100 < per_cent; }

/* after some data: the machine is gone, or somebody says so */
static int has_reached_limit(struct wire *wire, const struct packet *p, unsigned *seed)
{
    const unsigned char *ip = p->data, *tcp = ip + (ip[0] & 15) * 4;
    struct passed *one = of(wire, p, tcp);
    if (one->limit == 0) one->limit = (unsigned char)(1 + rand_r(seed) % 14);
    if (p->to == 1 && data_of(ip, tcp) > 0 && one->segments < 255) one->segments++;
    return one->segments >= one->limit;
}

/* whether it is taken away; and what else becomes of it */
static int does_harm(struct wire *wire, struct tunlink *link, struct packet *p, unsigned *seed)
{
    static const int losses[] = { [LOSS_1] = 1, [LOSS_5] = 5, [LOSS_30] = 30 };
    int64_t now = now_ns();
    switch (wire->harm) {
    case LOSS_1: case LOSS_5: case LOSS_30: return chance(seed, losses[wire->harm]);
    case DOUBLED: return chance(seed, 30) ? -1 : 0;
    case REORDERED:
        if (chance(seed, 25)) p->due = now + (1 + rand_r(seed) % 30) * 1000000LL;
        return 0;
    case CUT: return now - wire->began < CUT_NS;
    case BLACKHOLE: return 1;
    case VANISHES: return has_reached_limit(wire, p, seed);
    case MTU: return p->size > SMALL_PACKET;
    case RESET:
        if (!has_reached_limit(wire, p, seed)) return 0;
        if (p->to == 1 && chance(seed, 50)) write_reset(link, p, 1);
        else if (p->to == 1) {
            of(wire, p, p->data + (p->data[0] & 15) * 4)->was_reset = 1;
            write_reset(link, p, 0);
        }
        return 0;
    }
    return 0;
}

static void deliver(struct wire *wire, struct tunlink *link, const struct packet *p)
{
    note(wire, p);
    if (write(link->device[p->to], p->data, (size_t)p->size) < 0) wire->harmed++;
}

#define LATE_ONES 1024

/* carries until the process ends */
static void *carry(void *argument)
{
    static struct packet late[LATE_ONES];
    struct wire *wire = ((void **)argument)[0];
    struct tunlink *link = ((void **)argument)[1];
    unsigned seed = (unsigned)getpid();
    int pending = 0;
    for (;;) {
        for (int d = 0; d < 2; d++)
            for (int burst = 0; burst < 256; burst++) {
                struct packet p = { .to = 1 - d, .due = 0 };
                ssize_t size = read(link->device[d], p.data, sizeof p.data);
                if (size <= 0) break;
                p.size = (int)size;
                wire->packets++;
                int harm = (p.data[0] >> 4) == 4 ? does_harm(wire, link, &p, &seed) : 0;
                if (harm != 0 || p.due != 0) wire->harmed++;
                if (harm > 0) continue;
                int slot = 0;
                while (p.due != 0 && slot < LATE_ONES && late[slot].due != 0) slot++;
                if (p.due != 0 && slot < LATE_ONES) {
                    late[slot] = p;
                    pending++;
                } else {
                    deliver(wire, link, &p);
                }
                if (harm < 0) deliver(wire, link, &p);
            }
        for (int slot = 0; slot < LATE_ONES && pending > 0; slot++)
            if (late[slot].due != 0 && late[slot].due <= now_ns()) {
                deliver(wire, link, &late[slot]);
                late[slot].due = 0;
                pending--;
            }
        struct pollfd p[2] = { { link->device[0], POLLIN, 0 }, { link->device[1], POLLIN, 0 } };
        poll(p, 2, pending ? 1 : 1000);
    }
    return NULL;
}

#endif
