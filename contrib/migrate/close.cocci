# spatch --allow-inconsistent-paths
// close() by name: from close(fd) of a connection, and the classic forms around it, to one gc_ call.
//
//     spatch --sp-file close.cocci --in-place --dir src
//
// close closes everything, so only those calls are rewritten whose descriptor this function
// itself uses as a connection: it comes from accept(), or send(), recv(), shutdown()
// or getpeername() was called with it. Listeners, datagrams, files and pipes stay. After a fork
// or a dup nothing is rewritten: a half-close ends the connection for the other, too. Search the result
// for "graceful_close:"; a person has to decide there.

// --- mark the calls on what this function uses as a connection ---

@accepted exists@
expression s, e;
@@
s = \(accept\|accept4\)(...)
... when != s = e
- close(s)
+ graceful_close_of(s)

@accepted_here exists@
type T;
identifier s;
expression e;
@@
T s = \(accept\|accept4\)(...);
... when != s = e
- close(s)
+ graceful_close_of(s)

@talked exists@
expression s, e;
@@
\(send\|recv\|shutdown\|getpeername\)(s, ...)
... when != s = e
- close(s)
+ graceful_close_of(s)

// --- take the mark off what is none, and where it is not for a patch to say ---

@not_a_connection exists@
expression s;
@@
\(listen\|sendto\|recvfrom\)(s, ...)
... when any
- graceful_close_of(s)
+ close(s)

@forked exists@
expression s;
@@
\(fork\|vfork\|forkpty\|posix_spawn\|posix_spawnp\)(...)
... when any
- graceful_close_of(s);
+ /* graceful_close: after a fork the parent's close stays bare; in the child gc_close(s, 5000) */
+ close(s);

@forked_used exists@
expression s;
@@
\(fork\|vfork\|forkpty\|posix_spawn\|posix_spawnp\)(...)
... when any
- graceful_close_of(s)
+ close(s)

@duplicated exists@
expression s;
@@
\(dup(s)\|dup2(s, ...)\|dup3(s, ...)\|fcntl(s, F_DUPFD, ...)\|fcntl(s, F_DUPFD_CLOEXEC, ...)\|CMSG_DATA(...)\)
... when any
- graceful_close_of(s);
+ /* graceful_close: others hold it, too, so this close stays bare; the last one may be gc_close */
+ close(s);

@duplicated_used exists@
expression s;
@@
\(dup(s)\|dup2(s, ...)\|dup3(s, ...)\|fcntl(s, F_DUPFD, ...)\|fcntl(s, F_DUPFD_CLOEXEC, ...)\|CMSG_DATA(...)\)
... when any
- graceful_close_of(s)
+ close(s)

// --- SO_LINGER: what it asks for, as far as this function shows it. Off, or on with a time, goes;
// on with 0 seconds is a reset on purpose; of anything else a person is asked. The names
// graceful_close_linger_... are marks, and gone at the end ---

@linger_off exists@
identifier l;
expression s, e;
@@
l.l_onoff = 0
... when != l.l_onoff = e
- setsockopt
+ graceful_close_linger_off
  (s, SOL_SOCKET, SO_LINGER, <+... l ...+>, ...)

@linger_off_or_on exists@
identifier l;
expression s, e;
constant c != {0};
@@
l.l_onoff = c
... when != l.l_onoff = e
- graceful_close_linger_off
+ graceful_close_linger_ask
  (s, SOL_SOCKET, SO_LINGER, <+... l ...+>, ...)

@linger_time exists@
identifier l;
expression s, e;
constant c != {0};
@@
l.l_linger = c
... when != l.l_linger = e
- setsockopt
+ graceful_close_linger_time
  (s, SOL_SOCKET, SO_LINGER, <+... l ...+>, ...)

@linger_time_here exists@
type T;
identifier l;
expression s, e, x;
constant c != {0};
@@
T l = {x, c};
... when != l.l_linger = e
    when != l.l_onoff = e
- setsockopt
+ graceful_close_linger_time
  (s, SOL_SOCKET, SO_LINGER, <+... l ...+>, ...)

@linger_time_or_zero exists@
identifier l;
expression s, e;
@@
l.l_linger = 0
... when != l.l_linger = e
- graceful_close_linger_time
+ graceful_close_linger_ask
  (s, SOL_SOCKET, SO_LINGER, <+... l ...+>, ...)

@linger_unknown exists@
identifier l, v, f;
expression s, x;
@@
\(l.l_onoff = v\|l.l_onoff = x->f\|l.l_linger = v\|l.l_linger = x->f\)
...
- setsockopt
+ graceful_close_linger_ask
  (s, SOL_SOCKET, SO_LINGER, <+... l ...+>, ...)

// side by side: behind an `if` the close is that of other ways, too
@reset@
expression s;
identifier l;
@@
 l.l_linger = 0;
 ...
- setsockopt(s, SOL_SOCKET, SO_LINGER, <+... l ...+>, ...);
- graceful_close_of(s);
+ /* graceful_close: it was a reset on purpose; gc_close(s, 5000) if it was not meant so */
+ gc_abort(s);

@reset_here@
type T;
expression s, e;
identifier l;
@@
 T l = {1, 0};
 ... when != l.l_linger = e
     when != l.l_onoff = e
- setsockopt(s, SOL_SOCKET, SO_LINGER, <+... l ...+>, ...);
- graceful_close_of(s);
+ /* graceful_close: it was a reset on purpose; gc_close(s, 5000) if it was not meant so */
+ gc_abort(s);

@linger@
expression s, e;
@@
- \(graceful_close_linger_off\|graceful_close_linger_time\)(s, SOL_SOCKET, SO_LINGER, e, ...);
... when != s
graceful_close_of(s)

// --- shutdown, then a loop or a wait, then close ---

@drained@
expression s, n;
@@
- shutdown(s, ...);
- while (\((n = \(recv\|read\)(s, ...)) > 0\|(n = \(recv\|read\)(s, ...)) != 0\|\(recv\|read\)(s, ...) > 0\|\(recv\|read\)(s, ...) != 0\)) ;
graceful_close_of(s);

@drained_block@
expression s, n;
@@
- shutdown(s, ...);
- while (\((n = \(recv\|read\)(s, ...)) > 0\|(n = \(recv\|read\)(s, ...)) != 0\|\(recv\|read\)(s, ...) > 0\|\(recv\|read\)(s, ...) != 0\)) { }
graceful_close_of(s);

@waited@
expression s, set;
@@
- shutdown(s, ...);
- FD_ZERO(&set);
- FD_SET(s, &set);
- select(...);
graceful_close_of(s);

@both@
expression s;
@@
- shutdown(s, ...);
graceful_close_of(s);

// --- a shutdown further up: what is done in between may be the reason for it ---

@above exists@
expression s, e;
position here;
@@
shutdown@here(s, ...);
... when != s = e
graceful_close_of(s)

@look@
expression s;
position above.here;
@@
+ /* graceful_close: gc_close does this itself, and drains */
shutdown@here(s, ...);

// --- what SO_LINGER asks for is not seen here ---

@linger_stays@
@@
- \(graceful_close_linger_off\|graceful_close_linger_time\)
+ setsockopt
 (...)

@linger_ask exists@
expression s;
@@
\(setsockopt\|graceful_close_linger_ask\)(s, SOL_SOCKET, SO_LINGER, ...)
... when any
- graceful_close_of(s);
+ /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
+ gc_close(s, 5000);

@linger_ask_used exists@
expression s;
@@
\(setsockopt\|graceful_close_linger_ask\)(s, SOL_SOCKET, SO_LINGER, ...)
... when any
- graceful_close_of(s)
+ gc_closesocket(s) /* graceful_close: SO_LINGER was set above; gc_abort(s) if for a reset */

@linger_asked@
@@
- graceful_close_linger_ask
+ setsockopt
 (...)

// --- the call itself ---

@plain@
expression s;
@@
- graceful_close_of(s);
+ gc_close(s, 5000);

@used@
expression s;
@@
- graceful_close_of(s)
+ gc_closesocket(s)

// --- members that are called like a connection, and not seen being used as one here ---

@ask@
expression x;
identifier f =~ "sock|conn|client|server_fd|peer";
@@
(
+ /* graceful_close: a connection? then gc_close(...) */
close(x->f);
|
+ /* graceful_close: a connection? then gc_close(...) */
close(x.f);
)

@ask_if@
expression x;
identifier f =~ "sock|conn|client|server_fd|peer";
statement S;
@@
+ /* graceful_close: a connection? then gc_closesocket(...) */
if (\(close(x->f) < 0\|close(x.f) < 0\|close(x->f) == -1\|close(x.f) == -1\|close(x->f) != 0\|close(x.f) != 0\)) S

// --- the header, behind the first that there is ---

@header depends on plain || used || reset || reset_here || linger_ask || linger_ask_used@
@@
#include <...>
+ #include "graceful_close.h"

@header_of_own depends on (plain || used || reset || reset_here || linger_ask || linger_ask_used) && !header@
@@
#include "..."
+ #include "graceful_close.h"
