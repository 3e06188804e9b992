/*
 * Children that no handler of pthread_atfork() sees: of a bare clone system call, of _Fork() where
 * the C library has it, of vfork(). They have no part in their parent's background, and the parent's
 * goes on as if nothing had been.
 */
#include "reaper_test.h"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static house home;

typedef pid_t (*fork_function)(void);

static pid_t bare_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* in the child; what it returns is its exit status */
static int no_part(gc_reaper *reaper, check_socket sock, check_socket peer)
{
    double start = check_now();
    gc_stats stats = GC_STATS_INIT;
    int code;
    errno = 0;
    if (gc_reaper_close(reaper, sock, NULL, NULL, NULL) != GC_ERR_STOPPED || errno == 0) return 1;
    if (gc_reaper_flush(reaper, GC_INFINITE) != GC_ERR_STOPPED) return 2;
    if (gc_reaper_pending(reaper) != 0) return 3;
    if (gc_reaper_free(reaper, GC_INFINITE) != GC_ERR_STOPPED) return 4;
    if (gc_flush(GC_INFINITE) != 0) return 5;
    if (gc_get_stats(&stats) != 0) return 6;
    if (send(sock, "a", 1, MSG_NOSIGNAL) != 1 || recv(peer, &code, 1, 0) != 1) return 7;
    /* a thread of its own, or a refusal; no hand-over to a thread that is not there */
    code = gc_close_async(sock, 300);
    if (code != 0 && code != GC_ERR_STOPPED) return 8;
    if (gc_flush(PATIENCE) != 0) return 9;
    if (check_now() - start > 10000) return 10;
    return 0;
}

static void check_child(pid_t child)
{
    int status = 0;
    CHECK(child > 0);
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_IS(WEXITSTATUS(status), 0);
}

typedef struct {
    check_socket sock, peer;
} connection;

static void open_one(connection *self) { house_pair(&home, &self->sock, &self->peer); }

/* one that is pending in the reaper, one in that of the process */
static void begin(gc_reaper *reaper, connection *pending)
{
    int i;
    for (i = 0; i < 2; i++) {
        open_one(&pending[i]);
        check_send_pattern(pending[i].sock, 5000, 0);
    }
    CHECK_IS(gc_reaper_close(reaper, pending[0].sock, NULL, NULL, NULL), 0);
    CHECK_IS(gc_close_async(pending[1].sock, 60000), 0);
    check_sleep(30); /* no thread is at work at the moment of the fork */
}

static void finish(gc_reaper *reaper, connection *pending)
{
    int i;
    size_t bytes;
    CHECK_IS(gc_reaper_pending(reaper), 1);
    CHECK_IS(gc_flush(0), GC_TIMED_OUT);
    for (i = 0; i < 2; i++) {
        CHECK_IS(check_read_to_end(pending[i].peer, &bytes, 0), 0);
        CHECK_IS(bytes, 5000);
        check_close(pending[i].peer);
    }
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(gc_flush(PATIENCE), 0);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

static void unseen(const char *name, fork_function make)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    connection pending[2], childs;
    pid_t child;
    check_doing = name;
    begin(reaper, pending);
    open_one(&childs);
    child = make();
    if (child == 0) {
        alarm(30);
        syscall(SYS_exit_group, no_part(reaper, childs.sock, childs.peer));
    }
    check_child(child);
    check_close(childs.sock);
    check_close(childs.peer);
    finish(reaper, pending);
}

/* It has its parent's memory, and descriptors of its own: nothing may reach the parent's thread. */
static void a_vfork_child(void)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    connection pending[2], childs;
    volatile int status = 0;
    pid_t child;
    check_doing = "vfork";
    begin(reaper, pending);
    open_one(&childs);
    child = vfork();
    if (child == 0) {
        gc_reaper *none = NULL;
        int code;
        if (gc_reaper_close(reaper, childs.sock, NULL, NULL, NULL) != GC_ERR_STOPPED) status = 1;
        if (gc_close_async(childs.sock, 1000) != GC_ERR_STOPPED) status = 2;
        if (gc_reaper_new(NULL, &none) != GC_ERR_STOPPED || none != NULL) status = 3;
        if (gc_flush(GC_INFINITE) != 0) status = 4;
        code = gc_close(childs.sock, 0);
        if (code < 0) status = 5;
        _exit(0);
    }
    check_child(child);
    CHECK_IS(status, 0);
    CHECK(check_is_socket(childs.sock)); /* the child has closed its own number */
    check_close(childs.sock);
    check_close(childs.peer);
    finish(reaper, pending);
}

/* the first call of all comes from such a child: the parent's comes first all the same */
static void a_vfork_child_is_first(void)
{
    connection one;
    volatile int code = 0;
    pid_t child;
    check_doing = "vfork, before anything else";
    open_one(&one);
    child = vfork();
    if (child == 0) {
        code = gc_close_async(one.sock, 1000);
        _exit(0);
    }
    check_child(child);
    CHECK_IS(code, GC_ERR_STOPPED);
    CHECK_IS(gc_close_async(one.sock, 20000), 0);
    check_close(one.peer);
    CHECK_IS(gc_flush(PATIENCE), 0);
}

int main(void)
{
    union {
        void *address;
        fork_function function;
    } found;
    check_start();
    /* the sanitizers' and Valgrind's own forks are seen by themselves alone */
    if (check_is_slow()) check_skip("not under a sanitizer or Valgrind");
    house_open(&home);
    a_vfork_child_is_first();
    unseen("a bare clone", bare_clone);
    found.address = dlsym(RTLD_DEFAULT, "_Fork");
    if (found.address != NULL) unseen("_Fork", found.function);
    a_vfork_child();
    unseen("a bare clone, again", bare_clone);
    check_close(home.listener);
    return 0;
}
