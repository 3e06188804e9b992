// Ends TCP connections properly: graceful_close for C#, by P/Invoke.
//
//     CloseReport report = Graceful.Close(socket, 5000);
//     if (!report.IsGraceful) Log("closed, but " + report);
//
// instead of socket.Close(). C# 5, .NET Framework 4.5 and later, .NET, Mono; one file, to be
// compiled into the program. With a TcpClient: Graceful.Close(client.Client, 5000), then
// client.Close().
//
// Ownership. A Socket cannot give its handle away in all of these worlds, so the library is
// given a second descriptor of the same connection (dup, WSADuplicateSocket) and closes that one
// gracefully; the Socket is closed last, when there is nothing left to be lost. It is closed
// after every outcome, and still open and yours after a GracefulCloseException. A program that
// holds a bare handle of its own calls Graceful.CloseHandle(), which needs no second descriptor.
//
// The connection is over for everybody who holds it. TLS (SslStream) comes first.
//
// The library is graceful_close.dll or libgraceful_close.so. Where only libgraceful_close.so.0 is
// installed, Mono is told by PROGRAM.exe.config:
//     <configuration><dllmap dll="graceful_close" target="libgraceful_close.so.0"/></configuration>
using System;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace GracefulClose
{
    /// <summary>How a close ended; negative: nothing was done.</summary>
    public enum Outcome
    {
        Graceful = 0,
        TimedOut = 1,
        Reset = 2,
        Lost = 3,
        DrainLimit = 4,
        Stopped = 5,
        NotConnected = 6,
        Uncertain = 7,
        Evicted = 8,
        Released = 9,
        Delivered = 10,
        Continued = 11,
        NotASocket = -1,
        BadArgument = -2,
        NoResources = -3,
        ReaperStopped = -4,
        SystemError = -5,
        InternalError = -6
    }

    /// <summary>What to do with a connection that could not be closed gracefully.</summary>
    public enum Fallback
    {
        /// <summary>Ordinary close; the system goes on trying.</summary>
        Close = 0,
        /// <summary>Reset: nothing lingers, unsent data is dropped.</summary>
        Abort = 1,
        /// <summary>Only where the time is up: a thread of the library goes on for BackgroundMs.</summary>
        Background = 3
    }

    /// <summary>Nothing was done; the socket is still open and yours.</summary>
    public class GracefulCloseException : Exception
    {
        public Outcome Code { get; private set; }
        /// <summary>errno or WSAGetLastError().</summary>
        public int SystemError { get; private set; }

        public GracefulCloseException(Outcome code, int systemError)
            : base(Graceful.NameOf(code) + " (system error " + systemError + ")")
        {
            Code = code;
            SystemError = systemError;
        }
    }

    /// <summary>OnData threw InnerException; the socket is closed.</summary>
    public class OnDataException : Exception
    {
        public OnDataException(Exception inner) : base("OnData failed; the socket is closed", inner) { }
    }

    /// <summary>How to close. Times are milliseconds; Graceful.Infinite: no limit.</summary>
    public class CloseOptions
    {
        public uint TimeoutMs = 5000;
        /// <summary>Give up sooner when nothing moved for so long; 0: never.</summary>
        public uint IdleTimeoutMs;
        /// <summary>Wait so long for the peer to close first: it gets TIME_WAIT.</summary>
        public uint PeerFirstMs;
        public Fallback Fallback;
        /// <summary>Give up when the peer sends more; 0: no limit.</summary>
        public ulong MaxDrainBytes;
        /// <summary>With Fallback.Background; 0: 30000.</summary>
        public uint BackgroundMs;
        /// <summary>Do not wait for the peer's FIN: Outcome.Delivered.</summary>
        public bool UntilAcked;
        /// <summary>Gets what the peer still sends; returns false to stop. What it throws ends
        /// the close and comes out of Close() in an OnDataException.</summary>
        public Func<byte[], bool> OnData;
    }

    /// <summary>How a close ended.</summary>
    public class CloseReport
    {
        public Outcome Outcome { get; private set; }
        /// <summary>The first errno or WSA code met, 0 if none.</summary>
        public int SystemError { get; private set; }
        public bool Closed { get; private set; }
        /// <summary>Whether the peer's FIN was seen.</summary>
        public bool PeerClosed { get; private set; }
        public ulong DrainedBytes { get; private set; }
        /// <summary>Ours, not acknowledged at the end; null: the system cannot tell.</summary>
        public ulong? UnackedBytes { get; private set; }
        public TimeSpan Elapsed { get; private set; }
        public bool IsGraceful { get { return Outcome == Outcome.Graceful; } }

        internal CloseReport(Native.Report raw)
        {
            Outcome = (Outcome)raw.outcome;
            SystemError = raw.system_error;
            Closed = raw.closed != 0;
            PeerClosed = raw.peer_closed != 0;
            DrainedBytes = raw.drained_bytes.ToUInt64();
            if (raw.unacked_bytes != Native.Unknown) UnackedBytes = raw.unacked_bytes.ToUInt64();
            Elapsed = TimeSpan.FromTicks((long)Math.Min(raw.elapsed_us.ToUInt64(), long.MaxValue / 10) * 10);
        }

        public override string ToString() { return Graceful.NameOf(Outcome); }
    }

    /// <summary>The calls. All may be used from any thread.</summary>
    public static class Graceful
    {
        public const uint Infinite = 0xFFFFFFFF;

        /// <summary>Closes within so many milliseconds.</summary>
        public static CloseReport Close(Socket socket, uint timeoutMs)
        {
            return Close(socket, new CloseOptions { TimeoutMs = timeoutMs });
        }

        public static CloseReport Close(Socket socket, CloseOptions options)
        {
            IntPtr second = SecondDescriptor.Of(socket);
            CloseReport report;
            try
            {
                report = CloseHandle(second, options);
            }
            catch (OnDataException)
            {
                socket.Close(); // the connection is over
                throw;
            }
            catch
            {
                SecondDescriptor.Close(second); // nothing was done, or there is no library
                throw;
            }
            socket.Close();
            return report;
        }

        /// <summary>Closes a SOCKET or descriptor that no Socket owns.</summary>
        public static CloseReport CloseHandle(IntPtr handle, CloseOptions options)
        {
            Exception thrown = null;
            Native.Options raw = Native.Options.From(options ?? new CloseOptions());
            Native.DataFn onData = null;
            if (options != null && options.OnData != null)
            {
                Func<byte[], bool> deliver = options.OnData;
                // An exception cannot cross C: it ends the close, and is thrown again afterwards.
                onData = delegate(IntPtr user, IntPtr data, UIntPtr size)
                {
                    try
                    {
                        byte[] copy = new byte[(int)size.ToUInt32()];
                        Marshal.Copy(data, copy, 0, copy.Length);
                        return deliver(copy) ? 0 : 1;
                    }
                    catch (Exception e)
                    {
                        thrown = e;
                        return 1;
                    }
                };
                raw.on_data = Marshal.GetFunctionPointerForDelegate(onData);
            }
            Native.Report report = Native.Report.Empty();
            int code = Native.CloseWith(handle, ref raw, ref report);
            int error = Marshal.GetLastWin32Error();
            GC.KeepAlive(onData);
            if (code < 0) throw new GracefulCloseException((Outcome)code, error);
            if (thrown != null) throw new OnDataException(thrown);
            return new CloseReport(report);
        }

        /// <summary>Finishes the connection and leaves the Socket open, for its owner to close.</summary>
        public static Outcome Finish(Socket socket, uint timeoutMs)
        {
            if (socket == null) throw new ArgumentNullException("socket");
            // throws if it is closed: its handle may be somebody else's
            try { GC.KeepAlive(socket.LocalEndPoint); }
            catch (SocketException) { }
            int code = Native.Finish(socket.Handle, timeoutMs);
            int error = Marshal.GetLastWin32Error();
            GC.KeepAlive(socket);
            if (code < 0) throw new GracefulCloseException((Outcome)code, error);
            return (Outcome)code;
        }

        /// <summary>Hands the connection over and returns; a thread of the library does the rest. Call
        /// Flush() before the program ends, or what is pending is cut off. Not for OnData.</summary>
        public static void CloseAsync(Socket socket, CloseOptions options)
        {
            options = options ?? new CloseOptions();
            if (options.OnData != null)
                throw new ArgumentException("CloseAsync has no OnData: nobody would get what it throws", "options");
            IntPtr second = SecondDescriptor.Of(socket);
            try
            {
                Native.Options raw = Native.Options.From(options);
                int code = Native.CloseAsyncWith(second, ref raw);
                int error = Marshal.GetLastWin32Error();
                if (code < 0) throw new GracefulCloseException((Outcome)code, error);
            }
            catch
            {
                SecondDescriptor.Close(second); // nothing was done, or there is no library
                throw;
            }
            socket.Close();
        }

        /// <summary>Waits until nothing of CloseAsync() and Fallback.Background is pending; false when the time is up.</summary>
        public static bool Flush(uint timeoutMs)
        {
            return Native.gc_flush(timeoutMs) == 0;
        }

        /// <summary>Resets the connection now; what was not sent is dropped.</summary>
        public static void Abort(Socket socket)
        {
            IntPtr second = SecondDescriptor.Of(socket);
            // in the Socket, too: where other holders go on, the last to close resets
            socket.LingerState = new LingerOption(true, 0);
            int code = Native.Abort(second);
            int error = Marshal.GetLastWin32Error();
            if (code < 0)
            {
                SecondDescriptor.Close(second);
                throw new GracefulCloseException((Outcome)code, error);
            }
            socket.Close();
        }

        /// <summary>"graceful", "timed out", ...</summary>
        public static string NameOf(Outcome code)
        {
            return Marshal.PtrToStringAnsi(Native.gc_outcome_name((int)code));
        }

        /// <summary>The version of the library that is running.</summary>
        public static string Version
        {
            get { return Marshal.PtrToStringAnsi(Native.gc_version_string()); }
        }
    }

    /// <summary>A second descriptor of the same connection, owned by nobody else.</summary>
    internal static class SecondDescriptor
    {
        private const int ProtocolInfoSize = 628; // WSAPROTOCOL_INFOW
        private const int FromProtocolInfo = -1;
        private const uint Overlapped = 1, NoInherit = 0x80;

        /// <summary>Throws ObjectDisposedException, as Socket's own methods do, after a close.</summary>
        internal static IntPtr Of(Socket socket)
        {
            if (socket == null) throw new ArgumentNullException("socket");
            // The handle of a closed Socket is -1 or, worse, still the old number. Its other
            // properties throw; that it is not bound or not connected is no matter.
            try { GC.KeepAlive(socket.LocalEndPoint); }
            catch (SocketException) { }
            IntPtr second = OfHandle(socket.Handle);
            GC.KeepAlive(socket);
            return second;
        }

        private static IntPtr OfHandle(IntPtr handle)
        {
            IntPtr second;
            if (Native.IsWindows)
            {
                byte[] info = new byte[ProtocolInfoSize];
                if (WSADuplicateSocketW(handle, GetCurrentProcessId(), info) != 0) throw Failed();
                second = WSASocketW(FromProtocolInfo, FromProtocolInfo, FromProtocolInfo, info, 0, Overlapped | NoInherit);
            }
            else
            {
                second = new IntPtr(dup(handle.ToInt32()));
            }
            if (second == new IntPtr(-1)) throw Failed();
            return second;
        }

        internal static void Close(IntPtr second)
        {
            if (Native.IsWindows) closesocket(second);
            else close(second.ToInt32());
        }

        private static GracefulCloseException Failed()
        {
            return new GracefulCloseException(Outcome.SystemError, Marshal.GetLastWin32Error());
        }

        [DllImport("libc", SetLastError = true)]
        private static extern int dup(int descriptor);
        [DllImport("libc", SetLastError = true)]
        private static extern int close(int descriptor);
        [DllImport("kernel32.dll")]
        private static extern uint GetCurrentProcessId();
        [DllImport("ws2_32.dll", SetLastError = true)]
        private static extern int WSADuplicateSocketW(IntPtr socket, uint process, [Out] byte[] info);
        [DllImport("ws2_32.dll", SetLastError = true)]
        private static extern IntPtr WSASocketW(int family, int type, int protocol, byte[] info, uint group, uint flags);
        [DllImport("ws2_32.dll", SetLastError = true)]
        private static extern int closesocket(IntPtr socket);
    }

    /// <summary>What the C header declares.</summary>
    internal static class Native
    {
        private const string Library = "graceful_close";

        internal static readonly bool IsWindows = System.IO.Path.DirectorySeparatorChar == '\\';
        internal static readonly UIntPtr Unknown = new UIntPtr(UIntPtr.Size == 8 ? ulong.MaxValue : uint.MaxValue);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int DataFn(IntPtr user, IntPtr data, UIntPtr size);

        [StructLayout(LayoutKind.Sequential)]
        internal struct Options
        {
            public UIntPtr struct_size;
            public uint timeout_ms;
            public uint idle_timeout_ms;
            public uint peer_first_ms;
            public uint fallback;
            public uint if_shared;
            public uint flags;
            public UIntPtr max_drain_bytes;
            public IntPtr on_data;
            public IntPtr user;
            public uint background_ms;

            internal static Options From(CloseOptions options)
            {
                Options raw = new Options();
                raw.struct_size = new UIntPtr((uint)Marshal.SizeOf(typeof(Options)));
                raw.timeout_ms = options.TimeoutMs;
                raw.idle_timeout_ms = options.IdleTimeoutMs;
                raw.peer_first_ms = options.PeerFirstMs;
                raw.fallback = (uint)options.Fallback;
                raw.flags = options.UntilAcked ? 2u : 0u;
                raw.max_drain_bytes = new UIntPtr(options.MaxDrainBytes);
                raw.background_ms = options.BackgroundMs;
                return raw;
            }
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct Report
        {
            public UIntPtr struct_size;
            public int outcome;
            public int system_error;
            public int closed;
            public int peer_closed;
            public UIntPtr drained_bytes;
            public UIntPtr unacked_bytes;
            public UIntPtr elapsed_us;

            internal static Report Empty()
            {
                Report raw = new Report();
                raw.struct_size = new UIntPtr((uint)Marshal.SizeOf(typeof(Report)));
                return raw;
            }
        }

        internal static int CloseWith(IntPtr handle, ref Options options, ref Report report)
        {
            return IsWindows ? close_with_handle(handle, ref options, ref report)
                : close_with_descriptor(handle.ToInt32(), ref options, ref report);
        }

        internal static int Finish(IntPtr handle, uint timeoutMs)
        {
            return IsWindows ? finish_handle(handle, timeoutMs) : finish_descriptor(handle.ToInt32(), timeoutMs);
        }

        internal static int CloseAsyncWith(IntPtr handle, ref Options options)
        {
            return IsWindows ? async_with_handle(handle, ref options, IntPtr.Zero, IntPtr.Zero)
                : async_with_descriptor(handle.ToInt32(), ref options, IntPtr.Zero, IntPtr.Zero);
        }

        internal static int Abort(IntPtr handle)
        {
            return IsWindows ? abort_handle(handle) : abort_descriptor(handle.ToInt32());
        }

        // gc_socket is as wide as a pointer on Windows, and an int elsewhere
        [DllImport(Library, EntryPoint = "gc_close_with", CallingConvention = CallingConvention.Cdecl, SetLastError = true)]
        private static extern int close_with_handle(IntPtr sock, ref Options options, ref Report report);
        [DllImport(Library, EntryPoint = "gc_close_with", CallingConvention = CallingConvention.Cdecl, SetLastError = true)]
        private static extern int close_with_descriptor(int sock, ref Options options, ref Report report);
        [DllImport(Library, EntryPoint = "gc_finish", CallingConvention = CallingConvention.Cdecl, SetLastError = true)]
        private static extern int finish_handle(IntPtr sock, uint timeoutMs);
        [DllImport(Library, EntryPoint = "gc_finish", CallingConvention = CallingConvention.Cdecl, SetLastError = true)]
        private static extern int finish_descriptor(int sock, uint timeoutMs);
        [DllImport(Library, EntryPoint = "gc_close_async_with", CallingConvention = CallingConvention.Cdecl, SetLastError = true)]
        private static extern int async_with_handle(IntPtr sock, ref Options options, IntPtr done, IntPtr user);
        [DllImport(Library, EntryPoint = "gc_close_async_with", CallingConvention = CallingConvention.Cdecl, SetLastError = true)]
        private static extern int async_with_descriptor(int sock, ref Options options, IntPtr done, IntPtr user);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int gc_flush(uint timeoutMs);
        [DllImport(Library, EntryPoint = "gc_abort", CallingConvention = CallingConvention.Cdecl, SetLastError = true)]
        private static extern int abort_handle(IntPtr sock);
        [DllImport(Library, EntryPoint = "gc_abort", CallingConvention = CallingConvention.Cdecl, SetLastError = true)]
        private static extern int abort_descriptor(int sock);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr gc_outcome_name(int code);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern IntPtr gc_version_string();
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern uint gc_version_number();
    }
}
