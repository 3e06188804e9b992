/*
 * A process that is stopped and continued (SIGSTOP, a debugger, cpulimit) closes at its deadline all
 * the same: the time in which it was stopped counts. Stopped across the deadline it ends as soon as it
 * goes on; stopped again and again it ends at the deadline.
 */
#include "check.h"

#include "graceful_close.h"

#ifdef _WIN32

int main(void)
{
    check_skip("POSIX only: there is no SIGSTOP on Windows");
    return 0;
}

#else

#include <sys/wait.h>

#define TIME_MS 2000U

static int by_gc_close(check_socket sock)
{
    return gc_close(sock, TIME_MS);
}

static int by_gc_close_many(check_socket sock)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    options.timeout_ms = TIME_MS;
    CHECK_IS(gc_close_many(&sock, 1, &options, &report), 0);
    return report.outcome;
}

static int in_the_background(check_socket sock)
{
    CHECK_IS(gc_close_async(sock, TIME_MS), 0);
    return gc_flush(60000) == 0 ? GC_TIMED_OUT : GC_STOPPED;
}

typedef int (*close_form)(check_socket sock);

static const close_form forms[] = {by_gc_close, by_gc_close_many, in_the_background};
static const char *const form_names[] = {"gc_close", "gc_close_many", "in the background"};
enum { FORMS = 3 };

static pid_t children[FORMS];
static check_socket peers[FORMS];

/* each child closes in its own way; the peers are silent, and held by this process */
static void start_children(void)
{
    check_socket sock;
    int form;
    for (form = 0; form < FORMS; form++) {
        check_pair(&sock, &peers[form]);
        children[form] = fork();
        CHECK(children[form] >= 0);
        if (children[form] == 0) {
            alarm(60);
            _exit(forms[form](sock) == GC_TIMED_OUT ? 0 : 1);
        }
        check_close(sock);
    }
}

static void send_all(int number)
{
    int form;
    for (form = 0; form < FORMS; form++)
        if (children[form] != 0) kill(children[form], number);
}

/* how many have not ended yet; those that have must have timed out no later than at_most */
static int left(int options, double start, double at_least, double at_most)
{
    int form, status, count = 0;
    for (form = 0; form < FORMS; form++) {
        check_doing = form_names[form];
        if (children[form] == 0) continue;
        if (waitpid(children[form], &status, options) == 0) {
            count++;
            continue;
        }
        CHECK_IS(status, 0);
        CHECK_ELAPSED(start, at_least, at_most);
        children[form] = 0;
        check_close(peers[form]);
    }
    return count;
}

/* with the time that was left when it was stopped it would go on for as long again */
static void across_the_deadline(void)
{
    double start;
    start_children();
    check_sleep(100);
    send_all(SIGSTOP);
    check_sleep(TIME_MS);
    start = check_now();
    send_all(SIGCONT);
    CHECK_IS(left(0, start, 0, TIME_MS * 3.0 / 4.0), 0);
}

static void again_and_again(void)
{
    double start = check_now();
    start_children();
    while (left(WNOHANG, start, TIME_MS, TIME_MS * 3.0) > 0) {
        send_all(SIGSTOP);
        check_sleep(40);
        send_all(SIGCONT);
        check_sleep(10);
    }
}

int main(void)
{
    check_start();
    across_the_deadline();
    again_and_again();
    return 0;
}

#endif
