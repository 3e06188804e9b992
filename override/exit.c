/* _exit() runs no handlers of atexit(): forked children that end by it wait here. */
/* all files of this folder can be compiled in, on both systems */
#ifndef _WIN32
#define _GNU_SOURCE
#include "sockets.h"

void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));
void __real__Exit(int status) __attribute__((noreturn));
void __wrap__Exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
    gco_finish();
    __real__exit(status);
}

void __wrap__Exit(int status)
{
    gco_finish();
    __real__Exit(status);
}

#else
typedef int gco_nothing_here; /* ISO C wants something in every file */
#endif
