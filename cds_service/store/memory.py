"""The service's memory: the store and the key of its pseudonyms."""

from dataclasses import dataclass

from cds_service.store.pseudonyms import Pseudonyms
from cds_service.store.store import Store


@dataclass(frozen=True, slots=True)
class Memory:
    """What was answered and said, and how patients are named in it. One for each process, made after the fork."""

    store: Store
    pseudonyms: Pseudonyms

    def close(self) -> None:
        """Let go of the connections."""
        self.store.close()
