"""ASGI: refuses every body without reading it; GET /1M.bin sends the file."""
import os

FILE = os.environ.get("REAL_FILE", "")


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("only http")
    status, body = 413, b"too large\n"
    if scope["path"] == "/1M.bin":
        with open(FILE, "rb") as source:
            status, body = 200, source.read()
    # whoever does not read a body cannot keep the connection
    headers = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
