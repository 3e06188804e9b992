"""gevent's WSGI server, by itself."""
import sys

from gevent.pywsgi import WSGIServer

from wsgi_app import app

WSGIServer(("0.0.0.0", int(sys.argv[1])), app, log=None).serve_forever()
