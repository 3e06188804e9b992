"""Sanic: the body is larger than its own limit, it answers 413."""
import sys

from sanic import Sanic, response

app = Sanic("refusal")
app.config.REQUEST_MAX_SIZE = 100_000


@app.post("/")
async def upload(request):
    return response.text("ok")


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=int(sys.argv[1]), single_process=True, access_log=False, motd=False)
