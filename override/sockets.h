/*
 * What the wrappers know of the program's sockets. Linux; licence: MIT OR Apache-2.0.
 *
 * A connection is known from accept() on, under its descriptor and the cookie that the kernel
 * gave it; a descriptor that was closed behind our back and is another socket by now has
 * another cookie. Everything not known is closed as ever.
 */
#ifndef GRACEFUL_CLOSE_OVERRIDE_SOCKETS
#define GRACEFUL_CLOSE_OVERRIDE_SOCKETS

#include "settings.h"

/* it was accepted through accept() or accept4() of the program's own objects */
#define GCO_ACCEPTED 1U
/* it was sent to somebody in a message: never ours to end */
#define GCO_PASSED 2U

/* a new connection of the program's; errno stays */
void gco_accepted(int fd);
/* as of now a child may hold any connection that is open */
void gco_children_may_hold(void);
void gco_passed(int fd);
int gco_is_accepted(int fd);

/* Forgets the descriptor, and returns what was known of the socket that it is. 1 in *alone: no
   other process can hold it. Costs no system call for a descriptor that was never accepted. */
unsigned int gco_forget(int fd, int *alone);

/* numbers that the library has, and that the program does not know of */
int gco_is_parked(int fd);
void gco_set_parked(int fd, int parked);

/* the system's, which --wrap leaves alone */
int gco_close_real(int fd);

#endif
