/* Settings, the reaper and the log of the archive for mingw; see settings.h. */
#include "settings.h"

/* no winsock header: closesocket is ours to define */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* more than this many at a time: plain closes */
#define MAX_PENDING 256

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

/* Set while this thread is in the library: what that closes is not for us. Not __thread, which would bring
   the threads of the compiler's runtime along. */
static DWORD gco_mark_slot = TLS_OUT_OF_INDEXES;
#define gco_mark_init() ((void)(gco_mark_slot = TlsAlloc()))
#define gco_marked() (TlsGetValue(gco_mark_slot) != NULL)
#define gco_mark(on) ((void)TlsSetValue(gco_mark_slot, (on) ? &gco_mark_slot : NULL))

static gco_settings settings;
static gc_reaper *reaper;
static unsigned long taken_over;

static unsigned int number(const char *name, unsigned int otherwise)
{
    const char *text = getenv(name);
    char *end;
    unsigned long value;

    if (text == NULL || *text == '\0') return otherwise;
    value = strtoul(text, &end, 10);
    return *end == '\0' && value <= 0xFFFFFFFFUL ? (unsigned int)value : otherwise;
}

/*
 * A time, as retrofit/common/src/settings.rs reads it: milliseconds, or a number with its unit. Its
 * variable may be called without the "_MS", too. What is neither leaves the default.
 */
static unsigned int milliseconds(const char *name, const char *short_name, unsigned int otherwise)
{
    const char *text = getenv(name);
    char *end;
    unsigned long value, factor;
    int before = errno, refused;

    if (text == NULL || *text == '\0') text = getenv(short_name);
    if (text == NULL) return otherwise;
    while (*text == ' ') text++;
    if (*text < '0' || *text > '9') return otherwise;
    errno = 0; /* an unsigned long may be too short for it */
    value = strtoul(text, &end, 10);
    refused = errno;
    errno = before;
    if (refused != 0) return otherwise;
    while (*end == ' ') end++;
    if (*end == '\0' || strcmp(end, "ms") == 0) factor = 1;
    else if (strcmp(end, "s") == 0) factor = 1000;
    else if (strcmp(end, "m") == 0) factor = 60000;
    else return otherwise;
    return value <= 0xFFFFFFFFUL / factor ? (unsigned int)(value * factor) : otherwise;
}

static void read_settings(void)
{
    static const gc_options defaults = GC_OPTIONS_INIT;
    const char *off = getenv("GRACEFUL_CLOSE_OFF");

    settings.options = defaults;
    settings.off = off != NULL && *off != '\0' && strcmp(off, "0") != 0;
    settings.blocking = number("GRACEFUL_CLOSE_BLOCKING", 0) != 0;
    settings.exit_ms = milliseconds("GRACEFUL_CLOSE_EXIT_WAIT_MS", "GRACEFUL_CLOSE_EXIT_WAIT", 2000);
    settings.options.timeout_ms =
        milliseconds("GRACEFUL_CLOSE_TIMEOUT_MS", "GRACEFUL_CLOSE_TIMEOUT", settings.blocking ? 5000 : 10000);
    settings.options.idle_timeout_ms = milliseconds("GRACEFUL_CLOSE_IDLE_MS", "GRACEFUL_CLOSE_IDLE", 5000);
    settings.options.max_drain_bytes = number("GRACEFUL_CLOSE_MAX_BYTES", 64U << 20);
    settings.log = getenv("GRACEFUL_CLOSE_LOG");
}

/* One line: how many closes were taken over, and how they ended. */
static void write_log(void)
{
    gc_stats stats = GC_STATS_INIT;
    FILE *file;
    int i;

    if (settings.log == NULL || gc_get_stats(&stats) != 0) return;
    file = fopen(settings.log, "a");
    if (file == NULL) return;
    fprintf(file, "graceful_close: %lu taken over, %lu ended", taken_over, (unsigned long)stats.closed);
    for (i = 0; i < 10; i++)
        if (stats.by_outcome[i] > 0)
            fprintf(file, ", %lu %s", (unsigned long)stats.by_outcome[i], gc_outcome_name(i));
    fprintf(file, ", %lu bytes drained, %lu cut off\n", (unsigned long)stats.drained_bytes,
            (unsigned long)stats.pending);
    fclose(file);
}

void gco_finish(void)
{
    static int is_over = 0; /* the time has been spent */

    if (reaper == NULL) return;
    gco_mark(1);
    if (gc_reaper_flush(reaper, is_over ? 0 : settings.exit_ms) != 0) is_over = 1;
    gco_mark(0);
}

/* Behind all handlers of atexit() and destructors of the program, which may close, too. */
__attribute__((destructor)) static void at_the_very_end(void)
{
    gco_finish();
    if (!settings.off) write_log();
}

static void start(void)
{
    gco_mark_init();
    read_settings();
    /* The archive is part of the program, so this is the program's own atexit: its handlers run
       while all threads are alive, those of a DLL would not. The wait comes early: the program's
       threads run on meanwhile, and must not find what destructors have taken down. */
    if (!settings.off) atexit(gco_finish);
}

const gco_settings *gco_get_settings(void)
{
    static gco_lock lock = GCO_LOCK_INIT;
    static volatile int started = 0;

    if (!started) {
        gco_enter(&lock);
        if (!started) start();
        started = 1;
        gco_leave(&lock);
    }
    return &settings;
}

static gco_lock reaper_lock = GCO_LOCK_INIT;

static gc_reaper *own_reaper(void)
{
    gc_reaper_options options = GC_REAPER_OPTIONS_INIT;

    gco_enter(&reaper_lock);
    if (reaper == NULL) {
        options.max_pending = MAX_PENDING;
        options.when_full = GC_FULL_REFUSE;
        if (gc_reaper_new(&options, &reaper) != 0) reaper = NULL;
    }
    gco_leave(&reaper_lock);
    return reaper;
}

static int take(gc_socket sock, const gc_options *options)
{
    gc_reaper *taker;
    int result;

    if (settings.blocking) {
        result = gc_close_with(sock, options, NULL);
        return result > 0 ? 0 : result;
    }
    taker = own_reaper();
    return taker == NULL ? GC_ERR_RESOURCES : gc_reaper_close(taker, sock, options, NULL, NULL);
}

int gco_take(gc_socket sock)
{
    gc_options options = settings.options;
    int result;

    if (gco_marked()) return GC_ERR_STOPPED;
    options.if_shared = GC_SHARED_RELEASE;
    gco_mark(1);
    result = take(sock, &options);
    gco_mark(0);
    if (result == 0) taken_over++;
    return result;
}

unsigned long graceful_close_override_active(void)
{
    return taken_over;
}
