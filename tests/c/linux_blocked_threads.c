/*
 * A thread that is blocked in accept(), or in recv() on a datagram socket, comes back when the
 * socket is closed on another thread, as on Windows; but not where somebody else holds it, who
 * goes on with it.
 */
#include "reaper_test.h"

#include <netinet/in.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { TCP_LISTENER, LOCAL_LISTENER, DATAGRAMS, LOCAL_DATAGRAMS, KINDS };

static const char *const names[] = { "accept()", "accept(), AF_UNIX", "recv()", "recv(), AF_UNIX" };

static check_socket make(int kind, struct sockaddr_in *address)
{
    check_socket sock;
    struct sockaddr_un local;
    if (kind == TCP_LISTENER) return check_listener(address);
    if (kind == DATAGRAMS) return check_bound(SOCK_DGRAM, address);
    sock = socket(AF_UNIX, kind == LOCAL_LISTENER ? SOCK_STREAM : SOCK_DGRAM, 0);
    CHECK(sock != CHECK_NO_SOCKET);
    memset(&local, 0, sizeof(local));
    local.sun_family = AF_UNIX; /* a name of the kernel's choice */
    CHECK_IS(bind(sock, (struct sockaddr *)&local, sizeof(sa_family_t)), 0);
    if (kind == LOCAL_LISTENER) CHECK_IS(listen(sock, 5), 0);
    return sock;
}

typedef struct {
    int kind;
    check_socket sock;
    volatile int is_near, is_back;
} sleeper;

static void sleeps(void *user)
{
    sleeper *self = (sleeper *)user;
    char bytes[8];
    CHECK_STORE(self->is_near, 1);
    if (self->kind == TCP_LISTENER || self->kind == LOCAL_LISTENER) {
        check_socket client = accept(self->sock, NULL, NULL);
        if (client != CHECK_NO_SOCKET) check_close(client);
    } else
        recv(self->sock, bytes, sizeof(bytes), 0);
    CHECK_STORE(self->is_back, 1);
}

/* On a busy machine a thread may begin late, when the number is another socket's. */
static void falls_asleep(check_thread *thread, sleeper *self)
{
    check_thread_start(thread, sleeps, self);
    while (!CHECK_LOAD(self->is_near)) check_sleep(1);
    check_sleep(check_is_slow() ? 300 : 50);
}

enum { GC_CLOSE, ASYNC, DEFERRED, ABORT, STEPPED, WAYS };

static void close_by(int way, check_socket sock)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing = NULL;
    gc_reaper *reaper;
    if (way == GC_CLOSE) CHECK_IS(gc_close(sock, 1000), GC_NOT_CONNECTED);
    if (way == ABORT) CHECK_IS(gc_abort(sock), 0);
    if (way == ASYNC) {
        CHECK_IS(gc_close_async(sock, 1000), 0);
        CHECK_IS(gc_flush(PATIENCE), 0);
    }
    if (way == DEFERRED) {
        options.flags = GC_DEFERRED;
        reaper = new_reaper(0, GC_FULL_REFUSE);
        CHECK_IS(gc_reaper_close(reaper, sock, &options, NULL, NULL), 0);
        CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    }
    if (way == STEPPED) {
        CHECK_IS(gc_closing_new(sock, NULL, &closing), 0);
        CHECK_IS(gc_closing_step(closing), GC_NOT_CONNECTED);
        gc_closing_free(closing);
    }
}

static void comes_back(int kind, int way)
{
    struct sockaddr_in address;
    check_thread thread;
    sleeper self;
    double start;
    check_doing = names[kind];
    check_round = way;
    memset(&self, 0, sizeof(self));
    self.kind = kind;
    self.sock = make(kind, &address);
    falls_asleep(&thread, &self);
    CHECK_IS(CHECK_LOAD(self.is_back), 0);
    start = check_now();
    close_by(way, self.sock);
    while (!CHECK_LOAD(self.is_back) && check_now() - start < 10000) check_sleep(1);
    CHECK(CHECK_LOAD(self.is_back));
    check_thread_join(&thread);
    if (kind == TCP_LISTENER) {
        check_socket client = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_IS(connect(client, (struct sockaddr *)&address, sizeof(address)), -1);
        check_close(client);
    }
}

/* by_fork: a child holds it; else a duplicate in this process */
static void is_left_alone(int kind, int way, int by_fork)
{
    struct sockaddr_in address;
    check_thread thread;
    check_socket other = CHECK_NO_SOCKET, client;
    sleeper self;
    int pipes[2], status;
    pid_t child = 0;
    check_doing = by_fork ? "a child holds it" : "a duplicate";
    check_round = kind * 10 + way;
    memset(&self, 0, sizeof(self));
    self.kind = kind;
    self.sock = make(kind, &address);
    CHECK_IS(pipe(pipes), 0);
    if (!by_fork) other = dup(self.sock);
    if (by_fork) {
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            char byte;
            long got = read(pipes[0], &byte, 1); /* until the parent has closed */
            if (got != 1) _exit(1);
            if (kind == TCP_LISTENER) _exit(accept(self.sock, NULL, NULL) < 0);
            _exit(recv(self.sock, &byte, 1, 0) != 1);
        }
    }
    falls_asleep(&thread, &self);
    close_by(way, self.sock);
    check_sleep(50);
    CHECK_IS(CHECK_LOAD(self.is_back), 0);
    CHECK_IS(write(pipes[1], "x", 1), 1);
    /* one for the thread, which holds it as long as it sleeps, and one for the other holder */
    client = socket(AF_INET, kind == TCP_LISTENER ? SOCK_STREAM : SOCK_DGRAM, 0);
    CHECK_IS(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    if (kind == DATAGRAMS) CHECK_IS(send(client, "x", 1, 0), 1);
    if (by_fork) {
        check_socket second = socket(AF_INET, kind == TCP_LISTENER ? SOCK_STREAM : SOCK_DGRAM, 0);
        CHECK_IS(connect(second, (struct sockaddr *)&address, sizeof(address)), 0);
        if (kind == DATAGRAMS) CHECK_IS(send(second, "x", 1, 0), 1);
        CHECK_IS(waitpid(child, &status, 0), child);
        CHECK_IS(status, 0);
        check_close(second);
    }
    check_thread_join(&thread);
    check_close(client);
    if (other != CHECK_NO_SOCKET) check_close(other);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    int kind, way;
    check_start();
    for (kind = 0; kind < KINDS; kind++)
        for (way = 0; way < WAYS; way++) comes_back(kind, way);
    for (way = 0; way < WAYS; way++) {
        is_left_alone(TCP_LISTENER, way, 0);
        is_left_alone(DATAGRAMS, way, 0);
        if (check_is_slow()) continue;
        is_left_alone(TCP_LISTENER, way, 1);
        is_left_alone(DATAGRAMS, way, 1);
    }
    return 0;
}
