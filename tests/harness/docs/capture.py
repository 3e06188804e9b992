"""Records what time_wait (examples-c) sends over the loopback, and makes short traces of it.

A trace is what a sequence diagram shows: the first data of each side, FINs and their
acknowledgements, resets; and what the program itself printed about the end.
"""
import re
import socket
import struct
import subprocess
import threading

ETH_P_IP = 0x0800
PACKET_OUTGOING = 4  # the loopback shows each packet twice
FIN, SYN, RST = 1, 2, 4

# The rows of time_wait in their order: each way twice, with nothing and with 20 kB unread.
WAYS = ("bare", "linger-0-0", "linger-1-0", "shutdown-both", "gc-close", "peer-first", "abort")
ROW = re.compile(r"\s(nothing|20 kB)\s+(\d+)\s+(\d+)\s+(\d+)$")


class Recorder(threading.Thread):
    """Keeps the TCP segments of the loopback: (source, target, flags, number, acknowledged, size)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
        self.socket.bind(("lo", ETH_P_IP))
        self.socket.settimeout(1)
        self.segments = []
        self.over = False

    def run(self):
        while True:
            try:
                packet, address = self.socket.recvfrom(128 * 1024)
            except socket.timeout:
                if self.over:
                    return
                continue
            if address[2] != PACKET_OUTGOING and packet[9] == socket.IPPROTO_TCP:
                self.segments.append(segment(packet))


def segment(packet):
    header = (packet[0] & 15) * 4
    source, target, number, acknowledged, offset, flags = struct.unpack_from("!HHIIBB", packet, header)
    # not the length field: it is 0 in a packet larger than 64 KiB
    size = len(packet) - header - (offset >> 4) * 4
    return source, target, flags, number, acknowledged, size


def trace(segments, port):
    """The events of the connection to this port."""
    events, sizes, fins, seen = [], {}, {}, set()

    def once(*event):
        if event not in seen:
            seen.add(event)
            events.append({"from": event[0], "what": event[1]})

    for source, target, flags, number, acknowledged, size in segments:
        if port not in (source, target):
            continue
        who = "server" if source == port else "client"
        peer = "client" if who == "server" else "server"
        if flags & SYN and who == "client":
            once(who, "connect")
        if size > 0:
            sizes.setdefault(who, set()).update((number, number + size))
            once(who, "data")
        if peer in fins and acknowledged == (fins[peer] + 1) % (1 << 32):
            once(who, "ack")
        if flags & FIN:
            fins[who] = (number + size) % (1 << 32)
            once(who, "fin")
        if flags & RST:
            once(who, "rst")
    for event in events:
        if event["what"] == "data":
            numbers = sizes[event["from"]]
            event["bytes"] = (max(numbers) - min(numbers)) % (1 << 32)
    return events


def record(program):
    """Runs time_wait once for each way: {way: {events, time_wait, whole}}. None if the system gave a
    port twice: the connections, and what the program counted, cannot be told apart then."""
    recorder = Recorder()
    recorder.start()
    said = subprocess.run([program, "1"], capture_output=True, text=True, timeout=120).stdout
    recorder.over = True
    recorder.join()
    ports = []
    for source, target, flags, *_ in recorder.segments:
        if flags & SYN and not flags & 16 and target not in ports:
            ports.append(target)
    rows = [found.groups() for found in map(ROW.search, said.splitlines()) if found]
    if len(rows) != 2 * len(WAYS):
        raise SystemExit(f"time_wait has {len(rows)} rows:\n{said}")
    if len(ports) != len(rows):
        return None
    scenes = {}
    for at, (unread, server, client, lost) in enumerate(rows):
        name = WAYS[at // 2] + ("" if unread == "nothing" else "-unread")
        scenes[name] = {
            "events": trace(recorder.segments, ports[at]),
            "time_wait": {"server": int(server), "client": int(client)},
            "whole": lost == "0",
        }
    return scenes
