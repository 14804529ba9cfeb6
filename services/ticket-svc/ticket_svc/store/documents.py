"""Rows to documents: the ticket and its entries as every other service sees them."""

import json
from typing import Any

import asyncpg

from deskwire.contracts.actors import Author, Named, Person
from deskwire.contracts.entries import Entry, StoredFile
from deskwire.contracts.mail import Body
from deskwire.contracts.threads import LastMessage
from deskwire.contracts.tickets import Feedback, LastReply, Ticket
from ticket_svc.domain.clock import NOTHING, Clock
from ticket_svc.domain.quoting import beginning

TICKET = """
    t.id, t.number, t.prefix, t.subject, t.status, t.priority, t.category, t.source, t.client_id,
    t.contact_id, t.assigned_to, t.watchers, t.tags, t.billable, t.due_at, t.time_worked,
    t.merged_into, t.merged_from, t.follows, t.possibly_related, t.invoice_ids, t.entry_count,
    t.last_reply_at, t.last_reply_kind, t.last_reply_by, t.first_response_at, t.created_at,
    t.created_by, t.updated_at, t.closed_at, t.closed_by, t.clock, t.feedback, t.version,
    cl.name AS client_name, co.name AS contact_name, co.email AS contact_email,
    ag.name AS agent_name, ag.email AS agent_email,
    (SELECT json_agg(json_build_object('id', id, 'name', name) ORDER BY place)
     FROM unnest(t.asset_ids) WITH ORDINALITY AS asked (id, place)
     JOIN assets USING (id)) AS assets
"""
"""The columns of a ticket document, from `t`, `cl`, `co`, `ag` and `assets`."""

JOINS = """
    LEFT JOIN clients cl ON cl.id = t.client_id
    LEFT JOIN contacts co ON co.id = t.contact_id
    LEFT JOIN agents ag ON ag.id = t.assigned_to
"""

OPENING = ", ".join(
    f"op.body_{name} AS opening_{name}" for name in ("text", "html", "quoted", "signature", "blob")
)
"""The body of a ticket document is that of its opening entry, wherever that is shown now."""

OPENING_JOIN = """
    CROSS JOIN LATERAL (
        SELECT * FROM entries
        WHERE ticket_id = coalesce(t.merged_into, t.id) AND origin_ticket_id = t.id
        ORDER BY id LIMIT 1
    ) op
"""


def clock(row: asyncpg.Record) -> Clock:
    """What the ticket waits for."""
    return Clock.model_validate_json(row["clock"]) if row["clock"] else NOTHING


def of_clock(clock: Clock) -> dict[str, Any]:
    """What a ticket document tells of it."""
    return {
        "auto_close": clock.auto_close,
        "first_response_due_at": clock.respond_by,
        "breached": clock.breached,
    }


def ticket(row: asyncpg.Record, body: Body | None = None) -> Ticket:
    return Ticket(
        id=row["id"],
        number=row["number"],
        prefix=row["prefix"],
        reference=f"{row['prefix']}{row['number']}",
        subject=row["subject"],
        body=body or _body(row, "opening_"),
        status=row["status"],
        priority=row["priority"],
        category=row["category"],
        source=row["source"],
        client=_named(row["client_id"], row["client_name"]),
        contact=_person(row["contact_id"], row["contact_name"], row["contact_email"]),
        assigned_to=_person(row["assigned_to"], row["agent_name"], row["agent_email"]),
        assets=tuple(Named.model_validate(a) for a in json.loads(row["assets"] or "[]")),
        watchers=tuple(row["watchers"]),
        tags=tuple(row["tags"]),
        billable=row["billable"],
        due_at=row["due_at"],
        time_worked=row["time_worked"],
        merged_into=row["merged_into"],
        merged_from=tuple(row["merged_from"]),
        follows=row["follows"],
        possibly_related=row["possibly_related"],
        invoice_ids=tuple(row["invoice_ids"]),
        entry_count=row["entry_count"],
        last_reply=_last_reply(row),
        first_response_at=row["first_response_at"],
        created_at=row["created_at"],
        created_by=Author.model_validate_json(row["created_by"]),
        updated_at=row["updated_at"],
        closed_at=row["closed_at"],
        closed_by=_author(row["closed_by"]),
        **of_clock(clock(row)),
        feedback=_feedback(row["feedback"]),
        version=row["version"],
    )


def entry(row: asyncpg.Record) -> Entry:
    return Entry(
        id=row["id"],
        ticket_id=row["ticket_id"],
        origin_ticket_id=row["origin_ticket_id"],
        kind=row["kind"],
        opening=row["opening"],
        author=Author.model_validate_json(row["author"]),
        body=_body(row, "body_"),
        attachments=tuple(StoredFile.model_validate(f) for f in json.loads(row["attachments"])),
        time_worked=row["time_worked"],
        via=row["via"],
        message_id=row["message_id"],
        verified=row["verified"],
        created_at=row["created_at"],
        edited_at=row["edited_at"],
        redacted_at=row["redacted_at"],
        redacted_by=_author(row["redacted_by"]),
        version=row["version"],
    )


def last_message(row: asyncpg.Record) -> LastMessage | None:
    """From the columns of `tickets.SAID_JOIN`; None when there is nothing to quote."""
    if not (text := beginning(row["said_text"] or "")):
        return None
    author = Author.model_validate_json(row["said_by"])
    return LastMessage(author=author, at=row["said_at"], text=text)


def _body(row: asyncpg.Record, prefix: str) -> Body:
    return Body(
        text=row[f"{prefix}text"],
        html=row[f"{prefix}html"],
        quoted=row[f"{prefix}quoted"],
        signature=row[f"{prefix}signature"],
        blob_id=row[f"{prefix}blob"],
    )


def body_values(body: Body) -> dict[str, str | None]:
    """The columns of a body, as the statements name them."""
    return {
        "body_text": body.text,
        "body_html": body.html,
        "body_quoted": body.quoted,
        "body_signature": body.signature,
        "body_blob": body.blob_id,
    }


def _named(identity: int | None, name: Any) -> Named | None:
    return None if identity is None else Named(id=identity, name=name)


def _person(identity: int | None, name: Any, email: Any) -> Person | None:
    return None if identity is None else Person(id=identity, name=name, email=email)


def _author(text: str | None) -> Author | None:
    return None if text is None else Author.model_validate_json(text)


def _feedback(text: str | None) -> Feedback | None:
    return None if text is None else Feedback.model_validate_json(text)


def _last_reply(row: asyncpg.Record) -> LastReply | None:
    if row["last_reply_at"] is None:
        return None
    return LastReply(at=row["last_reply_at"], kind=row["last_reply_kind"], by=row["last_reply_by"])
