"""Twisted: a resource that refuses, without a look at the body."""
import sys

from twisted.internet import reactor
from twisted.web import resource, server, static


class Refusal(resource.Resource):
    isLeaf = True

    def render_POST(self, request):
        request.setResponseCode(413)
        request.setHeader(b"connection", b"close")
        return b"too large\n"


root = resource.Resource()
root.putChild(b"", Refusal())
root.putChild(b"1M.bin", static.File(sys.argv[2]))
reactor.listenTCP(int(sys.argv[1]), server.Site(root))
reactor.run()
