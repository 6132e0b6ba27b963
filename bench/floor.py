"""The floor: the least that a service of this kind could do, under the same production server.

It parses a call with orjson, looks at every value, and answers. `python -m bench.floor PORT FOLDER` serves it.
"""

import sys
from pathlib import Path

import orjson
from flask import Flask, Response, request

from bench.bodies import SERVICE
from cds_service.web.logs import configure_logs
from cds_service.web.serve import Server


def floor() -> Flask:
    """The application."""
    app = Flask("floor")

    @app.post(SERVICE)
    def scan() -> Response:
        highest = 0.0
        for bundle in orjson.loads(request.get_data())["prefetch"].values():
            for entry in (bundle or {}).get("entry", ()):
                highest = max(highest, entry["resource"].get("valueQuantity", {}).get("value", 0))
        return Response(orjson.dumps({"cards": [], "highest": highest}), mimetype="application/json")

    return app


if __name__ == "__main__":
    configure_logs()
    Server(floor, "127.0.0.1", int(sys.argv[1]), 1, Path(sys.argv[2])).run()
