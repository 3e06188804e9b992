/*
 * Starts a program in one of the ways that there are:
 *     starts WAY PROGRAM
 * and ends with its status. For scripts/preload-tests.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char *last_part(char *path)
{
    char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* Returns only if it fails. */
static void become(const char *way, char *path)
{
    char *arguments[] = { path, NULL };
    char *name = last_part(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (!strcmp(way, "execve")) execve(path, arguments, environ);
    if (!strcmp(way, "execv")) execv(path, arguments);
    if (!strcmp(way, "execvp")) execvp(name, arguments);
    if (!strcmp(way, "execvpe")) execvpe(name, arguments, environ);
    if (!strcmp(way, "execl")) execl(path, path, (char *)NULL);
    if (!strcmp(way, "execlp")) execlp(name, path, (char *)NULL);
    if (!strcmp(way, "execle")) execle(path, path, (char *)NULL, environ);
    if (!strcmp(way, "fexecve")) fexecve(fd, arguments, environ);
    if (!strcmp(way, "execveat")) execveat(AT_FDCWD, path, arguments, environ, 0);
    if (!strcmp(way, "execveat-fd")) execveat(fd, "", arguments, environ, AT_EMPTY_PATH);
    if (!strcmp(way, "syscall")) syscall(SYS_execve, path, arguments, environ);
    if (!strcmp(way, "vfork")) execve(path, arguments, environ);
    perror(way);
    _exit(99);
}

int main(int count, char **arguments)
{
    char *path, *words[2];
    int status;
    pid_t pid = -1;

    if (count != 3) return 98;
    path = arguments[2];
    words[0] = path;
    words[1] = NULL;
    if (!strcmp(arguments[1], "posix_spawn")) {
        if (posix_spawn(&pid, path, NULL, NULL, words, environ) != 0) return 97;
    } else if (!strcmp(arguments[1], "posix_spawnp")) {
        if (posix_spawnp(&pid, last_part(path), NULL, NULL, words, environ) != 0) return 97;
    } else if (!strcmp(arguments[1], "vfork")) {
        pid = vfork();
        if (pid == 0) become(arguments[1], path);
    } else {
        pid = fork();
        if (pid == 0) become(arguments[1], path);
    }
    if (pid == -1 || waitpid(pid, &status, 0) != pid) return 96;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 95;
}
