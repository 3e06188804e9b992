"""pyftpdlib, for one client at a time."""
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_anonymous(sys.argv[2])
server = FTPServer(("0.0.0.0", int(sys.argv[1])), FTPHandler)
server.max_cons = 2  # the listening socket counts
server.serve_forever()
