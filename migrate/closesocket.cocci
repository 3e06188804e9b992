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

// --- what has no connection stays ---

@listens exists@
expression s;
position p;
@@
listen(s, ...)
... when any
closesocket@p(s)

@made exists@
expression s;
position p;
identifier make =~ "^(socket|WSASocket|WSASocketA|WSASocketW)$";
@@
s = make(...)
... when != connect(s, ...)
    when != WSAConnect(s, ...)
    when any
closesocket@p(s)

@made_here exists@
type T;
identifier s;
position p;
identifier make =~ "^(socket|WSASocket|WSASocketA|WSASocketW)$";
@@
T s = make(...);
... when != connect(s, ...)
    when != WSAConnect(s, ...)
    when any
closesocket@p(s)

// --- SO_LINGER just before it: on with 0 seconds is a reset on purpose ---

@reset@
expression s, e;
identifier l;
@@
 l.l_linger = 0;
 ...
- setsockopt(s, SOL_SOCKET, SO_LINGER, e, ...);
... when != s
- closesocket(s);
+ /* graceful_close: it was a reset on purpose; gc_close(s, 5000) if it was not meant so */
+ gc_abort(s);

@linger@
expression s, e;
@@
- setsockopt(s, SOL_SOCKET, SO_LINGER, e, ...);
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
position q != {listens.p, made.p, made_here.p};
@@
shutdown@here(s, ...);
... when != s = e
closesocket@q(s)

@look@
expression s;
position above.here;
@@
+ /* graceful_close: gc_close does this itself, and drains */
shutdown@here(s, ...);

// --- the call itself ---

@plain@
expression s;
position q != {listens.p, made.p, made_here.p};
@@
- closesocket@q(s);
+ gc_close(s, 5000);

@used@
expression s;
position q != {listens.p, made.p, made_here.p};
@@
- closesocket@q(s)
+ gc_closesocket(s)

@pointer@
expression f;
@@
- f = closesocket
+ f = gc_closesocket

// --- the header, behind the first that there is ---

@header depends on plain || used || reset || pointer@
@@
#include <...>
+ #include "graceful_close.h"

@header_of_own depends on (plain || used || reset || pointer) && !header@
@@
#include "..."
+ #include "graceful_close.h"
