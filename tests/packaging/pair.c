/*
 * pair.c - runs a server and, once it has printed its port, a client
 *
 *   pair SERVER [ARGUMENT...] -- CLIENT [ARGUMENT...]
 *
 * The server prints "listening on port N" and ends by itself after its last connection. In the
 * client's arguments PORT stands for N. Succeeds if both do. For ctest, which has no such thing,
 * on every system.
 */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200112L
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#define popen _popen
#define pclose _pclose
#endif

#define COMMAND_SIZE 4096

/* Adds one argument in quotes; 0 if it does not fit. */
static int append(char *command, const char *argument)
{
    size_t used = strlen(command);

    if (used + strlen(argument) + 8 > COMMAND_SIZE)
        return 0;
    sprintf(command + used, "%s\"%s\"", used > 1 ? " " : "", argument);
    return 1;
}

/* cmd.exe takes the first and the last quote of the line away */
static const char *const edge =
#ifdef _WIN32
    "\"";
#else
    "";
#endif

static int run_client(char **arguments, unsigned int port)
{
    char command[COMMAND_SIZE], number[16];

    sprintf(number, "%u", port);
    strcpy(command, edge);
    for (; *arguments != NULL; arguments++)
        if (!append(command, strcmp(*arguments, "PORT") == 0 ? number : *arguments))
            return 1;
    strcat(command, edge);
    return system(command);
}

int main(int argc, char **argv)
{
    char command[COMMAND_SIZE], line[512];
    unsigned int port;
    int i, client_status = -1, server_status;
    FILE *server;

    strcpy(command, edge);
    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (!append(command, argv[i]))
            return 2;
    if (i < 2 || i + 1 >= argc) {
        fprintf(stderr, "usage: pair SERVER [ARGUMENT...] -- CLIENT [ARGUMENT...]\n");
        return 2;
    }
    strcat(command, edge);

    server = popen(command, "r");
    if (server == NULL) {
        perror(command);
        return 1;
    }
    while (fgets(line, sizeof line, server) != NULL) {
        fputs(line, stdout);
        fflush(stdout);
        if (client_status == -1 && sscanf(line, "listening on port %u", &port) == 1) {
            client_status = run_client(argv + i + 1, port);
            if (client_status != 0) {
                /* the server may wait for ever for a client that failed: the one who runs us
                   ends it with us */
                fprintf(stderr, "pair: the client failed (%d)\n", client_status);
                return 1;
            }
        }
    }
    server_status = pclose(server);
    if (client_status != 0 || server_status != 0) {
        fprintf(stderr, "pair: client %d, server %d\n", client_status, server_status);
        return 1;
    }
    return 0;
}
