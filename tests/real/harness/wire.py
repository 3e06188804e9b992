"""A wire with a delay: two TUN devices in two network namespaces, and this process between them.

The kernel's own TCP runs on both ends; only the packets wait, as netem lets them wait, which many
kernels are built without. Started in the clients' namespace; makes the servers' namespace itself, says
"ready" and then carries packets:  python3 -m harness.wire DELAY_MS MBIT LOSS_PERCENT"""
import collections
import ctypes
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time

CLIENT, SERVER = "10.77.0.1", "10.77.0.2"
QUEUE = 1000  # packets, as netem's own limit
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000


def device(name, address):
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TUN | IFF_NO_PI))
    for command in ("ip addr add %s/24 dev %s" % (address, name), "ip link set %s up mtu 1500" % name,
                    "ip link set lo up"):
        subprocess.run(command.split(), check=True)
    return tun


class Direction:
    """Packets from one device to the other, each held for the delay, at the rate of the wire."""

    def __init__(self, source, target, delay, rate, loss):
        self.source, self.target = source, target
        self.delay, self.rate, self.loss = delay, rate, loss
        self.queue = collections.deque()
        self.free = 0.0  # when the wire has sent what it has

    def take(self, now):
        for _ in range(64):
            try:
                packet = os.read(self.source, 2048)
            except BlockingIOError:
                return
            if len(self.queue) >= QUEUE or random.random() < self.loss:
                continue
            self.free = max(self.free, now) + len(packet) * 8 / self.rate
            self.queue.append((self.free + self.delay, packet))

    def give(self, now):
        while self.queue and self.queue[0][0] <= now:
            try:
                os.write(self.target, self.queue.popleft()[1])
            except OSError:
                pass  # the device is down: the packet is lost


def carry(one, two, delay, rate, loss):
    ways = [Direction(one, two, delay, rate, loss), Direction(two, one, delay, rate, loss)]
    while True:
        due = [way.queue[0][0] for way in ways if way.queue]
        wait = max(0.0, min(due) - time.monotonic()) if due else 1.0
        ready, _, _ = select.select([one, two], [], [], wait)
        now = time.monotonic()
        for way in ways:
            if way.source in ready:
                way.take(now)
            way.give(now)


def main():
    delay, mbit, loss = (float(word) for word in sys.argv[1:4])
    one = device("wire", CLIENT)
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    two = device("wire", SERVER)
    print("ready", flush=True)
    carry(one, two, delay / 1000, mbit * 1e6, loss / 100)


if __name__ == "__main__":
    main()
