/*
 * loop_select.c - closing many connections at once in a select() loop
 *
 * A program that must never block cannot call gc_close(). It makes a gc_closing of the
 * socket instead, watches it as long as gc_closing_wants_read() says, and calls
 * gc_closing_step() when it is readable or when gc_closing_timeout_ms() has passed.
 * That is all: connections that are being closed and those that are being served stand
 * side by side in one loop.
 */
#define FD_SETSIZE 256 /* for Windows, where the default is 64; others keep their own */
#include "loop_server.h"

/* Nothing happens to the socket before the first step. */
static void begin_closing(struct client *client)
{
    gc_options options = GC_OPTIONS_INIT;
    int error;

    options.timeout_ms = CLOSE_TIMEOUT_MS;
    error = gc_closing_new(client->sock, &options, &client->closing);
    if (error != 0) { /* the socket is still ours */
        closesocket(client->sock);
        client_ended(client, error);
    }
}

static void step(struct client *client)
{
    int outcome = gc_closing_step(client->closing);

    if (outcome == GC_PENDING)
        return;
    if (outcome < 0) /* an error: the socket is still ours */
        closesocket(client->sock);
    gc_closing_free(client->closing);
    client_ended(client, outcome);
}

/* What to wait for. Returns how many milliseconds at most. */
static unsigned int collect(fd_set *readable, SOCKET *highest, unsigned int *count)
{
    unsigned int least = GC_INFINITE, ms;
    size_t i;

    FD_ZERO(readable);
    *highest = 0;
    *count = 0;
    for (i = 0; i <= MAX_CLIENTS; i++) {
        SOCKET sock = i == MAX_CLIENTS ? listener : clients[i].sock;
        int watch = i == MAX_CLIENTS ? server_accepts() : sock != INVALID_SOCKET;

        if (i < MAX_CLIENTS && clients[i].closing != NULL) {
            ms = gc_closing_timeout_ms(clients[i].closing);
            least = ms < least ? ms : least;
            watch = gc_closing_wants_read(clients[i].closing);
        }
        if (watch) {
            FD_SET(sock, readable);
            *highest = sock > *highest ? sock : *highest;
            ++*count;
        }
    }
    return least;
}

/* -1: select does not work. */
static int wait_for(fd_set *readable, SOCKET highest, unsigned int count, unsigned int ms)
{
    struct timeval time;

    time.tv_sec = (long)(ms / 1000U);
    time.tv_usec = (long)(ms % 1000U) * 1000L;
#ifdef _WIN32
    if (count == 0) { /* Winsock's select wants something to watch */
        Sleep(ms);
        return 0;
    }
#endif
    (void)count;
    if (select((int)highest + 1, readable, NULL, NULL, ms == GC_INFINITE ? NULL : &time) >= 0)
        return 0;
    FD_ZERO(readable);
    if (would_block()) /* a signal */
        return 0;
    net_complain("select");
    return -1;
}

static void go_on(struct client *client, int is_readable)
{
    if (client->closing == NULL) {
        if (is_readable && serve_client(client))
            begin_closing(client);
    } else if (is_readable || gc_closing_timeout_ms(client->closing) == 0) {
        step(client);
    }
}

int main(int argc, char **argv)
{
    if (server_start(argc, argv) != 0)
        return EXIT_FAILURE;
    while (!server_is_done()) {
        fd_set readable;
        SOCKET highest;
        unsigned int count, ms = collect(&readable, &highest, &count);
        size_t i;

        if (wait_for(&readable, highest, count, ms) != 0)
            break;
        for (i = 0; i < MAX_CLIENTS; i++)
            if (clients[i].sock != INVALID_SOCKET)
                go_on(&clients[i], FD_ISSET(clients[i].sock, &readable) != 0);
        while (accept_client() != NULL)
            ;
    }
    return server_end();
}
