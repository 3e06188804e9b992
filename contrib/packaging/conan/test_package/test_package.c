/* A connection of this program with itself: unread bytes, an answer, and a graceful close. */
#ifdef _WIN32
#include <winsock2.h>
typedef int socklen_t;
#else
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#define closesocket close
#endif
#include <graceful_close.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void demand(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static void make_pair(gc_socket *server, gc_socket *client)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    gc_socket listener = (gc_socket)socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    demand(bind(listener, (struct sockaddr *)&address, size) == 0, "bind");
    demand(listen(listener, 1) == 0, "listen");
    demand(getsockname(listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
    *client = (gc_socket)socket(AF_INET, SOCK_STREAM, 0);
    demand(connect(*client, (struct sockaddr *)&address, size) == 0, "connect");
    *server = (gc_socket)accept(listener, NULL, NULL);
    closesocket(listener);
}

int main(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    gc_socket server, client;
    char byte = 0;
#ifdef _WIN32
    WSADATA data;

    demand(WSAStartup(MAKEWORD(2, 2), &data) == 0, "WSAStartup");
#endif
    make_pair(&server, &client);
    demand(send(client, "unread", 6, 0) == 6 && send(server, "!", 1, 0) == 1, "send");
    demand(recv(client, &byte, 1, 0) == 1 && byte == '!', "receive");
    closesocket(client);
    demand(gc_close_with(server, &options, &report) == GC_GRACEFUL, "a graceful close");
    demand(report.drained_bytes == 6 && report.peer_closed && report.closed, "the report");
    demand(gc_version_number() == GRACEFUL_CLOSE_VERSION_NUMBER, "one version in header and library");
    printf("graceful_close %s: graceful\n", gc_version_string());
    return 0;
}
