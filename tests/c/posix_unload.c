/*
 * A plugin may bring the library along and be unloaded while something is pending in the
 * background: the thread goes on, and ends it. Linked to the library the program proves
 * little; linked to the static one, of which it takes nothing, it loads and unloads it.
 */
#include "check.h"

#include <dlfcn.h>

typedef int (*close_fn)(int sock, unsigned int timeout_ms);
typedef int (*flush_fn)(unsigned int timeout_ms);

static void plugin(check_socket sock, unsigned int timeout_ms)
{
    void *library = dlopen("libgraceful_close.so", RTLD_NOW);
    close_fn close_async = NULL;
    flush_fn flush = NULL;
    if (library == NULL) check_skip("no shared library here, or it cannot be loaded");
    *(void **)&close_async = dlsym(library, "gc_close_async");
    *(void **)&flush = dlsym(library, "gc_flush");
    CHECK(close_async != NULL && flush != NULL);
    CHECK_IS(flush(0), 0);
    CHECK_IS(close_async(sock, timeout_ms), 0);
    CHECK_IS(dlclose(library), 0);
}

int main(void)
{
    check_socket sock, peer;
    int i;
    check_start();
    for (i = 0; i < 3; i++) {
        void *again;
        flush_fn flush = NULL;
        check_round = i;
        check_pair(&sock, &peer);
        plugin(sock, i == 0 ? 50U : 20000U);
        check_sleep(100); /* the first one's time is up by then */
        check_close(peer);
        /* the same one, and its thread */
        again = dlopen("libgraceful_close.so", RTLD_NOW);
        CHECK(again != NULL);
        *(void **)&flush = dlsym(again, "gc_flush");
        CHECK_IS(flush(30000), 0);
        CHECK_IS(dlclose(again), 0);
    }
    return 0;
}
