"""The service's memory: the store, the spool before it, and the key of its pseudonyms."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import structlog

from cds_service.errors import StoreUnavailable
from cds_service.store.pseudonyms import Pseudonyms
from cds_service.store.records import AnswerRecord
from cds_service.store.spool import Spool
from cds_service.store.store import Store

DELIVER_SECONDS = 1.0
"""How often it is tried to deliver what waits, and to find a store again that was away."""
END_SECONDS = 5.0
"""How long the end of a process waits for the last delivery; what is not delivered then is so after the next start."""
FREE_BYTES = 50_000_000
"""With less than this on a disk the service is no longer ready: what is under way can still be kept."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits for the store, of all processes that share the state folder."""

    bytes: int
    refused_bytes: int
    """Put aside in files that a person must look at."""
    away: bool
    """Whether this process cannot write to the store."""


class Memory:
    """What was answered and said, and how patients are named in it. One for each process, made after the fork.

    `lost` is told of each answer that could be kept nowhere.
    """

    def __init__(
        self, store: Store, pseudonyms: Pseudonyms, state: Path, lost: Callable[[], object], *, required: bool = False
    ) -> None:
        self.store = store
        self.pseudonyms = pseudonyms
        self._required = required
        self._disks = [folder for folder in (state, store.folder) if folder is not None]
        self._spool = Spool(state / "spool")
        self._lost = lost
        self._ending = Event()
        self._delivering = Thread(target=self._deliver_until_the_end, name="spool", daemon=True)
        self._delivering.start()

    def remember(self, record: AnswerRecord) -> None:
        """Keep the record of an answer: it is durable on return, in the store or in the spool (T82, T85).

        An answer that can be kept nowhere is told of and given nevertheless, unless records are required: then
        StoreUnavailable is raised.
        """
        try:
            self.store.add_answer(record)
        except StoreUnavailable:
            try:
                self._spool.append(record)
            except StoreUnavailable as error:
                self._lost()
                log.error("not recorded", reason=error.message, service=record.service)
                if self._required:
                    raise

    def roomy(self) -> None:
        """Raises StoreUnavailable when a disk is nearly full (T84)."""
        if self.free_bytes() < FREE_BYTES:
            raise StoreUnavailable(f"the disk of the store has less than {FREE_BYTES // 10**6} MB left: make room")

    def free_bytes(self) -> int:
        """The space that is left where there is least, of the state folder and the store's; 0 when one is gone."""
        try:
            return min(shutil.disk_usage(folder).free for folder in self._disks)
        except OSError:
            return 0

    def backlog(self) -> Backlog:
        """What waits for the store."""
        return Backlog(
            bytes=self._spool.bytes(),
            refused_bytes=self._spool.refused_bytes(),
            away=self.store.writing.away,
        )

    def deliver(self) -> None:
        """Deliver what waits, and find a store again that was away. Nothing is raised: it is tried again."""
        try:
            number = self._spool.deliver(self.store.deliver)
            if number:
                log.info("delivered", entries=number)
            if self.store.reading.away or self.store.writing.away:
                self.store.ready(at_once=True)
        except StoreUnavailable:
            return
        except OSError as error:
            log.error("not delivered", reason=f"the spool in the state folder: {error.strerror}")

    def close(self) -> None:
        """Deliver what waits if that can be done soon, and let go of the connections."""
        self._ending.set()
        self._delivering.join(END_SECONDS)
        self._spool.release()
        self.store.close()

    def _deliver_until_the_end(self) -> None:
        self.deliver()
        while not self._ending.wait(DELIVER_SECONDS):
            self.deliver()
        self.deliver()
