/*
 * A program that has said GRACEFUL_CLOSE_FLUSH_AT_EXIT may end whenever it likes: what
 * it has handed over is finished first, to the last byte. One that has not does not hang.
 * The program starts itself as its own client, which connects, answers and ends.
 */
#include "reaper_test.h"

#ifndef _WIN32
#include <sys/wait.h>
#endif

#define ANSWER 1000000
#define CONNECTIONS 3

/* its time is up at once, the connection's is not */
static void close_continued(check_socket sock)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = 10;
    options.fallback = GC_THEN_BACKGROUND;
    options.background_ms = GC_INFINITE;
    CHECK_IS(gc_close_with(sock, &options, NULL), GC_CONTINUED);
}

/* the part of the other process: HOW PORT */
static int client(const char *how, const char *port)
{
    int i;
    if (strcmp(how, "short") == 0) {
        GRACEFUL_CLOSE_FLUSH_AT_EXIT(100);
    } else if (strcmp(how, "without") != 0) {
        GRACEFUL_CLOSE_FLUSH_AT_EXIT(PATIENCE);
    }
    if (strcmp(how, "nothing") == 0) return 0;
    for (i = 0; i < CONNECTIONS; i++) {
        struct sockaddr_in address;
        check_socket sock = socket(AF_INET, SOCK_STREAM, 0);
        memset(&address, 0, sizeof(address));
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons((unsigned short)atoi(port));
        CHECK_IS(connect(sock, (struct sockaddr *)&address, (check_length)sizeof(address)), 0);
        check_wait_readable(sock); /* something that it never reads */
        check_send_pattern(sock, ANSWER, 0);
        if (strcmp(how, "continued") == 0) close_continued(sock);
        else CHECK_IS(gc_close_async(sock, GC_INFINITE), 0);
    }
    return 0; /* by exit() */
}

typedef struct {
#ifdef _WIN32
    PROCESS_INFORMATION info;
#else
    pid_t pid;
#endif
} process;

static void start(process *self, const char *name, const char *how, int port)
{
    char number[32];
    sprintf(number, "%d", port);
#ifdef _WIN32
    {
        char line[MAX_PATH + 64], path[MAX_PATH];
        STARTUPINFOA startup;
        (void)name;
        memset(&startup, 0, sizeof(startup));
        startup.cb = sizeof(startup);
        CHECK(GetModuleFileNameA(NULL, path, sizeof(path)) != 0);
        sprintf(line, "\"%s\" %s %s", path, how, number);
        CHECK(CreateProcessA(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &self->info));
    }
#else
    self->pid = fork();
    CHECK(self->pid >= 0);
    if (self->pid == 0) {
        execl(name, name, how, number, (char *)NULL);
        _exit(99);
    }
#endif
}

static void join(process *self)
{
#ifdef _WIN32
    DWORD code = 99;
    CHECK(WaitForSingleObject(self->info.hProcess, 60000) == WAIT_OBJECT_0);
    CHECK(GetExitCodeProcess(self->info.hProcess, &code));
    CloseHandle(self->info.hProcess);
    CloseHandle(self->info.hThread);
    CHECK_IS(code, 0);
#else
    int status = 0;
    CHECK_IS(waitpid(self->pid, &status, 0), self->pid);
    CHECK(WIFEXITED(status));
    CHECK_IS(WEXITSTATUS(status), 0);
#endif
}

/* takes the connections of a client; their buffers are small, so that it must wait */
static check_socket listen_narrow(int *port)
{
    struct sockaddr_in address;
    check_socket listener = check_bound(SOCK_STREAM, &address);
    int room = 16384;
    CHECK_IS(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, (const char *)&room, sizeof(room)), 0);
    CHECK_IS(listen(listener, 16), 0);
    *port = ntohs(address.sin_port);
    return listener;
}

/* whole: the client waits for us; otherwise it may end at any time, and reset what is left */
static void take(check_socket listener, check_socket *peers, int whole)
{
    static const char words[100] = { 0 };
    int i;
    for (i = 0; i < CONNECTIONS; i++) {
        peers[i] = accept(listener, NULL, NULL);
        CHECK(peers[i] != CHECK_NO_SOCKET);
        if (check_send(peers[i], words, sizeof(words)) < 0) CHECK(!whole);
        check_sleep(1);
        /* it sends before the next one comes: with small buffers it waits for a reader */
        {
            unsigned char portion[1024];
            size_t bytes = 0;
            while (bytes < ANSWER - 30000) {
                size_t most = ANSWER - 30000 - bytes;
                long now = check_receive(peers[i], portion,
                                         most < sizeof(portion) ? most : sizeof(portion));
                if (now <= 0 && !whole) break;
                CHECK(now > 0);
                CHECK(check_is_filled(portion, (size_t)now, bytes));
                bytes += (size_t)now;
            }
        }
    }
}

static void nothing_is_lost(const char *name, const char *how)
{
    int port, i;
    check_socket listener = listen_narrow(&port), peers[CONNECTIONS];
    process other;
    check_doing = how;
    start(&other, name, how, port);
    take(listener, peers, 1);
    check_sleep(200); /* it would like to end */
    for (i = 0; i < CONNECTIONS; i++) {
        unsigned char portion[1000];
        size_t bytes = ANSWER - 30000;
        check_round = i;
        /* late words, which would reset a connection that is just closed */
        CHECK_IS(check_send(peers[i], "late", 4), 4);
        for (;;) {
            long now = check_receive(peers[i], portion, sizeof(portion));
            CHECK(now >= 0);
            if (now == 0) break;
            CHECK(check_is_filled(portion, (size_t)now, bytes));
            bytes += (size_t)now;
        }
        CHECK_IS(bytes, ANSWER);
        check_close(peers[i]);
    }
    join(&other);
    check_close(listener);
}

/* the peers never end, and it ends all the same: with a limit, and without a flush */
static void it_ends(const char *name, const char *how, double at_least, double at_most)
{
    int port, i;
    check_socket listener = listen_narrow(&port), peers[CONNECTIONS];
    process other;
    double since = check_now();
    check_doing = how;
    start(&other, name, how, port);
    take(listener, peers, 0);
    join(&other);
    CHECK_ELAPSED(since, at_least, at_most);
    for (i = 0; i < CONNECTIONS; i++) check_close(peers[i]);
    check_close(listener);
}

int main(int count, char **words)
{
    process other;
    double since;
    check_start();
    if (count == 3) return client(words[1], words[2]);
    nothing_is_lost(words[0], "flush");
    nothing_is_lost(words[0], "continued");
    it_ends(words[0], "short", 100, 4900); /* the default is 5000 */
    it_ends(words[0], "without", 0, 10000);
    check_doing = "nothing to flush";
    since = check_now();
    start(&other, words[0], "nothing", 0);
    join(&other);
    CHECK_ELAPSED(since, 0, 10000);
    return 0;
}
