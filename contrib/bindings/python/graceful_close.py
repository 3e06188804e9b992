"""Ends TCP connections properly: graceful_close for Python, by ctypes.

    import graceful_close

    report = graceful_close.close(sock, timeout=5)
    if not report.graceful:
        print("closed, but", report)

instead of ``sock.close()``. Nothing of what was sent is lost because the peer was
still sending; the report tells how the close ended.

Ownership. Every function here takes a ``socket.socket`` or the number of a
descriptor. A socket object is detached *before* the library gets its descriptor:
``sock.fileno()`` is -1 from then on, a ``sock.close()`` of another thread, of a
``with`` block or of the garbage collector does nothing, and nothing is closed
twice. If the library refuses (GracefulCloseError), or hands the socket back
(Fallback.KEEP), it is put back into the same object and is yours again. Files of
``sock.makefile()`` must not be used any more, as after ``sock.close()``.

A half-close acts on the connection for everybody who holds it: a forked parent
keeps its ``sock.close()``, or passes ``if_shared=Shared.RELEASE``. TLS comes first:
``plain = tls_sock.unwrap()``, then close ``plain``.

The interpreter lock is free while a close waits. Python 3.7 or later; Linux, macOS,
Windows. The library is looked for in the environment variable
GRACEFUL_CLOSE_LIBRARY (a path), beside this file, and where the system looks.
"""

import atexit
import contextlib
import ctypes
import ctypes.util
import enum
import errno
import os
import socket
import ssl
import sys
import threading
import time
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_void_p, sizeof

__all__ = [
    "Outcome", "Error", "Fallback", "Shared", "Report", "GracefulCloseError", "Reaper",
    "close", "finish", "close_many", "close_async", "flush", "flush_at_exit", "abort",
    "set_log", "set_log_caller", "stats", "version",
]

INFINITE = 0xFFFFFFFF
UNKNOWN = c_size_t(-1).value
_WINDOWS = sys.platform == "win32"


class Outcome(enum.IntEnum):
    """How a close ended; the socket is closed (unless Fallback.KEEP says otherwise)."""

    GRACEFUL = 0
    TIMED_OUT = 1
    RESET = 2
    LOST = 3
    DRAIN_LIMIT = 4
    STOPPED = 5
    NOT_CONNECTED = 6
    UNCERTAIN = 7
    EVICTED = 8
    RELEASED = 9
    DELIVERED = 10
    CONTINUED = 11


class Error(enum.IntEnum):
    """Why nothing was done: the code of a GracefulCloseError."""

    NOT_A_SOCKET = -1
    ARGUMENT = -2
    RESOURCES = -3
    STOPPED = -4
    SYSTEM = -5
    INTERNAL = -6


class Fallback(enum.IntEnum):
    """What to do with a socket whose close could not be completed gracefully."""

    CLOSE = 0
    ABORT = 1
    KEEP = 2
    BACKGROUND = 3  # when the time is up a thread of the library goes on: Outcome.CONTINUED


class Shared(enum.IntEnum):
    """What to do with a connection that somebody else also holds."""

    SHUTDOWN = 0
    RELEASE = 1


def _code(number):
    """An Outcome or an Error; the bare number if the library is newer than this file."""
    try:
        return Outcome(number) if number >= 0 else Error(number)
    except ValueError:
        return number


class GracefulCloseError(OSError):
    """Nothing was done; the socket is still open and yours. ``code`` is an Error."""

    def __init__(self, code, system_error=0, words=None):
        # the library has refused by itself, or was not even asked: the nearest errno
        system_error = system_error or _NEAREST_ERRNO.get(code, errno.EINVAL)
        super().__init__(system_error, words or _lib.gc_outcome_name(code).decode())
        self.code = _code(code)


_NEAREST_ERRNO = {Error.NOT_A_SOCKET: errno.EBADF, Error.RESOURCES: errno.ENOMEM, Error.STOPPED: errno.EPIPE}


# What the C header declares. The library reads and writes struct_size bytes, no more.
# None of this is for callers; the tests look at it.

_Socket = c_size_t if _WINDOWS else c_int
_LARGEST_SOCKET = UNKNOWN if _WINDOWS else 0x7FFFFFFF
_DataFn = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)


class _Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("timeout_ms", c_uint),
        ("idle_timeout_ms", c_uint),
        ("peer_first_ms", c_uint),
        ("fallback", c_uint),
        ("if_shared", c_uint),
        ("flags", c_uint),
        ("max_drain_bytes", c_size_t),
        ("on_data", _DataFn),
        ("user", c_void_p),
        ("background_ms", c_uint),
    ]


class _Report(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("outcome", c_int),
        ("system_error", c_int),
        ("closed", c_int),
        ("peer_closed", c_int),
        ("drained_bytes", c_size_t),
        ("unacked_bytes", c_size_t),
        ("elapsed_us", c_size_t),
    ]


class _ReaperOptions(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("max_pending", c_size_t), ("when_full", c_uint)]


class _Stats(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("closed", c_size_t),
        ("by_outcome", c_size_t * 16),
        ("aborted", c_size_t),
        ("drained_bytes", c_size_t),
        ("pending", c_size_t),
    ]


_DoneFn = ctypes.CFUNCTYPE(None, c_void_p, _Socket, POINTER(_Report))
_LogFn = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)


def _candidates():
    """Where the library may be, best first."""
    if os.environ.get("GRACEFUL_CLOSE_LIBRARY"):
        return [os.environ["GRACEFUL_CLOSE_LIBRARY"]]
    if _WINDOWS:
        names = ["graceful_close.dll"]
    elif sys.platform == "darwin":
        names = ["libgraceful_close.0.dylib", "libgraceful_close.dylib"]
    else:
        names = ["libgraceful_close.so.0", "libgraceful_close.so"]
    here = os.path.dirname(os.path.abspath(__file__))
    beside = [path for path in (os.path.join(here, name) for name in names) if os.path.exists(path)]
    found = ctypes.util.find_library("graceful_close")
    return beside + names + ([found] if found else [])


def _load():
    """Loads the library and declares its functions."""
    why = []
    for path in _candidates():
        try:
            lib = ctypes.CDLL(path, use_errno=True, **({"use_last_error": True} if _WINDOWS else {}))
            break
        except OSError as error:
            why.append("    %s: %s" % (path, error))
    else:
        raise ImportError(
            "the shared library of graceful_close cannot be loaded. Tried:\n%s\n"
            "Install it, put it beside %s, or set the environment variable GRACEFUL_CLOSE_LIBRARY to its path%s."
            % ("\n".join(why), __file__,
               " (it is set)" if os.environ.get("GRACEFUL_CLOSE_LIBRARY") else ""))
    options, report = POINTER(_Options), POINTER(_Report)
    for name, result, arguments in [
        ("gc_close_with", c_int, [_Socket, options, report]),
        ("gc_close_many", c_int, [POINTER(_Socket), c_size_t, options, report]),
        ("gc_close_async_with", c_int, [_Socket, options, _DoneFn, c_void_p]),
        ("gc_flush", c_int, [c_uint]),
        ("gc_abort", c_int, [_Socket]),
        ("gc_reaper_new", c_int, [POINTER(_ReaperOptions), POINTER(c_void_p)]),
        ("gc_reaper_close", c_int, [c_void_p, _Socket, options, _DoneFn, c_void_p]),
        ("gc_reaper_pending", c_size_t, [c_void_p]),
        ("gc_reaper_flush", c_int, [c_void_p, c_uint]),
        ("gc_reaper_free", c_int, [c_void_p, c_uint]),
        ("gc_get_stats", c_int, [POINTER(_Stats)]),
        ("gc_set_log", None, [_LogFn, c_void_p]),
        ("gc_set_log_caller", None, [c_int]),
        ("gc_outcome_name", c_char_p, [c_int]),
        ("gc_version_string", c_char_p, []),
        ("gc_version_number", c_uint, []),
    ]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


_lib = _load()


class Report:
    """How a close ended.

    outcome        an Outcome (or an Error, in close_many); a number that only a newer
                   library knows stays a number: closed, if it is positive
    graceful       whether it is Outcome.GRACEFUL
    system_error   the first errno or WSA code met, 0 if none
    closed         False: the descriptor is still open and yours (Fallback.KEEP)
    peer_closed    whether the peer's FIN was seen
    drained_bytes  what still came in
    unacked_bytes  ours, not acknowledged at the end; None: the system cannot tell
    elapsed        seconds
    """

    __slots__ = ("outcome", "system_error", "closed", "peer_closed", "drained_bytes", "unacked_bytes", "elapsed")

    def __init__(self, raw):
        self.outcome = _code(raw.outcome)
        self.system_error = raw.system_error
        self.closed = bool(raw.closed)
        self.peer_closed = bool(raw.peer_closed)
        self.drained_bytes = raw.drained_bytes
        self.unacked_bytes = None if raw.unacked_bytes == UNKNOWN else raw.unacked_bytes
        self.elapsed = raw.elapsed_us / 1e6

    @property
    def graceful(self):
        return self.outcome is Outcome.GRACEFUL

    def __str__(self):
        return _lib.gc_outcome_name(self.outcome).decode()

    def __repr__(self):
        return "<Report %s: %s>" % (self, ", ".join("%s=%r" % (name, getattr(self, name)) for name in self.__slots__))


class _Taken:
    """A descriptor taken out of its socket object, so that it can be put back."""

    def __init__(self, sock):
        self.object = None
        if isinstance(sock, ssl.SSLSocket):
            raise TypeError("end TLS first, with sock.unwrap(), and close the socket that it returns")
        if isinstance(sock, socket.socket):
            self.timeout = sock.gettimeout()
            self.fd = sock.detach()
            self.object = sock
        elif isinstance(sock, int):
            self.fd = sock
        else:
            raise TypeError("a socket or the number of a descriptor is wanted, not %r" % type(sock).__name__)
        # -1 is what Python says of a closed socket. ctypes cuts what is too large: it would be
        # the number of some other descriptor.
        if self.fd == -1:
            raise GracefulCloseError(Error.NOT_A_SOCKET, words="the socket is closed already, nothing was done")
        if not 0 <= self.fd <= _LARGEST_SOCKET:
            raise GracefulCloseError(Error.NOT_A_SOCKET, words="%d is no descriptor, nothing was done" % self.fd)

    def put_back(self):
        """Makes the object the owner again: the same one, for whoever else refers to it."""
        sock = self.object
        if sock is not None:
            socket.socket.__init__(sock, sock.family, sock.type, sock.proto, fileno=self.fd)
            sock.settimeout(self.timeout)


def _milliseconds(seconds):
    """None: for ever. Rounded up, so that nothing ends earlier than asked."""
    if seconds is None:
        return INFINITE
    if seconds < 0:
        raise ValueError("a time-out cannot be negative")
    return min(-int(-seconds * 1000 // 1), INFINITE - 1)


def _system_error():
    return ctypes.get_last_error() if _WINDOWS else ctypes.get_errno()


_UNTIL_ACKED = 2
_KEEP_OPEN = 4


def _options(timeout, idle_timeout=0, peer_first=0, fallback=Fallback.CLOSE,
             if_shared=Shared.SHUTDOWN, max_drain_bytes=0, on_data=None, background=0,
             until_acked=False, _flags=0):
    """The C structure, and the list that an exception of on_data is put into."""
    if max_drain_bytes < 0:
        raise ValueError("a number of bytes cannot be negative")
    if on_data is not None and not callable(on_data):
        raise TypeError("on_data cannot be called")
    raised = []

    def deliver(_user, data, size):
        # An exception cannot cross C: it ends the close, and is raised again afterwards.
        try:
            return 1 if on_data(ctypes.string_at(data, size)) else 0
        except BaseException as error:  # KeyboardInterrupt, too
            raised.append(error)
            return 1

    options = _Options(
        struct_size=sizeof(_Options), timeout_ms=_milliseconds(timeout),
        idle_timeout_ms=_milliseconds(idle_timeout), peer_first_ms=_milliseconds(peer_first),
        fallback=fallback, if_shared=if_shared, max_drain_bytes=min(max_drain_bytes, UNKNOWN),
        flags=_flags | (_UNTIL_ACKED if until_acked else 0), background_ms=_milliseconds(background),
        on_data=_DataFn(deliver) if on_data is not None else _DataFn())
    return options, raised


def close(sock, timeout=5.0, **options):
    """Closes gracefully within ``timeout`` seconds (None: no limit); returns a Report.

    idle_timeout     give up sooner when nothing moved for so many seconds
    peer_first       wait so many seconds for the peer to close first (it gets TIME_WAIT)
    fallback         a Fallback, if it cannot be graceful
    if_shared        a Shared
    max_drain_bytes  give up when the peer sends more; 0: no limit
    on_data          gets what the peer still sends, as bytes; returns true to stop
    background       with Fallback.BACKGROUND: how many seconds the library may go on; 0: 30
    until_acked      do not wait for the peer's FIN, only for its acknowledgement: Outcome.DELIVERED

    What on_data raises ends the close and is raised here; the socket is closed then.
    """
    raw, raised = _options(timeout, **options)
    report = _Report(struct_size=sizeof(_Report))
    taken = _Taken(sock)
    code = _lib.gc_close_with(taken.fd, byref(raw), byref(report))
    if not report.closed:
        taken.put_back()
    if code < 0:
        raise GracefulCloseError(code, _system_error())
    if raised:
        raise raised[0]
    return Report(report)


def finish(sock, timeout=5.0, **options):
    """Finishes the connection and leaves the socket open and yours, on every outcome; returns a Report."""
    return close(sock, timeout, _flags=_KEEP_OPEN, **options)


def close_many(socks, timeout=5.0, **options):
    """Closes them all under one deadline; returns a list of Reports in the same order."""
    raw, raised = _options(timeout, **options)
    taken = []
    try:
        for sock in socks:
            taken.append(_Taken(sock))
    except BaseException:
        for one in taken:
            one.put_back()
        raise
    fds = (_Socket * len(taken))(*(one.fd for one in taken))
    reports = (_Report * len(taken))()
    for report in reports:
        report.struct_size = sizeof(_Report)
    code = _lib.gc_close_many(fds, len(taken), byref(raw), reports) if taken else 0
    for one, report in zip(taken, reports):
        if not report.closed:
            one.put_back()
    if code < 0:
        raise GracefulCloseError(code, _system_error())
    if raised:
        raise raised[0]
    return [Report(report) for report in reports]


def close_async(sock, timeout=5.0, **options):
    """Hands the socket over and returns; a thread of the library does the rest.

    Options as for close(), but for on_data, which a Reaper has. What is pending when the
    program ends is cut off: see flush_at_exit().
    """
    if options.get("on_data") is not None:
        raise TypeError("on_data is called by a Reaper, not by close_async()")
    raw, _raised = _options(timeout, **options)  # what may raise comes before the descriptor is taken
    taken = _Taken(sock)
    code = _lib.gc_close_async_with(taken.fd, byref(raw), _DoneFn(), None)
    if code < 0:
        error = GracefulCloseError(code, _system_error())
        taken.put_back()
        raise error


def flush(timeout=5.0):
    """Waits until nothing of close_async() is pending; False when the time is up."""
    return _lib.gc_flush(_milliseconds(timeout)) == 0


def flush_at_exit(timeout=5.0):
    """Has flush() called when the interpreter ends; once, at the start of the program."""
    atexit.register(flush, timeout)


def abort(sock):
    """Resets the connection now; what was not sent is dropped."""
    taken = _Taken(sock)
    code = _lib.gc_abort(taken.fd)
    if code < 0:
        error = GracefulCloseError(code, _system_error())
        taken.put_back()
        raise error


class Reaper:
    """A thread of the library that ends any number of closes in the background.

        with Reaper() as reaper:
            reaper.close(sock, timeout=5, done=lambda report: print(report))

    done is called on the reaper's thread, once for each socket, also when the close is
    ended early; what it or on_data raises goes to sys.unraisablehook. Leaving the block
    waits. A Reaper that nobody frees lives until the interpreter ends, which frees it
    without waiting.
    """

    def __init__(self, max_pending=0, refuse_when_full=False):
        options = _ReaperOptions(sizeof(_ReaperOptions), max_pending, int(refuse_when_full))
        self._handle = c_void_p()
        self._lock = threading.Lock()
        self._callbacks = {}  # kept alive until the C side has called them
        self._last = 0
        self._calls = 0  # under way, with the handle in their hands
        code = _lib.gc_reaper_new(byref(options), byref(self._handle))
        if code < 0:
            raise GracefulCloseError(code, _system_error())
        self._done = _DoneFn(self._finished)
        _reapers.add(self)  # the thread calls _done even when nobody else knows of it any more

    @contextlib.contextmanager
    def _using(self):
        with self._lock:
            self._calls += 1
            handle = self._handle
        try:
            yield handle
        finally:
            with self._lock:
                self._calls -= 1

    def _finished(self, user, _sock, report):
        with self._lock:
            done, _raw, raised = self._callbacks.pop(user)
        if done is not None:
            done(Report(report.contents))
        if raised:
            raise raised[0]

    def close(self, sock, timeout=5.0, done=None, **options):
        """As close(), but returns at once; Fallback.KEEP is refused."""
        if done is not None and not callable(done):
            raise TypeError("done cannot be called")
        if not self._handle:
            raise GracefulCloseError(Error.STOPPED, words="the reaper has been freed, nothing was done")
        raw, raised = _options(timeout, **options)
        taken = _Taken(sock)
        with self._lock:
            self._last += 1
            user = self._last
            self._callbacks[user] = (done, raw, raised)
        with self._using() as handle:
            code = _lib.gc_reaper_close(handle, taken.fd, byref(raw), self._done, user)
        if code < 0:
            error = GracefulCloseError(code, _system_error())
            with self._lock:
                del self._callbacks[user]
            taken.put_back()
            raise error

    @property
    def pending(self):
        """How many closes are not finished yet."""
        with self._using() as handle:
            return _lib.gc_reaper_pending(handle)

    def flush(self, timeout=5.0):
        """Waits until none is pending; False when the time is up."""
        with self._using() as handle:
            return _lib.gc_reaper_flush(handle, _milliseconds(timeout)) == 0

    def free(self, timeout=5.0):
        """Waits so long, ends what is left, stops the thread; False if some had to be ended."""
        milliseconds = _milliseconds(timeout)
        with self._lock:
            handle, self._handle = self._handle, c_void_p()
        code = _lib.gc_reaper_free(handle, milliseconds)
        if code < 0:
            self._handle = handle
            raise GracefulCloseError(code, _system_error())
        _reapers.discard(self)
        return code == 0

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.free()


_reapers = set()
_log = _LogFn()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reapers.clear)  # their threads are the parent's


@atexit.register
def _end_callbacks():
    """Python ends a thread that asks for an interpreter which is gone, in the middle of the
    library's functions: that would abort the process."""
    for reaper in list(_reapers):
        with reaper._lock:
            if reaper._calls:  # of a daemon thread
                continue
            handle, reaper._handle = reaper._handle, c_void_p()
        _lib.gc_reaper_free(handle, 0)
    if _log:
        _lib.gc_set_log(_LogFn(), None)
        time.sleep(0.01)  # a call that has begun gets the interpreter's lock now


def set_log(log):
    """Has log(outcome, line) called for each close that was not graceful, and for each call of
    the C library that was refused (outcome is negative then); None: off.

    Every log stays in memory: set it once, at the start.
    """
    global _log
    former = _log
    _log = _LogFn() if log is None else _LogFn(lambda _user, code, line: log(code, line.decode(errors="replace")))
    _lib.gc_set_log(_log, None)
    _former_logs.append(former)  # a close under way may still call it


_former_logs = []


def set_log_caller(on):
    """Has each line of set_log() end with who called, as module+offset, the innermost first.

    That is the native code that called the C library: the interpreter, not the script.
    """
    _lib.gc_set_log_caller(1 if on else 0)


def stats():
    """What the library has done in this process, as a dictionary."""
    raw = _Stats(struct_size=sizeof(_Stats))
    code = _lib.gc_get_stats(byref(raw))
    if code < 0:
        raise GracefulCloseError(code, _system_error())
    told = {name: getattr(raw, name) for name in ("closed", "aborted", "drained_bytes", "pending")}
    told["by_outcome"] = {outcome: raw.by_outcome[outcome] for outcome in Outcome}
    return told


def version():
    """The version of the library that is running, as "0.2.0"."""
    return _lib.gc_version_string().decode()
