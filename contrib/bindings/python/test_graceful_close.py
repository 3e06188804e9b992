"""Tests of graceful_close.py: python3 -m unittest, with the library to be found."""

import ctypes
import errno
import gc
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

import graceful_close
from graceful_close import Error, Fallback, GracefulCloseError, Outcome, Reaper, Shared


def pair():
    """A connected pair of TCP sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    client.settimeout(10)
    return server, client


def talk(client, chunks):
    """Sends chunks, then closes; in a thread."""
    def run():
        for chunk in chunks:
            client.sendall(chunk)
            time.sleep(0.01)
        client.close()
    thread = threading.Thread(target=run)
    thread.start()
    return thread


class Close(unittest.TestCase):
    def setUp(self):
        self.server, self.client = pair()
        self.addCleanup(self.client.close)

    def test_graceful(self):
        fd = self.server.fileno()
        thread = talk(self.client, [b"a" * 1000] * 5)
        report = graceful_close.close(self.server, timeout=10)
        thread.join()
        self.assertIs(report.outcome, Outcome.GRACEFUL)
        self.assertTrue(report.graceful and report.closed and report.peer_closed)
        self.assertEqual((report.drained_bytes, report.unacked_bytes, report.system_error), (5000, 0, 0))
        self.assertGreater(report.elapsed, 0)
        self.assertEqual(str(report), "graceful")
        self.assertEqual(self.server.fileno(), -1)
        with self.assertRaises(OSError):
            os.fstat(fd)

    def test_closing_the_object_again_harms_nobody(self):
        self.client.close()
        fd = self.server.fileno()
        graceful_close.close(self.server)
        with socket.socket() as other:  # somebody else gets the number
            os.dup2(other.fileno(), fd)
        self.server.close()
        os.close(fd)  # still there

    def test_timed_out_not_earlier_than_asked(self):
        started = time.monotonic()
        report = graceful_close.close(self.server, timeout=0.2)
        self.assertGreaterEqual(time.monotonic() - started, 0.2)
        self.assertIs(report.outcome, Outcome.TIMED_OUT)
        self.assertFalse(report.peer_closed)

    def test_reset(self):
        graceful_close.abort(self.client)
        self.assertEqual(self.client.fileno(), -1)
        report = graceful_close.close(self.server)
        self.assertIs(report.outcome, Outcome.RESET)
        self.assertEqual(report.system_error, errno.ECONNRESET)

    def test_descriptor_number(self):
        self.client.close()
        self.assertTrue(graceful_close.close(self.server.detach()).graceful)

    def test_keep_hands_the_same_object_back(self):
        self.server.settimeout(3)
        fd = self.server.fileno()
        report = graceful_close.close(self.server, timeout=0.05, fallback=Fallback.KEEP)
        self.assertIs(report.outcome, Outcome.TIMED_OUT)
        self.assertFalse(report.closed)
        self.assertEqual((self.server.fileno(), self.server.gettimeout()), (fd, 3))
        self.client.sendall(b"later")
        self.assertEqual(self.server.recv(10), b"later")
        self.server.close()

    def test_shared_is_released(self):
        other = self.server.dup()
        self.addCleanup(other.close)
        report = graceful_close.close(self.server, if_shared=Shared.RELEASE)
        self.assertIs(report.outcome, Outcome.RELEASED)
        other.sendall(b"on")
        self.assertEqual(self.client.recv(10), b"on")

    def test_tls_is_refused(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls = context.wrap_socket(self.server, server_hostname="localhost", do_handshake_on_connect=False)
        with self.assertRaises(TypeError):
            graceful_close.close(tls)
        self.assertNotEqual(tls.fileno(), -1)
        tls.close()


class OnData(unittest.TestCase):
    def setUp(self):
        self.server, self.client = pair()
        self.addCleanup(self.client.close)

    def test_delivered_in_order(self):
        got = []
        chunks = [b"%d" % number * 500 for number in range(9)]
        thread = talk(self.client, chunks)
        report = graceful_close.close(self.server, timeout=10, on_data=lambda data: got.append(data))
        thread.join()
        self.assertEqual(b"".join(got), b"".join(chunks))
        self.assertEqual(report.drained_bytes, 4500)

    def test_stops(self):
        self.client.sendall(b"x")
        report = graceful_close.close(self.server, timeout=10, on_data=lambda data: True)
        self.assertIs(report.outcome, Outcome.STOPPED)

    def test_exception_comes_out(self):
        def fail(data):
            raise KeyError("mine")
        self.client.sendall(b"x")
        with self.assertRaisesRegex(KeyError, "mine"):
            graceful_close.close(self.server, timeout=10, on_data=fail)
        self.assertEqual(self.server.fileno(), -1)


class Errors(unittest.TestCase):
    def test_closed_object(self):
        sock = socket.socket()
        sock.close()
        with self.assertRaises(GracefulCloseError) as caught:
            graceful_close.close(sock)
        self.assertIs(caught.exception.code, Error.NOT_A_SOCKET)
        self.assertEqual(caught.exception.errno, errno.EBADF)
        self.assertIn("closed already", str(caught.exception))

    def test_second_close(self):
        server, client = pair()
        client.close()
        graceful_close.close(server)
        for again in (graceful_close.close, graceful_close.close_async, graceful_close.abort):
            with self.assertRaisesRegex(GracefulCloseError, "closed already"):
                again(server)

    def test_file_is_left_alone(self):
        with open(__file__, "rb") as file:
            with self.assertRaises(GracefulCloseError) as caught:
                graceful_close.close(file.fileno())
            self.assertIs(caught.exception.code, Error.NOT_A_SOCKET)
            self.assertEqual(caught.exception.errno, errno.ENOTSOCK)
            self.assertTrue(file.read(1))

    def test_refused_socket_is_put_back(self):
        server, client = pair()
        fd = server.fileno()
        for refuse in (lambda: graceful_close.close(server, fallback=7),
                       lambda: Reaper().close(server, fallback=Fallback.KEEP)):
            with self.assertRaises(GracefulCloseError) as caught:
                refuse()
            self.assertIs(caught.exception.code, Error.ARGUMENT)
            self.assertEqual(server.fileno(), fd)
        server.sendall(b"alive")
        self.assertEqual(client.recv(10), b"alive")
        server.close()
        client.close()

    def test_wrong_arguments_leave_the_socket(self):
        with socket.socket() as sock, Reaper() as reaper:
            for wrong, error in [
                (lambda: graceful_close.close(sock, timeout=-1), ValueError),
                (lambda: graceful_close.close_async(sock, timeout=-1), ValueError),
                (lambda: graceful_close.close_async(sock, timeout="soon"), TypeError),
                (lambda: graceful_close.close_many([sock], timeout=-1), ValueError),
                (lambda: graceful_close.close_many([sock, None]), TypeError),
                (lambda: graceful_close.close(sock, on_data=7), TypeError),
                (lambda: reaper.close(sock, timeout=-1), ValueError),
                (lambda: reaper.close(sock, done=7), TypeError),
                (lambda: reaper.free(-1), ValueError),
            ]:
                with self.assertRaises(error):
                    wrong()
                self.assertNotEqual(sock.fileno(), -1)
            self.assertEqual(reaper.pending, 0)

    def test_what_is_no_socket_is_named(self):
        for call in graceful_close.close, graceful_close.close_async, graceful_close.abort:
            with self.assertRaisesRegex(TypeError, "not 'str'"):
                call("socket")

    def test_freed_reaper(self):
        server, client = pair()
        reaper = Reaper()
        reaper.free()
        reaper.free()
        with self.assertRaisesRegex(GracefulCloseError, "freed"):
            reaper.close(server)
        self.assertNotEqual(server.fileno(), -1)
        server.close()
        client.close()

    def test_number_that_is_no_int(self):
        server, client = pair()
        for wrong in (1 << 32) + server.fileno(), -1:
            with self.assertRaises(GracefulCloseError) as caught:
                graceful_close.close(wrong, timeout=0)
            self.assertIs(caught.exception.code, Error.NOT_A_SOCKET)
        server.sendall(b"alive")
        self.assertEqual(client.recv(10), b"alive")
        server.close()
        client.close()

    def test_byte_counts_are_not_cut(self):
        self.assertEqual(graceful_close._options(0, max_drain_bytes=1 << 64)[0].max_drain_bytes, graceful_close.UNKNOWN)
        with self.assertRaises(ValueError):
            graceful_close._options(0, max_drain_bytes=-1)

    def test_outcome_of_a_newer_library(self):
        raw = graceful_close._Report(struct_size=ctypes.sizeof(graceful_close._Report), outcome=42, closed=1)
        report = graceful_close.Report(raw)
        self.assertEqual((report.outcome, report.graceful, report.closed), (42, False, True))
        raw.outcome = -42
        self.assertEqual(graceful_close.Report(raw).outcome, -42)
        self.assertEqual(GracefulCloseError(-42).code, -42)

    def test_rounding(self):
        milliseconds = graceful_close._milliseconds
        self.assertEqual([milliseconds(s) for s in (0, 0.0001, 1, 1.0005, None)],
                         [0, 1, 1000, 1001, graceful_close.INFINITE])


class StructSize(unittest.TestCase):
    """The library must believe struct_size, not its own idea of the structure."""

    def setUp(self):
        self.server, self.client = pair()
        self.addCleanup(self.client.close)
        self.lib = graceful_close._lib

    def close_with(self, options, report):
        """For structures that are none of the module's."""
        call = ctypes.CFUNCTYPE(ctypes.c_int, graceful_close._Socket, ctypes.c_void_p, ctypes.c_void_p)(
            ("gc_close_with", self.lib))
        return call(self.server.detach(), ctypes.addressof(options), ctypes.addressof(report))

    def test_old_program_gets_what_it_knows(self):
        report = graceful_close._Report()
        ctypes.memset(ctypes.byref(report), 0x55, ctypes.sizeof(report))
        report.struct_size = graceful_close._Report.drained_bytes.offset
        options = graceful_close._Options(struct_size=graceful_close._Options.idle_timeout_ms.offset, timeout_ms=2000)
        options.fallback = 77  # behind the end: must not be looked at
        self.client.close()
        self.assertEqual(self.close_with(options, report), Outcome.GRACEFUL)
        self.assertEqual((report.outcome, report.closed, report.peer_closed), (0, 1, 1))
        untouched = int.from_bytes(b"\x55" * ctypes.sizeof(ctypes.c_size_t), "little")
        self.assertEqual((report.drained_bytes, report.unacked_bytes, report.elapsed_us), (untouched,) * 3)

    def larger(self, tail):
        class Larger(ctypes.Structure):
            _fields_ = graceful_close._Options._fields_ + [("tail", ctypes.c_size_t)]
        return Larger(struct_size=ctypes.sizeof(Larger), timeout_ms=2000, tail=tail)

    def test_new_program_with_nothing_new(self):
        self.client.close()
        report = graceful_close._Report(struct_size=ctypes.sizeof(graceful_close._Report))
        self.assertEqual(self.close_with(self.larger(0), report), Outcome.GRACEFUL)

    def test_new_program_that_asks_for_the_unknown(self):
        fd = self.server.fileno()
        report = graceful_close._Report(struct_size=ctypes.sizeof(graceful_close._Report))
        self.assertEqual(self.close_with(self.larger(1), report), Error.ARGUMENT)
        os.close(fd)  # still ours


class Many(unittest.TestCase):
    def test_all_of_them(self):
        pairs = [pair() for _ in range(20)]
        for _, client in pairs:
            client.close()
        pairs[7][0].close()
        with self.assertRaises(GracefulCloseError):
            graceful_close.close_many([server for server, _ in pairs])
        self.assertNotEqual(pairs[3][0].fileno(), -1)  # put back
        reports = graceful_close.close_many([server for server, _ in pairs if server.fileno() >= 0])
        self.assertEqual([report.outcome for report in reports], [Outcome.GRACEFUL] * 19)
        self.assertEqual({server.fileno() for server, _ in pairs}, {-1})

    def test_none(self):
        self.assertEqual(graceful_close.close_many([]), [])


class Background(unittest.TestCase):
    def test_reaper_calls_back(self):
        told = []
        with Reaper() as reaper:
            for number in range(10):
                server, client = pair()
                reaper.close(server, timeout=5, done=lambda report, number=number: told.append((number, report)))
                self.assertEqual(server.fileno(), -1)
                client.close()
            self.assertTrue(reaper.flush(5))
            self.assertEqual(reaper.pending, 0)
        self.assertEqual(sorted(number for number, _ in told), list(range(10)))
        self.assertTrue(all(report.graceful for _, report in told))

    def test_full_reaper_refuses(self):
        reaper = Reaper(max_pending=1, refuse_when_full=True)
        first, first_client = pair()
        second, second_client = pair()
        reaper.close(first, timeout=30)
        with self.assertRaises(GracefulCloseError) as caught:
            reaper.close(second, timeout=30)
        self.assertIs(caught.exception.code, Error.RESOURCES)
        self.assertNotEqual(second.fileno(), -1)
        second.close()
        self.assertFalse(reaper.free(0.05))
        first_client.close()
        second_client.close()

    def test_exceptions_are_reported(self):
        seen = []
        former, sys.unraisablehook = sys.unraisablehook, lambda args: seen.append(args.exc_type)
        try:
            with Reaper() as reaper:
                server, client = pair()
                reaper.close(server, timeout=5, done=lambda report: 1 / 0)
                client.close()
        finally:
            sys.unraisablehook = former
        self.assertEqual(seen, [ZeroDivisionError])

    def test_reaper_that_nobody_holds(self):
        told = threading.Event()
        server, client = pair()
        Reaper().close(server, timeout=5, done=lambda report: told.set())
        gc.collect()
        client.close()
        self.assertTrue(told.wait(5))

    def test_end_of_the_interpreter(self):
        # closes end, and are told, while modules are taken down
        program = """
import ctypes, socket, sys, graceful_close
def pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]
class Slow:
    usleep = ctypes.CDLL(None).usleep
    def __del__(self):
        self.usleep(300000)
sys.modules["slow"] = Slow()
reaper = graceful_close.Reaper()
graceful_close.set_log(lambda outcome, line: None)
clients = []
for number in range(20):
    client, server = pair()
    if %d:
        reaper.close(server, timeout=0.05 + number / 100, done=lambda report: None)
    else:
        graceful_close.close_async(server, timeout=0.05 + number / 100)
    clients.append(client)
"""
        for kind in 0, 1:
            ended = subprocess.run([sys.executable, "-c", program % kind], stderr=subprocess.PIPE, timeout=30,
                                   cwd=os.path.dirname(os.path.abspath(graceful_close.__file__)))
            self.assertEqual((ended.returncode, ended.stderr), (0, b""))

    def test_async(self):
        before = graceful_close.stats()
        server, client = pair()
        server.sendall(b"the end")
        graceful_close.close_async(server, timeout=5)
        self.assertEqual(server.fileno(), -1)
        self.assertEqual(client.recv(100), b"the end")
        self.assertEqual(client.recv(100), b"")
        client.close()
        self.assertTrue(graceful_close.flush(5))
        after = graceful_close.stats()
        self.assertEqual(after["closed"] - before["closed"], 1)
        self.assertEqual(after["by_outcome"][Outcome.GRACEFUL] - before["by_outcome"][Outcome.GRACEFUL], 1)

    def test_async_with_options(self):
        before = graceful_close.stats()["by_outcome"]
        server, client = pair()
        graceful_close.close_async(server, timeout=60, idle_timeout=0.05, fallback=Fallback.ABORT)
        self.assertTrue(graceful_close.flush(5))
        after = graceful_close.stats()["by_outcome"]
        self.assertEqual(after[Outcome.TIMED_OUT] - before[Outcome.TIMED_OUT], 1)
        client.close()
        server, client = pair()
        for refuse, error in (
                (lambda: graceful_close.close_async(server, fallback=Fallback.KEEP), graceful_close.GracefulCloseError),
                (lambda: graceful_close.close_async(server, on_data=print), TypeError)):
            self.assertRaises(error, refuse)
        server.sendall(b"alive")
        server.close()
        client.close()

    def test_background(self):
        server, client = pair()
        report = graceful_close.close(server, timeout=0.02, fallback=graceful_close.Fallback.BACKGROUND,
                                      background=5)
        self.assertIs(report.outcome, Outcome.CONTINUED)
        self.assertEqual(server.fileno(), -1)
        self.assertFalse(graceful_close.flush(0.05))
        client.close()
        self.assertTrue(graceful_close.flush(5))

    def test_finish(self):
        server, client = pair()
        self.addCleanup(client.close)
        server.sendall(b"the end")
        number = server.fileno()
        self.assertIs(graceful_close.finish(server, timeout=0.02).outcome, Outcome.TIMED_OUT)
        self.assertEqual(server.fileno(), number)
        client.shutdown(socket.SHUT_WR)
        self.assertIs(graceful_close.finish(server, timeout=5).outcome, Outcome.GRACEFUL)
        self.assertEqual(server.fileno(), number)
        server.close()
        self.assertEqual(client.recv(100), b"the end")

    def test_until_acked(self):
        server, client = pair()
        self.addCleanup(client.close)
        server.sendall(b"the end")
        report = graceful_close.close(server, timeout=5, until_acked=True)
        if sys.platform == "linux":
            self.assertIs(report.outcome, Outcome.DELIVERED)

    def test_log(self):
        lines = []
        graceful_close.set_log(lambda outcome, line: lines.append((outcome, line)))
        server, client = pair()
        graceful_close.close(server, timeout=0.01)
        graceful_close.set_log(None)
        client.close()
        self.assertEqual(len(lines), 1)
        self.assertEqual(lines[0][0], Outcome.TIMED_OUT)
        self.assertIn("127.0.0.1", lines[0][1])
        self.assertNotIn("caller", lines[0][1])

    def test_log_with_the_caller(self):
        lines = []
        graceful_close.set_log(lambda outcome, line: lines.append(line))
        graceful_close.set_log_caller(True)
        server, client = pair()
        graceful_close.close(server, timeout=0.01)
        graceful_close.set_log_caller(False)
        graceful_close.set_log(None)
        client.close()
        self.assertRegex(lines[0], r"; caller: [^ ]+\+0x[0-9a-f]+( < |$)")


if __name__ == "__main__":
    unittest.main()
