"""Time worked, and its invoices."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

from deskwire.columns import TIME, created_at, id_column, version
from ticket_svc.store.tables.schema import metadata

time_entries = Table(
    "time_entries",
    metadata,
    id_column(),
    Column("ticket_id", BigInteger, ForeignKey("tickets.id"), nullable=False),
    Column("origin_ticket_id", BigInteger, ForeignKey("tickets.id"), nullable=False),
    Column("entry_id", BigInteger, ForeignKey("entries.id")),
    Column("agent_id", BigInteger, ForeignKey("agents.id")),
    Column("seconds", Integer),  # null: the timer runs
    Column("started_at", TIME, nullable=False),
    Column("billable", Boolean, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    created_at(),
    Column("updated_at", TIME, nullable=False, server_default=func.now()),
    Column("deleted_at", TIME),
    version(),
    Index("time_entries_ticket", "ticket_id"),  # what a ticket's time_worked is the sum of
)
Index(  # an agent's one timer
    "time_entries_running",
    time_entries.c.agent_id,
    unique=True,
    postgresql_where=text("seconds IS NULL AND deleted_at IS NULL"),
)

invoices = Table(
    "invoices",
    metadata,
    id_column(),
    Column("number", BigInteger, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="draft"),
    Column("client_id", BigInteger, ForeignKey("clients.id"), nullable=False),
    Column("client_name", Text, nullable=False),
    # as they were when it was last changed
    Column("seller", Text, nullable=False),
    Column("buyer", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("date", Date, nullable=False),
    Column("due", Date, nullable=False),
    Column("currency", Text, nullable=False),
    created_at(),
    Column("created_by", Text, nullable=False),
    Column("updated_at", TIME, nullable=False, server_default=func.now()),
    Column("issued_at", TIME),
    Column("voided_at", TIME),
    Column("void_reason", Text),
    version(),
    UniqueConstraint("number", name="invoices_unique_number"),
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    id_column(),
    Column("invoice_id", BigInteger, ForeignKey("invoices.id"), nullable=False),
    Column("ticket_id", BigInteger, ForeignKey("tickets.id"), nullable=False),
    Column("reference", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("agent_id", BigInteger, ForeignKey("agents.id")),
    Column("agent_name", Text),
    Column("time_entry_id", BigInteger, ForeignKey("time_entries.id")),
    Column("worked_from", Date, nullable=False),
    Column("worked_to", Date, nullable=False),
    Column("seconds", BigInteger, nullable=False),
    *(
        Column(name, Numeric, nullable=False)
        for name in ("quantity", "rate", "amount", "tax_rate", "tax")
    ),
    Index("invoice_lines_invoice", "invoice_id", "id"),  # an invoice's document
)

invoiced_time = Table(
    "invoiced_time",
    metadata,
    Column("line_id", BigInteger, ForeignKey("invoice_lines.id"), primary_key=True),
    Column("time_entry_id", BigInteger, ForeignKey("time_entries.id"), primary_key=True),
    Column("invoice_id", BigInteger, ForeignKey("invoices.id"), nullable=False),
    Column("freed_at", TIME),  # when its invoice was made void
    Index("invoiced_time_invoice", "invoice_id"),  # what is freed with it
)
Index(  # no minute is billed twice; a time entry's invoice
    "invoiced_time_once",
    invoiced_time.c.time_entry_id,
    unique=True,
    postgresql_where=invoiced_time.c.freed_at.is_(None),
)
