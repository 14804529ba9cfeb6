"""Time worked, and its invoices."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from deskwire.columns import TIME
from gateway.readmodel.tables.schema import metadata


def _covering(*columns: str) -> dict[str, Any]:
    """With all that is summed up by whatever, of what was worked."""
    return {
        "postgresql_include": [*columns, "ticket_id", "seconds", "billable", "invoice_id"],
        "postgresql_where": text("seconds IS NOT NULL AND deleted_at IS NULL"),
    }


time_entries = Table(
    "time_entries",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("ticket_id", BigInteger, nullable=False),
    Column("agent_id", BigInteger),
    Column("client_id", BigInteger),
    Column("started_at", TIME, nullable=False),
    Column("seconds", Integer),  # null: the timer runs
    Column("billable", Boolean, nullable=False),
    Column("invoice_id", BigInteger),
    Column("deleted_at", TIME),
    Column("version", Integer, nullable=False),
    Column("doc", Text, nullable=False),
    Index("time_entries_ticket", "ticket_id", "started_at", "id"),  # GET /tickets/{id}/time
    # GET /reports/time, of an agent, of a client, of all: nothing but the index is read
    Index("time_entries_agent", "agent_id", "started_at", **_covering("client_id")),
    Index("time_entries_client", "client_id", "started_at", **_covering("agent_id")),
    Index("time_entries_started", "started_at", **_covering("agent_id", "client_id")),
    Index(  # GET /agents/{id}/timer
        "time_entries_running",
        "agent_id",
        postgresql_where=text("seconds IS NULL AND deleted_at IS NULL"),
    ),
)

invoices = Table(
    "invoices",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("client_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("issued", Boolean, nullable=False),  # at any time
    Column("date", Date, nullable=False),
    Column("version", Integer, nullable=False),
    Column("doc", Text, nullable=False),
    Index("invoices_number", "number"),  # GET /invoices
    Index("invoices_client", "client_id", "number"),  # client_id=, and every bound key's lists
    Index("invoices_date", "date"),  # from=, to=
    Index("invoices_draft", "number", postgresql_where=text("state = 'draft'")),  # state=draft
)
