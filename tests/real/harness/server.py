"""One server, as data; servers.py says what the fields mean."""


class Server:
    def __init__(self, name, command, needs=(), post=0, conf=None, before=(), hold=0, options=(),
                 prepare=(), scheme="http", settle=0.0, env=None, port=8000):
        self.name = name
        self.command = command.split()
        self.needs = tuple(needs)
        self.post = post
        self.conf = conf
        self.before = [line.split() for line in before]
        self.hold = hold
        self.options = tuple(options)
        self.prepare = [line.split() for line in prepare]
        self.scheme = scheme
        self.settle = settle
        self.env = env or {}
        self.port = port


# for programs that shut down both directions before they close
HALF = ("--shutdown-both", "half")
