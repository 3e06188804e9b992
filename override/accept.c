/*
 * accept() and accept4() as the program calls them. Apart from the table, which close() needs as well:
 * with --wrap=close alone the linker knows no __real_accept.
 */
/* all files of this folder can be compiled in, on both systems */
#ifndef _WIN32
#define _GNU_SOURCE
#include "sockets.h"

#include <sys/socket.h>

int __real_accept(int fd, struct sockaddr *address, socklen_t *length);
int __real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_accept(int fd, struct sockaddr *address, socklen_t *length);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);

int __wrap_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    int accepted = __real_accept(fd, address, length);

    gco_accepted(accepted);
    return accepted;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    int accepted = __real_accept4(fd, address, length, flags);

    gco_accepted(accepted);
    return accepted;
}

#else
typedef int gco_nothing_here; /* ISO C wants something in every file */
#endif
