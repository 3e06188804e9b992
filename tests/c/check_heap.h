/*
 * Puts the program's own allocator in front of the C library's, to count and to refuse.
 * If HEAP_WHY_NOT is defined this cannot be done here.
 */
#ifndef CHECK_HEAP_INCLUDED
#define CHECK_HEAP_INCLUDED

#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEAP_WHY_NOT "the sanitizer has an allocator of its own"
#elif !defined(__linux__) || !defined(__GLIBC__)
#define HEAP_WHY_NOT "needs the allocator of glibc underneath"
#endif

#ifndef HEAP_WHY_NOT

/* from heap_watch_start to heap_watch_end the calls of one thread are counted, and fail
   if heap_is_empty is set, but for the first heap_left of them; other threads are not affected */
static volatile int heap_is_watched = 0, heap_is_empty = 0;
static volatile long heap_left = 0, heap_refused = 0;
static volatile long heap_calls = 0;
static pthread_t heap_user;

CHECK_HELPER void heap_watch_start(void)
{
    heap_user = pthread_self();
    heap_calls = 0;
    heap_refused = 0;
    heap_is_watched = 1;
}

CHECK_HELPER long heap_watch_end(void)
{
    heap_is_watched = 0;
    return heap_calls;
}

/* 1: there is nothing to be had */
static int heap_call(void)
{
    if (!heap_is_watched || !pthread_equal(pthread_self(), heap_user)) return 0;
    heap_calls++;
    if (!heap_is_empty) return 0;
    if (heap_left > 0) {
        heap_left--;
        return 0;
    }
    heap_refused++;
    return 1;
}

#ifdef __cplusplus
extern "C" {
#endif
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

void *__NTH(malloc(size_t size))
{
    if (heap_call()) return NULL;
    return __libc_malloc(size);
}

void *__NTH(calloc(size_t number, size_t size))
{
    if (heap_call()) return NULL;
    return __libc_calloc(number, size);
}

void *__NTH(realloc(void *block, size_t size))
{
    if (heap_call()) return NULL;
    return __libc_realloc(block, size);
}

void *__NTH(aligned_alloc(size_t alignment, size_t size))
{
    if (heap_call()) return NULL;
    return __libc_memalign(alignment, size);
}

int __NTH(posix_memalign(void **block, size_t alignment, size_t size))
{
    if (heap_call()) return ENOMEM;
    *block = __libc_memalign(alignment, size);
    return *block == NULL ? ENOMEM : 0;
}

void __NTH(free(void *block))
{
    if (block != NULL && heap_is_watched && pthread_equal(pthread_self(), heap_user)) heap_calls++;
    /* strerror_r() of glibc frees NULL, which is nothing */
    __libc_free(block);
}
#ifdef __cplusplus
}
#endif

/* a program asks whether anything is counted at all, or says why not */
CHECK_HELPER void heap_check_watch(void)
{
    void *volatile block;
    heap_is_empty = 0;
    heap_watch_start();
    block = malloc(100);
    if (heap_watch_end() == 0) check_skip("another allocator stands in front of this one");
    free(block);
}

#endif /* HEAP_WHY_NOT */

#endif /* CHECK_HEAP_INCLUDED */
