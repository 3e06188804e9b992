/* A program with one bare close, and two that are made by graceful_close already and end badly: the
 * library's log, with the callers, goes to the file that is named. */
#include "graceful_close.h"
#include "site.h"
#include <stdio.h>
#include <string.h>
#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
typedef SOCKET number;
#define close closesocket
#define poll WSAPoll
#else
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
typedef int number;
#endif

static void writes(void *file, int outcome, const char *line)
{
    (void)outcome;
    fprintf((FILE *)file, "logged: %s\n", line);
    fflush((FILE *)file);
}

APART static void bare(number fd)
{
    close(fd);
    STAYS;
}

APART static void by_gc_close(number fd)
{
    gc_close(fd, 20);
    STAYS;
}

APART static void in_the_background(number fd)
{
    gc_close_async(fd, 50);
    STAYS;
}

APART static void pair(number ends[2])
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    number listener = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
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
    number ends[3][2];
    int each;
    FILE *file = count > 1 ? fopen(words[1], "a") : NULL;
    struct pollfd readable;
#ifdef _WIN32
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return 2;
#endif
    if (file == NULL) return 2;
    gc_set_log(writes, file);
    gc_set_log_caller(1);
    for (each = 0; each < 3; each++) pair(ends[each]);
    if (send(ends[0][1], "request", 7, 0) != 7) return 3;
    readable.fd = ends[0][0];
    readable.events = POLLIN;
    poll(&readable, 1, 5000);
    bare(ends[0][0]);
    by_gc_close(ends[1][0]);
    in_the_background(ends[2][0]);
    return gc_flush(5000);
}
