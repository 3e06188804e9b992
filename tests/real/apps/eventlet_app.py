"""eventlet's WSGI server."""
import sys

import eventlet
import eventlet.wsgi

from wsgi_app import app

eventlet.wsgi.server(eventlet.listen(("0.0.0.0", int(sys.argv[1]))), app, log_output=False)
