"""The keys of one client: those of its entry, and those that its pinned address publishes, cached (T20 to T22)."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock, Thread

import structlog
from jwt import PyJWK

from cds_service.clients.keys import Keys, read_keys
from cds_service.clients.trusted import TrustedClient
from cds_service.errors import InvalidRequest, Unavailable
from cds_service.fhir.deadline import FhirFailure
from cds_service.fhir.strict_json import parse

READ_SECONDS = 3.0
MAXIMUM_BYTES = 64 * 1024
APART_SECONDS = 60.0
"""Between two readings of one address, however many tokens name unknown keys and whether or not it answers."""
FRESH_SECONDS = 600.0
"""After this time the keys are read again beside a call, so that one that was taken back does not live on."""
USABLE_SECONDS = 24 * 3600.0
"""So long keys are used while their address does not answer."""

ReadKeys = Callable[[TrustedClient], bytes]
"""Gets what the address of a client's keys publishes, or raises FhirFailure."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Published:
    """What was read, and when by the clock of durations."""

    keys: Keys = field(default_factory=dict)
    at: float = 0.0


class KeySet:
    """The keys of a client, in one process."""

    def __init__(self, client: TrustedClient, read: ReadKeys, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._read = read
        self._clock = clock
        self._lock = Lock()
        self._asked_at = float("-inf")
        self._failed = False
        self._published = _Published()

    def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key of that id for that algorithm, None when the client has none.

        Raises Unavailable when that cannot be told, because its keys were never read or too long ago.
        """
        wanted = (kid, algorithm)
        if wanted in self._client.keys or self._client.jku is None:
            return self._client.keys.get(wanted)
        published = self._usable()
        if wanted not in published.keys:
            self._refresh()
            published = self._usable()
            if not published.keys:
                raise Unavailable("the keys of this client cannot be read now: try again later")
        elif self._clock() - published.at >= FRESH_SECONDS:
            self._refresh_beside()
        return published.keys.get(wanted)

    def ready(self) -> bool:
        """Whether keys are known, or nobody needed them yet; if not, they are asked for again beside this question.

        Otherwise a service that gets no calls because it is not ready would never be ready again.
        """
        if not self._failed or self._client.keys or self._usable().keys:
            return True
        self._refresh_beside()
        return False

    def _usable(self) -> _Published:
        published = self._published
        return published if self._clock() - published.at < USABLE_SECONDS else _Published()

    def _may_ask(self) -> bool:
        return self._clock() - self._asked_at >= APART_SECONDS

    def _refresh_beside(self) -> None:
        if self._may_ask():
            Thread(target=self._refresh, daemon=True).start()

    def _refresh(self) -> None:
        """Read the keys unless that was tried a short time ago; whoever comes meanwhile waits for the same reading."""
        with self._lock:
            if not self._may_ask():
                return
            self._asked_at = self._clock()
            keys = self._read_keys()
            self._failed = not keys
            if keys:
                self._published = _Published(keys, self._clock())

    def _read_keys(self) -> Keys:
        """The usable keys at the address, none when it has none now."""
        try:
            keys, faults = read_keys(parse(self._read(self._client)), self._client.algorithms)
        except (FhirFailure, InvalidRequest) as error:
            log.warning("keys not read", client=self._client.id, reason=type(error).__name__)
            return {}
        if not keys:
            log.warning("no usable keys", client=self._client.id, reason="; ".join(faults[:3]))
        return keys
