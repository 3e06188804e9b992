/*
 * What is behind the closesocket of the archive for mingw: settings from the environment, the reaper, the log.
 * Licence: MIT OR Apache-2.0.
 *
 *     GRACEFUL_CLOSE_OFF=1            plain closes, as if the archive were not there
 *     GRACEFUL_CLOSE_TIMEOUT_MS=10000 for each connection; with BLOCKING 5000
 *     GRACEFUL_CLOSE_IDLE_MS=5000     give up sooner when nothing moves; 0: not
 *     GRACEFUL_CLOSE_MAX_BYTES=67108864  bytes a peer may send meanwhile; 0: any number
 *     GRACEFUL_CLOSE_EXIT_WAIT_MS=2000  how long the end of the program may wait for the rest
 *     GRACEFUL_CLOSE_BLOCKING=1       the closing thread waits, nothing goes on behind it
 *     GRACEFUL_CLOSE_LOG=FILE         a line at the end of the program: what was closed, and how
 *
 * Times are milliseconds, or have their unit: 500ms, 10s, 2m.
 */
#ifndef GRACEFUL_CLOSE_OVERRIDE_SETTINGS
#define GRACEFUL_CLOSE_OVERRIDE_SETTINGS

#include "graceful_close.h"

typedef struct gco_settings {
    int off;
    int blocking;
    unsigned int exit_ms;
    gc_options options;
    const char *log;        /* NULL: none */
} gco_settings;

/* Read once, at the first call; the environment is the program's to change afterwards. */
const gco_settings *gco_get_settings(void);

/*
 * Closes the socket as the settings say, in the background or not. 0, or an error and the
 * socket is untouched and still the caller's.
 */
int gco_take(gc_socket sock);

/*
 * So that `nm program` shows whether the archive was linked in, and a program can ask:
 * the number of closes it has taken over so far.
 */
unsigned long graceful_close_override_active(void);

/* Waits for what is pending, as long as GRACEFUL_CLOSE_EXIT_WAIT_MS says. */
void gco_finish(void);

#endif
