"""The tables. A migration in `migrations/versions/` makes each change of them; a test holds that both agree."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(column_0_label)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An instant in UTC. SQLite keeps no zone: it is taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant as the database keeps it."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


answers = Table(
    "answers",
    metadata,
    Column("id", String, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("service", String, nullable=False),
    Column("hook", String, nullable=False),
    Column("hook_instance", String, nullable=False),
    Column("client", String, nullable=False),
    Column("patient", String, nullable=False),
    Column("encounter", String),
    Column("outcome", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", String),
    Column("grade", Integer),
    Column("assessment", JSON, nullable=False),
    Column("protocol_id", String, nullable=False),
    Column("protocol_version", String, nullable=False),
    Column("protocol_hash", String, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Index("ix_answers_patient_at", "patient", "at"),
)

cards = Table(
    "cards",
    metadata,
    Column("answer", String, ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("uuid", String, nullable=False, index=True),
    Column("topic", String, nullable=False),
    Column("grade", Integer),
    Column("advice", Text, nullable=False),
    Column("indicator", String, nullable=False),
    Column("suggestions", JSON, nullable=False),
    Column("shown", Boolean, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("digest", String, primary_key=True),  # of what the client sent: the same entry again is not another
    Column("card", String, nullable=False, index=True),
    Column("service", String, nullable=False),
    Column("client", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("accepted", JSON, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("comment", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False, index=True),
)

used_tokens = Table(
    "used_tokens",
    metadata,
    Column("digest", String, primary_key=True),  # of issuer and jti, which may be of any length
    Column("until", Instant, nullable=False, index=True),
)

links = Table(
    "links",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("record", String, nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("digest", String, nullable=False),
    Column("hash", String, nullable=False),
)
