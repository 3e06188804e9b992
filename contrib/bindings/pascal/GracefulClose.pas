{ Ends TCP connections properly: graceful_close for Delphi and Free Pascal.

      Outcome := gc_close(Socket, 5000);          at most 5 seconds
      if Outcome < 0 then                          still open and yours
      else if Outcome <> GC_GRACEFUL then          closed, but gc_outcome_name(Outcome)

  instead of closesocket(Socket) or fpClose(Socket). The C header is the manual; this unit
  declares the same functions by the same names.

  Windows: put graceful_close.dll (of the program's own width) beside the program. Linux: the
  program is linked against libgraceful_close.so and needs libgraceful_close.so.0 to run.

  With a component that owns its socket (TServerSocket, Synapse, Indy), take the handle away
  from it first, or it will close the number again, which may be somebody else's by then. TLS
  comes first. The connection is over for everybody who holds it.

  Exceptions must not leave a callback. }
unit GracefulClose;

{$IFDEF FPC}
  {$MODE DELPHI}
  {$PACKRECORDS C}
{$ELSE}
  {$ALIGN 8}
{$ENDIF}

interface

const
  { Windows loads it by this name; elsewhere it is what the linker gets, as -lgraceful_close }
  GC_LIBRARY = {$IFDEF MSWINDOWS}'graceful_close.dll'{$ELSE}'graceful_close'{$ENDIF};

  GRACEFUL_CLOSE_VERSION_NUMBER = 200;

  GC_INFINITE = $FFFFFFFF;

  { outcomes: the socket is no longer yours }
  GC_GRACEFUL      = 0;
  GC_TIMED_OUT     = 1;
  GC_RESET         = 2;
  GC_LOST          = 3;
  GC_DRAIN_LIMIT   = 4;
  GC_STOPPED       = 5;
  GC_NOT_CONNECTED = 6;
  GC_UNCERTAIN     = 7;
  GC_EVICTED       = 8;
  GC_RELEASED      = 9;
  GC_DELIVERED     = 10;
  GC_CONTINUED     = 11;
  GC_PENDING       = 100;

  { errors: nothing was done, the socket is still open and yours }
  GC_ERR_NOT_A_SOCKET = -1;
  GC_ERR_ARGUMENT     = -2;
  GC_ERR_RESOURCES    = -3;
  GC_ERR_STOPPED      = -4;
  GC_ERR_SYSTEM       = -5;
  GC_ERR_INTERNAL     = -6;

  { gc_options.fallback }
  GC_THEN_CLOSE = 0;
  GC_THEN_ABORT = 1;
  GC_THEN_KEEP  = 2;
  GC_THEN_BACKGROUND = 3;

  { gc_options.if_shared }
  GC_SHARED_SHUTDOWN = 0;
  GC_SHARED_RELEASE  = 1;

  { gc_options.flags }
  GC_DEFERRED = 1;
  GC_UNTIL_ACKED = 2;
  GC_KEEP_OPEN = 4;

  { gc_reaper_options.when_full }
  GC_FULL_EVICT_OLDEST = 0;
  GC_FULL_REFUSE       = 1;

type
  { what C calls size_t, int and unsigned int }
  TGcSize = {$IFDEF FPC}SizeUInt{$ELSE}NativeUInt{$ENDIF};
  TGcInt  = {$IFDEF FPC}LongInt{$ELSE}Integer{$ENDIF};
  TGcUInt = {$IFDEF FPC}LongWord{$ELSE}Cardinal{$ENDIF};

  { a SOCKET on Windows, a descriptor elsewhere }
  TGcSocket = {$IFDEF MSWINDOWS}TGcSize{$ELSE}TGcInt{$ENDIF};

  { returns 0 to go on, anything else to stop; Data is valid during the call only }
  TGcDataFn = function(User, Data: Pointer; Size: TGcSize): TGcInt; cdecl;

  PGcOptions = ^TGcOptions;
  TGcOptions = record
    struct_size: TGcSize;
    timeout_ms: TGcUInt;
    idle_timeout_ms: TGcUInt;
    peer_first_ms: TGcUInt;
    fallback: TGcUInt;
    if_shared: TGcUInt;
    flags: TGcUInt;
    max_drain_bytes: TGcSize;
    on_data: TGcDataFn;
    user: Pointer;
    background_ms: TGcUInt;
  end;

  PGcReport = ^TGcReport;
  TGcReport = record
    struct_size: TGcSize;
    outcome: TGcInt;
    system_error: TGcInt;
    closed: TGcInt;
    peer_closed: TGcInt;
    drained_bytes: TGcSize;
    unacked_bytes: TGcSize;
    elapsed_us: TGcSize;
  end;

  PGcReaperOptions = ^TGcReaperOptions;
  TGcReaperOptions = record
    struct_size: TGcSize;
    max_pending: TGcSize;
    when_full: TGcUInt;
  end;

  PGcStats = ^TGcStats;
  TGcStats = record
    struct_size: TGcSize;
    closed: TGcSize;
    by_outcome: array [0 .. 15] of TGcSize;
    aborted: TGcSize;
    drained_bytes: TGcSize;
    pending: TGcSize;
  end;

  { called on the reaper's thread; Sock only identifies, it is closed }
  TGcDoneFn = procedure(User: Pointer; Sock: TGcSocket; Report: PGcReport); cdecl;
  TGcLogFn = procedure(User: Pointer; Outcome: TGcInt; Line: PAnsiChar); cdecl;

  { handles }
  PGcClosing = Pointer;
  PGcReaper = Pointer;

const
  { a count that this system cannot tell }
  GC_UNKNOWN = TGcSize(-1);

{ what GC_OPTIONS_INIT, GC_REPORT_INIT, GC_REAPER_OPTIONS_INIT and GC_STATS_INIT do in C }
function GcOptions(TimeoutMs: TGcUInt = 5000): TGcOptions;
function GcReport: TGcReport;
function GcReaperOptions: TGcReaperOptions;
function GcStats: TGcStats;

function gc_close(sock: TGcSocket; timeout_ms: TGcUInt): TGcInt; cdecl; external GC_LIBRARY;
function gc_close_with(sock: TGcSocket; options: PGcOptions; report: PGcReport): TGcInt; cdecl; external GC_LIBRARY;
function gc_finish(sock: TGcSocket; timeout_ms: TGcUInt): TGcInt; cdecl; external GC_LIBRARY;
function gc_abort(sock: TGcSocket): TGcInt; cdecl; external GC_LIBRARY;
function gc_close_many(socks: Pointer; count: TGcSize; options: PGcOptions; reports: PGcReport): TGcInt; cdecl; external GC_LIBRARY;
procedure gc_set_default_timeout(timeout_ms: TGcUInt); cdecl; external GC_LIBRARY;
{ closesocket's own convention, in calling and in what it returns }
function gc_closesocket(sock: TGcSocket): TGcInt; {$IFDEF MSWINDOWS}stdcall{$ELSE}cdecl{$ENDIF}; external GC_LIBRARY;

{ in the program's own event loop }
function gc_closing_new(sock: TGcSocket; options: PGcOptions; out closing: PGcClosing): TGcInt; cdecl; external GC_LIBRARY;
function gc_closing_step(closing: PGcClosing): TGcInt; cdecl; external GC_LIBRARY;
function gc_closing_socket(closing: PGcClosing): TGcSocket; cdecl; external GC_LIBRARY;
function gc_closing_timeout_ms(closing: PGcClosing): TGcUInt; cdecl; external GC_LIBRARY;
function gc_closing_wants_read(closing: PGcClosing): TGcInt; cdecl; external GC_LIBRARY;
function gc_closing_report(closing: PGcClosing; report: PGcReport): TGcInt; cdecl; external GC_LIBRARY;
procedure gc_closing_free(closing: PGcClosing); cdecl; external GC_LIBRARY;

{ in the background }
function gc_close_async(sock: TGcSocket; timeout_ms: TGcUInt): TGcInt; cdecl; external GC_LIBRARY;
function gc_close_async_with(sock: TGcSocket; options: PGcOptions; done: TGcDoneFn; user: Pointer): TGcInt; cdecl; external GC_LIBRARY;
function gc_flush(timeout_ms: TGcUInt): TGcInt; cdecl; external GC_LIBRARY;
function gc_reaper_new(options: PGcReaperOptions; out reaper: PGcReaper): TGcInt; cdecl; external GC_LIBRARY;
function gc_reaper_close(reaper: PGcReaper; sock: TGcSocket; options: PGcOptions; done: TGcDoneFn; user: Pointer): TGcInt; cdecl; external GC_LIBRARY;
function gc_reaper_pending(reaper: PGcReaper): TGcSize; cdecl; external GC_LIBRARY;
function gc_reaper_flush(reaper: PGcReaper; timeout_ms: TGcUInt): TGcInt; cdecl; external GC_LIBRARY;
function gc_reaper_free(reaper: PGcReaper; timeout_ms: TGcUInt): TGcInt; cdecl; external GC_LIBRARY;

{ words and figures }
function gc_get_stats(stats: PGcStats): TGcInt; cdecl; external GC_LIBRARY;
procedure gc_set_log(log: TGcLogFn; user: Pointer); cdecl; external GC_LIBRARY;
procedure gc_set_log_caller(enabled: TGcInt); cdecl; external GC_LIBRARY;
function gc_outcome_name(code: TGcInt): PAnsiChar; cdecl; external GC_LIBRARY;
function gc_version_string: PAnsiChar; cdecl; external GC_LIBRARY;
function gc_version_number: TGcUInt; cdecl; external GC_LIBRARY;

implementation

function GcOptions(TimeoutMs: TGcUInt): TGcOptions;
begin
  FillChar(Result, SizeOf(Result), 0);
  Result.struct_size := SizeOf(Result);
  Result.timeout_ms := TimeoutMs;
end;

function GcReport: TGcReport;
begin
  FillChar(Result, SizeOf(Result), 0);
  Result.struct_size := SizeOf(Result);
end;

function GcReaperOptions: TGcReaperOptions;
begin
  FillChar(Result, SizeOf(Result), 0);
  Result.struct_size := SizeOf(Result);
end;

function GcStats: TGcStats;
begin
  FillChar(Result, SizeOf(Result), 0);
  Result.struct_size := SizeOf(Result);
end;

end.
