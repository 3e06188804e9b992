/* What starts processes without fork(): they may hold whatever connection is open now. */
/* all files of this folder can be compiled in, on both systems */
#ifndef _WIN32
#define _GNU_SOURCE
#include "sockets.h"

#include <spawn.h>
#include <stdio.h>
#include <unistd.h>

int __real_system(const char *command);
int __wrap_system(const char *command);
FILE *__real_popen(const char *command, const char *type);
FILE *__wrap_popen(const char *command, const char *type);
int __real_posix_spawn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                       char *const[], char *const[]);
int __wrap_posix_spawn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                       char *const[], char *const[]);
int __real_posix_spawnp(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                        char *const[], char *const[]);
int __wrap_posix_spawnp(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                        char *const[], char *const[]);
pid_t __wrap_vfork(void);

int __wrap_system(const char *command)
{
    gco_children_may_hold();
    return __real_system(command);
}

FILE *__wrap_popen(const char *command, const char *type)
{
    gco_children_may_hold();
    return __real_popen(command, type);
}

int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    gco_children_may_hold();
    return __real_posix_spawn(pid, path, actions, attributes, argv, envp);
}

int __wrap_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    gco_children_may_hold();
    return __real_posix_spawnp(pid, file, actions, attributes, argv, envp);
}

/* A vfork that is a fork is allowed, and no function can stand around a real one. */
pid_t __wrap_vfork(void)
{
    return fork();
}

#else
typedef int gco_nothing_here; /* ISO C wants something in every file */
#endif
