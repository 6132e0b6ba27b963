"""What is seen of a request from outside: its id, one line in the log, and its part in the metrics."""

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import product
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from cds_service.errors import CdsError, StoreUnavailable, Unauthenticated
from cds_service.fhir.breaker import Breaker
from cds_service.fhir.deadline import FhirFailure
from cds_service.fhir.watch import Watch
from cds_service.hooks.answer import Answer
from cds_service.hooks.evaluate import Reading
from cds_service.hooks.services import SERVICES
from cds_service.store.memory import Memory
from cds_service.store.records import Firing

if TYPE_CHECKING:
    from cds_service.web.metrics import Metrics

REQUEST_ID = "X-Request-ID"
PROBES = ("healthy", "ready", "metrics")
"""Routes that machines ask every few seconds: their lines are for the lowest level only."""
LAST = timedelta(hours=1)
SUPPLIED = ("prefetch", "fetched")
_SHORT_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_KNOWN = frozenset(service.id for service in SERVICES)

log = structlog.get_logger()
Spans = Callable[[str, str], AbstractContextManager[Any]]


@dataclass(slots=True, kw_only=True)
class Seen:
    """What is seen of one request until its end; `line` becomes its line in the log."""

    request_id: str
    span: AbstractContextManager[Any]
    begun: float = field(default_factory=time.monotonic)
    client: str = ""
    outcome: str = "served"
    line: dict[str, Any] = field(default_factory=dict)


class Observer(Watch):
    """Sees every step of a call: measures it, and puts it into the trace where there is one."""

    def __init__(self, metrics: "Metrics", spans: Spans) -> None:
        self.metrics = metrics
        self._spans = spans

    def stage(self, name: str, of: str = "") -> AbstractContextManager[None]:
        """Time the step, and make it a span."""
        return _Stage(self._spans(name, of), self.metrics.stage_seconds(name).observe)

    @contextmanager
    def asking(self, base: str, breaker: Breaker) -> Iterator[None]:
        """Time the query by how it ended. A server is a host and port, so the allow-list bounds their number."""
        server, begun, result = urlsplit(base).netloc.lower(), time.monotonic(), "answered"
        try:
            yield
        except FhirFailure as failure:
            result = failure.kind
            raise
        finally:
            self.metrics.fhir_seconds(server, result).observe(time.monotonic() - begun)
            self.metrics.left_alone(server).set(breaker.open)

    def need(self, key: str, how: str) -> None:
        """Count the need; what failed also stands in the line of the request."""
        self.metrics.needs(key, how).inc()
        if how not in SUPPLIED:
            _seen().line.setdefault("needs", {})[key] = how

    def answered(self, service: str, answer: Answer) -> None:
        """Count an answer of a service."""
        seen, assessment = _seen(), answer.reading.assessment
        shown = "cards" if answer.cards else "held-back" if answer.suppressed else "nothing"
        self.metrics.answers(service, seen.client, shown).inc()
        self.metrics.grades(service, seen.client, "none" if assessment.grade is None else assessment.grade).inc()
        seen.line["cards"] = len(answer.cards)
        self.read(answer.reading, answer.desk.call.hookInstance)

    def read(self, reading: Reading, hook_instance: str) -> None:
        """Count what was read of a patient and could not be used, for an answer or for the app."""
        seen, assessment, unrecognised = _seen(), reading.assessment, reading.unrecognised
        for cause, times in Counter(unused.cause.value for unused in assessment.unused).items():
            self.metrics.unused(seen.client, cause).inc(times)
        self.metrics.count_unrecognised(seen.client, unrecognised)
        seen.outcome = assessment.status.value
        seen.line |= {"hook_instance": hook_instance, "unrecognised": unrecognised.total()}
        if reading.of_others:
            log.warning(
                "resources of others",
                **_service(),
                client=seen.client,
                hook_instance=hook_instance,
                of_others=reading.of_others,
            )

    def saw_token(self, client: str, age: float) -> None:
        """Measure how far the clock of a client is from ours (T18)."""
        self.metrics.token_age_seconds(client).observe(age)

    def lost(self) -> None:
        """Count a record that could be kept nowhere."""
        self.metrics.records_lost.inc()

    def exposition(self, memory: Memory, clients: Collection[str], now: datetime) -> bytes:
        """The metrics, with what waits for the store and how often these clients were answered in the last hour.

        A client that does not call is there with 0. While the store cannot be read nothing is said of this.
        """
        away, counted = False, dict[tuple[str, str], Firing]()
        try:
            counted = {(one.service, one.client): one for one in memory.store.firing(now - LAST)}
        except StoreUnavailable:
            away = True
        waiting = memory.backlog()
        self.metrics.store_away.set(away or waiting.away)
        self.metrics.store_backlog_bytes.set(waiting.bytes)
        self.metrics.store_refused_bytes.set(waiting.refused_bytes)
        self.metrics.state_free_bytes.set(memory.free_bytes())
        pairs = [] if away else list(product(sorted(_KNOWN), clients))
        return self.metrics.exposition([counted.get(of, Firing(service=of[0], client=of[1])) for of in pairs])

    def watch(self, app: Flask) -> None:
        """Watch the requests of an application. Before anything else is wired into it."""

        @app.before_request
        def begin() -> None:
            given = request.headers.get(REQUEST_ID, "")
            request_id = given if _SHORT_TOKEN.fullmatch(given) else token_hex(16)
            g.seen = seen = Seen(request_id=request_id, span=self._spans("request", request.endpoint or ""))
            seen.span.__enter__()
            clear_contextvars()
            bind_contextvars(request_id=request_id)

        @app.after_request
        def end(response: Response) -> Response:
            seen, status = _seen(), response.status_code
            response.headers[REQUEST_ID] = seen.request_id
            seen.span.__exit__(None, None, None)
            seconds = time.monotonic() - seen.begun
            route, service = request.endpoint or "none", _service().get("service", "")
            self.metrics.requests(route, service, seen.client, seen.outcome).inc()
            if seen.outcome == Unauthenticated.__name__:
                self.metrics.tokens_refused(seen.line["reason"]).inc()
            self.metrics.request_seconds(route, service).observe(seconds)
            write = log.error if status == HTTPStatus.INTERNAL_SERVER_ERROR else log.info
            (log.debug if route in PROBES else write)(
                _event(route, status),
                route=route,
                **_service(),
                status=status,
                outcome=seen.outcome,
                milliseconds=round(seconds * 1000),
                **seen.line,
            )
            return response


class _Stage(AbstractContextManager[None]):
    """One step, timed within its span."""

    __slots__ = ("_begun", "_measure", "_span")

    def __init__(self, span: AbstractContextManager[Any], measure: Callable[[float], None]) -> None:
        self._span = span
        self._measure = measure

    def __enter__(self) -> None:
        self._span.__enter__()
        self._begun = time.monotonic()

    def __exit__(self, *raised: Any) -> None:
        self._measure(time.monotonic() - self._begun)
        self._span.__exit__(*raised)


def _service() -> dict[str, str]:
    """The CDS service that this request is for, if it is one of ours."""
    service = (request.view_args or {}).get("service_id", "")
    return {"service": service} if service in _KNOWN else {}


def no_spans(name: str, of: str) -> AbstractContextManager[Any]:
    """In place of spans where nothing is traced."""
    return nullcontext()


def _seen() -> Seen:
    seen: Seen = g.seen
    return seen


def called_by(client: str) -> None:
    """It is known who calls."""
    seen = _seen()
    seen.client = seen.line["client"] = client


def ended(error: CdsError) -> None:
    """The request ended in this error; why a caller is not let in is said here and not to the caller."""
    seen = _seen()
    seen.outcome = type(error).__name__
    if isinstance(error, Unauthenticated):
        seen.line["reason"] = error.reason


def failed_at(*, reason: str, where: str) -> None:
    """The request ended in a failure of the service: its class and place."""
    _seen().line |= {"reason": reason, "where": where}


def _event(route: str, status: int) -> str:
    if status >= HTTPStatus.BAD_REQUEST:
        return "failed" if status == HTTPStatus.INTERNAL_SERVER_ERROR else "refused"
    return "answered" if route == "call" else "served"
