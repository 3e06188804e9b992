//! The manual in the program.

pub const GENERAL: &str = "\
graceful-close: programs that close their TCP connections properly, without a rebuild

Usage:
  graceful-close run [OPTION...] [--] PROGRAM [ARGUMENT...]
  graceful-close observe [OPTION...] [--] PROGRAM [ARGUMENT...]
  graceful-close run --help
  graceful-close observe --help
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
                         scan  also the connections that it left open, if
                         it has one thread
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

pub const OBSERVE: &str = "\
graceful-close observe: tells which closes of a program lose data, and changes none

Usage:
  graceful-close observe [OPTION...] [--] PROGRAM [ARGUMENT...]

PROGRAM, and every program that it starts, runs as it is: the system does each close as
ever. Just before it, a library in the program looks at the connection, and counts for
each call site what the close leaves behind: bytes that nobody has read (the kernel resets
the connection then, for certain), bytes that the peer has not acknowledged, a peer that
has not closed. When PROGRAM has ended, the command writes a report. The call site that
loses the most comes first, with the call of graceful_close or the option of
graceful-close run that is right for it.

Options:
  --report FILE          the report as text; without it the text goes to stderr
  --json FILE            the report for programs
  --html FILE            the report as one page, with a table that can be sorted
  --add-log FILE         for a program that calls graceful_close already: the report has what
                         its log (gc_set_log with gc_set_log_caller) writes to FILE in this
                         run, by call site
  --follow               on Linux: ask the system after each close that may lose data how the
                         connection ended, so that the report says what was lost. No close is
                         delayed and nothing is kept open, but each of these closes takes some
                         microseconds more, and the command ends up to 2 seconds after PROGRAM
  --symbols              say for each module whether function names and lines are known, and
                         how to get them
  --every TIME           write a report of what was seen so far, again and again; on Linux
                         SIGUSR2 to this command does so once
  --close-wait TIME      tell the connections that the peer has closed and the program has
                         held for so long since (10s)
  --only NAME[,NAME...]  programs to look at
  --except NAME[,...]    programs not to look at
  --library FILE         the library; otherwise as for graceful-close run

A TIME is a number of milliseconds, or a number with its unit: 500ms, 10s, 2m.

Call sites are told as functions and lines if the program has symbols, otherwise as module
and offset (libfoo.so+0x1234). The symbols are read after the run, and may be in a debug file
or a .pdb file of the same build. Programs in Python, Node.js and Java: the call sites are those
of the interpreter; the line of the script is not told.

The table has room for 1024 call sites, 256 modules, and 32 peers of each site. The report says
what had no room. The peers are those of the first 256 closes of a site, and of one of 16 after
that (Linux). Which programs cannot be reached: graceful-close run --help.

Exit status:
  125  the command line is wrong, or the library is missing
  126  PROGRAM cannot be run or observed, or the report cannot be written
  127  there is no such PROGRAM
  otherwise that of PROGRAM
";
