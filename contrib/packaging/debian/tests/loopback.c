/*
 * A connection of this process with itself: the server answers early and closes gracefully.
 * With BARE defined it closes as programs do, and needs the preload library for the whole answer
 * to arrive.
 */
#ifndef BARE
#include <graceful_close.h>
#endif

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNREAD 5000
#define ANSWER 200000

static char buffer[ANSWER];

static void demand(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

/* Receives to the end, a while after it has sent more than anybody reads. */
static int client(int sock)
{
    long all = 0, got;

    demand(write(sock, buffer, UNREAD) == UNREAD, "send the request");
    usleep(200000);
    while ((got = (long)read(sock, buffer, sizeof buffer)) > 0)
        all += got;
    return got == 0 && all == ANSWER ? 0 : 1;
}

#ifdef BARE
static void end(int sock)
{
    close(sock);
}
#else
static void end(int sock)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;

    demand(gc_close_with(sock, &options, &report) == GC_GRACEFUL, "a graceful end");
    demand(report.closed && report.peer_closed, "the report");
    demand(report.drained_bytes == UNREAD - 1, "the unread bytes in the report");
    demand(strcmp(gc_version_string(), GRACEFUL_CLOSE_VERSION_STRING) == 0, "one version in header and library");
    printf("graceful, %lu bytes drained, version %s\n", (unsigned long)report.drained_bytes, gc_version_string());
}
#endif

int main(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), sock, status;
    pid_t child;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    demand(bind(listener, (struct sockaddr *)&address, size) == 0, "bind");
    demand(listen(listener, 1) == 0, "listen");
    demand(getsockname(listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
    child = fork();
    demand(child >= 0, "fork");
    if (child == 0) {
        close(listener);
        sock = socket(AF_INET, SOCK_STREAM, 0);
        demand(connect(sock, (struct sockaddr *)&address, size) == 0, "connect");
        _exit(client(sock));
    }
    sock = accept(listener, NULL, NULL);
    demand(sock >= 0, "accept");
    demand(read(sock, buffer, 1) == 1, "read");
    demand(write(sock, buffer, ANSWER) == ANSWER, "answer");
    end(sock);
    demand(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the whole answer");
    return 0;
}
