"""The production server: gunicorn with threads. Content and settings are checked before a worker starts."""

import gc
import logging
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from cds_service.web.app import THREADS, WAITING
from cds_service.web.metrics_folder import forget_metrics, share_metrics

GRACE_SECONDS = 35
"""Longer than the longest deadline of a hook call: what was begun is answered (T90)."""
SPARE_THREADS = 8
"""For what is never refused, and for saying no to what is (T89)."""
GARBAGE_THRESHOLD = 50_000
"""Objects made before garbage is looked for: more than one request makes, so that a request is not interrupted."""


class Server(BaseApplication):
    """Gunicorn around an application that each worker makes for itself after the fork.

    Asked to stop, a worker says for `drain_seconds` that it is not ready and still answers; then it takes no more
    connections, answers what was begun, and delivers what waits in the spool. Workers share their metrics in the state
    folder.
    """

    def __init__(
        self,
        make_app: Callable[[], Flask],
        host: str,
        port: int,
        workers: int,
        state_folder: Path,
        drain_seconds: float = 0,
    ) -> None:
        share_metrics(state_folder / f"metrics-{port}")
        self._make_app = make_app
        self.drain_seconds = drain_seconds
        self.made: Flask | None = None
        self._options: dict[str, Any] = {
            "bind": f"{host}:{port}",
            "workers": workers,
            "worker_class": DrainingWorker,
            "threads": THREADS + WAITING + SPARE_THREADS,
            "graceful_timeout": GRACE_SECONDS + round(drain_seconds),
            "keepalive": 30,
            "accesslog": None,
            "logger_class": _OurLog,
            "control_socket_disable": True,
            "post_worker_init": _settle,
            "worker_exit": _end,
            "child_exit": lambda _, worker: forget_metrics(worker.pid),
        }
        super().__init__()

    def run(self) -> None:
        """Serve until the end. What is loaded before a worker is forked stays, and is no garbage."""
        gc.freeze()
        gc.set_threshold(GARBAGE_THRESHOLD)
        gc.enable()
        super().run()

    def load_config(self) -> None:
        """Take the options; gunicorn's own command line and files are not read."""
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """The application of one worker."""
        self.made = self._make_app()
        return self.made.wsgi_app


class DrainingWorker(ThreadWorker):
    """A worker that is first not ready, and then stops (T90)."""

    app: Server

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM."""
        stopping = self.app.made.extensions.get("crs-cds-stopping") if self.app.made is not None else None
        if stopping is None or stopping.is_set() or not self.app.drain_seconds:
            super().handle_exit(sig, frame)
            return
        stopping.set()
        drained = Timer(self.app.drain_seconds, super().handle_exit, (sig, frame))
        drained.daemon = True
        drained.start()

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """A worker that ends closes its door: who comes now is refused at once, in place of waiting for nobody."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()


class _OurLog(Logger):
    """Gunicorn's logger without handlers and a level of its own: its lines go the way of all others."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.setLevel(logging.NOTSET)
            logger.propagate = True


def _settle(_: object) -> None:
    """What lives as long as the worker is left out of garbage collection: shorter pauses within requests."""
    gc.freeze()


def _end(_: object, worker: DrainingWorker) -> None:
    """What waits is delivered if that can be done soon."""
    memory = worker.app.made.extensions.get("crs-cds-memory") if worker.app.made is not None else None
    if memory is not None:
        memory.close()
