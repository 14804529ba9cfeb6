"""Invoices, their lines, and which time is on them. Whoever changes one has locked it, before the
tickets whose time it bills."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
from sqlalchemy import text

from deskwire.contracts.actors import Author, Named
from deskwire.contracts.invoices import Buyer, Invoice, InvoiceLine
from deskwire.contracts.money import Money
from deskwire.contracts.settings import Seller, Settings
from deskwire.db import Session, compiled
from ticket_svc.domain.invoicing import Billing, Line, Worked, postal_address, rounded
from ticket_svc.store.changes import INVOICE_IDS
from ticket_svc.store.documents import JOINS, OPENING, OPENING_JOIN, TICKET
from ticket_svc.store.records import rate_of
from ticket_svc.store.timekeeping import writing

INVOICE = """
    SELECT i.*, (SELECT json_agg(l ORDER BY l.id) FROM invoice_lines l
                 WHERE l.invoice_id = i.id) AS lines
    FROM invoices i
"""

# What it says is read after, by a statement that sees what those did who were waited for.
LOCK = compiled(text("SELECT FROM invoices WHERE id = :id FOR NO KEY UPDATE"))
GET = compiled(text(f"{INVOICE} WHERE i.id = :id"))
NAMED = compiled(
    text("SELECT client_id, prefix || number AS reference FROM invoices WHERE id = :id")
)

BILLING = compiled(
    text("""
    SELECT cl.*, s.doc || coalesce(cs.overrides, '{}') AS settings,
           lo.address, lo.city, lo.state, lo.zip, lo.country
    FROM clients cl CROSS JOIN settings s LEFT JOIN client_settings cs ON cs.client_id = cl.id
    LEFT JOIN locations lo
        ON lo.client_id = cl.id AND lo."primary" AND lo.archived_at IS NULL
    WHERE cl.id = :client_id
    """)
)

_BILLABLE = """
    ti.billable AND ti.seconds IS NOT NULL AND ti.deleted_at IS NULL AND NOT EXISTS (
        SELECT FROM invoiced_time WHERE time_entry_id = ti.id AND freed_at IS NULL)
"""

CLOSED = compiled(
    text(f"""
    SELECT id FROM tickets t
    WHERE client_id = :client_id AND closed_at >= :since AND closed_at < :until
      AND merged_into IS NULL
      AND EXISTS (SELECT FROM time_entries ti WHERE ti.ticket_id = t.id AND {_BILLABLE})
    """)
)

WORKED = compiled(
    text(f"""
    SELECT ti.id, ti.ticket_id, t.prefix, t.number, t.subject, ti.note, ti.agent_id,
           ag.name AS agent_name, ag.rate, ag.currency, ti.seconds, ti.started_at
    FROM time_entries ti JOIN tickets t ON t.id = ti.ticket_id
    LEFT JOIN agents ag ON ag.id = ti.agent_id
    WHERE ti.ticket_id = ANY(CAST(:ticket_ids AS bigint[])) AND {_BILLABLE}
    ORDER BY ti.ticket_id, ti.started_at, ti.id
    """)
)

NOT_BILLABLE = compiled(
    text("""
    SELECT count(*) FROM time_entries
    WHERE ticket_id = :ticket_id AND NOT billable AND seconds IS NOT NULL AND deleted_at IS NULL
    """)
)

# The counter's lock is held until the commit: numbers have no gap.
INSERT = compiled(
    text("""
    WITH next AS (
        UPDATE counters SET value = value + 1 WHERE name = 'invoice' RETURNING value
    )
    INSERT INTO invoices (number, prefix, client_id, client_name, seller, buyer, language, date,
                          due, currency, created_by)
    SELECT value, :prefix, :client_id, :client_name, :seller, :buyer, :language, :date, :due,
           :currency, :created_by
    FROM next
    RETURNING id
    """)
)

RENEW = compiled(
    text("""
    UPDATE invoices SET client_name = :client_name, seller = :seller, buyer = :buyer,
        language = :language, date = :date, due = :due, state = :state,
        issued_at = CASE WHEN :state = 'issued' THEN now() END,
        updated_at = now(), version = version + 1
    WHERE id = :id
    """)
)

VOID = compiled(
    text("""
    UPDATE invoices SET state = 'void', voided_at = now(), void_reason = :reason,
        updated_at = now(), version = version + 1
    WHERE id = :id
    """)
)

ADD_LINES = compiled(
    text("""
    INSERT INTO invoice_lines (invoice_id, ticket_id, reference, description, agent_id, agent_name,
                               time_entry_id, worked_from, worked_to, seconds, quantity, rate,
                               amount, tax_rate, tax)
    SELECT :invoice_id, ticket_id, reference, description, agent_id, agent_name, time_entry_id,
           worked_from, worked_to, seconds, quantity, rate, amount, tax_rate, tax
    FROM unnest(
        CAST(:ticket_ids AS bigint[]), CAST(:references AS text[]), CAST(:descriptions AS text[]),
        CAST(:agent_ids AS bigint[]), CAST(:agent_names AS text[]),
        CAST(:time_entry_ids AS bigint[]), CAST(:worked_from AS date[]),
        CAST(:worked_to AS date[]), CAST(:seconds AS bigint[]), CAST(:quantities AS numeric[]),
        CAST(:rates AS numeric[]), CAST(:amounts AS numeric[]), CAST(:tax_rates AS numeric[]),
        CAST(:taxes AS numeric[])) WITH ORDINALITY
        AS line (ticket_id, reference, description, agent_id, agent_name, time_entry_id,
                 worked_from, worked_to, seconds, quantity, rate, amount, tax_rate, tax, place)
    ORDER BY place
    RETURNING id
    """)
)

BILL_TIME = compiled(
    text("""
    INSERT INTO invoiced_time (invoice_id, line_id, time_entry_id)
    SELECT :invoice_id, * FROM unnest(CAST(:line_ids AS bigint[]), CAST(:time_ids AS bigint[]))
    """)
)

FREE_TIME = compiled(
    text("""
    UPDATE invoiced_time SET freed_at = now() WHERE invoice_id = :invoice_id AND freed_at IS NULL
    RETURNING time_entry_id AS id
    """)
)

SHOWING = compiled(
    text("""
    SELECT DISTINCT ticket_id AS id FROM time_entries WHERE id = ANY(CAST(:time_ids AS bigint[]))
    """)
)

RETELL_TIME = writing("""
    UPDATE time_entries SET updated_at = now(), version = version + 1
    WHERE id = ANY(CAST(:time_ids AS bigint[]))
""")

RETELL_TICKETS = compiled(
    text(f"""
    WITH t AS (
        UPDATE tickets t SET invoice_ids = {INVOICE_IDS}, updated_at = now(), version = version + 1
        WHERE id = ANY(CAST(:ids AS bigint[])) RETURNING *
    )
    SELECT {TICKET}, {OPENING} FROM t {JOINS} {OPENING_JOIN} ORDER BY t.id
    """)
)


async def add_lines(session: Session, invoice_id: int, lines: Sequence[Line]) -> None:
    rows = await session.fetch(
        ADD_LINES,
        invoice_id=invoice_id,
        ticket_ids=[line.ticket.id for line in lines],
        references=[line.ticket.name for line in lines],
        descriptions=[line.description for line in lines],
        agent_ids=[line.agent and line.agent.id for line in lines],
        agent_names=[line.agent and line.agent.name for line in lines],
        time_entry_ids=[line.time_entry_id for line in lines],
        worked_from=[line.worked_from for line in lines],
        worked_to=[line.worked_to for line in lines],
        seconds=[line.seconds for line in lines],
        quantities=[line.quantity for line in lines],
        rates=[line.rate for line in lines],
        amounts=[line.amount for line in lines],
        tax_rates=[line.tax_rate for line in lines],
        taxes=[line.tax for line in lines],
    )
    ids = sorted(row["id"] for row in rows)
    times = [(id, time) for id, line in zip(ids, lines, strict=True) for time in line.time_ids]
    line_ids, time_ids = zip(*times, strict=True)
    await session.execute(BILL_TIME, invoice_id=invoice_id, line_ids=line_ids, time_ids=time_ids)


# Who is named by the client as those whom invoices are for, if mail reaches them.
READERS = compiled(
    text("""
    SELECT name, email, language FROM contacts
    WHERE client_id = :client_id AND billing AND email IS NOT NULL AND undeliverable IS NULL
      AND archived_at IS NULL
    ORDER BY id LIMIT 20
    """)
)


def billing(row: asyncpg.Record) -> Billing:
    return Billing(
        client=Named(id=row["id"], name=row["name"]),
        buyer=Buyer(name=row["name"], address=postal_address(dict(row)), tax_id=row["tax_id"]),
        language=row["language"],
        timezone=row["timezone"],
        currency=row["currency"],
        rate=rate_of(row),
        net_terms=row["net_terms"],
        settings=Settings.model_validate_json(row["settings"]),
    )


def worked(row: asyncpg.Record, timezone: str) -> Worked:
    agent_id = row["agent_id"]
    return Worked(
        time_id=row["id"],
        ticket=Named(id=row["ticket_id"], name=f"{row['prefix']}{row['number']}"),
        subject=row["subject"],
        note=row["note"],
        agent=None if agent_id is None else Named(id=agent_id, name=row["agent_name"]),
        agent_rate=rate_of(row),
        seconds=row["seconds"],
        on=row["started_at"].astimezone(ZoneInfo(timezone)).date(),
    )


def party_values(billing: Billing) -> dict[str, str]:
    """The columns that say who sends an invoice, to whom, in which language."""
    return {
        "client_name": billing.client.name,
        "seller": billing.settings.seller.model_dump_json(),
        "buyer": billing.buyer.model_dump_json(),
        "language": billing.language,
    }


def invoice(row: asyncpg.Record) -> Invoice:
    currency = row["currency"]
    lines = json.loads(row["lines"], parse_float=Decimal, parse_int=Decimal)
    amount, tax = (sum((line[name] for line in lines), Decimal()) for name in ("amount", "tax"))
    return Invoice(
        id=row["id"],
        number=row["number"],
        prefix=row["prefix"],
        reference=f"{row['prefix']}{row['number']}",
        state=row["state"],
        client=Named(id=row["client_id"], name=row["client_name"]),
        seller=Seller.model_validate_json(row["seller"]),
        buyer=Buyer.model_validate_json(row["buyer"]),
        language=row["language"],
        date=row["date"],
        due=row["due"],
        currency=currency,
        lines=tuple(_line(line, currency) for line in lines),
        subtotal=_money(amount, currency),
        tax=_money(tax, currency),
        total=_money(amount + tax, currency),
        created_at=row["created_at"],
        created_by=Author.model_validate_json(row["created_by"]),
        updated_at=row["updated_at"],
        issued_at=row["issued_at"],
        voided_at=row["voided_at"],
        void_reason=row["void_reason"],
        version=row["version"],
    )


def _line(line: dict[str, Any], currency: str) -> InvoiceLine:
    agent_id = line["agent_id"]
    return InvoiceLine(
        id=line["id"],
        ticket=Named(id=line["ticket_id"], name=line["reference"]),
        description=line["description"],
        agent=None if agent_id is None else Named(id=agent_id, name=line["agent_name"]),
        time_entry_id=line["time_entry_id"],
        worked_from=line["worked_from"],
        worked_to=line["worked_to"],
        seconds=line["seconds"],
        quantity=f"{line['quantity']:f}",
        rate=Money(amount=f"{line['rate']:f}", currency=currency),
        amount=_money(line["amount"], currency),
        tax_rate=f"{line['tax_rate']:f}",
        tax=_money(line["tax"], currency),
        total=_money(line["amount"] + line["tax"], currency),
    )


def _money(amount: Decimal, currency: str) -> Money:
    return Money(amount=f"{rounded(amount, currency):f}", currency=currency)
