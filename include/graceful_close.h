/*
 * graceful_close.h: end a TCP connection properly, and know how it ended.
 *
 * A bare closesocket(s) or close(fd) resets the connection if unread bytes sit in
 * the receive buffer, or arrive a moment later; the tail of our own answer is
 * thrown away at the peer then. Write instead
 *
 *     gc_close(s, 5000);
 *
 * which sends our FIN behind all that is queued, drains what the peer still sends
 * until its FIN, waits until its TCP has acknowledged everything, and closes: in
 * at most 5000 ms.
 *
 *     what the program wants                     what it calls
 *     one call instead of closesocket(s)         gc_close(s, timeout_ms)
 *     the same with options and a report         gc_close_with(s, &options, &report)
 *     not to wait: somebody else finishes it     gc_close_async(s, timeout_ms), gc_reaper
 *     everything closed, under one deadline      gc_close_many(...)
 *     to stay in its own event loop              gc_closing_new(...), gc_closing_step
 *     the descriptor left to its owner           gc_finish(s, timeout_ms)
 *     closesocket's own return values            gc_closesocket(s)
 *     the connection gone now                    gc_abort(s)
 *
 * Return values: zero or positive is an outcome (GC_GRACEFUL ...), the socket is
 * closed and no longer yours. Negative is an error (GC_ERR_...): nothing was done,
 * the socket is still open and yours.
 *
 * THE CONNECTION IS OVER FOR EVERYBODY WHO HOLDS IT. A half-close acts on the
 * connection, not on the descriptor: it hits every process and every dup() that
 * holds the same socket, while a bare close only gives up one reference. A server
 * that forks for each connection must keep the parent's bare close:
 *
 *     if (fork() == 0) { serve(fd); gc_close(fd, 5000); _exit(0); }
 *     close(fd);    (the parent's reference only: NOT gc_close)
 *
 * or look first: options.if_shared = GC_SHARED_RELEASE.
 *
 * Threads: everything may be called from any thread. Nothing is async-signal-safe;
 * nothing raises SIGPIPE; no exception crosses the border. On Windows the program
 * starts Winsock (WSAStartup), as for its own calls. Before a close, finish TLS
 * (send close_notify) and take the socket out of your own poller.
 *
 * C89 and C++98. Includes <stddef.h> alone and may stand before or after
 * <windows.h> and <winsock2.h>. Define GRACEFUL_CLOSE_DLL to import from the DLL
 * with dllimport; without it both the import and the static library link.
 *
 * Licence: MIT OR Apache-2.0.
 */
#ifndef GRACEFUL_CLOSE_HEADER
#define GRACEFUL_CLOSE_HEADER

#include <stddef.h>

/** Version of this header; compare it with gc_version_number(). */
#define GRACEFUL_CLOSE_VERSION_NUMBER 200
/** The same in words; compare it with gc_version_string(). */
#define GRACEFUL_CLOSE_VERSION_STRING "0.2.0"

#if defined(_WIN32) && defined(GRACEFUL_CLOSE_DLL)
#define GRACEFUL_CLOSE_IMPORT __declspec(dllimport)
#else
#define GRACEFUL_CLOSE_IMPORT
#endif

/* cdecl, whatever the program's compiler options say (/Gz, /Gr) */
#ifdef _WIN32
#define GRACEFUL_CLOSE_API GRACEFUL_CLOSE_IMPORT __cdecl
#define GRACEFUL_CLOSE_CALLBACK __cdecl
#else
#define GRACEFUL_CLOSE_API GRACEFUL_CLOSE_IMPORT
#define GRACEFUL_CLOSE_CALLBACK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A SOCKET on Windows (same size and sign, without a Winsock header), an int
 * elsewhere.
 */
#ifdef _WIN32
typedef size_t gc_socket;
#else
typedef int gc_socket;
#endif

/** A time-out that never comes, as INFINITE in Win32. */
#define GC_INFINITE 0xFFFFFFFFU
/** A count that this system cannot tell. */
#define GC_UNKNOWN ((size_t)-1)

/** Initialises a gc_options: 5000 ms, all else 0. */
#define GC_OPTIONS_INIT \
    { sizeof(gc_options), 5000U, 0U, 0U, GC_THEN_CLOSE, GC_SHARED_SHUTDOWN, 0U, 0, NULL, NULL, 0U }
/**
 * For a server whose clients may still be sending when it closes (an upload refused
 * with 413, pipelined requests): 30 seconds, given up after 5 s of silence or 64 MiB.
 * A longer time costs the program nothing in the background (gc_reaper_close).
 */
#define GC_OPTIONS_SERVER_INIT \
    { sizeof(gc_options), 30000U, 5000U, 0U, GC_THEN_CLOSE, GC_SHARED_SHUTDOWN, 0U, \
      67108864, NULL, NULL, 0U }
/** Initialises a gc_reaper_options: no limit. */
#define GC_REAPER_OPTIONS_INIT { sizeof(gc_reaper_options), 0, GC_FULL_EVICT_OLDEST }
/** Initialises a gc_stats for gc_get_stats(). */
#define GC_STATS_INIT { sizeof(gc_stats), 0, { 0 }, 0, 0, 0 }
/** Initialises a gc_report. */
#define GC_REPORT_INIT { sizeof(gc_report), 0, 0, 0, 0, 0, 0, 0 }


/**
 * The peer's FIN arrived, and its TCP acknowledged every byte we sent and our FIN.
 * Where the system cannot tell what is acknowledged (unacked_bytes is
 * GC_UNKNOWN: Winsock, AF_UNIX), a FIN received after our half-close counts.
 */
#define GC_GRACEFUL 0

/** The total or the idle time ran out first. */
#define GC_TIMED_OUT 1

/** The peer reset the connection, or it was already dead on entry. */
#define GC_RESET 2

/**
 * The network gave up: unreachable, keep-alive or retransmission time-out. A close that may
 * wait longer than a minute finds a peer's machine that vanished (see timeout_ms).
 */
#define GC_LOST 3

/** The peer sent more than max_drain_bytes. */
#define GC_DRAIN_LIMIT 4

/**
 * on_data asked to stop: the socket is closed. (GC_ERR_STOPPED is something else.)
 */
#define GC_STOPPED 5

/**
 * Nothing to negotiate: datagram, listening or never connected; closed at once.
 */
#define GC_NOT_CONNECTED 6

/**
 * End of stream without proof of a FIN (the program had shut its receiving
 * side, a filter driver made it up); waited out and closed.
 */
#define GC_UNCERTAIN 7

/** A full or stopping reaper could not wait any longer for this one. */
#define GC_EVICTED 8

/**
 * Somebody else holds the same connection, or nobody can tell: only our own
 * reference was given up (see if_shared). If nobody can tell, system_error says
 * why.
 */
#define GC_RELEASED 9

/**
 * The peer's TCP acknowledged every byte we sent and our FIN; its own FIN was not
 * waited for (only with GC_UNTIL_ACKED).
 */
#define GC_DELIVERED 10

/**
 * The caller's time ran out; the reaper of the process goes on with it (only with
 * GC_THEN_BACKGROUND). report.closed is 1: the descriptor is no longer yours.
 */
#define GC_CONTINUED 11

/** Only from gc_closing_step(): not finished. */
#define GC_PENDING 100

/**
 * Bad descriptor or not a socket (EBADF, ENOTSOCK, WSAENOTSOCK). On Windows also
 * WSANOTINITIALISED (10093): the program has not called WSAStartup.
 */
#define GC_ERR_NOT_A_SOCKET (-1)

/** NULL where it may not be, unknown struct size, flag, fallback or policy. */
#define GC_ERR_ARGUMENT (-2)

/** No memory, descriptor or thread for it. */
#define GC_ERR_RESOURCES (-3)

/**
 * The reaper has been stopped: nothing was done. (GC_STOPPED is something else.)
 */
#define GC_ERR_STOPPED (-4)

/** Any other refusal of the system; errno or WSAGetLastError() says which. */
#define GC_ERR_SYSTEM (-5)

/**
 * A bug of ours, caught at the border. The one code that does not say whether
 * the socket is still open: report.closed does.
 */
#define GC_ERR_INTERNAL (-6)

/** fallback: ordinary close; the kernel goes on trying in the background. */
#define GC_THEN_CLOSE 0U

/** fallback: reset the connection; nothing lingers, unsent data is dropped. */
#define GC_THEN_ABORT 1U

/**
 * fallback: hand the socket back, half-closed and open (report.closed is 0).
 * What is dead already (GC_RESET, GC_LOST) is closed all the same. SO_LINGER
 * stays off; on Windows the socket comes back non-blocking and (but from
 * gc_closing) without its WSAEventSelect or WSAAsyncSelect.
 */
#define GC_THEN_KEEP 2U

/**
 * fallback: hand it to the reaper of the process, which goes on with it for background_ms:
 * GC_CONTINUED. Only where the time ran out, total or idle; what ends otherwise is closed
 * ordinarily. In the background what the peer sends is thrown away, no idle time-out counts,
 * and when background_ms are over it is closed ordinarily. on_data and the report are not
 * touched any more: gc_set_log() and gc_get_stats() have the final outcome, which counts
 * once. As with gc_close_async(), gc_flush() before the end of the program waits for
 * it. If the reaper cannot be started or take it (memory, descriptors, a child of vfork()),
 * it is closed ordinarily: GC_TIMED_OUT. GC_ERR_ARGUMENT in the background itself, and with
 * GC_KEEP_OPEN.
 */
#define GC_THEN_BACKGROUND 3U

/**
 * if_shared: do not look; the caller says that the connection is over for
 * everybody who holds it.
 */
#define GC_SHARED_SHUTDOWN 0U

/**
 * if_shared: look, and if another descriptor or process holds the connection
 * only close our own: GC_RELEASED. What cannot be determined counts as shared; then
 * SO_LINGER is switched off before, so that the close neither waits nor resets.
 * Looking is as good as the system: exact on Windows (handle count) and macOS. On
 * Linux it walks /proc (docs/platforms.md says what that costs), once for all of
 * gc_close_many(). It cannot be determined without /proc, nor while a process that could
 * hold the connection does not let itself be looked at: after setuid() every
 * other process of the same user (EACCES; prctl(PR_SET_DUMPABLE, 1) after it lets
 * them look at each other), and a parent or a child that is another user. On the
 * BSDs it cannot be determined at all: GC_SHARED_RELEASE is a bare close there. Looking
 * and closing are two steps; a fork() between them is not seen.
 */
#define GC_SHARED_RELEASE 1U

/**
 * flags: background only. The reaper does even the half-close; the caller pays
 * for a queue entry alone, and the FIN leaves a little later. Without meaning,
 * and harmless, in a blocking close.
 */
#define GC_DEFERRED 1U

/**
 * flags: it is over as soon as the peer's TCP has everything of ours, our FIN
 * included: GC_DELIVERED. Before a reboot, or where the peer keeps its side open. A
 * FIN of the peer's that is there first still makes it GC_GRACEFUL. Without meaning
 * where the system cannot tell (docs/platforms.md: Linux, Windows 10 1703 and macOS
 * can). The peer's TCP has the data, its program need not have read it: what it sends
 * after our close is answered by a reset, and a peer on Windows then loses what it has
 * not read yet. Where the peer is going to answer, wait for its FIN instead.
 */
#define GC_UNTIL_ACKED 2

/**
 * flags: the whole sequence but the close, see gc_finish(). The descriptor stays open
 * and yours on every outcome, GC_RESET, GC_NOT_CONNECTED and GC_RELEASED included
 * (report.closed is 0): for its owner to close, a FILE *, a BIO, a socket object of Qt
 * or Asio, DisconnectEx. After GC_GRACEFUL that close neither blocks nor resets. After
 * another outcome it does what a close does without SO_LINGER, which is off.
 * With GC_THEN_ABORT what cannot be completed is reset and the descriptor stays; on
 * Windows and the BSDs the reset leaves with the owner's close. Refused with
 * GC_ERR_ARGUMENT in the background.
 */
#define GC_KEEP_OPEN 4

/**
 * when_full: end the one that has waited longest by its fallback, take the new one.
 */
#define GC_FULL_EVICT_OLDEST 0U

/** when_full: refuse the new one with GC_ERR_RESOURCES. */
#define GC_FULL_REFUSE 1U

/**
 * One close in the program's own event loop. One thread's at a time. Its on_data may look at
 * it while a step is under way: it is only ever shared, and the step borrows the handle.
 */
typedef struct gc_closing gc_closing;

/** One thread that finishes any number of closes. */
typedef struct gc_reaper gc_reaper;

/**
 * Gets what the peer still sends while its stream is drained, in portions.
 *
 * Called on the closing thread. data is valid during the call only. Return 0 to
 * go on, anything else to stop with GC_STOPPED. It must not throw, longjmp out
 * or close the socket itself; it may call any other function of the library.
 *
 * In the background it is called on the reaper's thread; but what has come already
 * may be given inside gc_reaper_close(), on the thread that calls that: hold no lock
 * there which on_data takes. It must neither flush nor free its own reaper, nor
 * step or free its own gc_closing.
 */
typedef int (GRACEFUL_CLOSE_CALLBACK *gc_data_fn)(void *user, const void *data, size_t size);

/**
 * How to close. Start from GC_OPTIONS_INIT and set what differs.
 *
 * A program compiled against an older header passes a smaller struct_size: what
 * is missing counts as 0. A larger one is accepted as long as the part that
 * this library does not know is 0, else GC_ERR_ARGUMENT.
 */
typedef struct gc_options {
    /** sizeof(gc_options). */
    size_t struct_size;
    /**
     * Bounds the whole close, in milliseconds from the call. GC_INFINITE: no
     * bound. 0: only what needs no waiting (half-close, drain what is there,
     * close gracefully if the peer's FIN is there too). Never earlier.
     * A close with more than 60000, or GC_INFINITE, that has to wait turns keep-alive on
     * (first question after 45 s, lost after another 50 s without an answer), unless the
     * program has: then its times count. Where the socket comes back it is turned off again.
     * On Linux a peer that acknowledges nothing for 100 s and answers no attempt is lost, too:
     * a machine that vanished makes GC_LOST in under two minutes.
     */
    unsigned int timeout_ms;
    /**
     * Give up sooner when nothing moved in either direction for so long: no
     * byte came in, and the peer acknowledged nothing. Counts from the
     * half-close. 0: no idle time-out.
     */
    unsigned int idle_timeout_ms;
    /**
     * Wait so long for the peer to close first, so that TIME_WAIT falls on its
     * side. 0: half-close at once. Part of timeout_ms, not on top of it.
     *
     * For a client whose answer comes in on_data it is also the way past a relay (NAT,
     * proxy) that takes a half-close for the end of the connection and drops the answer:
     * meanwhile the answer comes in, and on_data gets it.
     */
    unsigned int peer_first_ms;
    /** What to do when it could not be completed gracefully: GC_THEN_... */
    unsigned int fallback;
    /**
     * What to do with a connection that somebody else holds too: GC_SHARED_...
     */
    unsigned int if_shared;
    /** GC_DEFERRED, GC_UNTIL_ACKED, GC_KEEP_OPEN, joined by |, or 0. */
    unsigned int flags;
    /**
     * Give up with GC_DRAIN_LIMIT when the peer sends more than this; 0: no limit.
     */
    size_t max_drain_bytes;
    /** Gets what the peer still sends; NULL: thrown away. */
    gc_data_fn on_data;
    /** Handed to on_data. */
    void *user;
    /**
     * With GC_THEN_BACKGROUND: how long the reaper may go on, in milliseconds from the
     * moment at which the caller's time ran out; GC_INFINITE: no bound. 0: 30000.
     */
    unsigned int background_ms;
} gc_options;

/**
 * How a close ended. Start from GC_REPORT_INIT; never more than struct_size
 * bytes are written.
 */
typedef struct gc_report {
    /** sizeof(gc_report). */
    size_t struct_size;
    /** GC_GRACEFUL ..., or the GC_ERR_... that the call returned. */
    int outcome;
    /**
     * The first errno or Winsock error met on the way; 0 if there was no error.
     */
    int system_error;
    /** 1: the descriptor is closed; 0: it is still open and yours. */
    int closed;
    /** 1: the peer's FIN was seen. */
    int peer_closed;
    /** Received and delivered or thrown away; saturates. */
    size_t drained_bytes;
    /**
     * Bytes of ours not acknowledged at the end, our FIN not counted;
     * GC_UNKNOWN if the system cannot tell.
     */
    size_t unacked_bytes;
    /** From the call to the end, in microseconds; saturates. */
    size_t elapsed_us;
} gc_report;

/** How a reaper works. Start from GC_REAPER_OPTIONS_INIT. */
typedef struct gc_reaper_options {
    /** sizeof(gc_reaper_options). */
    size_t struct_size;
    /** How many may be pending; 0: no limit. */
    size_t max_pending;
    /** What to do with one more: GC_FULL_... */
    unsigned int when_full;
} gc_reaper_options;

/**
 * Told once how a background close ended.
 *
 * Called on the reaper's thread. sock only identifies: it is closed. Or the program
 * has closed it itself after the hand-over: report->outcome is GC_ERR_NOT_A_SOCKET
 * then and report->closed 0, and whatever has the number now has not been touched.
 *
 * report is valid during the call only. It must not throw or longjmp out; it may hand
 * over more sockets and call anything but gc_reaper_free() of its own reaper. While
 * its reaper is being freed, that one refuses new ones with GC_ERR_STOPPED.
 *
 * POSIX: all signals are blocked on this thread, so that no handler of yours runs
 * there. A child by fork() gets the signal mask of the thread that started the
 * reaper. What posix_spawn(), system() and popen() start inherits the full mask: use
 * POSIX_SPAWN_SETSIGMASK, or fork().
 */
typedef void (GRACEFUL_CLOSE_CALLBACK *gc_done_fn)(void *user,
                           gc_socket sock,
                           const struct gc_report *report);

/** What the library has done in this process so far. Set struct_size. */
typedef struct gc_stats {
    /** sizeof(gc_stats). */
    size_t struct_size;
    /** Closes that ended with an outcome. */
    size_t closed;
    /** The same by outcome: by_outcome[GC_GRACEFUL] and so on. */
    size_t by_outcome[16];
    /** Connections that were reset on purpose: gc_abort(), GC_THEN_ABORT. */
    size_t aborted;
    /** Bytes that came in while closing. */
    size_t drained_bytes;
    /** In the background, not finished yet. */
    size_t pending;
} gc_stats;

/**
 * Gets a line about a close that was not graceful, or a call that was refused; see
 * gc_set_log(). outcome is GC_TIMED_OUT ..., or GC_ERR_... It must not throw or longjmp out.
 */
typedef void (GRACEFUL_CLOSE_CALLBACK *gc_log_fn)(void *user, int outcome, const char *line);

/**
 * Closes a connection gracefully: instead of closesocket(sock) or close(fd).
 *
 * Turns SO_LINGER off, sends our FIN behind all that is queued, receives and
 * throws away what the peer still sends until its FIN comes, waits until the
 * peer's TCP has acknowledged everything, and closes. Blocks for at most
 * timeout_ms milliseconds; if they are not enough it closes ordinarily, and the
 * kernel goes on trying. A socket without a connection is closed at once.
 *
 * Returns GC_GRACEFUL or another outcome: the socket is closed and no longer
 * yours. Or a negative GC_ERR_...: nothing was done, the socket is still open and
 * yours. errno and WSAGetLastError() stay as they were on an outcome, and say
 * why on an error.
 *
 * Any thread. A pthread_cancel that comes meanwhile is honoured afterwards. A thread
 * that is blocked in accept() on it, or in recv() if it is a datagram socket, comes
 * back, as after closesocket(); on Linux not where somebody else holds the socket, or
 * that cannot be told. One that is blocked in send() comes back, too, with what has been
 * taken so far or EPIPE (and SIGPIPE, unless that is ignored), where a bare close() would
 * let it go on: let nobody send any more before the close. Should another thread close the
 * socket meanwhile, what has its number then is left alone: GC_ERR_NOT_A_SOCKET.
 *
 * THE CONNECTION IS OVER FOR EVERYBODY WHO HOLDS IT, also for a forked child
 * and for a dup() of the descriptor. Where others may go on using it, use
 * gc_close_with() with GC_SHARED_RELEASE, or the bare close.
 */
GRACEFUL_CLOSE_API
int gc_close(gc_socket sock,
             unsigned int timeout_ms);

/**
 * gc_close() with options, and with a report of how the connection ended.
 *
 * options may be NULL (the defaults of GC_OPTIONS_INIT), and report may be NULL
 * (no report is written). Both structs are yours; the library reads and writes them
 * during the call only. The report is filled on errors too, with outcome set to what
 * is returned; after GC_ERR_ARGUMENT only if it is itself in order.
 *
 * Returns and threads as gc_close(). With GC_THEN_KEEP look at report.closed: 0
 * says that the socket is still open, half-closed, and yours.
 */
GRACEFUL_CLOSE_API
int gc_close_with(gc_socket sock,
                  const struct gc_options *options,
                  struct gc_report *report);

/**
 * Finishes the connection and leaves the descriptor to its owner: gc_close_with()
 * with GC_KEEP_OPEN.
 *
 * For a connection whose descriptor belongs to an object that closes it itself
 * (FILE *, BIO, QTcpSocket, an Asio socket), or that is to be used again
 * (DisconnectEx): call it just before that close, with nothing left in the object's
 * own buffers (fflush() first). Afterwards the owner's close neither blocks nor resets
 * after GC_GRACEFUL; after GC_TIMED_OUT it is what it would have been.
 *
 * Returns as gc_close(), but the socket is open and yours on every outcome. It stays
 * half-closed, with SO_LINGER off, and on Windows non-blocking and without its
 * WSAEventSelect or WSAAsyncSelect. Any thread.
 */
GRACEFUL_CLOSE_API
int gc_finish(gc_socket sock,
              unsigned int timeout_ms);

/**
 * Resets the connection now: the peer gets an RST, unsent data is dropped, and
 * nothing remains in the system. A socket without a connection is closed ordinarily.
 *
 * Like a shutdown this hits every holder of the connection: on Linux at once,
 * elsewhere when the last of them closes. Does not block.
 *
 * Returns 0: the socket is closed. Or GC_ERR_...: it is still open and yours.
 */
GRACEFUL_CLOSE_API
int gc_abort(gc_socket sock);

/**
 * Sets how long gc_closesocket() waits at most, for the whole process, in
 * milliseconds; initially 5000. No other function uses this time. Any thread, at any time.
 */
GRACEFUL_CLOSE_API
void gc_set_default_timeout(unsigned int timeout_ms);

/**
 * Begins a close that the program's own event loop drives: no thread, no blocking
 * call. Nothing happens before the first gc_closing_step().
 *
 * options may be NULL. On success *out is written, and the socket is the handle's:
 * watch it, but do not read from it or close it. On Windows the program's
 * WSAAsyncSelect or WSAEventSelect (FD_READ | FD_CLOSE) stays in force; the socket
 * becomes non-blocking.
 *
 * timeout_ms counts from this call, not from the first step. What the socket is, and
 * whether it is connected, is looked at by the first step.
 *
 * Returns 0, or an error: *out is not written, and the socket is untouched and yours.
 */
GRACEFUL_CLOSE_API
int gc_closing_new(gc_socket sock,
                   const struct gc_options *options,
                   struct gc_closing **out);

/**
 * Goes on as far as it can without waiting: call it on readiness, and when
 * gc_closing_timeout_ms() has passed. Once too often, or late, changes nothing but
 * time. It is bounded also when the peer floods.
 *
 * Returns GC_PENDING; or an outcome, and again the same when called after the end
 * (the socket is closed, unless GC_THEN_KEEP and the report say otherwise); or
 * GC_ERR_...: it is over without an outcome. After GC_ERR_SYSTEM the socket is open and
 * yours; after GC_ERR_NOT_A_SOCKET the number is no longer that socket (somebody has closed
 * it), so leave it alone; after GC_ERR_INTERNAL look at report.closed. On every end, errors
 * too, the handle itself is still there, and gc_closing_free() gives it back; more steps
 * change nothing and return the same. GC_ERR_ARGUMENT: NULL, or called from its own on_data.
 */
GRACEFUL_CLOSE_API
int gc_closing_step(struct gc_closing *closing);

/**
 * The socket to watch for readability (FD_READ | FD_CLOSE, POLLIN, EPOLLIN). Step on
 * ANY event, POLLHUP and POLLERR too: WSAPoll() tells of a peer's close by POLLHUP
 * alone, and a loop that looks for POLLIN only would turn for ever without a step. After
 * the end its number only identifies. (gc_socket)-1 for NULL.
 */
GRACEFUL_CLOSE_API
gc_socket gc_closing_socket(const struct gc_closing *closing);

/**
 * Call gc_closing_step() again at the latest after so many milliseconds;
 * GC_INFINITE: only on readiness. (With GC_INFINITE as its time-out it may be less, too:
 * as long as the peer has bytes of ours to acknowledge it is looked whether it answers.)
 * 0 before the first step, and when a flooding peer has filled a step. Where no event
 * tells that the peer has acknowledged everything, it grows from 1 to 50.
 */
GRACEFUL_CLOSE_API
unsigned int gc_closing_timeout_ms(const struct gc_closing *closing);

/**
 * 1: watch for readability. 0: take the socket out of the set now (FD_CLR, its row left
 * out of poll() or its fd negated, EPOLL_CTL_DEL); the time-out alone counts. events = 0
 * is not enough: poll() and epoll report POLLHUP and POLLERR all the same, and a
 * level-triggered loop would spin.
 */
GRACEFUL_CLOSE_API
int gc_closing_wants_read(const struct gc_closing *closing);

/**
 * What is known of it: of its end, or at this moment (outcome is GC_PENDING then).
 * unacked_bytes is asked at the call, also while it waits. May be called from on_data.
 *
 * Returns 0 or GC_ERR_ARGUMENT.
 */
GRACEFUL_CLOSE_API
int gc_closing_report(const struct gc_closing *closing,
                      struct gc_report *report);

/**
 * Gives the handle back. One that is still pending is ended by its fallback
 * (GC_EVICTED in the statistics); what has no connection is closed, also with
 * GC_THEN_KEEP. Needed after every end, also after an error of gc_closing_step(). Not from
 * on_data. NULL is allowed.
 */
GRACEFUL_CLOSE_API
void gc_closing_free(struct gc_closing *closing);

/**
 * Closes many connections gracefully under one deadline, on this thread.
 *
 * socks is an array of count descriptors. An entry that is not a socket gets a report
 * with GC_ERR_NOT_A_SOCKET; the other entries are closed all the same. No descriptor may
 * stand in the array twice.
 * reports may be NULL or an array of count, each set up by GC_REPORT_INIT; all
 * of the struct_size of the first. options as in gc_close_with(); on_data gets
 * the data of all of them, one call at a time.
 *
 * Returns how many ended GC_GRACEFUL, or an error, and all sockets are untouched
 * and yours: GC_ERR_ARGUMENT, GC_ERR_RESOURCES. Any thread.
 */
GRACEFUL_CLOSE_API
int gc_close_many(const gc_socket *socks,
                  size_t count,
                  const struct gc_options *options,
                  struct gc_report *reports);

/**
 * Starts a reaper.
 *
 * options may be NULL: no limit. *out is written on success only; give it back by
 * gc_reaper_free().
 *
 * It keeps two descriptors of its own on Linux. A program that closes all there are may
 * close these, too: the reaper makes itself new ones within a second, and nothing of
 * the program's that has their numbers is touched.
 *
 * Returns 0 or GC_ERR_ARGUMENT, GC_ERR_RESOURCES; GC_ERR_STOPPED in a child of vfork().
 * Any thread.
 */
GRACEFUL_CLOSE_API
int gc_reaper_new(const struct gc_reaper_options *options,
                  struct gc_reaper **out);

/**
 * Hands a socket over: our FIN leaves in the call, the rest is done in the
 * background. Never blocks.
 *
 * On success the socket is no longer yours, not even its number: a descriptor
 * below 1024 is moved away (POSIX), so that select() does not run out of low
 * numbers. TAKE IT OUT OF YOUR OWN POLLER FIRST: an epoll registration survives
 * the hand-over, and spins. Signals that were asked of it (O_ASYNC, F_SETOWN) end
 * with the hand-over, unless somebody else holds the connection, too.
 *
 * If you close it all the same, by mistake, what has its number afterwards is left
 * alone: see gc_done_fn. On Windows, where a handle is given out again at once, the
 * addresses of both ends tell one connection from another.
 *
 * done, if not NULL, is called exactly once, on the reaper's thread, also when
 * the close is ended early; user is handed to it. options may be NULL;
 * GC_THEN_KEEP, GC_THEN_BACKGROUND and GC_KEEP_OPEN are refused with GC_ERR_ARGUMENT. With
 * GC_DEFERRED even the half-close is left to the reaper.
 *
 * Returns 0: it is taken over. Or an error, and the socket is untouched and
 * yours: GC_ERR_NOT_A_SOCKET, GC_ERR_ARGUMENT, GC_ERR_RESOURCES (the table is full
 * and says GC_FULL_REFUSE, or no memory), GC_ERR_STOPPED (being freed, or the
 * parent's in a child: of fork(), of _Fork(), of a bare clone, of vfork()).
 */
GRACEFUL_CLOSE_API
int gc_reaper_close(struct gc_reaper *reaper,
                    gc_socket sock,
                    const struct gc_options *options,
                    gc_done_fn done,
                    void *user);

/**
 * How many it has taken over and not ended yet. 0 for NULL, and for the parent's
 * reaper in a forked child.
 */
GRACEFUL_CLOSE_API
size_t gc_reaper_pending(const struct gc_reaper *reaper);

/**
 * Waits until no close is pending, for at most timeout_ms.
 *
 * Returns 0, GC_TIMED_OUT, or an error. Inside a callback it does not wait.
 */
GRACEFUL_CLOSE_API
int gc_reaper_flush(struct gc_reaper *reaper,
                    unsigned int timeout_ms);

/**
 * Refuses new ones, waits for the pending ones for at most timeout_ms, ends the
 * rest by their fallback (GC_EVICTED), calls what callbacks are due, ends the
 * thread and frees the reaper. NULL is allowed.
 *
 * Returns 0, GC_TIMED_OUT if some had to be ended, or an error: GC_ERR_ARGUMENT on
 * the reaper's own thread (nothing was done), GC_ERR_STOPPED for the parent's
 * reaper in a forked child (its memory is kept). No other call on it may be under
 * way or follow.
 */
GRACEFUL_CLOSE_API
int gc_reaper_free(struct gc_reaper *reaper,
                   unsigned int timeout_ms);

/**
 * Closes gracefully in the background, on a reaper of the process that is
 * started at the first call: instead of closesocket(sock) where the program
 * cannot wait. Everything said of gc_reaper_close() holds.
 *
 * WHAT IS PENDING WHEN THE PROGRAM ENDS IS CUT OFF unless it calls gc_flush()
 * before, or has put GRACEFUL_CLOSE_FLUSH_AT_EXIT(ms) at the start of main().
 *
 * Returns 0: it is taken over. Or an error, and the socket is untouched and yours.
 */
GRACEFUL_CLOSE_API
int gc_close_async(gc_socket sock,
                   unsigned int timeout_ms);

/**
 * gc_reaper_close() on the reaper of the process: gc_close_async() with options, and
 * with a callback when it has ended. options, done and user as there; gc_flush() waits for it.
 *
 * Returns 0: it is taken over. Or an error, and the socket is untouched and yours.
 */
GRACEFUL_CLOSE_API
int gc_close_async_with(gc_socket sock,
                        const struct gc_options *options,
                        gc_done_fn done,
                        void *user);

/**
 * Waits until nothing of gc_close_async() is pending, for at most timeout_ms:
 * call it before the program exits.
 *
 * Returns 0 or GC_TIMED_OUT.
 */
GRACEFUL_CLOSE_API int gc_flush(unsigned int timeout_ms);

/**
 * For GRACEFUL_CLOSE_FLUSH_AT_EXIT: how long gc_flush_at_exit() waits at most.
 */
GRACEFUL_CLOSE_API void gc_set_exit_timeout(unsigned int timeout_ms);

/**
 * For GRACEFUL_CLOSE_FLUSH_AT_EXIT: gc_flush() in the shape that atexit() wants.
 * It must be registered by the program itself: handlers of a DLL run when its
 * threads are dead already.
 */
GRACEFUL_CLOSE_API
void gc_flush_at_exit(void);

/**
 * Fills in what the library has done in this process so far.
 *
 * Set stats->struct_size to sizeof(gc_stats) before. Costs a few loads; the
 * figures are each true, but not all of one moment. Any thread.
 *
 * Returns 0 or GC_ERR_ARGUMENT.
 */
GRACEFUL_CLOSE_API int gc_get_stats(struct gc_stats *stats_out);

/**
 * Has log called with one line per close that was not graceful, and per call that was
 * refused with GC_ERR_...; NULL: off.
 *
 * The line of a close tells both addresses, the outcome, milliseconds, bytes drained and
 * not acknowledged, and the system's error in words. That of a refused call tells the
 * function, what was wrong, what was left untouched and what to do:
 *
 *   gc_close_with: struct_size of gc_options is 0: start from GC_OPTIONS_INIT; nothing was done
 *
 * and outcome is what the call returned (GC_ERR_NOT_A_SOCKET for gc_closesocket(), too).
 * gc_close_many() has a line for each entry that is not a socket. What was handed over and then
 * closed by the program has one with GC_ERR_NOT_A_SOCKET.
 *
 * A line ends without a line end, has 511 bytes at most (one that was cut ends with
 * "...") and is valid during the call only; writing it takes no memory from the heap. The
 * call comes on the thread that closes, with no lock of the library held. It may call any
 * function of the library; what it closes itself, and calls of its own that are refused, have
 * no line. errno and WSAGetLastError() are set after it. A close that is under way may still
 * call the former one. Every log stays in memory (some 50 bytes): set it at the start, not for
 * each connection; without memory for it nothing changes. Any thread.
 */
GRACEFUL_CLOSE_API
void gc_set_log(gc_log_fn log,
                void *user);

/**
 * An outcome or error in words: "graceful", "timed out", "not a socket" ...
 *
 * Never NULL; "unknown" for any other number. The text is the library's and
 * lives as long as it is loaded. Any thread.
 */
GRACEFUL_CLOSE_API const char *gc_outcome_name(int code);

/**
 * The version of the library that is running, as "0.2.0". Compare it with
 * GRACEFUL_CLOSE_VERSION_STRING, that of the header. The text is the library's.
 */
GRACEFUL_CLOSE_API const char *gc_version_string(void);

/**
 * The same as MAJOR * 10000 + MINOR * 100 + PATCH; compare it with
 * GRACEFUL_CLOSE_VERSION_NUMBER.
 */
GRACEFUL_CLOSE_API unsigned int gc_version_number(void);

/**
 * Has each line of gc_set_log() end with who called, if on is not 0. At first it is off.
 *
 *   10.0.0.1:80 -> 10.0.0.2:4711: timed out after 5000 ms, 0 bytes drained, 7 unacked; caller:
 *   server+0x1234 < server+0x2210 < libc.so.6+0x2724a
 *
 * (in one line): where the program called the function of the library, the caller of that
 * function of the program, and so on: 6 at most, the innermost first. Each is the name of a
 * file, and the offset of the return address: into the file (ELF), or from the beginning of
 * its image (PE). The command graceful-close observe --add-log FILE finds functions and lines
 * for them. For a close that ended in the background it is who handed the socket over.
 *
 * The line keeps its 511 bytes: callers for which there is no room are left out. Nothing is
 * added where the stack cannot be walked, and for what was handed over before there was a log.
 * (A static program of musl-gcc is linked with -Wl,--eh-frame-hdr for it.)
 *
 * While it is on, and there is a log, each close looks at the stack (some microseconds), and
 * takes about 80 bytes from the heap until it has ended; without memory its line goes without.
 * Off, it costs nothing. Any thread; closes under way keep what they have.
 */
GRACEFUL_CLOSE_API
void gc_set_log_caller(int on);

/**
 * The drop-in: closes gracefully with closesocket's own convention.
 *
 * Waits at most the default time-out (gc_set_default_timeout()), and looks first
 * whether somebody else holds the connection (GC_SHARED_RELEASE): then, or if
 * nobody can tell, it only gives up its own reference, as closesocket would.
 *
 * Returns 0: the socket is closed, gracefully or not. -1 (SOCKET_ERROR): it is
 * still open and yours; errno or WSAGetLastError() says why. Its type equals that
 * of closesocket, so it can take its place in a function table, and
 * -Dclosesocket=gc_closesocket works. Any thread.
 */
#ifdef _WIN32
GRACEFUL_CLOSE_IMPORT int __stdcall gc_closesocket(gc_socket sock);
#else
int gc_closesocket(gc_socket sock);
#endif

#ifdef __cplusplus
}

namespace graceful {
/** Ends what is pending when the program's static objects are destroyed. */
struct exit_flusher {
    ~exit_flusher() { gc_flush_at_exit(); }
};

/** What GRACEFUL_CLOSE_FLUSH_AT_EXIT does in C++. */
inline int flush_at_exit(unsigned int timeout_ms)
{
    static exit_flusher flusher;

    (void)flusher;
    gc_set_exit_timeout(timeout_ms);
    return 0;
}
}
#elif defined(_WIN32)
extern int __cdecl atexit(void (__cdecl *handler)(void));
#else
extern int atexit(void (*handler)(void));
#endif

/**
 * Has what is pending in the background finished when the program ends, in at most
 * ms milliseconds: put it at the start of main(). The value is 0, or that of a
 * failed atexit().
 *
 * It registers with the program's own atexit(), whose handlers run while all threads
 * are still alive; those of a DLL run too late. _exit(), abort() and signals skip it.
 */
#ifdef __cplusplus
#define GRACEFUL_CLOSE_FLUSH_AT_EXIT(ms) (graceful::flush_at_exit(ms))
#else
#define GRACEFUL_CLOSE_FLUSH_AT_EXIT(ms) (gc_set_exit_timeout(ms), atexit(gc_flush_at_exit))
#endif

#endif /* GRACEFUL_CLOSE_HEADER */
