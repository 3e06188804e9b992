/* A lock, and a mark of the thread, for Windows and POSIX; C89. */
#ifndef GRACEFUL_CLOSE_OVERRIDE_LOCK
#define GRACEFUL_CLOSE_OVERRIDE_LOCK

#ifdef _WIN32

/* no winsock header: closesocket is ours to define */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

typedef volatile LONG gco_lock;
#define GCO_LOCK_INIT 0

static void gco_enter(gco_lock *lock)
{
    while (InterlockedCompareExchange(lock, 1, 0) != 0) Sleep(0);
}

static void gco_leave(gco_lock *lock)
{
    InterlockedExchange(lock, 0);
}

/* not __thread, which would bring the threads of the compiler's runtime along */
#define GCO_MARK_VARIABLE static DWORD gco_mark_slot = TLS_OUT_OF_INDEXES;
#define gco_mark_init() ((void)(gco_mark_slot = TlsAlloc()))
#define gco_marked() (TlsGetValue(gco_mark_slot) != NULL)
#define gco_mark(on) ((void)TlsSetValue(gco_mark_slot, (on) ? &gco_mark_slot : NULL))

#else

#include <pthread.h>

#define GCO_MARK_VARIABLE static __thread int gco_mark_slot = 0;
#define gco_mark_init() ((void)0)
#define gco_marked() (gco_mark_slot != 0)
#define gco_mark(on) ((void)(gco_mark_slot = (on)))

typedef pthread_mutex_t gco_lock;
#define GCO_LOCK_INIT PTHREAD_MUTEX_INITIALIZER
#define gco_enter(lock) pthread_mutex_lock(lock)
#define gco_leave(lock) pthread_mutex_unlock(lock)

#endif

#endif
