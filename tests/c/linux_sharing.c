/*
 * Who else holds a connection cannot always be told: after setuid(), without /proc, with
 * processes that are hidden. Then it counts as shared: the other holder's connection
 * lives on. linux_alone.c has what nobody else holds.
 */
#include "sharing_test.h"

#include <sys/prctl.h>
#include <sys/stat.h>

static int to_holder[2];

/* --- what it is tried with --- */

/* another holder: answers once it is told that the connection was let go */
static void answer(void)
{
    char request[8];
    char byte;
    CHECK_IS(read(to_holder[0], &byte, 1), 1);
    CHECK_IS(recv(sock, request, sizeof(request), 0), 7);
    CHECK_IS(check_send(sock, "answer", 6), 6);
    _exit(0);
}

static pid_t start_holder(void)
{
    pid_t holder;
    CHECK_IS(pipe(to_holder), 0);
    holder = fork();
    CHECK(holder >= 0);
    if (holder == 0) {
        alarm(60);
        check_close(peer);
        check_close(to_holder[1]); /* so that it ends with its parent */
    }
    return holder;
}

static void expect_answer(void)
{
    char got[16];
    CHECK_IS(write(to_holder[1], "!", 1), 1);
    CHECK_IS(recv(peer, got, sizeof(got), 0), 6);
}

static void let_go(int system_error)
{
    gc_report report;
    check_set_linger(sock, 1, 3);
    report = release();
    CHECK_IS(report.outcome, GC_RELEASED);
    CHECK_IS(report.drained_bytes, 0);
    CHECK_IS(report.system_error, system_error);
    expect_answer();
}

/* --- cannot be told --- */

static void child_after_setuid(void)
{
    become(user);
    make_pair();
    if (start_holder() == 0) answer();
    let_go(EACCES);
}

static void child_not_dumpable(void)
{
    CHECK_IS(prctl(PR_SET_DUMPABLE, 0), 0);
    child_after_setuid();
}

static void child_of_another_user(void)
{
    make_pair();
    if (start_holder() == 0) {
        become(user + 1);
        answer();
    }
    check_sleep(50);
    become(user);
    let_go(EACCES);
}

static void orphan_of_another_user(void)
{
    int status;
    pid_t between;
    /* made by whom we are going to be: so it is nothing that root would hold */
    CHECK_IS(seteuid(user), 0);
    make_pair();
    CHECK_IS(seteuid(0), 0);
    between = start_holder();
    if (between == 0) {
        pid_t orphan = fork();
        CHECK(orphan >= 0);
        if (orphan > 0) _exit(0);
        CHECK(setsid() > 0);
        become(user + 1);
        answer();
    }
    CHECK_IS(waitpid(between, &status, 0), between);
    check_sleep(50);
    become(user);
    let_go(EACCES);
}

/* the connection was made by root, and both have changed their users since */
static void parent_of_another_user(void)
{
    pid_t child;
    int status;
    make_pair();
    CHECK_IS(pipe(to_holder), 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        become(user);
        check_sleep(50);
        CHECK_IS(release().outcome, GC_RELEASED);
        _exit(0);
    }
    become(user + 1);
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK_IS(status, 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) answer();
    expect_answer();
}

/* `sock` goes over, or comes */
static void pass(int through, int sends)
{
    char byte = '!';
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec data;
    struct msghdr message;
    struct cmsghdr *header;
    data.iov_base = &byte;
    data.iov_len = 1;
    memset(control, 0, sizeof(control));
    memset(&message, 0, sizeof(message));
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &sock, sizeof(int));
    if (sends) {
        CHECK_IS(sendmsg(through, &message, 0), 1);
        CHECK_IS(read(through, &byte, 1), 1);
        return;
    }
    CHECK_IS(recvmsg(through, &message, 0), 1);
    memcpy(&sock, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    CHECK_IS(write(through, "!", 1), 1);
}

/* in a program of its own, so that the receiver is no relation of it, but older */
static void pass_and_let_go(int through)
{
    char got[16];
    make_pair();
    pass(through, 1);
    CHECK_IS(release().outcome, GC_RELEASED);
    CHECK_IS(write(through, "!", 1), 1);
    CHECK_IS(recv(peer, got, sizeof(got), 0), 6);
}

static void older_process_of_the_same_user(void)
{
    int ends[2];
    int status;
    pid_t child;
    CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        check_close(ends[0]);
        become(user);
        pass(ends[1], 0);
        to_holder[0] = ends[1];
        answer();
    }
    check_close(ends[1]);
    check_sleep(50); /* processes are told apart by the hundredth of a second */
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        char number[12];
        CHECK(sprintf(number, "%d", ends[0]) > 0);
        become(user);
        execl(this_program, this_program, "passes", "it", number, (char *)NULL);
        _exit(127);
    }
    CHECK_IS(waitpid(child, &status, 0), child);
    end_like(status);
}

/* in a folder that is gone at once: nothing of it is left behind */
static void lock_in_without_proc(void)
{
    char place[] = "/tmp/gc_sharing_XXXXXX";
    CHECK(mkdtemp(place) != NULL);
    CHECK_IS(chdir(place), 0);
    CHECK_IS(rmdir(place), 0);
    CHECK_IS(chroot("."), 0);
}

static void without_proc(void)
{
    make_pair();
    if (start_holder() == 0) answer();
    lock_in_without_proc();
    let_go(ENOENT);
}

/* nobody else after all, and a peer that does not read: SO_LINGER would wait for it */
static void without_proc_it_does_not_wait(void)
{
    static const char data[65536] = {0};
    double start;
    check_pair(&sock, &peer); /* with unread data the close would be a reset, and at once */
    lock_in_without_proc();
    while (send(sock, data, sizeof(data), MSG_DONTWAIT) > 0) {}
    check_set_linger(sock, 1, 3);
    start = check_now();
    CHECK_IS(release().outcome, GC_RELEASED);
    CHECK_ELAPSED(start, 0, 1000);
}

static void hidden_process(void)
{
    mount_proc("hidepid=2");
    make_pair();
    if (start_holder() == 0) {
        become(user + 1);
        answer();
    }
    check_sleep(50);
    become(user);
    let_go(EACCES);
}

/* the child's part is over; nothing has become of the connection */
static void go_on_after(pid_t child)
{
    char got[8];
    int status;
    CHECK_IS(waitpid(child, &status, 0), child);
    if (status != 0) end_like(status);
    CHECK_IS(recv(sock, got, sizeof(got), 0), 7);
    CHECK_IS(check_send(sock, "answer", 6), 6);
    CHECK_IS(recv(peer, got, sizeof(got), 0), 6);
}

static void parent_outside_the_namespace(void)
{
    pid_t child;
    make_pair();
    if (unshare(CLONE_NEWPID) != 0) skip();
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK_IS(getpid(), 1);
        mount_proc("");
        CHECK_IS(release().outcome, GC_RELEASED);
        _exit(0);
    }
    go_on_after(child);
}

static void grandparent_outside_the_namespace(void)
{
    pid_t child;
    int status;
    make_pair();
    if (unshare(CLONE_NEWPID) != 0) skip();
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        mount_proc("");
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            CHECK_IS(getppid(), 1);
            CHECK_IS(release().outcome, GC_RELEASED);
            _exit(0);
        }
        check_close(sock);
        CHECK_IS(waitpid(child, &status, 0), child);
        end_like(status);
    }
    go_on_after(child);
}

/* by one who started the program with it, as inetd does, and keeps it */
static void held_since_the_program_began(void)
{
    pid_t child;
    make_pair();
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        char number[12];
        CHECK(sprintf(number, "%d", (int)sock) > 0);
        become(user);
        execl(this_program, this_program, "inherited", number, (char *)NULL);
        _exit(127);
    }
    go_on_after(child);
}

/* the same, the starter being outside of the namespace */
static void held_since_the_container_began(void)
{
    pid_t child;
    make_pair();
    if (unshare(CLONE_NEWPID) != 0) skip();
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        char number[12];
        CHECK(sprintf(number, "%d", (int)sock) > 0);
        mount_proc("");
        execl(this_program, this_program, "inherited", number, (char *)NULL);
        _exit(127);
    }
    go_on_after(child);
}

/* --- can be told --- */

static void child_inside_a_namespace(void)
{
    make_pair();
    if (unshare(CLONE_NEWPID) != 0) skip();
    if (start_holder() == 0) answer();
    let_go(0);
}

static void answer_in_a_thread(void *unused)
{
    (void)unused;
    answer();
}

static void child_whose_main_thread_has_ended(void)
{
    static check_thread thread;
    make_pair();
    if (start_holder() == 0) {
        check_thread_start(&thread, answer_in_a_thread, NULL);
        syscall(SYS_exit, 0);
    }
    check_sleep(50);
    let_go(0);
}

static void a_duplicate_without_a_descriptor(void)
{
    make_pair();
    if (start_holder() == 0) answer();
    leave_no_descriptor();
    let_go(0);
}

/* --- many --- */

#define MANY 400

static void many_pairs(check_socket *socks, check_socket *peers)
{
    int at;
    for (at = 0; at < MANY; at++) {
        check_pair(&socks[at], &peers[at]);
        check_half_close(peers[at]);
    }
}

static double time_of_closing(check_socket *socks, size_t count, const gc_options *options)
{
    double start = check_now();
    CHECK_IS(gc_close_many(socks, count, options, NULL), (int)count);
    return check_now() - start;
}

/* The closes themselves take their time, under Valgrind more than a search
   does: the same closes without a search say how much. */
static void one_search_for_a_batch(void)
{
    static check_socket socks[MANY], peers[MANY];
    gc_options options = GC_OPTIONS_INIT;
    double unasked, start, alone, all;
    int at;
    options.timeout_ms = PATIENCE;
    options.if_shared = GC_SHARED_SHUTDOWN;
    many_pairs(socks, peers);
    unasked = time_of_closing(socks, MANY, &options);
    for (at = 0; at < MANY; at++) check_close(peers[at]);
    options.if_shared = GC_SHARED_RELEASE;
    many_pairs(socks, peers);
    start = check_now();
    CHECK_IS(gc_close_with(socks[0], &options, NULL), GC_GRACEFUL);
    alone = check_now() - start;
    all = time_of_closing(socks + 1, MANY - 1, &options);
    CHECK_BETWEEN(all, 0, unasked + 10 * alone + 500);
}

static void one_search_for_what_is_queued(void)
{
    static check_socket socks[MANY], peers[MANY];
    gc_options options = GC_OPTIONS_INIT;
    gc_stats before = GC_STATS_INIT, after = GC_STATS_INIT;
    gc_reaper *reaper = NULL;
    double start;
    int at;
    options.timeout_ms = PATIENCE;
    options.if_shared = GC_SHARED_RELEASE;
    options.flags = GC_DEFERRED;
    many_pairs(socks, peers);
    CHECK_IS(gc_reaper_new(NULL, &reaper), 0);
    CHECK_IS(gc_get_stats(&before), 0);
    start = check_now();
    for (at = 0; at < MANY; at++)
        CHECK_IS(gc_reaper_close(reaper, socks[at], &options, NULL, NULL), 0);
    CHECK_IS(gc_reaper_free(reaper, PATIENCE), 0);
    CHECK_BETWEEN(check_now() - start, 0, check_is_slow() ? 30000 : 1500);
    CHECK_IS(gc_get_stats(&after), 0);
    CHECK_IS(after.by_outcome[GC_GRACEFUL] - before.by_outcome[GC_GRACEFUL], MANY);
}

int main(int count, char **words)
{
    int failed = 0;
    sharing_start(words);
    if (count > 1) {
        check_doing = words[1];
        if (count > 3) {
            pass_and_let_go(atoi(words[3]));
            return 0;
        }
        sock = (check_socket)atoi(words[2]);
        CHECK_IS(release().outcome, GC_RELEASED);
        return 0;
    }
    RUN(child_whose_main_thread_has_ended);
    RUN(a_duplicate_without_a_descriptor);
    RUN(one_search_for_a_batch);
    RUN(one_search_for_what_is_queued);
    if (failed != 0) return 1;
    if (getuid() != 0) check_skip("not root: no other users, no namespaces");
    RUN(child_inside_a_namespace);
    RUN(child_after_setuid);
    RUN(child_not_dumpable);
    RUN(child_of_another_user);
    RUN(orphan_of_another_user);
    RUN(parent_of_another_user);
    RUN(older_process_of_the_same_user);
    RUN(without_proc);
    RUN(without_proc_it_does_not_wait);
    RUN(hidden_process);
    RUN(parent_outside_the_namespace);
    RUN(grandparent_outside_the_namespace);
    RUN(held_since_the_program_began);
    RUN(held_since_the_container_began);
    return failed != 0;
}
