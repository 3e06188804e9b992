// Package gracefulclose ends TCP connections properly: graceful_close for Go, by cgo.
//
//	report, err := gracefulclose.Close(conn, 5*time.Second)
//
// instead of conn.Close(). It is compiled against graceful_close.h and linked by pkg-config, or by
// CGO_CFLAGS=-I... CGO_LDFLAGS="-L... -lgraceful_close" with -tags graceful_close_flags.
//
// Ownership. The runtime watches a net.Conn's descriptor and does not give it away. So Close makes
// a second descriptor of the connection, closes the net.Conn (which gives up one reference, no
// more), and hands the second one to the library. After a report the connection is closed. An
// error means that nothing was done and the net.Conn is still open and yours; but an *Error with
// Lost set comes after the net.Conn was closed, and then the connection was closed ordinarily.
//
// Close occupies one thread while it waits; Async does not. TLS comes first: close the tls.Conn's
// write side, then hand over its NetConn(). Unix only: on Windows the runtime's completion port
// keeps the socket.
package gracefulclose

/*
#include <stdlib.h>
#include "graceful_close.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// Outcome says how a close ended; the negative ones are errors.
type Outcome int

const (
	Graceful     Outcome = C.GC_GRACEFUL
	TimedOut     Outcome = C.GC_TIMED_OUT
	Reset        Outcome = C.GC_RESET
	Lost         Outcome = C.GC_LOST
	DrainLimit   Outcome = C.GC_DRAIN_LIMIT
	Stopped      Outcome = C.GC_STOPPED
	NotConnected Outcome = C.GC_NOT_CONNECTED
	Uncertain    Outcome = C.GC_UNCERTAIN
	Evicted      Outcome = C.GC_EVICTED
	Released     Outcome = C.GC_RELEASED
	Delivered    Outcome = C.GC_DELIVERED
	Continued    Outcome = C.GC_CONTINUED

	NotASocket  Outcome = C.GC_ERR_NOT_A_SOCKET
	BadArgument Outcome = C.GC_ERR_ARGUMENT
	NoResources Outcome = C.GC_ERR_RESOURCES
	SystemError Outcome = C.GC_ERR_SYSTEM
)

// Infinite as a time-out: none.
const Infinite time.Duration = 1<<63 - 1

func (o Outcome) String() string { return C.GoString(C.gc_outcome_name(C.int(o))) }

// Report tells how a close ended.
type Report struct {
	Outcome      Outcome
	SystemError  syscall.Errno // the first met, 0 if none
	PeerClosed   bool          // the peer's FIN was seen
	DrainedBytes uint64
	UnackedBytes uint64 // if UnackedKnown
	UnackedKnown bool
	Elapsed      time.Duration
}

// Options tune a close; the zero value of each means none.
type Options struct {
	Timeout       time.Duration // the whole close; Infinite: no limit
	IdleTimeout   time.Duration // give up sooner when nothing moved for so long
	PeerFirst     time.Duration // wait so long for the peer to close first: it gets TIME_WAIT
	Abort         bool          // what is not graceful is reset, not closed ordinarily
	MaxDrainBytes uint64
	UntilAcked    bool          // do not wait for the peer's FIN: Delivered
	Background    time.Duration // when the time is up, a thread of the library goes on for so long: Continued
}

// Error is a refusal of the library.
type Error struct {
	Code Outcome
	Err  error // errno
	Lost bool  // the net.Conn was closed already, and the connection was closed ordinarily
}

func (e *Error) Error() string {
	return fmt.Sprintf("graceful close: %v (%v)", e.Code, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Conn is what *net.TCPConn and *net.UnixConn are.
type Conn interface {
	syscall.Conn
	Close() error
}

// Close ends a connection gracefully within timeout.
func Close(conn Conn, timeout time.Duration) (Report, error) {
	return CloseWith(conn, Options{Timeout: timeout})
}

// CloseWith is Close, tuned.
func CloseWith(conn Conn, options Options) (Report, error) {
	fd, err := take(conn)
	if err != nil {
		return Report{}, err
	}
	report, err := CloseFd(fd, options)
	if err != nil {
		return report, lost(fd, err)
	}
	return report, nil
}

// CloseFd closes a descriptor that nobody else owns.
func CloseFd(fd int, options Options) (Report, error) {
	raw := options.raw()
	var report C.gc_report
	report.struct_size = C.sizeof_gc_report
	code, err := C.gc_close_with(C.gc_socket(fd), &raw, &report)
	if code < 0 {
		return Report{}, &Error{Code: Outcome(code), Err: err}
	}
	return Report{
		Outcome:      Outcome(report.outcome),
		SystemError:  syscall.Errno(report.system_error),
		PeerClosed:   report.peer_closed != 0,
		DrainedBytes: uint64(report.drained_bytes),
		UnackedBytes: uint64(report.unacked_bytes),
		UnackedKnown: report.unacked_bytes != ^C.size_t(0),
		Elapsed:      time.Duration(report.elapsed_us) * time.Microsecond,
	}, nil
}

// Finish finishes the connection and leaves the net.Conn open, for its owner to close. It blocks its
// thread as a system call does.
func Finish(conn Conn, timeout time.Duration) (Outcome, error) {
	access, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var code C.int
	var errno error
	if err = access.Control(func(fd uintptr) {
		code, errno = C.gc_finish(C.gc_socket(fd), milliseconds(timeout))
	}); err != nil {
		return 0, err
	}
	if code < 0 {
		return 0, &Error{Code: Outcome(code), Err: errno}
	}
	return Outcome(code), nil
}

// Async hands the connection over and returns; a thread of the library does the rest. Call Flush
// before the program ends, or what is pending is cut off.
func Async(conn Conn, timeout time.Duration) error {
	return AsyncWith(conn, Options{Timeout: timeout})
}

// AsyncWith is Async, tuned. Options.Background is not for it: it has all of Options.Timeout.
func AsyncWith(conn Conn, options Options) error {
	fd, err := take(conn)
	if err != nil {
		return err
	}
	raw := options.raw()
	code, err := C.gc_close_async_with(C.gc_socket(fd), &raw, nil, nil)
	if code < 0 {
		return lost(fd, &Error{Code: Outcome(code), Err: err})
	}
	return nil
}

// Flush waits until nothing of Async is pending; false when the time is up.
func Flush(timeout time.Duration) bool { return C.gc_flush(milliseconds(timeout)) == 0 }

// Abort resets the connection now.
func Abort(conn Conn) error {
	fd, err := take(conn)
	if err != nil {
		return err
	}
	code, err := C.gc_abort(C.gc_socket(fd))
	if code < 0 {
		return lost(fd, &Error{Code: Outcome(code), Err: err})
	}
	return nil
}

// Version is that of the library that is running.
func Version() string { return C.GoString(C.gc_version_string()) }

// take makes a second descriptor and closes the conn.
func take(conn Conn) (int, error) {
	access, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	second, dupErr := -1, error(nil)
	err = access.Control(func(fd uintptr) {
		// no child may inherit it between the two calls
		syscall.ForkLock.RLock()
		second, dupErr = syscall.Dup(int(fd))
		if dupErr == nil {
			syscall.CloseOnExec(second)
		}
		syscall.ForkLock.RUnlock()
	})
	if err == nil {
		err = dupErr
	}
	if err != nil {
		return -1, err
	}
	if err = conn.Close(); err != nil {
		syscall.Close(second)
		return -1, err
	}
	runtime.KeepAlive(conn)
	return second, nil
}

func lost(fd int, err error) error {
	syscall.Close(fd)
	if e, ok := err.(*Error); ok {
		e.Lost = true
	}
	return err
}

func (o Options) raw() C.gc_options {
	var raw C.gc_options
	raw.struct_size = C.sizeof_gc_options
	raw.timeout_ms = milliseconds(o.Timeout)
	raw.idle_timeout_ms = milliseconds(o.IdleTimeout)
	raw.peer_first_ms = milliseconds(o.PeerFirst)
	raw.max_drain_bytes = ^C.size_t(0) // 4 GiB, where that is all it can say
	if o.MaxDrainBytes < uint64(raw.max_drain_bytes) {
		raw.max_drain_bytes = C.size_t(o.MaxDrainBytes)
	}
	if o.Abort {
		raw.fallback = C.GC_THEN_ABORT
	} else if o.Background > 0 {
		raw.fallback = C.GC_THEN_BACKGROUND
		raw.background_ms = milliseconds(o.Background)
	}
	if o.UntilAcked {
		raw.flags = C.GC_UNTIL_ACKED
	}
	return raw
}

// milliseconds rounds up, so that nothing ends earlier than asked.
func milliseconds(d time.Duration) C.uint {
	if d == Infinite {
		return C.GC_INFINITE
	}
	if d <= 0 {
		return 0
	}
	ms := (d-1)/time.Millisecond + 1
	if ms >= C.GC_INFINITE {
		return C.GC_INFINITE - 1
	}
	return C.uint(ms)
}
