"""WSGI: refuses every body without reading it; GET /1M.bin sends the file."""
import os

FILE = os.environ.get("REAL_FILE", "")


def app(environ, start_response):
    if environ["PATH_INFO"] == "/1M.bin":
        with open(FILE, "rb") as source:
            body = source.read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    body = b"too large\n"
    start_response("413 Content Too Large", [("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":  # Python's own reference server
    import sys
    from wsgiref.simple_server import make_server

    make_server("0.0.0.0", int(sys.argv[1]), app).serve_forever()
