"""cheroot, CherryPy's server, before the WSGI program."""
import sys

from cheroot.wsgi import Server
from wsgi_app import app

Server(("0.0.0.0", int(sys.argv[1])), app).start()
