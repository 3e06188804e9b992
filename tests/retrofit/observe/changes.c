/* Becomes another user, and then another program: this one again, which closes a connection.
 * usage: changes USER-NUMBER */
#include "site.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

SITE(as_another_user)

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int listener, client, server;
    if (argc > 1) {
        uid_t user = strtoul(argv[1], NULL, 10);
        if (setgid(user) != 0 || setuid(user) != 0)
            return perror("setuid"), 2;
        execl("/proc/self/exe", argv[0], (char *)NULL);
        return perror("execl"), 3;
    }
    listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 8);
    getsockname(listener, (struct sockaddr *)&address, &size);
    client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, (struct sockaddr *)&address, sizeof address) != 0)
        return 4;
    server = accept(listener, NULL, NULL);
    return as_another_user(server);
}
