/* A descriptor in a message (SCM_RIGHTS) is held by nobody who could be looked up. */
/* all files of this folder can be compiled in, on both systems */
#ifndef _WIN32
#define _GNU_SOURCE
#include "sockets.h"

#include <string.h>
#include <sys/socket.h>

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags);

static void note(const struct msghdr *message)
{
    struct msghdr copy = *message;
    struct cmsghdr *part;
    const unsigned char *data;
    size_t left;
    int passed;

    for (part = CMSG_FIRSTHDR(&copy); part != NULL; part = CMSG_NXTHDR(&copy, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        data = CMSG_DATA(part);
        for (left = part->cmsg_len - CMSG_LEN(0); left >= sizeof(passed); left -= sizeof(passed)) {
            memcpy(&passed, data, sizeof(passed));
            gco_passed(passed);
            data += sizeof(passed);
        }
    }
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (message != NULL && message->msg_control != NULL) note(message);
    return __real_sendmsg(fd, message, flags);
}

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
    unsigned int i;

    for (i = 0; i < count; i++)
        if (messages[i].msg_hdr.msg_control != NULL) note(&messages[i].msg_hdr);
    return __real_sendmmsg(fd, messages, count, flags);
}

#else
typedef int gco_nothing_here; /* ISO C wants something in every file */
#endif
