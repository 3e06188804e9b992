"""Python's ThreadingHTTPServer with HTTP/1.1: refuses without reading the body, and closes."""
import os
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.send_error(413)

    def log_message(self, *arguments):
        pass


os.chdir(sys.argv[2])
ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
