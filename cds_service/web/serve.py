"""The production server: gunicorn with threads. Content and settings are checked before a worker starts."""

import gc
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from cds_service.web.app import THREADS

GRACE_SECONDS = 35
"""Longer than the longest deadline of a hook call: what was begun is answered (T90)."""
GARBAGE_THRESHOLD = 50_000
"""Objects made before garbage is looked for: more than one request makes, so that a request is not interrupted."""


class Server(BaseApplication):
    """Gunicorn around an application that each worker makes for itself after the fork."""

    def __init__(self, make_app: Callable[[], Flask], host: str, port: int, workers: int) -> None:
        self._make_app = make_app
        self._options: dict[str, Any] = {
            "bind": f"{host}:{port}",
            "workers": workers,
            "worker_class": "gthread",
            "threads": THREADS,
            "graceful_timeout": GRACE_SECONDS,
            "keepalive": 30,
            "accesslog": None,
            "loglevel": "error",
            "control_socket_disable": True,
            "post_worker_init": _settle,
        }
        super().__init__()

    def load_config(self) -> None:
        """Take the options; gunicorn's own command line and files are not read."""
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """The application of one worker."""
        return self._make_app().wsgi_app


def _settle(_: object) -> None:
    """What lives as long as the worker is left out of garbage collection: shorter pauses within requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
