"""aiohttp: the handler refuses without reading; GET /1M.bin sends the file."""
import os
import sys

from aiohttp import web


async def upload(_request):
    return web.Response(status=413, text="too large\n")


async def get(_request):
    return web.FileResponse(os.environ["REAL_FILE"])


app = web.Application()
app.add_routes([web.post("/", upload), web.get("/1M.bin", get)])
web.run_app(app, host="0.0.0.0", port=int(sys.argv[1]), print=None)
