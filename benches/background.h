/*
 * background.h - one face for all that closes in the background: the library and its peers.
 *
 * Each is handed connections one by one and does the same: half-close, read and throw away until the end of
 * the stream, close; close anyway when the time is up. Those of other files are weak: a program linked without
 * one finds no name there, and says so.
 */
#ifndef BACKGROUND_H
#define BACKGROUND_H

#ifdef __cplusplus
extern "C" {
#endif

struct background {
    const char *name;
    void (*start)(void);
    void (*close)(int fd, unsigned timeout_ms, long id);
};

/* What the program provides: connection id has been closed. Called on the closing thread. */
void background_done(long id);

#define WEAK __attribute__((weak))
extern const struct background by_libuv WEAK, by_asio WEAK;
extern const struct background by_thread, by_same_calls;

#ifdef __cplusplus
}
#endif
#endif
