"""The deliveries: what is queued, who sends it, and what became of it."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import text

from deskwire.contracts.mail import MailBounced
from deskwire.contracts.notifications import Channel, Delivery, DeliveryState
from deskwire.db import Database, compiled
from deskwire.errors import Conflict, NotFound
from deskwire.messaging.outbox import Transaction
from notify_svc.domain.attempts import REPEATS, Verdict
from notify_svc.domain.mails import Bill, Digest, Mail, Notice, Template

SHARE = 8

DOCUMENT = """deliveries.id, channel, template, ticket_id, recipient, deliveries.state,
    deliveries.attempts, deliveries.answer, message_id, created_at, sent_at, next_attempt_at,
    version,
    CASE template WHEN 'invoice' THEN CAST(split_part(about, ':', 2) AS bigint) END AS invoice_id"""

QUEUE = compiled(
    text("""
    INSERT INTO deliveries (about, ticket_id, template, recipient, message_id, context,
                            next_attempt_at, queued_at)
    SELECT about, ticket_id, template, recipient, message_id, context,
           coalesce(not_before, now()), coalesce(not_before, now())
    FROM unnest(CAST(:about AS text[]), CAST(:ticket_id AS bigint[]), CAST(:template AS text[]),
                CAST(:recipient AS text[]), CAST(:message_id AS text[]), CAST(:context AS text[]),
                CAST(:not_before AS timestamptz[])) WITH ORDINALITY
        AS mail (about, ticket_id, template, recipient, message_id, context, not_before, n)
    ORDER BY n
    ON CONFLICT DO NOTHING
    """)
)

_DUE = """
    mail.channel = :channel AND mail.state IN ('queued', 'uncertain')
    AND mail.next_attempt_at <= now()
    AND NOT EXISTS (
        SELECT FROM deliveries AS earlier
        WHERE earlier.state IN ('queued', 'sending') AND earlier.ticket_id = mail.ticket_id
          AND earlier.recipient = mail.recipient AND earlier.id < mail.id)
"""
"""A ticket's mails reach a recipient in their order: none is claimed while an earlier one waits."""

_TAKE = """
    UPDATE deliveries
    SET state = 'sending', attempts = attempts + 1, next_attempt_at = NULL, version = version + 1,
        leased_by = :worker, lease_until = now() + make_interval(secs => :lease)
    FROM due WHERE deliveries.id = due.id
    RETURNING deliveries.id, about, template, recipient, message_id, context, created_at,
              attempts, ambiguous,
              (SELECT reason FROM suppressions
               WHERE email_key = lower(recipient) AND archived_at IS NULL) AS suppressed,
              CAST(extract(epoch FROM now() - queued_at) AS float8) AS age
"""

CLAIM = compiled(
    text(f"""
    WITH due AS (
        SELECT id FROM deliveries AS mail WHERE {_DUE}
        ORDER BY next_attempt_at, id LIMIT :room FOR UPDATE OF mail SKIP LOCKED
    )
    {_TAKE}
    """)
)

# Some of each, so that none waits behind what another one does not take.
CLAIM_WEBHOOKS = compiled(
    text(f"""
    WITH due AS (
        SELECT next.id FROM webhooks CROSS JOIN LATERAL (
            SELECT mail.id, mail.next_attempt_at FROM deliveries AS mail
            WHERE {_DUE} AND mail.recipient = 'webhook:' || webhooks.id
            ORDER BY mail.next_attempt_at, mail.id LIMIT :share FOR UPDATE OF mail SKIP LOCKED
        ) AS next
        WHERE 'webhook:' || webhooks.id <> ALL(CAST(:busy AS text[]))
        ORDER BY next.next_attempt_at, next.id LIMIT :room
    )
    {_TAKE}
    """)
)

KEEP_LEASES = compiled(
    text("""
    UPDATE deliveries SET lease_until = now() + make_interval(secs => :lease)
    WHERE state = 'sending' AND leased_by = :worker AND id = ANY(CAST(:in_hand AS bigint[]))
    """)
)

# Those of its own channel only: the other sender of this process keeps its own.
ABANDONED = compiled(
    text(f"""
    UPDATE deliveries
    SET state = 'uncertain', answer = 'the sender was stopped in the middle of it',
        next_attempt_at = CASE WHEN ambiguous < {REPEATS} THEN now() END,
        ambiguous = ambiguous + 1, leased_by = NULL, lease_until = NULL, version = version + 1
    WHERE id IN (
        SELECT id FROM deliveries
        WHERE state = 'sending' AND channel = :channel AND lease_until < now()
          AND id <> ALL(CAST(:in_hand AS bigint[]))
        ORDER BY lease_until LIMIT 100 FOR UPDATE SKIP LOCKED)
    RETURNING {DOCUMENT}
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
    RETURNING {DOCUMENT}
    """)
)

RECENT = compiled(
    text(f"""
        SELECT {DOCUMENT} FROM deliveries WHERE channel = 'mail' ORDER BY id DESC LIMIT :limit
    """)
)

# A bounce may name an address that the mail was forwarded to: then it is of the only recipient.
BOUNCED = compiled(
    text(f"""
    UPDATE deliveries SET state = 'bounced', answer = back.answer, next_attempt_at = NULL,
        version = version + 1
    FROM (
        SELECT id, coalesce(
            min(told.answer) FILTER (WHERE lower(told.address) = lower(mail.recipient)),
            CASE WHEN count(*) OVER () = 1 THEN min(told.answer) END) AS answer
        FROM deliveries mail CROSS JOIN unnest(
            CAST(:addresses AS text[]), CAST(:answers AS text[])) AS told (address, answer)
        WHERE mail.message_id = :message_id AND mail.state IN ('sent', 'uncertain')
        GROUP BY mail.id, mail.recipient
    ) back
    WHERE deliveries.id = back.id AND back.answer IS NOT NULL
    RETURNING about, context, {DOCUMENT}
    """)
)

RECENT_IN_STATE = compiled(
    text(f"""
    SELECT {DOCUMENT} FROM deliveries
    WHERE channel = 'mail' AND state = :state ORDER BY id DESC LIMIT :limit
    """)
)

AGAIN = compiled(
    text(f"""
    UPDATE deliveries
    SET state = 'queued', next_attempt_at = now(), queued_at = now(), ambiguous = 0,
        version = version + 1
    WHERE id = :id AND state IN ('queued', 'failed', 'uncertain', 'bounced')
    RETURNING {DOCUMENT}
    """)
)

STATE = compiled(text("SELECT state FROM deliveries WHERE id = :id"))


KINDS_OF_NOTICES: dict[str, type[Notice | Digest | Bill]] = {
    "digest": Digest,
    "invoice": Bill,
    "invoice-undelivered": Bill,
}


@dataclass(frozen=True, slots=True)
class Queued:
    """What a delivery says, and to whom."""

    about: str
    template: Template
    recipient: str
    message_id: str
    context: str

    @property
    def mail(self) -> Mail:
        """Raises `ValueError` when the row's context is of another time."""
        kind = KINDS_OF_NOTICES.get(self.template, Notice)
        said = kind.model_validate_json(self.context)
        return Mail(self.about, self.template, self.recipient, self.message_id, said)


@dataclass(frozen=True, slots=True)
class Claimed(Queued):
    """In the hand of a sender. ``age`` in seconds since it was queued; ``suppressed``: why its
    recipient gets no mail."""

    id: int
    created_at: datetime
    attempts: int
    ambiguous: int
    suppressed: str | None
    age: float


async def claim(
    database: Database,
    channel: Channel,
    *,
    worker: UUID,
    room: int,
    lease: float,
    in_hand: Iterable[Claimed],
) -> list[Claimed]:
    """Up to ``room`` deliveries that are due, now ``sending`` for ``lease`` seconds. No webhook has
    much more than `SHARE` of what is in hand."""
    values = {"channel": channel, "worker": worker, "room": room, "lease": lease}
    if channel == "mail":
        rows = await database.fetch(CLAIM, **values)
    else:
        held = Counter(claimed.recipient for claimed in in_hand)
        busy = [recipient for recipient, count in held.items() if count >= SHARE]
        rows = await database.fetch(CLAIM_WEBHOOKS, **values, share=SHARE, busy=busy)
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
    return [document(row) for row in rows]


async def abandoned(tx: Transaction, channel: Channel, in_hand: Collection[int]) -> list[Delivery]:
    """What a sender that is gone had in hand: the server may have it or not."""
    rows = await tx.fetch(ABANDONED, channel=channel, in_hand=list(in_hand))
    return [document(row) for row in rows]


async def recent(
    database: Database, state: DeliveryState | None = None, limit: int = 50
) -> list[Delivery]:
    """The newest deliveries first, for operators."""
    if state is None:
        rows = await database.fetch(RECENT, limit=limit)
    else:
        rows = await database.fetch(RECENT_IN_STATE, state=state, limit=limit)
    return [document(row) for row in rows]


async def retry(tx: Transaction, delivery_id: int) -> Delivery:
    """Send it now and with fresh patience. Raises `NotFound`, or `Conflict` when it is out."""
    row = await tx.fetch_one(AGAIN, id=delivery_id)
    if row is not None:
        return document(row)
    state = await tx.fetch_value(STATE, id=delivery_id)
    if state is None:
        raise NotFound(f"there is no delivery {delivery_id}")
    raise Conflict(f"delivery {delivery_id} is {state}")


async def bounced(tx: Transaction, event: MailBounced) -> list[tuple[Queued, Delivery]]:
    """The deliveries that have come back for good; what may still arrive is left."""
    final = [each for each in event.undelivered if each.status.startswith("5")]
    rows = await tx.fetch(
        BOUNCED,
        message_id=event.message_id,
        addresses=[each.address for each in final],
        answers=[f"bounced: {each.status} {each.cause}" for each in final],
    )
    return [(_queued(row), document(row)) for row in rows]


def _queued(row: asyncpg.Record) -> Queued:
    names = ("about", "template", "recipient", "message_id", "context")
    return Queued(*(row[name] for name in names))


def document(row: asyncpg.Record) -> Delivery:
    return Delivery.model_validate(dict(row))
