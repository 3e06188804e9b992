/*
 * What the system refuses is told, and nothing is lost by it: no thread to be had, no
 * descriptor, a half-close that is not supported. The socket stays untouched, the
 * caller's, and works; nothing of the attempt is left behind.
 */
#include "reaper_test.h"

#ifndef __linux__

int main(void)
{
    check_skip("Linux only: puts functions in front of those of the C library");
    return 0;
}

#else

#include <dlfcn.h>
#include <sys/stat.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED
#endif

static volatile int no_threads = 0, no_shutdown = 0;

typedef int (*pthread_create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int (*shutdown_fn)(int, int);

#ifdef __cplusplus
extern "C" {
#endif
int __NTH(shutdown(int fd, int how))
{
    shutdown_fn real = NULL;
    if (no_shutdown) {
        errno = EOPNOTSUPP;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "shutdown");
    return real(fd, how);
}
#ifndef IS_SANITIZED
int __NTH(pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                         void *(*run)(void *), void *argument))
{
    pthread_create_fn real = NULL;
    if (no_threads) return EAGAIN;
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, run, argument);
}
#endif
#ifdef __cplusplus
}
#endif

static void without_a_thread(void)
{
#ifndef IS_SANITIZED /* its own pthread_create stands there */
    check_socket sock, peer;
    gc_reaper *reaper = NULL;
    unsigned long before;
    int i;
    check_doing = "no thread";
    check_pair(&sock, &peer);
    before = open_descriptors();
    no_threads = 1;
    for (i = 0; i < 50; i++) {
        errno = 0;
        CHECK_IS(gc_close_async(sock, 1000), GC_ERR_RESOURCES);
        CHECK_IS(errno, EAGAIN);
        check_works(sock, peer);
        errno = 0;
        CHECK_IS(gc_reaper_new(NULL, &reaper), GC_ERR_RESOURCES);
        CHECK_IS(errno, EAGAIN);
        CHECK(reaper == NULL);
        CHECK_IS(gc_flush(1000), 0);
    }
    CHECK_IS(fcntl(sock, F_GETFD), 0);
    CHECK_IS(open_descriptors(), before);
    no_threads = 0;
    CHECK_IS(gc_close_async(sock, 20000), 0);
    check_close(peer);
    CHECK_IS(gc_flush(PATIENCE), 0);
#endif
}

static int hoard[512];
static int hoarded = 0;

static void take_all(void)
{
    for (;;) {
        int fd = open("/dev/null", O_RDONLY);
        if (fd < 0) break;
        CHECK(hoarded < 512);
        hoard[hoarded++] = fd;
    }
    CHECK_IS(errno, EMFILE);
}

static void give_back(void)
{
    struct stat was, is;
    CHECK_IS(stat("/dev/null", &was), 0);
    while (hoarded > 0) {
        CHECK_IS(fstat(hoard[hoarded - 1], &is), 0); /* nobody else has closed it */
        CHECK(is.st_rdev == was.st_rdev);
        check_close(hoard[--hoarded]);
    }
}

static void without_descriptors(void)
{
    check_socket sock, peer;
    gc_reaper *reaper = NULL;
    gc_options options = GC_OPTIONS_INIT;
    struct rlimit limit, was;
    told end;
    int i;
    check_doing = "no descriptors";
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    was = limit;
    limit.rlim_cur = 256;
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    check_pair(&sock, &peer);
    for (i = 0; i < 3; i++) { /* none, one, two: it wants two */
        int k;
        take_all();
        for (k = 0; k < i && k < 2; k++) check_close(hoard[--hoarded]);
        if (i < 2) {
            errno = 0;
            CHECK_IS(gc_reaper_new(NULL, &reaper), GC_ERR_RESOURCES);
            CHECK_IS(errno, EMFILE);
            CHECK(reaper == NULL);
        } else {
            CHECK_IS(gc_reaper_new(NULL, &reaper), 0);
        }
        give_back();
    }
    check_works(sock, peer);
    options.timeout_ms = 20000;
    for (i = 0; i < 4; i++) { /* it runs: handing over needs none */
        size_t bytes;
        check_round = i;
        told_start(&end, sock);
        take_all();
        options.flags = i % 2 ? GC_DEFERRED : 0;
        CHECK_IS(check_send(peer, "unread", 6), 6);
        check_send_pattern(sock, 1000, 0);
        CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
        CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
        CHECK_IS(bytes, 1000);
        check_half_close(peer);
        CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
        CHECK_IS(end.calls, 1);
        CHECK_IS(end.report.outcome, GC_GRACEFUL);
        CHECK_IS(end.report.drained_bytes, 6);
        check_close(peer);
        give_back();
        check_pair(&sock, &peer);
    }
    check_close(sock);
    check_close(peer);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &was), 0);
}

static void without_a_half_close(void)
{
    check_socket sock, peer;
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    told end;
    int fd;
    check_doing = "no half-close";
    check_pair(&sock, &peer);
    fd = sock;
    told_start(&end, sock);
    no_shutdown = 1;
    errno = 0;
    CHECK_IS(gc_reaper_close(reaper, sock, NULL, tell, &end), GC_ERR_SYSTEM);
    CHECK_IS(errno, EOPNOTSUPP);
    errno = 0;
    CHECK_IS(gc_close_async(sock, 1000), GC_ERR_SYSTEM);
    CHECK_IS(errno, EOPNOTSUPP);
    no_shutdown = 0;
    CHECK(check_is_socket(fd));
    check_works(sock, peer);
    CHECK_IS(gc_reaper_pending(reaper), 0);
    CHECK_IS(end.calls, 0);
    check_close(peer);
    check_close(sock);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

/* it has been taken over by then, so it has to be closed all the same */
static void without_a_half_close_later(void)
{
    check_socket sock, peer;
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options options = GC_OPTIONS_INIT;
    unsigned long before = open_descriptors();
    size_t bytes;
    told end;
    check_doing = "no half-close, deferred";
    check_pair(&sock, &peer);
    told_start(&end, sock);
    options.flags = GC_DEFERRED;
    no_shutdown = 1;
    CHECK_IS(gc_reaper_close(reaper, sock, &options, tell, &end), 0);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    no_shutdown = 0;
    CHECK_IS(end.calls, 1);
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    check_close(peer);
    CHECK_IS(open_descriptors(), before);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

int main(void)
{
    check_start();
    without_a_thread();
    without_descriptors();
    without_a_half_close();
    without_a_half_close_later();
    return 0;
}

#endif
