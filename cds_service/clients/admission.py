"""Admission: all that stands between a token and the client it proves, in the order in which it costs the least."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from math import ceil

import structlog

from cds_service.clients.key_sets import KeySet, ReadKeys
from cds_service.clients.pace import Pace
from cds_service.clients.tokens import check_claims, check_header, check_signature, read_token
from cds_service.clients.trusted import TrustedClient
from cds_service.errors import StoreUnavailable, TooManyCalls, Unauthenticated, Unavailable

UseOnce = Callable[[str, str, datetime, datetime], bool]
SawAge = Callable[[str, float], object]
"""Told how many seconds ago a client says to have made its token: below 0 when its clock is ahead of ours."""

log = structlog.get_logger()


class Admission:
    """The trusted clients of a process, each with its keys and its pace.

    `use_once` tells whether a token is used for the first time, wherever it was used before; with `fail_open` a token
    is taken also while that cannot be told.
    """

    def __init__(
        self,
        clients: Iterable[TrustedClient],
        read: ReadKeys,
        use_once: UseOnce,
        calls_per_minute: int,
        saw_age: SawAge,
        *,
        fail_open: bool = False,
    ) -> None:
        self._clients = {name: client for client in clients for name in client.names}
        known = set(self._clients.values())
        self._keys = {client.id: KeySet(client, read) for client in known}
        self._paces = {client.id: Pace(calls_per_minute) for client in known}
        self._use_once = use_once
        self._saw_age = saw_age
        self._fail_open = fail_open

    def admit(self, authorization: str | None, called: Collection[str], now: datetime) -> TrustedClient:
        """The client that an Authorization header proves, for a call of an address (`called`: its spellings).

        The keys are chosen by issuer and tenant from the configuration, then by the key's id; nothing else that a token
        says is heeded before its signature is checked (T16). Raises Unauthenticated without saying why to the client,
        Unavailable when keys or store are away, TooManyCalls.
        """
        token = read_token(authorization)
        client = self._clients.get((token.issuer, token.tenant))
        if client is None:
            raise Unauthenticated("issuer or tenant")
        check_header(token, client)
        key = self._keys[client.id].find(*token.key)
        if key is None:
            raise Unauthenticated("key")
        check_signature(token, key)
        self._saw_age(client.id, now.timestamp() - token.issued)
        until = check_claims(token, client.audiences or called, now)
        token_id = token.id
        wait = self._paces[client.id].wait()
        if wait:
            raise TooManyCalls("this client calls too often: wait before the next call", retry_seconds=ceil(wait))
        self._first_use(client, token_id, until, now)
        return client

    def ready(self) -> None:
        """Raises Unavailable when keys were asked for and no client has any, so that every call would be refused.

        Keys that nobody needed yet are no failure.
        """
        known = [keys.ready() for keys in self._keys.values()]
        if known and not any(known):
            raise Unavailable("no client's keys can be read, so no call is answered: see the log for each address")

    def _first_use(self, client: TrustedClient, token_id: str, until: datetime, now: datetime) -> None:
        """Raises Unauthenticated for a token that was used before, in whatever process (T19)."""
        try:
            first = self._use_once(client.issuer, token_id, until, now)
        except StoreUnavailable:
            if not self._fail_open:
                raise
            log.error("second use not checked", client=client.id)
            return
        if not first:
            raise Unauthenticated("used before")
