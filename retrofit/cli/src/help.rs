//! The manual in the program.

pub const GENERAL: &str = "\
graceful-close: programs that close their TCP connections properly, without a rebuild

Usage:
  graceful-close run [OPTION...] [--] PROGRAM [ARGUMENT...]
  graceful-close run --help
  graceful-close --help | --version
";

pub const RUN: &str = "\
graceful-close run: starts a program whose TCP connections end gracefully

Usage:
  graceful-close run [OPTION...] [--] PROGRAM [ARGUMENT...]

A server that closes a connection while the client still sends resets it, and the end
of the answer is lost. PROGRAM, and every program that it starts, gets a library that
finishes such connections in the background: it half-closes, throws away what the peer
still sends until the peer has closed too, and then closes. The program sees nothing of
it: close() returns at once, and the descriptor's number is free.

Only connected TCP sockets that the process accepted (or was handed), on which something
was sent, are treated so. Everything else, and everything doubtful, is closed normally:
other kinds of sockets, sockets with SO_LINGER {1,0}, sockets that the program has shut
for reading, connections that another process or descriptor still holds.

Options, and the environment variables that they set:
  --timeout TIME         GRACEFUL_CLOSE_TIMEOUT_MS     10000  for the whole close
  --idle TIME            GRACEFUL_CLOSE_IDLE_MS         5000  without any progress
  --max-bytes N          GRACEFUL_CLOSE_MAX_BYTES   67108864  thrown away per connection
  --max-parked N         GRACEFUL_CLOSE_MAX_PARKED       256  connections at one time
                         at most; a quarter of the limit of open files if that is less
  --role server|any      GRACEFUL_CLOSE_ROLE          server
                         any: the connections that the program makes, too; for a client
                         that only writes. One that breaks off a download goes on
                         receiving it then, up to the limits above
  --shutdown-both keep|half
                         GRACEFUL_CLOSE_SHUTDOWN_BOTH   keep
                         half: shutdown(fd, SHUT_RDWR) becomes a half-close, for a program
                         that calls it right before close(). It no longer wakes a thread
                         that is reading from the socket
  --exit off|wait|scan   GRACEFUL_CLOSE_EXIT            scan  at the end of a process:
                         off   break off what is not finished
                         wait  finish what the program has closed
                         scan  also the connections that it left open
  --exit-wait TIME       GRACEFUL_CLOSE_EXIT_WAIT_MS    2000  at the end of a process, or
                         of its program by exec
  --exit-idle TIME       GRACEFUL_CLOSE_EXIT_IDLE_MS    200   of which for a silent peer
  --exit-waiters NUMBER  GRACEFUL_CLOSE_EXIT_WAITERS    4     so many children of one
                         process at a time wait for longer than 50 ms: a superserver may
                         allow so many connections only
  --log FILE             GRACEFUL_CLOSE_LOG                   one line for each process in
                         which the library is active, and for each close that mattered
  --only NAME[,NAME...]  GRACEFUL_CLOSE_ONLY                  programs that it is for
  --except NAME[,...]    GRACEFUL_CLOSE_EXCEPT                programs that it is not for
  --off                  GRACEFUL_CLOSE_OFF=1                 loaded, but does nothing
  --library FILE         the library; otherwise $GRACEFUL_CLOSE_PRELOAD, or the one that
                         was installed with this command
  --check                say whether it would work for PROGRAM, and why not, and how the
                         settings are understood; asks PROGRAM's dynamic linker, and runs
                         nothing of PROGRAM itself
  --anyway               start PROGRAM even if it cannot be made graceful

A TIME is a number of milliseconds, or a number with its unit: 500ms, 10s, 2m. The variables
of times may be called without _MS: GRACEFUL_CLOSE_TIMEOUT=10s.

Programs that it cannot reach: statically linked ones, those with set-user-ID or
set-group-ID bits or file capabilities (the system loads no foreign library into them), Go
programs (they do not close by way of the C library), programs for another processor or word
size, and programs linked to musl. The command says so, and starts them only with --anyway.
What others start (sudo, su -, env -i, service, inetd and their like give it an environment
without the library) it cannot reach, either; it says what to do, and goes on.
Connections are lost, as without it, when a process is killed by a signal.

Exit status:
  125  the command line is wrong, or the library is missing
  126  PROGRAM cannot be run, or not gracefully
  127  there is no such PROGRAM
  otherwise that of PROGRAM; with --check 0 if it would work
";
