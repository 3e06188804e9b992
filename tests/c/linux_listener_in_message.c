/*
 * A program hands its listening socket to the next one by a message (SCM_RIGHTS) and closes its own
 * number while a thread of its own sleeps in accept(). Until the other one has received the message
 * nobody has a number for the socket; it must go on listening all the same, as after close(). Also where the
 * program has no descriptor left to look with.
 */
#include "check.h"

#include "graceful_close.h"

#include <sys/resource.h>
#include <sys/un.h>

enum { LIMIT = 100 };

static check_socket listener;

static void accepts(void *unused)
{
    int sock;
    (void)unused;
    sock = accept(listener, NULL, NULL);
    if (sock != -1) close(sock);
}

/* one descriptor through a pair of sockets: sent, or received */
static int pass(int through, int descriptor)
{
    union {
        struct cmsghdr first;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message;
    struct iovec part;
    char byte = 'd';
    memset(&message, 0, sizeof(message));
    memset(&control, 0, sizeof(control));
    part.iov_base = &byte;
    part.iov_len = 1;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.room;
    message.msg_controllen = sizeof(control.room);
    if (descriptor == -1) {
        CHECK_IS(recvmsg(through, &message, 0), 1);
        CHECK(CMSG_FIRSTHDR(&message) != NULL);
        memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
        return descriptor;
    }
    control.first.cmsg_level = SOL_SOCKET;
    control.first.cmsg_type = SCM_RIGHTS;
    control.first.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.first), &descriptor, sizeof(int));
    CHECK_IS(sendmsg(through, &message, 0), 1);
    return descriptor;
}

static void closes(int form)
{
    if (form == 0) CHECK_IS(gc_close(listener, 1000), GC_NOT_CONNECTED);
    if (form == 1) CHECK_IS(gc_abort(listener), 0);
    if (form == 2) {
        CHECK_IS(gc_close_async(listener, 1000), 0);
        CHECK_IS(gc_flush(5000), 0);
    }
}

/* every number below the limit */
static int take_all(int *taken)
{
    int count = 0, next;
    while (count < LIMIT && (next = dup(0)) != -1) taken[count++] = next;
    CHECK_IS(errno, EMFILE);
    return count;
}

static void handed_over(int form, int is_full)
{
    struct sockaddr_in address;
    check_thread thread;
    int pair[2], next, taken[LIMIT], count = 0;
    check_socket client;
    check_round = form;
    listener = check_listener(&address);
    CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    check_thread_start(&thread, accepts, NULL);
    check_sleep(100);
    pass(pair[0], listener);
    if (is_full) count = take_all(taken);
    closes(form);
    while (count > 0) close(taken[--count]);
    next = pass(pair[1], -1);
    /* the thread that still sleeps takes it */
    client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_IS(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    check_thread_join(&thread);
    close(client);
    close(next);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    struct rlimit limit;
    int form;
    FILE *info;
    char line[200] = "";
    check_start();
    /* the oldest Linux that tells of such messages is 5.10 */
    info = fopen("/proc/sys/kernel/osrelease", "r");
    CHECK(info != NULL && fgets(line, sizeof(line), info) != NULL);
    fclose(info);
    if (atoi(line) * 100 + atoi(strchr(line, '.') + 1) < 510) check_skip("before Linux 5.10 nothing tells of such messages");
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = LIMIT;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (form = 0; form < 3; form++) {
        check_doing = "handed over";
        handed_over(form, 0);
        check_doing = "handed over with no descriptor left";
        handed_over(form, 1);
    }
    return 0;
}
