"""The tables of the messaging mechanism, the same in every service's database."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, func
from sqlalchemy.dialects.postgresql import UUID

from deskwire.columns import TIME, created_at


def messaging_tables(metadata: MetaData) -> None:
    """Add inbox, outbox and dead letters to a service's tables."""
    _inbox(metadata)
    _outbox(metadata)
    _dead_letters(metadata)


def _inbox(metadata: MetaData) -> None:
    Table(
        "inbox",
        metadata,
        Column("consumer", Text, primary_key=True),
        Column("message_id", UUID, primary_key=True),
        Column("handled_at", TIME, nullable=False, server_default=func.now()),
        Column("fingerprint", LargeBinary),
        Column("reply", Text),
        Index("inbox_old", "handled_at"),  # housekeeping: what is older than 30 days
    )


def _outbox(metadata: MetaData) -> None:
    outbox = Table(
        "outbox",
        metadata,
        Column("id", BigInteger, primary_key=True),
        Column("message_id", UUID, nullable=False),
        Column("type", Text, nullable=False),
        Column("aggregate", Text, nullable=False),
        Column("body", Text, nullable=False),
        Column("correlation_id", Text, nullable=False),
        Column("causation_id", Text, nullable=False),
        Column("traceparent", Text, nullable=False),
        created_at(),
        Column("published_at", TIME),
    )
    waiting = outbox.c.published_at.is_(None)
    Index("outbox_waiting", outbox.c.id, postgresql_where=waiting)  # the relay's claim
    Index("outbox_old", outbox.c.published_at)  # housekeeping, and republishing since a time


def _dead_letters(metadata: MetaData) -> None:
    Table(
        "dead_letters",
        metadata,
        Column("consumer", Text, primary_key=True),
        Column("message_id", UUID, primary_key=True),
        Column("type", Text, nullable=False),
        Column("aggregate", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("correlation_id", Text, nullable=False),
        Column("causation_id", Text, nullable=False),
        Column("traceparent", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("error", Text, nullable=False),
        Column("failed_at", TIME, nullable=False, server_default=func.now()),
        Column("retry_at", TIME),
        Index("dead_letters_due", "retry_at"),  # the retry loop
    )


CREATE = """
CREATE TABLE inbox (
    consumer text NOT NULL,
    message_id uuid NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    fingerprint bytea,
    reply text,
    PRIMARY KEY (consumer, message_id)
);
CREATE INDEX inbox_old ON inbox (handled_at);
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id uuid NOT NULL,
    type text NOT NULL,
    aggregate text NOT NULL,
    body text NOT NULL,
    correlation_id text NOT NULL,
    causation_id text NOT NULL,
    traceparent text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_old ON outbox (published_at);
CREATE TABLE dead_letters (
    consumer text NOT NULL,
    message_id uuid NOT NULL,
    type text NOT NULL,
    aggregate text NOT NULL,
    body bytea NOT NULL,
    correlation_id text NOT NULL,
    causation_id text NOT NULL,
    traceparent text NOT NULL,
    attempts integer NOT NULL,
    error text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    retry_at timestamptz,
    PRIMARY KEY (consumer, message_id)
);
CREATE INDEX dead_letters_due ON dead_letters (retry_at);
"""
"""Version 1, for the first migration of each service."""
