{ A server that answers early: EarlyAnswer bare|graceful|layout|checks
  See ../tests/check_early_answer.py, which plays the client. }
program EarlyAnswer;

{$MODE DELPHI}
{$IFDEF MSWINDOWS}{$APPTYPE CONSOLE}{$ENDIF}

uses
  {$IFDEF MSWINDOWS}WinSock2{$ELSE}Sockets, BaseUnix{$ENDIF}, GracefulClose;

const
  AnswerLines = 16384;

var
  Answer: array [0 .. AnswerLines * 16 - 1] of AnsiChar;
  Wrong: Integer = 0;

procedure Check(Holds: Boolean; const What: string);
begin
  if Holds then Exit;
  Inc(Wrong);
  WriteLn('WRONG: ', What);
end;

procedure Demand(Holds: Boolean; const What: string);
begin
  if Holds then Exit;
  WriteLn('cannot ', What);
  Halt(2);
end;

{ the few names that differ }
{$IFDEF MSWINDOWS}
procedure StartNetwork;
var
  Data: TWSAData;
begin
  Demand(WSAStartup($202, Data) = 0, 'start Winsock');
end;

function NewSocket: TGcSocket;
begin
  Result := socket(AF_INET, SOCK_STREAM, 0);
end;

function NetRecv(S: TGcSocket; var Buffer; Size: Integer): Integer;
begin
  Result := recv(S, Buffer, Size, 0);
end;

function NetSend(S: TGcSocket; var Buffer; Size: Integer): Integer;
begin
  Result := send(S, Buffer, Size, 0);
end;

procedure BareClose(S: TGcSocket);
begin
  closesocket(S);
end;
{$ELSE}
procedure StartNetwork;
begin
end;

function NewSocket: TGcSocket;
begin
  Result := fpSocket(AF_INET, SOCK_STREAM, 0);
end;

function NetRecv(S: TGcSocket; var Buffer; Size: Integer): Integer;
begin
  Result := fpRecv(S, @Buffer, Size, 0);
end;

function NetSend(S: TGcSocket; var Buffer; Size: Integer): Integer;
begin
  Result := fpSend(S, @Buffer, Size, MSG_NOSIGNAL);
end;

procedure BareClose(S: TGcSocket);
begin
  fpClose(S);
end;
{$ENDIF}

{ a listening socket, and where }
function Listener(out Address: TSockAddr): TGcSocket;
var
  Size: {$IFDEF MSWINDOWS}Integer{$ELSE}TSockLen{$ENDIF};
begin
  Result := NewSocket;
  FillChar(Address, SizeOf(Address), 0);
  Address.sin_family := AF_INET;
  Address.sin_addr.s_addr := htonl($7F000001);
  Size := SizeOf(Address);
  {$IFDEF MSWINDOWS}
  Demand(bind(Result, @Address, Size) = 0, 'bind');
  Demand(listen(Result, 1) = 0, 'listen');
  Demand(getsockname(Result, Address, Size) = 0, 'learn the port');
  {$ELSE}
  Demand(fpBind(Result, @Address, Size) = 0, 'bind');
  Demand(fpListen(Result, 1) = 0, 'listen');
  Demand(fpGetSockName(Result, @Address, @Size) = 0, 'learn the port');
  {$ENDIF}
end;

function Accepted(Listening: TGcSocket): TGcSocket;
begin
  Result := {$IFDEF MSWINDOWS}accept{$ELSE}fpAccept{$ENDIF}(Listening, nil, nil);
  Demand(Result <> TGcSocket(-1), 'accept');
  BareClose(Listening);
end;

procedure Pair(out Server, Client: TGcSocket);
var
  Address: TSockAddr;
  Listening: TGcSocket;
begin
  Listening := Listener(Address);
  Client := NewSocket;
  {$IFDEF MSWINDOWS}
  Demand(connect(Client, @Address, SizeOf(Address)) = 0, 'connect');
  {$ELSE}
  Demand(fpConnect(Client, @Address, SizeOf(Address)) = 0, 'connect');
  {$ENDIF}
  Server := Accepted(Listening);
end;

procedure MakeAnswer;
var
  Line, Digit, Rest: Integer;
begin
  for Line := 0 to AnswerLines - 1 do
  begin
    Rest := Line;
    for Digit := 14 downto 0 do
    begin
      Answer[Line * 16 + Digit] := AnsiChar(Ord('0') + Rest mod 10);
      Rest := Rest div 10;
    end;
    Answer[Line * 16 + 15] := #10;
  end;
end;

procedure Serve(const Mode: string);
var
  Address: TSockAddr;
  Listening, S: TGcSocket;
  Request: array [0 .. 1023] of Byte;
  Got, Sent, Now, Code: Integer;
  Options: TGcOptions;
  Report: TGcReport;
begin
  Listening := Listener(Address);
  WriteLn('port ', ntohs(Address.sin_port));
  Flush(Output);
  S := Accepted(Listening);
  Got := NetRecv(S, Request, SizeOf(Request));
  Sent := 0;
  while Sent < SizeOf(Answer) do
  begin
    Now := NetSend(S, Answer[Sent], SizeOf(Answer) - Sent);
    Demand(Now > 0, 'send');
    Inc(Sent, Now);
  end;
  if Mode = 'bare' then
  begin
    BareClose(S);
    WriteLn('read=', Got);
    Exit;
  end;
  Options := GcOptions(10000);
  Report := GcReport;
  Code := gc_close_with(S, @Options, @Report);
  Check(Code = Report.outcome, 'the report tells another outcome');
  Write('read=', Got, ' outcome=', Code, ' name=', gc_outcome_name(Code), ' closed=', Report.closed,
    ' peer_closed=', Report.peer_closed, ' system_error=', Report.system_error, ' drained=', Report.drained_bytes);
  if Report.unacked_bytes = GC_UNKNOWN then WriteLn(' unacked=unknown')
  else WriteLn(' unacked=', Report.unacked_bytes);
end;

procedure Layout;
var
  O: TGcOptions;
  R: TGcReport;

  function InO(var Member): TGcSize;
  begin
    Result := TGcSize(@Member) - TGcSize(@O);
  end;

  function InR(var Member): TGcSize;
  begin
    Result := TGcSize(@Member) - TGcSize(@R);
  end;

begin
  WriteLn('version ', gc_version_number, ' ', gc_version_string);
  Check(gc_version_number = GRACEFUL_CLOSE_VERSION_NUMBER, 'another version than that of the unit');
  WriteLn('gc_options ', SizeOf(O), ' ', InO(O.struct_size), ' ', InO(O.timeout_ms), ' ', InO(O.idle_timeout_ms), ' ',
    InO(O.peer_first_ms), ' ', InO(O.fallback), ' ', InO(O.if_shared), ' ', InO(O.flags), ' ', InO(O.max_drain_bytes), ' ',
    TGcSize(@@O.on_data) - TGcSize(@O), ' ', InO(O.user), ' ', InO(O.background_ms));
  WriteLn('gc_report ', SizeOf(R), ' ', InR(R.struct_size), ' ', InR(R.outcome), ' ', InR(R.system_error), ' ', InR(R.closed), ' ',
    InR(R.peer_closed), ' ', InR(R.drained_bytes), ' ', InR(R.unacked_bytes), ' ', InR(R.elapsed_us));
end;

procedure CheckOldProgram;
var
  Server, Client: TGcSocket;
  Options: TGcOptions;
  Report: TGcReport;
begin
  Pair(Server, Client);
  BareClose(Client);
  Options := GcOptions;
  Options.struct_size := TGcSize(@Options.idle_timeout_ms) - TGcSize(@Options);
  Options.fallback := 77; { behind the end: must not be looked at }
  Report := GcReport;
  Report.struct_size := TGcSize(@Report.drained_bytes) - TGcSize(@Report);
  Report.elapsed_us := 4711;
  Check(gc_close_with(Server, @Options, @Report) = GC_GRACEFUL, 'smaller structures are refused');
  Check((Report.closed = 1) and (Report.peer_closed = 1), 'a smaller report is not filled');
  Check(Report.elapsed_us = 4711, 'written behind the end of a smaller report');
end;

procedure CheckErrors;
var
  Server, Client: TGcSocket;
  Options: TGcOptions;
  Octet: Byte;
  Got: Integer;
begin
  Pair(Server, Client);
  Options := GcOptions;
  Options.fallback := 7;
  Check(gc_close_with(Server, @Options, nil) = GC_ERR_ARGUMENT, 'an unknown fallback is accepted');
  Octet := 42;
  Check(NetSend(Server, Octet, 1) = 1, 'the refused socket is no longer usable');
  Check((NetRecv(Client, Octet, 1) = 1) and (Octet = 42), 'the refused socket does not send');
  Check(gc_abort(Server) = 0, 'no abort');
  Got := NetRecv(Client, Octet, 1);
  { Wine lets a reset look like an end here, and tells of it at the next send }
  {$IFDEF MSWINDOWS}if Got = 0 then Got := NetSend(Client, Octet, 1);{$ENDIF}
  Check(Got < 0, 'the peer of an aborted connection sees its end');
  Check(gc_closesocket(Client) = 0, 'gc_closesocket');
  Check(gc_close(TGcSocket(-1), 0) = GC_ERR_NOT_A_SOCKET, '-1 is a socket');
end;

function Collect(User, Data: Pointer; Size: TGcSize): TGcInt; cdecl;
begin
  Inc(PInteger(User)^, Size);
  if PByte(Data)^ = 7 then Result := 1 else Result := 0;
end;

procedure CheckCallback;
var
  Server, Client: TGcSocket;
  Options: TGcOptions;
  Got: Integer;
  Data: array [0 .. 2999] of Byte;
begin
  FillChar(Data, SizeOf(Data), 1);
  Got := 0;
  Options := GcOptions;
  Options.on_data := Collect;
  Options.user := @Got;
  Pair(Server, Client);
  Check(NetSend(Client, Data, SizeOf(Data)) = SizeOf(Data), 'send');
  BareClose(Client);
  Check(gc_close_with(Server, @Options, nil) = GC_GRACEFUL, 'not graceful with on_data');
  Check(Got = SizeOf(Data), 'on_data did not get everything');
  Pair(Server, Client);
  Data[0] := 7;
  Check(NetSend(Client, Data, 1) = 1, 'send');
  Check(gc_close_with(Server, @Options, nil) = GC_STOPPED, 'not stopped by on_data');
  BareClose(Client);
end;

procedure Finished(User: Pointer; Sock: TGcSocket; Report: PGcReport); cdecl;
begin
  { on the reaper's thread: no WriteLn, no strings, unless the program uses threads }
  PInteger(User)^ := Report^.outcome;
end;

procedure CheckReaper;
var
  Server, Client: TGcSocket;
  Reaper: PGcReaper;
  Outcome: Integer;
begin
  Outcome := GC_PENDING;
  Demand(gc_reaper_new(nil, Reaper) = 0, 'start a reaper');
  Pair(Server, Client);
  Check(gc_reaper_close(Reaper, Server, nil, Finished, @Outcome) = 0, 'the reaper refuses');
  BareClose(Client);
  Check(gc_reaper_free(Reaper, 5000) = 0, 'the reaper does not finish');
  Check(Outcome = GC_GRACEFUL, 'the reaper did not end gracefully');
end;

begin
  StartNetwork;
  MakeAnswer;
  if ParamStr(1) = 'layout' then Layout
  else if ParamStr(1) = 'checks' then
  begin
    CheckOldProgram;
    CheckErrors;
    CheckCallback;
    CheckReaper;
  end
  else Serve(ParamStr(1));
  if Wrong > 0 then Halt(1);
end.
