/* A thread is still sending on what another one closes: T195, T196. Its call goes on to its end, as without the library. */
#include "lab.h"

#include <grp.h>
#include <pthread.h>

#define MUCH 4000000

static int connection, closed_by_then;
static char *bytes;

static void *send_much(void *unused)
{
    int fd = closed_by_then >= 0 ? closed_by_then : connection;
    ssize_t sent = send(fd, bytes, MUCH, MSG_NOSIGNAL);

    if (sent != MUCH)
        fail("%zd of %d bytes were sent: %s", sent, MUCH, strerror(errno));
    return unused;
}

static void comes_whole(int fd)
{
    ssize_t got;
    long all = 0;

    while ((got = recv(fd, bytes, MUCH, 0)) > 0)
        all += got;
    if (got != 0 || all != MUCH)
        fail("%ld of %d bytes came, then %s", all, MUCH, strerror(errno));
}

/* the sender waits for room when its connection is closed; the peer reads after that */
static void closed_while_it_sends(void (*first)(void))
{
    int listening = listener(), peer = connection_to(listening);
    pthread_t sender;

    connection = accepted(listening);
    bytes = calloc(1, MUCH);
    first();
    MUST(bytes && pthread_create(&sender, NULL, send_much, NULL) == 0);
    sleep_ms(100);
    if (closed_by_then >= 0)
        MUST(close(closed_by_then) == 0);
    MUST(close(connection) == 0);
    comes_whole(peer);
    MUST(pthread_join(sender, NULL) == 0);
}

static void become_nobody(void)
{
    if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
        skip("not root");
}

/* T195: after setuid() the calls of the program's own threads cannot be looked at. */
static void without_looking(void)
{
    closed_by_then = -1;
    closed_while_it_sends(become_nobody);
}

static void duplicate(void)
{
    closed_by_then = dup(connection);
}

/* T196: it sends by another number, which is closed before. */
static void by_another_number(void)
{
    closed_while_it_sends(duplicate);
}

int main(int argc, char **argv)
{
    static const check checks[] = {{"T195", without_looking}, {"T196", by_another_number}};

    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
