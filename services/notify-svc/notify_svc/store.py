"""The deliveries: what is queued, who sends it, and what became of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from deskwire.contracts.notifications import Delivery, DeliveryChanged, DeliveryState
from deskwire.db import Database, compiled
from deskwire.errors import Conflict, NotFound
from deskwire.messaging.outbox import Transaction
from deskwire.messaging.replay import Kind, page
from deskwire.messaging.schema import messaging_tables
from notify_svc.domain import REPEATS, Mail, Notice, Template, Verdict

metadata = MetaData()
messaging_tables(metadata)

TIME = TIMESTAMP(timezone=True)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("entry_id", BigInteger, nullable=False),
    Column("ticket_id", BigInteger, nullable=False),
    Column("template", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("ambiguous", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", TIME, server_default=func.now()),
    Column("leased_by", Uuid),
    Column("lease_until", TIME),
    Column("answer", Text),
    Column("created_at", TIME, nullable=False, server_default=func.now()),
    Column("queued_at", TIME, nullable=False, server_default=func.now()),
    Column("sent_at", TIME),
    Column("version", Integer, nullable=False, server_default="1"),
    UniqueConstraint("entry_id", "template", "recipient", name="deliveries_once"),
    CheckConstraint(
        "(state = 'sending') = (leased_by IS NOT NULL AND lease_until IS NOT NULL)",
        name="deliveries_sending_is_leased",
    ),
)
_waiting = deliveries.c.state.in_(["queued", "uncertain"])
_unfinished = deliveries.c.state.in_(["queued", "sending"])
Index(
    "deliveries_due",  # CLAIM: what is to be sent now
    deliveries.c.next_attempt_at,
    deliveries.c.id,
    postgresql_where=_waiting,
)
Index(
    "deliveries_in_order",  # CLAIM: whether an earlier mail of the ticket is not out yet
    deliveries.c.ticket_id,
    deliveries.c.recipient,
    deliveries.c.id,
    postgresql_where=_unfinished,
)
Index(
    "deliveries_by_state",  # RECENT_IN_STATE, and KEEP and ABANDONED for those being sent
    deliveries.c.state,
    deliveries.c.id,
)

_DOCUMENT = """deliveries.id, template, ticket_id, recipient, deliveries.state,
    deliveries.attempts, deliveries.answer, message_id, created_at, sent_at, next_attempt_at,
    version"""

QUEUE = compiled(
    text("""
    INSERT INTO deliveries (entry_id, ticket_id, template, recipient, message_id, context)
    SELECT entry_id, ticket_id, template, recipient, message_id, context
    FROM unnest(CAST(:entry_id AS bigint[]), CAST(:ticket_id AS bigint[]),
                CAST(:template AS text[]), CAST(:recipient AS text[]),
                CAST(:message_id AS text[]), CAST(:context AS text[]))
        WITH ORDINALITY AS mail (entry_id, ticket_id, template, recipient, message_id, context, n)
    ORDER BY n
    ON CONFLICT DO NOTHING
    """)
)

# A ticket's mails reach a recipient in their order: none is claimed while an earlier one waits.
CLAIM = compiled(
    text("""
    WITH due AS (
        SELECT id FROM deliveries AS mail
        WHERE state IN ('queued', 'uncertain') AND next_attempt_at <= now() AND NOT EXISTS (
            SELECT FROM deliveries AS earlier
            WHERE earlier.state IN ('queued', 'sending') AND earlier.ticket_id = mail.ticket_id
              AND earlier.recipient = mail.recipient AND earlier.id < mail.id)
        ORDER BY next_attempt_at, id LIMIT :room FOR UPDATE OF mail SKIP LOCKED
    )
    UPDATE deliveries
    SET state = 'sending', attempts = attempts + 1, next_attempt_at = NULL, version = version + 1,
        leased_by = :worker, lease_until = now() + make_interval(secs => :lease)
    FROM due WHERE deliveries.id = due.id
    RETURNING deliveries.id, entry_id, template, recipient, message_id, context, created_at,
              attempts, ambiguous,
              CAST(extract(epoch FROM now() - queued_at) AS float8) AS age
    """)
)

KEEP = compiled(
    text("""
    UPDATE deliveries SET lease_until = now() + make_interval(secs => :lease)
    WHERE state = 'sending' AND leased_by = :worker AND id = ANY(CAST(:in_hand AS bigint[]))
    """)
)

ABANDONED = compiled(
    text(f"""
    UPDATE deliveries
    SET state = 'uncertain', answer = 'the sender was stopped in the middle of it',
        next_attempt_at = CASE WHEN ambiguous < {REPEATS} THEN now() END,
        ambiguous = ambiguous + 1, leased_by = NULL, lease_until = NULL, version = version + 1
    WHERE id IN (
        SELECT id FROM deliveries
        WHERE state = 'sending' AND lease_until < now() AND id <> ALL(CAST(:in_hand AS bigint[]))
        ORDER BY lease_until LIMIT 100 FOR UPDATE SKIP LOCKED)
    RETURNING {_DOCUMENT}
    """)
)

# Only the holder of the lease may write: what a sender finds out too late changes nothing.
SETTLE = compiled(
    text(f"""
    UPDATE deliveries
    SET state = result.state, answer = coalesce(result.answer, deliveries.answer),
        attempts = result.attempts,
        ambiguous = ambiguous + CAST(result.state = 'uncertain' AS integer),
        next_attempt_at = now() + make_interval(secs => result.pause),
        sent_at = CASE WHEN result.state = 'sent' THEN now() END,
        leased_by = NULL, lease_until = NULL, version = version + 1
    FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:answers AS text[]),
                CAST(:attempts AS integer[]), CAST(:pauses AS float8[]))
        AS result (id, state, answer, attempts, pause)
    WHERE deliveries.id = result.id AND deliveries.state = 'sending' AND leased_by = :worker
    RETURNING {_DOCUMENT}
    """)
)

RECENT = compiled(text(f"SELECT {_DOCUMENT} FROM deliveries ORDER BY id DESC LIMIT :limit"))

RECENT_IN_STATE = compiled(
    text(f"""
    SELECT {_DOCUMENT} FROM deliveries WHERE state = :state ORDER BY id DESC LIMIT :limit
    """)
)

AGAIN = compiled(
    text(f"""
    UPDATE deliveries
    SET state = 'queued', next_attempt_at = now(), queued_at = now(), ambiguous = 0,
        version = version + 1
    WHERE id = :id AND state IN ('queued', 'failed', 'uncertain')
    RETURNING {_DOCUMENT}
    """)
)

STATE = compiled(text("SELECT state FROM deliveries WHERE id = :id"))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in the hand of a sender. ``age`` in seconds since it was queued."""

    id: int
    entry_id: int
    template: Template
    recipient: str
    message_id: str
    context: str
    created_at: datetime
    attempts: int
    ambiguous: int
    age: float

    @property
    def mail(self) -> Mail:
        """Raises `ValueError` when the row's context is of another time."""
        notice = Notice.model_validate_json(self.context)
        return Mail(self.entry_id, self.template, self.recipient, self.message_id, notice)


async def claim(database: Database, *, worker: UUID, room: int, lease: float) -> list[Claimed]:
    """Up to ``room`` deliveries that are due, now ``sending`` for ``lease`` seconds."""
    rows = await database.fetch(CLAIM, worker=worker, room=room, lease=lease)
    return sorted((Claimed(**row) for row in rows), key=lambda claimed: claimed.id)


async def settle(
    tx: Transaction, worker: UUID, verdicts: Sequence[tuple[Claimed, Verdict]]
) -> list[Delivery]:
    """Write what became of the claims; returns those that were still the worker's."""
    rows = await tx.fetch(
        SETTLE,
        worker=worker,
        ids=[claimed.id for claimed, _ in verdicts],
        states=[verdict.state for _, verdict in verdicts],
        answers=[verdict.answer for _, verdict in verdicts],
        attempts=[claimed.attempts - (not verdict.tried) for claimed, verdict in verdicts],
        pauses=[verdict.retry_seconds for _, verdict in verdicts],
    )
    return [_delivery(row) for row in rows]


async def abandoned(tx: Transaction, in_hand: Collection[int]) -> list[Delivery]:
    """What a sender that is gone had in hand: the server may have it or not."""
    return [_delivery(row) for row in await tx.fetch(ABANDONED, in_hand=list(in_hand))]


async def recent(
    database: Database, state: DeliveryState | None = None, limit: int = 50
) -> list[Delivery]:
    """The newest deliveries first, for operators."""
    if state is None:
        rows = await database.fetch(RECENT, limit=limit)
    else:
        rows = await database.fetch(RECENT_IN_STATE, state=state, limit=limit)
    return [_delivery(row) for row in rows]


async def retry(database: Database, delivery_id: int) -> Delivery:
    """Send it now and with fresh patience. Raises `NotFound`, or `Conflict` when it is out."""
    row = await database.fetch_one(AGAIN, id=delivery_id)
    if row is not None:
        return _delivery(row)
    state = await database.fetch_value(STATE, id=delivery_id)
    if state is None:
        raise NotFound(f"there is no delivery {delivery_id}")
    raise Conflict(f"delivery {delivery_id} is {state}")


def _delivery(row: asyncpg.Record) -> Delivery:
    return Delivery.model_validate(dict(row))


KINDS = {
    "delivery": Kind(
        page(f"SELECT {_DOCUMENT} FROM deliveries"),
        lambda row: DeliveryChanged(delivery=_delivery(row)),
    ),
}
