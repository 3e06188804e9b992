"""CherryPy: refuses bodies above a limit."""
import sys

import cherrypy

cherrypy.config.update({"server.socket_host": "0.0.0.0", "server.socket_port": int(sys.argv[1]),
                        "server.max_request_body_size": 100_000, "log.screen": False,
                        "engine.autoreload.on": False})


class Root:
    @cherrypy.expose
    def index(self):
        return "hello\n"


cherrypy.quickstart(Root())
