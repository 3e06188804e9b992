# spatch --allow-inconsistent-paths
// Winsock's close by name: from closesocket(s) and the classic forms around it to one gc_ call.
//
//     spatch --sp-file closesocket.cocci --in-place --dir src
//
// closesocket closes nothing but sockets, so all calls are rewritten, but for those on sockets
// that this function has just made or that listen: they have no connection to end. Where the
// value is used it becomes gc_closesocket(s), which has closesocket's own values; else
// gc_close(s, 5000), whose outcome a person may want to look at. The code of the old way goes:
// the shutdown before it, SO_LINGER, loops that wait or drain. Search the result for
// "graceful_close:"; a person has to decide there.

// --- what has no connection stays, and what another process has, too. The mark goes at the end ---

@listens exists@
expression s;
@@
listen(s, ...)
... when any
- closesocket(s)
+ graceful_close_not(s)

@made exists@
expression s;
identifier make =~ "^(socket|WSASocket|WSASocketA|WSASocketW)$";
@@
s = make(...)
... when != connect(s, ...)
    when != WSAConnect(s, ...)
    when any
- closesocket(s)
+ graceful_close_not(s)

@made_here exists@
type T;
identifier s;
identifier make =~ "^(socket|WSASocket|WSASocketA|WSASocketW)$";
@@
T s = make(...);
... when != connect(s, ...)
    when != WSAConnect(s, ...)
    when any
- closesocket(s)
+ graceful_close_not(s)

@given exists@
expression s;
@@
\(WSADuplicateSocket\|WSADuplicateSocketA\|WSADuplicateSocketW\)(s, ...)
... when any
- closesocket(s);
+ /* graceful_close: another process has it, too, so this close stays bare */
+ graceful_close_not(s);

@given_used exists@
expression s;
@@
\(WSADuplicateSocket\|WSADuplicateSocketA\|WSADuplicateSocketW\)(s, ...)
... when any
- closesocket(s)
+ graceful_close_not(s)

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
- closesocket(s);
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
- closesocket(s);
+ /* graceful_close: it was a reset on purpose; gc_close(s, 5000) if it was not meant so */
+ gc_abort(s);

@linger@
expression s, e;
@@
- \(graceful_close_linger_off\|graceful_close_linger_time\)(s, SOL_SOCKET, SO_LINGER, e, ...);
... when != s
closesocket(s)

// --- shutdown, then a loop or a wait, then closesocket ---

@drained@
expression s, n;
@@
- shutdown(s, ...);
- while (\((n = recv(s, ...)) > 0\|(n = recv(s, ...)) != 0\|recv(s, ...) > 0\|recv(s, ...) != 0\)) ;
closesocket(s);

@drained_block@
expression s, n;
@@
- shutdown(s, ...);
- while (\((n = recv(s, ...)) > 0\|(n = recv(s, ...)) != 0\|recv(s, ...) > 0\|recv(s, ...) != 0\)) { }
closesocket(s);

@waited@
expression s, set;
@@
- shutdown(s, ...);
- FD_ZERO(&set);
- FD_SET(s, &set);
- select(...);
closesocket(s);

@both@
expression s;
@@
- shutdown(s, ...);
closesocket(s);

// --- a shutdown further up: what is done in between may be the reason for it ---

@above exists@
expression s, e;
position here;
@@
shutdown@here(s, ...);
... when != s = e
closesocket(s)

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
- closesocket(s);
+ /* graceful_close: SO_LINGER was set above; gc_abort(s) if on with 0 seconds, for a reset */
+ gc_close(s, 5000);

@linger_ask_used exists@
expression s;
@@
\(setsockopt\|graceful_close_linger_ask\)(s, SOL_SOCKET, SO_LINGER, ...)
... when any
- closesocket(s)
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
- closesocket(s);
+ gc_close(s, 5000);

@used@
expression s;
@@
- closesocket(s)
+ gc_closesocket(s)

@pointer@
expression f;
@@
- f = closesocket
+ f = gc_closesocket

@stays@
expression s;
@@
- graceful_close_not(s)
+ closesocket(s)

// --- the header, behind the first that there is ---

@header depends on plain || used || reset || reset_here || linger_ask || linger_ask_used || pointer@
@@
#include <...>
+ #include "graceful_close.h"

@header_of_own depends on (plain || used || reset || reset_here || linger_ask || linger_ask_used || pointer) && !header@
@@
#include "..."
+ #include "graceful_close.h"
