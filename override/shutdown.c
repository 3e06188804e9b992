/*
 * For programs that call shutdown(SHUT_RDWR) right before close(): what the peer still sends
 * is answered by a reset then, and no close can help any more. With -Wl,--wrap=shutdown, which
 * graceful_close_wrap.opts does not contain, it is a half-close on connections that the program
 * has accepted. Not for programs that wake a blocked reader by it: it is not woken.
 */
/* all files of this folder can be compiled in, on both systems */
#ifndef _WIN32
#define _GNU_SOURCE
#include "sockets.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int __wrap_shutdown(int fd, int how);

int __wrap_shutdown(int fd, int how)
{
    if (how == SHUT_RDWR && !gco_get_settings()->off && gco_is_accepted(fd)) how = SHUT_WR;
    /* by number: this file may be compiled in without --wrap=shutdown, and then nobody knows __real_shutdown */
    return (int)syscall(SYS_shutdown, fd, how);
}

#else
typedef int gco_nothing_here; /* ISO C wants something in every file */
#endif
