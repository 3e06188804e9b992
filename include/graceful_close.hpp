/*
 * graceful_close.hpp: the C++ face of graceful_close.h. Header only; link the same library.
 *
 *     graceful::close(sock, std::chrono::seconds(5));     instead of closesocket(sock)
 *     graceful::socket owner(sock);                       closes when it goes out of scope
 *
 *     what the program wants                     what it writes
 *     one call instead of closesocket(s)         graceful::close(s, limit or options)
 *     an owner                                   graceful::socket
 *     not to wait: somebody else finishes it     graceful::close_async(s, limit), graceful::reaper
 *     everything closed, under one deadline      graceful::close_many(range, options)
 *     to stay in its own event loop              graceful::closing
 *     the descriptor left to its owner           graceful::finish(s, limit or options)
 *
 * C++11 and later. C++98 has graceful::close(), finish() and abort() and graceful::result, with
 * plain int outcomes. Exceptions and RTTI may be off. What the program's callbacks throw never
 * passes through the C library. Nothing here throws by itself; close_many() and arguments that
 * are copied may run out of memory, before anything is done.
 *
 * Ownership is that of the C functions: after an outcome the socket is closed; after an error
 * nothing was done, it is open and yours; but after "not a socket" there is nothing to own: the
 * number is nobody's, or already somebody else's. The owners below go by that. Free functions may be called from any thread; an
 * object is one thread's at a time, except where it says otherwise.
 *
 * THE CONNECTION IS OVER FOR EVERYBODY WHO HOLDS IT, also for a forked child and for a dup() of
 * the descriptor: see graceful_close.h, options::if_shared and policy::if_last.
 *
 * Write names in full: after `using namespace graceful` close and socket would be ambiguous. Includes
 * no header of the system's sockets; may stand before or after <windows.h> and <winsock2.h>.
 *
 * Licence: MIT OR Apache-2.0.
 */
#ifndef GRACEFUL_CLOSE_HPP_HEADER
#define GRACEFUL_CLOSE_HPP_HEADER

#include "graceful_close.h"

#if __cplusplus >= 201103L || (defined(_MSC_VER) && _MSC_VER >= 1900)
#define GRACEFUL_CLOSE_CXX11 1
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>
#endif

/* One program may be made of parts old and new, with and without exceptions. Each has types and
   functions of its own, so that the linker cannot mix them up. */
#ifndef GRACEFUL_CLOSE_CXX11
namespace graceful { namespace cxx98 {} using namespace cxx98; }
#define GRACEFUL_CLOSE_NAMESPACE namespace cxx98
#elif defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define GRACEFUL_CLOSE_NAMESPACE inline namespace with_exceptions
#define GRACEFUL_CLOSE_TRY try
#define GRACEFUL_CLOSE_CATCH catch (...)
#else
#define GRACEFUL_CLOSE_NAMESPACE inline namespace without_exceptions
#define GRACEFUL_CLOSE_TRY if (true)
#define GRACEFUL_CLOSE_CATCH else
#endif
/* what the library calls back is cdecl, whatever the program's compiler options say */
#ifdef _WIN32
#define GRACEFUL_CLOSE_CALLBACK __cdecl
#else
#define GRACEFUL_CLOSE_CALLBACK
#endif

namespace graceful {
GRACEFUL_CLOSE_NAMESPACE {

/// What the system calls a socket: SOCKET on Windows, int elsewhere.
typedef gc_socket native_socket;
/// How a close ended, as the C struct tells it; class result has the same in C++ types.
typedef gc_report report;
/// What the library has done in this process, as the C struct tells it.
typedef gc_stats statistics;

#ifdef GRACEFUL_CLOSE_CXX11
/// How a close ended. Negative: an error, nothing was done, the socket is open and yours.
enum class outcome : int {
    graceful = GC_GRACEFUL,             ///< both sides closed, everything was acknowledged
    timed_out = GC_TIMED_OUT,           ///< the total or the idle time ran out first
    reset = GC_RESET,                   ///< the peer reset the connection
    lost = GC_LOST,                     ///< the network gave up
    drain_limit = GC_DRAIN_LIMIT,       ///< the peer sent more than max_drain_bytes
    stopped = GC_STOPPED,               ///< on_data asked to stop, or threw
    not_connected = GC_NOT_CONNECTED,   ///< nothing to negotiate; closed at once
    uncertain = GC_UNCERTAIN,           ///< end of stream without proof of a FIN
    evicted = GC_EVICTED,               ///< the reaper could not wait any longer
    released = GC_RELEASED,             ///< others hold it: only our reference was given up
    delivered = GC_DELIVERED,           ///< all of ours acknowledged, the peer's FIN not waited for
    continued = GC_CONTINUED,           ///< out of time; the process's reaper goes on with it
    pending = GC_PENDING,               ///< of class closing only: not finished
    not_a_socket = GC_ERR_NOT_A_SOCKET, ///< bad descriptor, or not a socket
    argument = GC_ERR_ARGUMENT,         ///< an argument is wrong, or the object is empty
    resources = GC_ERR_RESOURCES,       ///< no memory, descriptor or thread for it
    reaper_stopped = GC_ERR_STOPPED,    ///< the reaper has been stopped
    system = GC_ERR_SYSTEM,             ///< any other refusal of the system
    internal = GC_ERR_INTERNAL          ///< a bug of ours; result::closed() tells the socket's fate
};

/// An outcome in words: "graceful", "timed out" ... The text is the library's.
inline const char *name(outcome code) noexcept { return gc_outcome_name(static_cast<int>(code)); }

namespace detail {
class category final : public std::error_category {
public:
    const char *name() const noexcept override { return "graceful_close"; }
    std::string message(int code) const override { return gc_outcome_name(code); }
    std::error_condition default_error_condition(int code) const noexcept override {
        switch (code) {
        case GC_GRACEFUL: return std::error_condition();
        case GC_TIMED_OUT: return std::make_error_condition(std::errc::timed_out);
        case GC_RESET: return std::make_error_condition(std::errc::connection_reset);
        case GC_LOST: return std::make_error_condition(std::errc::host_unreachable);
        case GC_NOT_CONNECTED: return std::make_error_condition(std::errc::not_connected);
        case GC_STOPPED:
        case GC_EVICTED:
        case GC_ERR_STOPPED: return std::make_error_condition(std::errc::operation_canceled);
        case GC_ERR_NOT_A_SOCKET: return std::make_error_condition(std::errc::not_a_socket);
        case GC_ERR_ARGUMENT: return std::make_error_condition(std::errc::invalid_argument);
        case GC_ERR_RESOURCES: return std::make_error_condition(std::errc::not_enough_memory);
        case GC_ERR_SYSTEM: return std::make_error_condition(std::errc::io_error);
        default: return std::error_condition(code, *this);
        }
    }
    bool equivalent(int code, const std::error_condition &condition) const noexcept override {
        return default_error_condition(code) == condition ||
               (code == GC_ERR_NOT_A_SOCKET && condition == std::errc::bad_file_descriptor) ||
               (code == GC_ERR_RESOURCES && condition == std::errc::too_many_files_open);
    }
};

// never destroyed: a reaper's thread may ask while the program ends
union eternal_category {
    char nothing;
    category it;
    eternal_category() noexcept : it() {}
    ~eternal_category() {}
};
} // namespace detail

/// The category of our std::error_codes; they compare equal to the std::errc that says the same, as
/// std::errc::timed_out. It is never destroyed.
inline const std::error_category &graceful_category() noexcept {
    static const detail::eternal_category category;
    return category.it;
}
/// An outcome or error as a std::error_code; outcome::graceful is the empty one.
inline std::error_code make_error_code(outcome code) noexcept {
    if (code == outcome::graceful) return std::error_code();
    return std::error_code(static_cast<int>(code), graceful_category());
}
#endif // GRACEFUL_CLOSE_CXX11

/// How a close ended. A value; it owns nothing.
class result {
public:
    /// Not finished: GC_PENDING.
    result() : told_(blank(GC_PENDING)) {}
    /// From a report; so a reaper's callback may take a result, too.
    result(const gc_report &from) : told_(from) {}
    /// An outcome or error of which nothing more is known.
    explicit result(int code) : told_(blank(code)) {}
    /// All that is known; times in microseconds, GC_UNKNOWN where nobody can tell.
    const gc_report &report() const { return told_; }
    /// The code as a number: GC_GRACEFUL ..., GC_ERR_...
    int code() const { return told_.outcome; }
    /// The code in words. The text is the library's.
    const char *name() const { return gc_outcome_name(told_.outcome); }
    /// An error: nothing was done.
    bool is_error() const { return told_.outcome < 0; }
    /// The socket is closed; if not, it is still open and yours.
    bool closed() const { return told_.closed != 0; }

#ifdef GRACEFUL_CLOSE_CXX11
    /// How it ended.
    graceful::outcome outcome() const { return static_cast<graceful::outcome>(code()); }
    /// It ended gracefully.
    explicit operator bool() const { return code() == GC_GRACEFUL; }
    /// Empty on every outcome, else the error. make_error_code(outcome()) tells both.
    std::error_code error() const { return make_error_code(graceful::outcome(is_error() ? code() : 0)); }
    /// The first errno or Winsock error met on the way, of std::system_category().
    std::error_code system_error() const { return {told_.system_error, std::system_category()}; }
    /// From the call to the end.
    std::chrono::microseconds elapsed() const {
        return std::chrono::microseconds(static_cast<std::chrono::microseconds::rep>(told_.elapsed_us));
    }
#else
    struct truth { int yes; };
    typedef int truth::*truth_type;
    /** How it ended: GC_GRACEFUL ..., or GC_ERR_... */
    int outcome() const { return code(); }
    /** True if it ended gracefully; converts to nothing else. */
    operator truth_type() const { return code() == GC_GRACEFUL ? &truth::yes : NULL; }
    /** 0 on every outcome, else GC_ERR_... */
    int error() const { return is_error() ? code() : 0; }
#endif
private:
    static gc_report blank(int code) { gc_report made = GC_REPORT_INIT; made.outcome = code; return made; }
    gc_report told_;
};

/// gc_close_with(): closes with the C struct of options. Blocks; the socket is used up on an outcome.
inline result close(native_socket sock, const gc_options &how) {
    gc_report told = GC_REPORT_INIT;
    told.outcome = gc_close_with(sock, &how, &told);
    return told;
}

#ifndef GRACEFUL_CLOSE_CXX11
/** Closes gracefully within so many milliseconds. Blocks; the socket is used up on an outcome. */
inline result close(native_socket sock, unsigned int timeout_ms = 5000U) {
    gc_options how = GC_OPTIONS_INIT;
    how.timeout_ms = timeout_ms;
    return close(sock, how);
}

/** All but the close, see gc_finish(): the socket stays open and yours on every outcome. */
inline result finish(native_socket sock, unsigned int timeout_ms = 5000U) {
    gc_options how = GC_OPTIONS_INIT;
    how.timeout_ms = timeout_ms;
    how.flags = GC_KEEP_OPEN;
    return close(sock, how);
}

/** Resets the connection now. 0: closed; GC_ERR_...: open and yours. */
inline int abort(native_socket sock) { return gc_abort(sock); }
#else // C++11, to the end

/// A time-out: any std::chrono duration, rounded up to milliseconds, or an integer of them. Below zero is
/// 0. What is too long for the library, as max() or GC_INFINITE, never ends.
class time_limit {
public:
    /// Milliseconds.
    template <class Int, typename std::enable_if<std::is_integral<Int>::value, int>::type = 0>
    time_limit(Int ms) noexcept : ms_(rounded_up(static_cast<double>(ms))) {}
    /// Any duration.
    template <class Rep, class Period>
    time_limit(const std::chrono::duration<Rep, Period> &time) noexcept
        : ms_(rounded_up(std::chrono::duration_cast<exact>(time).count())) {}
    static time_limit infinite() noexcept { return GC_INFINITE; } ///< never ends
    /// Milliseconds, or GC_INFINITE.
    unsigned int ms() const noexcept { return ms_; }
private:
    typedef std::chrono::duration<double, std::milli> exact; // has room for every duration
    static unsigned int rounded_up(double ms) noexcept {
        if (!(ms > 0)) return 0U;
        if (ms > 4294967294.0) return GC_INFINITE;
        const unsigned int whole = static_cast<unsigned int>(ms);
        return static_cast<double>(whole) < ms ? whole + 1U : whole;
    }
    unsigned int ms_;
};

/// What to do when it could not be completed gracefully.
enum class then : unsigned int {
    close = GC_THEN_CLOSE, ///< ordinary close; the kernel goes on trying
    abort = GC_THEN_ABORT, ///< reset the connection
    keep = GC_THEN_KEEP,   ///< hand the socket back, half-closed and open; not in a reaper
    background = GC_THEN_BACKGROUND ///< the process's reaper goes on: outcome::continued; not in a reaper
};

/// What to do with a connection that somebody else holds too.
enum class shared : unsigned int {
    shutdown = GC_SHARED_SHUTDOWN, ///< do not look: it is over for everybody
    release = GC_SHARED_RELEASE    ///< look, and then only give up our own reference
};

/// Gets what the peer still sends, in portions valid during the call; false: stop.
typedef std::function<bool(const void *data, std::size_t size)> data_function;
/// How to close. Made from a time-out, or field by field; a value.
struct options {
    options() {} ///< the defaults
    /// The defaults, but for the time-out: a duration, or milliseconds.
    template <class T, typename std::enable_if<std::is_convertible<T, time_limit>::value, int>::type = 0>
    options(const T &limit) : timeout(limit) {}
    time_limit timeout = 5000U;         ///< bounds the whole close
    time_limit idle_timeout = 0U;       ///< give up sooner when nothing moved for so long; 0: no
    time_limit peer_first = 0U;         ///< wait so long for the peer to close first; part of timeout
    then fallback = then::close;        ///< when it could not be completed gracefully
    shared if_shared = shared::shutdown; ///< when somebody else holds the connection too
    bool deferred = false;              ///< in a reaper: leave even the half-close to it
    bool until_acked = false;           ///< over as soon as all of ours is acknowledged: outcome::delivered
    bool keep_open = false;             ///< as finish() does: the socket stays open and yours; not in a reaper
    time_limit background = 0U;         ///< how long then::background may go on; 0: 30 s
    std::size_t max_drain_bytes = 0;    ///< give up when the peer sends more; 0: no limit
    /// Gets what the peer still sends; empty: thrown away. Called on the closing thread. When it throws,
    /// the close is stopped (outcome::stopped), and once the library has returned the exception goes on
    /// from the call that closes. In a reaper it ends there.
    data_function on_data;

    /// What suits servers, GC_OPTIONS_SERVER_INIT: 30 s, 5 s of silence, 64 MiB.
    static options for_server() {
        const gc_options raw = GC_OPTIONS_SERVER_INIT;
        options made(raw.timeout_ms);
        made.idle_timeout = raw.idle_timeout_ms;
        made.max_drain_bytes = raw.max_drain_bytes;
        return made;
    }
};

namespace detail {
// Stands between on_data and the library, and keeps what it throws.
class sink {
public:
    explicit sink(const data_function &function) noexcept : function_(&function) {}
    sink(const sink &) = delete;
    sink &operator=(const sink &) = delete;
    gc_options raw(const options &how) noexcept {
        gc_options made = GC_OPTIONS_INIT;
        made.timeout_ms = how.timeout.ms();
        made.idle_timeout_ms = how.idle_timeout.ms();
        made.peer_first_ms = how.peer_first.ms();
        made.fallback = static_cast<unsigned int>(how.fallback);
        made.if_shared = static_cast<unsigned int>(how.if_shared);
        made.flags = (how.deferred ? GC_DEFERRED : 0U) | (how.until_acked ? GC_UNTIL_ACKED : 0U) |
                     (how.keep_open ? GC_KEEP_OPEN : 0U);
        made.background_ms = how.background.ms();
        made.max_drain_bytes = how.max_drain_bytes;
        if (*function_) made.on_data = take;
        made.user = this;
        return made;
    }
    void rethrow() {
        if (!thrown_) return;
        std::exception_ptr thrown;
        std::swap(thrown, thrown_);
        std::rethrow_exception(thrown);
    }
private:
    static int GRACEFUL_CLOSE_CALLBACK take(void *user, const void *data, std::size_t size) noexcept {
        sink *self = static_cast<sink *>(user);
        GRACEFUL_CLOSE_TRY {
            return (*self->function_)(data, size) ? 0 : 1;
        } GRACEFUL_CLOSE_CATCH {
            self->thrown_ = std::current_exception();
            return 1;
        }
    }
    const data_function *function_;
    std::exception_ptr thrown_;
};

// Whether there is nothing to own any more. What is no socket has been closed elsewhere, and its number is
// somebody else's by now or will be.
inline bool is_gone(int code, bool closed) noexcept { return closed || code == GC_ERR_NOT_A_SOCKET; }
inline native_socket no_socket() noexcept { return static_cast<native_socket>(-1); }
inline std::error_code error_of(int code) noexcept { return make_error_code(static_cast<outcome>(code)); }
} // namespace detail

/// Closes gracefully: graceful::close(sock, std::chrono::seconds(5)), or with options. Blocks for at most
/// its time-out. The socket is used up on an outcome; after an error, and with then::keep (see
/// result::closed()), it is yours. Throws only what on_data threw; the socket is closed then, unless
/// then::keep.
inline result close(native_socket sock, const options &how = options()) {
    detail::sink sink(how.on_data);
    const result ended = close(sock, sink.raw(how));
    sink.rethrow();
    return ended;
}

/// All but the close, see gc_finish(): for a connection whose descriptor belongs to an object that closes it
/// itself. The socket stays open and yours on every outcome. Throws as close() does.
inline result finish(native_socket sock, options how = options()) {
    how.keep_open = true;
    return close(sock, how);
}

/// Resets the connection now. Empty: it is closed; an error: it is open and yours.
inline std::error_code abort(native_socket sock) noexcept { return detail::error_of(gc_abort(sock)); }

/// Waits until nothing of close_async() and policy::background is pending: call it before the program ends.
/// Empty, or outcome::timed_out.
inline std::error_code flush(time_limit limit) noexcept { return detail::error_of(gc_flush(limit.ms())); }

/// What a socket does when its owner goes.
enum class policy {
    graceful,   ///< closes gracefully and waits, at most its time-out
    background, ///< hands over as close_async() does, without waiting; flush() at the end
    abort,      ///< resets the connection
    if_last     ///< as graceful; but if others hold the connection, only gives up its reference
};

/// Owns a native socket and closes it when it goes, as its policy says. Move-only. Where that is refused
/// (no memory, no thread) it closes without waiting, so that no descriptor leaks.
class socket {
public:
    /// Owns nothing.
    socket() noexcept : socket(invalid()) {}
    /// Takes the socket.
    explicit socket(native_socket sock, graceful::policy how = graceful::policy::graceful,
                    time_limit limit = 5000U) noexcept : sock_(sock), policy_(how), limit_(limit) {}
    /// Takes all from the other one, which owns nothing then.
    socket(socket &&other) noexcept
        : sock_(other.release()), policy_(other.policy_), limit_(other.limit_) {}
    /// The same; what was owned is closed first, by its own policy.
    socket &operator=(socket &&other) noexcept {
        if (this == &other) return *this;
        reset(other.release());
        set_policy(other.policy_, other.limit_);
        return *this;
    }
    /// Closes by the policy. Never throws; policy::graceful and if_last may block.
    ~socket() { reset(); }
    /// The socket, still owned; invalid() if none.
    native_socket get() const noexcept { return sock_; }
    /// The value that is no socket: -1, INVALID_SOCKET.
    static native_socket invalid() noexcept { return detail::no_socket(); }
    /// It owns a socket.
    explicit operator bool() const noexcept { return sock_ != invalid(); }
    /// Gives the socket to the caller, open.
    native_socket release() noexcept { return exchange(invalid()); }
    /// Closes by the policy, and takes another one.
    void reset(native_socket sock = invalid()) noexcept {
        const native_socket former = exchange(sock);
        if (former != invalid() && former != sock) dispose(former);
    }
    /// Changes policy and time-out.
    void set_policy(graceful::policy how, time_limit time = 5000U) noexcept { policy_ = how; limit_ = time; }
    /// graceful::close(), and throws as that does. What is not closed by it stays owned; what has turned out
    /// to be no socket does not.
    result close(const options &how) {
        detail::sink sink(how.on_data);
        const result ended = graceful::close(sock_, sink.raw(how));
        if (detail::is_gone(ended.code(), ended.closed())) release();
        sink.rethrow();
        return ended;
    }
    /// The same within the time-out of this object.
    result close() { return close(options(limit_)); }
    /// graceful::finish(): it stays owned, half-closed, unless it is no socket.
    result finish(options how) {
        how.keep_open = true;
        return close(how);
    }
    /// The same within the time-out of this object.
    result finish() { return finish(options(limit_)); }
    /// Resets the connection. On an error it stays owned, unless it is no socket.
    std::error_code abort() noexcept { return settle(gc_abort(sock_)); }
    /// graceful::close_async(). On an error it stays owned, unless it is no socket.
    std::error_code close_async() noexcept { return settle(gc_close_async(sock_, limit_.ms())); }
private:
    native_socket exchange(native_socket sock) noexcept { std::swap(sock, sock_); return sock; }
    std::error_code settle(int code) noexcept {
        // after an internal error nobody knows: the number may be somebody else's already
        if (detail::is_gone(code, code == 0 || code == GC_ERR_INTERNAL)) release();
        return detail::error_of(code);
    }
    void dispose(native_socket sock) const noexcept {
        gc_options how = GC_OPTIONS_INIT;
        how.timeout_ms = limit_.ms();
        if (policy_ == policy::if_last) how.if_shared = GC_SHARED_RELEASE;
        int code = policy_ == policy::abort        ? gc_abort(sock)
                   : policy_ == policy::background ? gc_close_async(sock, limit_.ms())
                                                   : gc_close_with(sock, &how, NULL);
        if (is_refused(code)) code = gc_close(sock, 0U);
        if (is_refused(code)) gc_abort(sock);
    }
    static bool is_refused(int code) noexcept {
        return code == GC_ERR_RESOURCES || code == GC_ERR_SYSTEM || code == GC_ERR_STOPPED;
    }
    native_socket sock_;
    graceful::policy policy_;
    time_limit limit_;
};

/// What closing::step() gives: nothing yet, or the result. Used like a std::optional; a value.
class progress {
public:
    /// Nothing yet; or the end.
    explicit progress(const result &end = result()) : end_(end) {}
    /// It has ended.
    explicit operator bool() const { return end_.code() != GC_PENDING; }
    /// How; outcome::pending if it has not.
    const result &operator*() const { return end_; }
    const result *operator->() const { return &end_; }
private:
    result end_;
};

/// One close in the program's own event loop: no thread, no blocking call. Move-only. One that goes before
/// its end is ended by its fallback; its destructor neither throws nor blocks.
class closing {
public:
    /// Empty.
    closing() noexcept : error_(GC_ERR_ARGUMENT) {}
    /// Takes the socket; or stays empty, error() says why, and the socket is yours.
    explicit closing(native_socket sock, options how = options()) noexcept
        : error_(GC_ERR_RESOURCES), state_(new (std::nothrow) state(std::move(how.on_data))) {
        if (!state_) return;
        const gc_options raw = state_->sink.raw(how);
        error_ = gc_closing_new(sock, &raw, &state_->handle);
        if (error_ != 0) state_.reset();
    }
    /// The same; when refused, the owner keeps it, unless it is no socket.
    explicit closing(socket &&owner, options how = options()) noexcept
        : closing(owner.get(), std::move(how)) {
        if (detail::is_gone(error_, state_ != nullptr)) owner.release();
    }
    /// It took a socket.
    explicit operator bool() const noexcept { return handle() != nullptr; }
    /// Why it is empty, of the constructor; empty itself if it took the socket.
    std::error_code error() const noexcept { return detail::error_of(error_); }
    /// Goes on as far as it can without waiting: call it on readiness, and when timeout() has passed.
    /// Throws only what on_data threw; the close has ended then.
    progress step() {
        const int code = gc_closing_step(handle());
        if (state_) state_->sink.rethrow();
        if (code == GC_PENDING) return progress();
        const result end = report();
        return progress(end.code() == code ? end : result(code));
    }
    /// The socket to watch for readability; after the end it only identifies.
    native_socket native() const noexcept { return gc_closing_socket(handle()); }
    /// Call step() again at the latest after so long; milliseconds::max(): only on readiness.
    std::chrono::milliseconds timeout() const noexcept {
        const unsigned int ms = gc_closing_timeout_ms(handle());
        return ms == GC_INFINITE ? (std::chrono::milliseconds::max)() : std::chrono::milliseconds(ms);
    }
    /// Watch for readability; if false, do not: timeout() alone counts.
    bool wants_read() const noexcept { return gc_closing_wants_read(handle()) != 0; }
    /// What is known of it so far.
    result report() const noexcept {
        gc_report told = GC_REPORT_INIT;
        const int code = gc_closing_report(handle(), &told);
        return code == 0 ? result(told) : result(code);
    }
private:
    struct state {
        explicit state(data_function &&from) : on_data(std::move(from)), sink(on_data), handle(nullptr) {}
        ~state() { gc_closing_free(handle); }
        data_function on_data;
        detail::sink sink;
        gc_closing *handle;
    };
    gc_closing *handle() const noexcept { return state_ ? state_->handle : nullptr; }
    int error_;
    std::unique_ptr<state> state_;
};

/// What a reaper does with one more than max_pending.
enum class full : unsigned int {
    evict_oldest = GC_FULL_EVICT_OLDEST, ///< end the one that has waited longest
    refuse = GC_FULL_REFUSE              ///< outcome::resources
};

/// How a reaper works; a value.
struct reaper_options {
    std::size_t max_pending = 0;         ///< how many may be pending; 0: no limit
    full when_full = full::evict_oldest; ///< what to do with one more
    time_limit timeout = 5000U;          ///< how long the destructor waits for the pending ones
};

/// Told once how a background close ended, on the reaper's thread; id is closed and only identifies. May
/// take a `const graceful::result &` instead of the report. What it throws is caught and lost. It must not
/// destroy its own reaper.
typedef std::function<void(native_socket id, const report &how)> done_function;

namespace detail {
struct task { // what the callbacks need; freed by the last of them
    task(data_function &&data, done_function &&end)
        : on_data(std::move(data)), done(std::move(end)), sink(on_data) {}
    static void GRACEFUL_CLOSE_CALLBACK finish(void *user, gc_socket id, const gc_report *how) noexcept {
        const std::unique_ptr<task> held(static_cast<task *>(user));
        if (!held->done) return;
        GRACEFUL_CLOSE_TRY { held->done(id, *how); } GRACEFUL_CLOSE_CATCH {}
    }
    data_function on_data;
    done_function done;
    detail::sink sink;
};

// Hands over by gc_reaper_close() or its like, with callbacks that live until the end.
template <class Call>
std::error_code hand_over(Call call, options &&how, done_function &&done) noexcept {
    std::unique_ptr<task> held;
    if (how.on_data || done) {
        held.reset(new (std::nothrow) task(std::move(how.on_data), std::move(done)));
        if (!held) return make_error_code(outcome::resources);
    }
    const data_function none;
    sink nothing(none);
    const gc_options raw = (held ? held->sink : nothing).raw(how);
    const gc_done_fn finish = held ? &task::finish : nullptr;
    const int code = call(raw, finish, held.get());
    if (code == 0) held.release(); // finish() has it, or had it already
    return error_of(code);
}
} // namespace detail

/// Hands a socket over to the background, on a reaper of the process; never blocks. Take it out of your own
/// poller first. Empty: taken over, and done will be called exactly once; an error: still yours, and done is
/// freed uncalled.
inline std::error_code close_async(native_socket sock, options how = options(),
                                   done_function done = done_function()) noexcept {
    return detail::hand_over(
        [sock](const gc_options &raw, gc_done_fn finish, void *user) {
            return gc_close_async_with(sock, &raw, finish, user);
        },
        std::move(how), std::move(done));
}

/// One thread that finishes any number of closes. Move-only. close(), pending() and flush() may be called
/// from any thread. The destructor is stop() within reaper_options::timeout; never throws.
class reaper {
public:
    /// Starts it; or is empty, and error() says why.
    explicit reaper(const reaper_options &how = reaper_options()) noexcept
        : error_(0), handle_(nullptr, ender(how.timeout)) {
        gc_reaper_options raw = GC_REAPER_OPTIONS_INIT;
        gc_reaper *made = nullptr;
        raw.max_pending = how.max_pending;
        raw.when_full = static_cast<unsigned int>(how.when_full);
        error_ = gc_reaper_new(&raw, &made);
        handle_.reset(made);
    }
    /// It runs.
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    /// Why it could not be started; empty if it was.
    std::error_code error() const noexcept { return detail::error_of(error_); }
    /// Hands a socket over: our FIN leaves in the call, the rest is done in the background. Never blocks.
    /// Take it out of your own poller first. Empty: taken over, and done will be called exactly once; an
    /// error: the socket is yours, and done is freed uncalled.
    std::error_code close(native_socket sock, options how = options(),
                          done_function done = done_function()) noexcept {
        gc_reaper *const handle = handle_.get();
        return detail::hand_over(
            [handle, sock](const gc_options &raw, gc_done_fn finish, void *user) {
                return gc_reaper_close(handle, sock, &raw, finish, user);
            },
            std::move(how), std::move(done));
    }
    /// The same; on an error the owner keeps it, unless it is no socket.
    std::error_code close(socket &&owner, options how = options(),
                          done_function done = done_function()) noexcept {
        const native_socket sock = owner.release();
        const std::error_code error = close(sock, std::move(how), std::move(done));
        const bool taken = !error || error == make_error_code(outcome::internal);
        if (!detail::is_gone(error.value(), taken)) owner.reset(sock);
        return error;
    }
    /// How many it has taken over and not ended yet.
    std::size_t pending() const noexcept { return gc_reaper_pending(handle_.get()); }
    /// Waits until none is pending. Empty, or outcome::timed_out.
    std::error_code flush(time_limit limit) noexcept {
        return detail::error_of(gc_reaper_flush(handle_.get(), limit.ms()));
    }
    /// Refuses new ones, waits for the pending ones, ends the rest by their fallback, ends the thread.
    /// Empty, or outcome::timed_out if some had to be ended; outcome::argument on its own thread: nothing
    /// was done. No other call may be under way.
    std::error_code stop(time_limit limit) noexcept {
        const int code = gc_reaper_free(handle_.get(), limit.ms());
        if (code != GC_ERR_ARGUMENT) handle_.release();
        return detail::error_of(code);
    }
private:
    struct ender {
        explicit ender(time_limit time) noexcept : limit(time) {}
        void operator()(gc_reaper *old) const noexcept { gc_reaper_free(old, limit.ms()); }
        time_limit limit;
    };
    int error_;
    std::unique_ptr<gc_reaper, ender> handle_;
};

namespace detail {
inline native_socket native_of(native_socket sock) noexcept { return sock; }
inline native_socket native_of(const socket &owner) noexcept { return owner.get(); }
inline void settle(native_socket, const result &) noexcept {}
inline void settle(socket &owner, const result &end) noexcept {
    if (is_gone(end.code(), end.closed())) owner.release();
}
} // namespace detail

/// Closes many gracefully under one deadline, on this thread. sockets: any range of native sockets, or of
/// graceful::socket (those closed own nothing then, nor do those that were no sockets), none of them twice.
/// The results stand in its order; after outcome::internal, too, each tells what has become of its own.
/// Throws std::bad_alloc before anything is done, and what on_data threw after everything is.
template <class Range>
std::vector<result> close_many(Range &&sockets, const options &how = options()) {
    std::vector<native_socket> natives;
    for (auto &&one : sockets) natives.push_back(detail::native_of(one));
    std::vector<gc_report> told(natives.size(), result().report());
    std::vector<result> results(natives.size());
    if (natives.empty()) return results;
    detail::sink sink(how.on_data);
    const gc_options raw = sink.raw(how);
    const int code = gc_close_many(natives.data(), natives.size(), &raw, told.data());
    const bool all_refused = code < 0 && code != GC_ERR_INTERNAL;
    for (std::size_t i = 0; i < results.size(); i++)
        results[i] = all_refused || told[i].outcome == GC_PENDING ? result(code) : result(told[i]);
    auto ended = results.cbegin();
    for (auto &&one : sockets) detail::settle(one, *ended++);
    sink.rethrow();
    return results;
}

/// What the library has done in this process so far.
inline statistics stats() noexcept { statistics now = GC_STATS_INIT; gc_get_stats(&now); return now; }

/// Gets a line about a close that was not graceful, or a call that was refused; valid during the call only.
typedef std::function<void(outcome code, const char *line)> log_function;

namespace detail {
struct logger {
    explicit logger(log_function &&from) : users(1), log(std::move(from)) {}
    void leave() noexcept { if (users.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this; }
    std::atomic<unsigned int> users;
    const log_function log;
};

// Who logs now. Locked for a few instructions, never during a call. Trivially destroyed: a close
// may still log while the program ends.
struct logger_slot {
    constexpr logger_slot() noexcept : busy(false), now(nullptr) {}
    void lock() noexcept { while (busy.exchange(true, std::memory_order_acquire)) {} }
    void unlock() noexcept { busy.store(false, std::memory_order_release); }
    void install(logger *next) noexcept {
        lock();
        std::swap(next, now);
        unlock();
        if (next != nullptr) next->leave();
    }
    static void GRACEFUL_CLOSE_CALLBACK log(void *user, int code, const char *line) noexcept {
        logger_slot *slot = static_cast<logger_slot *>(user);
        slot->lock();
        logger *current = slot->now;
        if (current != nullptr) current->users.fetch_add(1, std::memory_order_relaxed);
        slot->unlock();
        if (current == nullptr) return;
        GRACEFUL_CLOSE_TRY { current->log(static_cast<outcome>(code), line); } GRACEFUL_CLOSE_CATCH {}
        current->leave();
    }
    static logger_slot &get() noexcept { static logger_slot only; return only; }
    std::atomic<bool> busy;
    logger *now;
};
} // namespace detail

/// Has log called with one line per close that was not graceful, and per call that was refused (with
/// outcome::argument and the like), on the thread that closes, on several at once; empty: off. What it throws
/// is caught and lost. The former one is freed once nobody is in it. outcome::resources: no memory, nothing is
/// changed. Any thread.
inline std::error_code set_log(log_function log) noexcept {
    detail::logger_slot &slot = detail::logger_slot::get();
    const gc_log_fn function = log ? detail::logger_slot::log : nullptr;
    detail::logger *next = log ? new (std::nothrow) detail::logger(std::move(log)) : nullptr;
    if (function != nullptr && next == nullptr) return make_error_code(outcome::resources);
    slot.install(next);
    gc_set_log(function, &slot);
    return std::error_code();
}

/// Has each line of set_log() end with who called, as module+offset, the innermost first; at first off. Any thread.
inline void set_log_caller(bool on) noexcept { gc_set_log_caller(on ? 1 : 0); }

#endif // GRACEFUL_CLOSE_CXX11
} // GRACEFUL_CLOSE_NAMESPACE
} // namespace graceful

#ifdef GRACEFUL_CLOSE_CXX11
namespace std {
/// An outcome becomes a std::error_code by itself.
template <> struct is_error_code_enum<graceful::outcome> : true_type {};
}
#endif

#endif // GRACEFUL_CLOSE_HPP_HEADER
