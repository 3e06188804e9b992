/*
 * A sandbox refuses fstat() (seccomp, EPERM), which tells a socket from a later one of its number. That
 * is no answer: an open socket is closed as ever, and not let go half-closed.
 */
#include "check.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include "graceful_close.h"

/* linux/filter.h and linux/seccomp.h, which not every compiler finds */
struct instruction {
    unsigned short code;
    unsigned char if_true, if_false;
    unsigned int value;
};
struct program {
    unsigned short count;
    struct instruction *instructions;
};
#define LOAD_NUMBER 0x20 /* of the call, at offset 0 */
#define IF_EQUAL 0x15
#define ANSWER 0x06
#define ALLOWED 0x7fff0000U
#define REFUSED 0x00050000U /* and the error */

static void refuse_fstat(void)
{
    struct instruction all[] = {
        { LOAD_NUMBER, 0, 0, 0 },
#ifdef SYS_newfstatat
        { IF_EQUAL, 0, 1, SYS_newfstatat },
        { ANSWER, 0, 0, REFUSED | EPERM },
#endif
        { IF_EQUAL, 0, 1, SYS_fstat },
        { ANSWER, 0, 0, REFUSED | EPERM },
        { ANSWER, 0, 0, ALLOWED }
    };
    struct program filter;
    filter.count = (unsigned short)(sizeof(all) / sizeof(all[0]));
    filter.instructions = all;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, 2, &filter, 0, 0) != 0) {
        puts("SKIPPED: no seccomp filter to be had");
        exit(77);
    }
}

static void closes_late(void *user)
{
    check_sleep(100);
    check_close(*(check_socket *)user);
}

int main(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    gc_closing *closing = NULL;
    check_socket sock, peer;
    check_thread thread;
    int way;

    check_start();
    refuse_fstat();
    for (way = 0; way < 4; way++) {
        int outcome = GC_PENDING;
        check_round = way;
        check_pair(&sock, &peer);
        check_thread_start(&thread, closes_late, &peer);
        if (way == 0)
            outcome = gc_close_with(sock, &options, &report);
        else if (way == 1) {
            CHECK_IS(gc_close_many(&sock, 1, &options, &report), 1);
            outcome = report.outcome;
        } else if (way == 2) {
            CHECK_IS(gc_closing_new(sock, &options, &closing), 0);
            while ((outcome = gc_closing_step(closing)) == GC_PENDING) check_sleep(5);
            CHECK_IS(gc_closing_report(closing, &report), 0);
            gc_closing_free(closing);
        } else {
            CHECK_IS(gc_close_async(sock, 5000), 0);
            CHECK_IS(gc_flush(20000), 0);
            outcome = GC_GRACEFUL;
        }
        CHECK_IS(outcome, GC_GRACEFUL);
        CHECK(!check_is_socket(sock));
        check_thread_join(&thread);
    }
    return 0;
}
