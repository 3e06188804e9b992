// A server that answers early: EarlyAnswer.exe bare|graceful|layout|checks
// See ../tests/check_early_answer.py, which plays the client.
using System;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace GracefulClose
{
    internal static class EarlyAnswer
    {
        private static byte[] Answer()
        {
            StringBuilder text = new StringBuilder();
            for (int line = 0; line < 16384; line++) text.Append(line.ToString("D15")).Append('\n');
            return Encoding.ASCII.GetBytes(text.ToString());
        }

        private static void Serve(string mode)
        {
            Socket listener = Listen();
            Console.WriteLine("port " + ((IPEndPoint)listener.LocalEndPoint).Port);
            Console.Out.Flush();
            Socket socket = listener.Accept();
            listener.Close();
            int got = socket.Receive(new byte[1024]);
            byte[] answer = Answer();
            for (int sent = 0; sent < answer.Length;)
                sent += socket.Send(answer, sent, answer.Length - sent, SocketFlags.None);
            if (mode == "bare")
            {
                socket.Close();
                Console.WriteLine("read=" + got);
                return;
            }
            CloseReport report = Graceful.Close(socket, 10000);
            Console.WriteLine("read={0} outcome={1} name={2} closed={3} peer_closed={4} system_error={5} drained={6} unacked={7}",
                got, (int)report.Outcome, report, report.Closed ? 1 : 0, report.PeerClosed ? 1 : 0,
                report.SystemError, report.DrainedBytes,
                report.UnackedBytes.HasValue ? report.UnackedBytes.ToString() : "unknown");
        }

        private static Socket Listen()
        {
            Socket listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen(1);
            return listener;
        }

        private static void Layout()
        {
            Console.WriteLine("version " + Native.gc_version_number() + " " + Graceful.Version);
            PrintStruct("gc_options", typeof(Native.Options));
            PrintStruct("gc_report", typeof(Native.Report));
        }

        private static void PrintStruct(string name, Type type)
        {
            Console.Write(name + " " + Marshal.SizeOf(type));
            foreach (System.Reflection.FieldInfo field in type.GetFields())
                Console.Write(" " + Marshal.OffsetOf(type, field.Name));
            Console.WriteLine();
        }

        private static int wrong;

        private static void Check(bool holds, string what)
        {
            if (holds) return;
            wrong++;
            Console.WriteLine("WRONG: " + what);
        }

        private static void Pair(out Socket server, out Socket client)
        {
            Socket listener = Listen();
            client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            client.Connect(listener.LocalEndPoint);
            server = listener.Accept();
            listener.Close();
        }

        private static void CheckOldProgram()
        {
            Socket server, client;
            Pair(out server, out client);
            client.Close();
            Native.Options options = Native.Options.From(new CloseOptions());
            options.struct_size = new UIntPtr((uint)Marshal.OffsetOf(typeof(Native.Options), "idle_timeout_ms"));
            options.fallback = 77; // behind the end: must not be looked at
            Native.Report report = Native.Report.Empty();
            report.struct_size = new UIntPtr((uint)Marshal.OffsetOf(typeof(Native.Report), "drained_bytes"));
            report.elapsed_us = new UIntPtr(4711);
            IntPtr second = SecondDescriptor.Of(server);
            Check(Native.CloseWith(second, ref options, ref report) == 0, "smaller structures are refused");
            Check(report.closed == 1 && report.peer_closed == 1, "a smaller report is not filled");
            Check(report.elapsed_us.ToUInt64() == 4711, "written behind the end of a smaller report");
            server.Close();
        }

        private static void CheckErrors()
        {
            Socket server, client;
            Pair(out server, out client);
            try
            {
                Graceful.Close(server, new CloseOptions { Fallback = (Fallback)7 });
                Check(false, "an unknown fallback is accepted");
            }
            catch (GracefulCloseException e)
            {
                Check(e.Code == Outcome.BadArgument, "code " + e.Code);
            }
            server.Send(new byte[] { 42 });
            byte[] got = new byte[9];
            Check(client.Receive(got) == 1 && got[0] == 42, "the refused socket is no longer usable");
            try
            {
                Graceful.CloseHandle(new IntPtr(-1), null);
                Check(false, "-1 is a socket");
            }
            catch (GracefulCloseException e)
            {
                Check(e.Code == Outcome.NotASocket && e.SystemError != 0, "code " + e.Code + ", " + e.SystemError);
            }
            Graceful.Abort(server);
            foreach (Action<Socket> again in new Action<Socket>[] {
                delegate(Socket s) { Graceful.Close(s, 1000); }, delegate(Socket s) { Graceful.Abort(s); } })
            {
                try
                {
                    again(server);
                    Check(false, "a socket is closed twice");
                }
                catch (ObjectDisposedException)
                {
                }
            }
            try
            {
                client.Receive(got);
                Check(false, "the peer of an aborted connection sees its end");
            }
            catch (SocketException e)
            {
                Check(e.SocketErrorCode == SocketError.ConnectionReset, "peer of an abort: " + e.SocketErrorCode);
            }
            client.Close();
        }

        private static void CheckFinish()
        {
            Socket server, client;
            Pair(out server, out client);
            client.Shutdown(SocketShutdown.Send);
            Check(Graceful.Finish(server, 5000) == Outcome.Graceful, "finish");
            Check(client.Receive(new byte[9]) == 0, "finished, and no end of stream");
            server.Close();
            client.Close();

            Pair(out server, out client);
            CloseReport report = Graceful.Close(server, new CloseOptions { TimeoutMs = 20, Fallback = Fallback.Background, BackgroundMs = 50 });
            Check(report.Outcome == Outcome.Continued && report.Closed, "continued: " + report);
            client.Close();
            Check(Graceful.Flush(5000), "the background does not end");
        }

        private static void CheckAsync()
        {
            Socket server, client;
            Pair(out server, out client);
            try
            {
                Graceful.CloseAsync(server, new CloseOptions { Fallback = Fallback.Background });
                Check(false, "Fallback.Background in the background is not refused");
            }
            catch (GracefulCloseException e)
            {
                Check(e.Code == Outcome.BadArgument, "refused: " + e.Message);
            }
            server.Send(new byte[] { 42 });
            Check(client.Receive(new byte[9]) == 1, "the refused socket is no longer usable");
            Graceful.CloseAsync(server, null);
            Check(client.Receive(new byte[9]) == 0, "handed over, and no end of stream");
            Check(!Graceful.Flush(50), "nothing is pending");
            client.Close();
            Check(Graceful.Flush(5000), "still pending");
        }

        private static void CheckCallback()
        {
            Socket server, client;
            int got = 0;
            Pair(out server, out client);
            client.Send(new byte[3000]);
            client.Close();
            CloseReport report = Graceful.Close(server, new CloseOptions { OnData = delegate(byte[] data) { got += data.Length; return true; } });
            Check(report.IsGraceful && got == 3000 && report.DrainedBytes == 3000, "OnData got " + got + ", " + report);

            Pair(out server, out client);
            client.Send(new byte[1]);
            report = Graceful.Close(server, new CloseOptions { OnData = delegate { return false; } });
            Check(report.Outcome == Outcome.Stopped, "stopped: " + report);
            client.Close();

            Pair(out server, out client);
            client.Send(new byte[1]);
            try
            {
                Graceful.Close(server, new CloseOptions { OnData = delegate { throw new FormatException("mine"); } });
                Check(false, "an exception of OnData is lost");
            }
            catch (OnDataException e)
            {
                Check(e.InnerException is FormatException, "OnData: " + e);
            }
            client.Close();
        }

        public static int Main(string[] arguments)
        {
            switch (arguments[0])
            {
                case "layout":
                    Layout();
                    break;
                case "checks":
                    CheckOldProgram();
                    CheckErrors();
                    CheckCallback();
                    CheckFinish();
                    CheckAsync();
                    break;
                default:
                    Serve(arguments[0]);
                    break;
            }
            return wrong == 0 ? 0 : 1;
        }
    }
}
