/*
 * qemu-user takes every option of TCP for an int: of TCP_INFO it gives 4 bytes, and turns them round where the
 * emulated machine is big-endian. Preloaded there, this turns them back, so that the first byte is the state
 * again, as a kernel of such a machine has it (linux/tcp.h). The same with the int of a control message TCP_INQ.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict size)
{
#ifdef SYS_getsockopt
    long result = syscall(SYS_getsockopt, fd, level, name, value, size);
#else
#error "a system with socketcall(2) alone"
#endif
    if (result == 0 && level == IPPROTO_TCP && name == TCP_INFO && *size == 4) {
        unsigned char *bytes = value, first = bytes[0], second = bytes[1];
        bytes[0] = bytes[3];
        bytes[1] = bytes[2];
        bytes[2] = second;
        bytes[3] = first;
    }
    return (int)result;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t got = syscall(SYS_recvmsg, fd, message, flags);
    struct cmsghdr *header = got < 0 ? NULL : CMSG_FIRSTHDR(message);
    for (; header != NULL; header = CMSG_NXTHDR(message, header)) {
        unsigned value;
        if (header->cmsg_level != IPPROTO_TCP || header->cmsg_type != TCP_CM_INQ) continue;
        memcpy(&value, CMSG_DATA(header), sizeof(value));
        value = __builtin_bswap32(value);
        memcpy(CMSG_DATA(header), &value, sizeof(value));
    }
    return got;
}
