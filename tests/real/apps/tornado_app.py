"""Tornado: the body is larger than its own limit, it answers 400."""
import asyncio
import sys

import tornado.web


class Upload(tornado.web.RequestHandler):
    def post(self):
        self.write("ok")


async def main():
    tornado.web.Application([("/", Upload)]).listen(int(sys.argv[1]), "0.0.0.0", max_body_size=100_000)
    await asyncio.Event().wait()


asyncio.run(main())
