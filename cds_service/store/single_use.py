"""Tokens that were used: each is let in once, whatever process it comes to (T19)."""

from datetime import datetime
from hashlib import sha256
from json import dumps

from sqlalchemy import Connection, Engine, Table, delete
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.store.database import transaction
from cds_service.store.tables import used_tokens


def first_use(engine: Engine, issuer: str, jti: str, until: datetime) -> bool:
    """Whether the token `jti` of an issuer is used for the first time; it is remembered `until` an instant."""
    digest = sha256(dumps([issuer, jti]).encode()).hexdigest()
    with transaction(engine) as connection:
        insert = _insert_new(connection, used_tokens).returning(used_tokens.c.digest)
        return connection.execute(insert, {"digest": digest, "until": until}).first() is not None


def forget(engine: Engine, now: datetime) -> int:
    """Remove used tokens that nobody accepts any more at `now`. How many."""
    with transaction(engine) as connection:
        return connection.execute(delete(used_tokens).where(used_tokens.c.until < now)).rowcount


def _insert_new(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that leaves out rows whose key is there."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()
