/* What the hazard checks have in common: a peer in a process of its own, and servers' first steps. */
#ifndef LAB_H
#define LAB_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* More than fits into the peer's window, so that a reset cuts it; and a request that stays unread. */
#define ANSWER 150000
#define REQUEST 20000

typedef struct check {
    const char *name;
    void (*run)(void);
} check;

/* Runs the check that argv[1] names, or lists all. */
int lab_main(int argc, char **argv, const check *checks, int count);

void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void skip(const char *why) __attribute__((noreturn));
#define MUST(condition) ((condition) ? (void)0 : fail("line %d: %s: %s", __LINE__, #condition, strerror(errno)))

double seconds(void);
void sleep_ms(int ms);

/* A listening TCP socket on the loopback. */
int listener(void);
int connection_to(int listening);
int accepted(int listening);
/* Waits until so many bytes of the request are there, unread. */
void wait_for_bytes(int fd, int bytes);
/* Sends the whole answer without waiting for the peer. */
void send_answer(int fd);

/* A client in another process: sends a request of so many bytes, waits, reads to the end, closes. */
typedef struct peer {
    pid_t pid;
    int report;
} peer;

typedef struct fate {
    int bytes;     /* that came */
    int error;     /* the errno at the end, 0: end of file */
    double took;   /* seconds until then, from the connection */
} fate;

typedef struct habits {
    int request;      /* bytes to send */
    int is_done;      /* and nothing more: the half-close */
    int wait_ms;      /* before reading */
    int more;         /* bytes to send after that, still before reading */
    int silent_ms;    /* stay connected for so long after the end */
} habits;

peer start_peer(int listening, habits how);
fate end_of(peer one);
/* The usual one. */
peer client(int listening);
void came_whole(peer one);

/* Accepts and answers; the request stays unread. */
int served(int listening);

#endif
