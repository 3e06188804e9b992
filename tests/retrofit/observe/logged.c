/* A program with one bare close, and two that are made by graceful_close already and end badly: the
 * library's log, with the callers, goes to the file that is named. */
#include "graceful_close.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))
/* so that the call before it is no tail call, whose caller would be the one before */
#define STAYS __asm__ volatile("" ::: "memory")

static void writes(void *file, int outcome, const char *line)
{
    (void)outcome;
    fprintf((FILE *)file, "logged: %s\n", line);
    fflush((FILE *)file);
}

APART static void bare(int fd)
{
    close(fd);
    STAYS;
}

APART static void by_gc_close(int fd)
{
    gc_close(fd, 20);
    STAYS;
}

APART static void in_the_background(int fd)
{
    gc_close_async(fd, 50);
    STAYS;
}

APART static void pair(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&address, length);
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&address, &length);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    connect(ends[1], (struct sockaddr *)&address, length);
    ends[0] = accept(listener, NULL, NULL);
    close(listener);
}

int main(int count, char **words)
{
    int ends[3][2], each;
    FILE *file = count > 1 ? fopen(words[1], "a") : NULL;
    if (file == NULL) return 2;
    gc_set_log(writes, file);
    gc_set_log_caller(1);
    for (each = 0; each < 3; each++) pair(ends[each]);
    if (write(ends[0][1], "request", 7) != 7) return 3;
    poll(&(struct pollfd){.fd = ends[0][0], .events = POLLIN}, 1, 5000);
    bare(ends[0][0]);
    by_gc_close(ends[1][0]);
    in_the_background(ends[2][0]);
    return gc_flush(5000);
}
