"""The tables, for statements and for the test that holds them against the migrations."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from deskwire.columns import TIME, created_at, id_column, version
from deskwire.messaging.schema import messaging_tables

metadata = MetaData()
messaging_tables(metadata)


def _client() -> Column[int]:
    return Column("client_id", BigInteger, ForeignKey("clients.id"), nullable=False)


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text) for name in names]


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def _kept() -> list[Column[Any]]:
    return [created_at(), Column("updated_at", TIME), Column("archived_at", TIME), version()]


def _only_one(name: str, *columns: Column[Any]) -> Index:
    """Of those that are not archived."""
    there = columns[0].table.c.archived_at.is_(None)
    return Index(name, *columns, unique=True, postgresql_where=there)


settings = Table(
    "settings",
    metadata,
    Column("id", Integer, primary_key=True, server_default="1"),
    Column("doc", JSONB, nullable=False),
    version(),
)

client_settings = Table(
    "client_settings",
    metadata,
    Column("client_id", BigInteger, ForeignKey("clients.id"), primary_key=True),
    Column("overrides", JSONB, nullable=False),
    version(),
)

setting_history = Table(
    "setting_history",
    metadata,
    id_column(),
    Column("client_id", BigInteger, ForeignKey("clients.id")),
    Column("at", TIME, nullable=False, server_default=func.now()),
    Column("actor", Text, nullable=False),
    Column("through", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("old", Text, nullable=False),
    Column("new", Text, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

clients = Table(
    "clients",
    metadata,
    id_column(),
    Column("name", Text, nullable=False),
    *_texts("type", "abbreviation", "website", "referral"),
    _flag("lead"),
    Column("rate", Numeric(15, 2)),
    Column("currency", Text, nullable=False, server_default="EUR"),
    Column("net_terms", Integer),
    *_texts("tax_id"),
    Column("language", Text, nullable=False),
    Column("timezone", Text, nullable=False, server_default="UTC"),
    Column("notifications", Boolean, nullable=False),
    *_texts("notes"),
    *_kept(),
)

contacts = Table(
    "contacts",
    metadata,
    id_column(),
    _client(),
    Column("name", Text, nullable=False),
    *_texts("email", "email_key", "title", "department", "phone", "extension", "mobile", "notes"),
    *_texts("language", "undeliverable"),
    Column("notifications", Boolean, nullable=False, server_default=text("true")),
    Column("primary", Boolean, nullable=False),
    *(_flag(name) for name in ("important", "billing", "technical")),
    Column("location_id", BigInteger, ForeignKey("locations.id")),
    *_kept(),
    Index("contacts_email", "email_key"),  # who sent this mail
)
_only_one("contacts_unique_email", contacts.c.client_id, contacts.c.email_key)
Index(  # the contact of a ticket that names none
    "contacts_primary",
    contacts.c.client_id,
    unique=True,
    postgresql_where=contacts.c.primary,
)
Index(  # who watches it, too
    "contacts_technical", contacts.c.client_id, postgresql_where=contacts.c.technical
)

sender_budgets = Table(
    "sender_budgets",
    metadata,
    Column("email_key", Text, primary_key=True),
    Column("hour", TIME, primary_key=True),
    Column("tickets", Integer, nullable=False),
    Column("answers", Integer, nullable=False, server_default="0"),
)

domains = Table(
    "domains",
    metadata,
    id_column(),
    _client(),
    Column("name", Text, nullable=False),
    *_kept(),
)
_only_one("domains_unique_name", domains.c.name)

agents = Table(
    "agents",
    metadata,
    id_column(),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("rate", Numeric(15, 2)),
    Column("currency", Text),
    *_kept(),
)
_only_one("agents_unique_email", agents.c.email_key)

assets = Table(
    "assets",
    metadata,
    id_column(),
    _client(),
    Column("name", Text, nullable=False),
    *_texts("type", "description", "make", "model", "serial", "os", "ip", "mac", "uri", "status"),
    *(Column(name, Date) for name in ("purchase_date", "warranty_expire", "install_date")),
    *_texts("notes"),
    Column("location_id", BigInteger, ForeignKey("locations.id")),
    Column("contact_id", BigInteger, ForeignKey("contacts.id")),
    *_kept(),
)

locations = Table(
    "locations",
    metadata,
    id_column(),
    _client(),
    Column("name", Text, nullable=False),
    *_texts("description", "country", "address", "city", "state", "zip", "phone", "hours", "notes"),
    _flag("primary"),
    *_kept(),
)
Index(
    "locations_primary",
    locations.c.client_id,
    unique=True,
    postgresql_where=locations.c.primary,
)

tickets = Table(
    "tickets",
    metadata,
    id_column(),
    Column("number", BigInteger, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("category", Text),
    Column("source", Text, nullable=False),
    Column("client_id", BigInteger, ForeignKey("clients.id")),
    Column("contact_id", BigInteger, ForeignKey("contacts.id")),
    Column("assigned_to", BigInteger, ForeignKey("agents.id")),
    Column("asset_ids", ARRAY(BigInteger), nullable=False, server_default="{}"),
    Column("watchers", ARRAY(Text), nullable=False),
    # who has left the watchers, in lower case: being copied in again brings nobody back
    Column("unwatched", ARRAY(Text), nullable=False, server_default="{}"),
    Column("tags", ARRAY(Text), nullable=False),
    Column("billable", Boolean, nullable=False),
    Column("due_at", TIME),
    Column("time_worked", BigInteger, nullable=False, server_default="0"),
    Column("merged_into", BigInteger, ForeignKey("tickets.id")),
    Column("merged_from", ARRAY(BigInteger), nullable=False, server_default="{}"),
    Column("follows", BigInteger, ForeignKey("tickets.id")),
    Column("possibly_related", BigInteger, ForeignKey("tickets.id")),
    Column("invoice_ids", ARRAY(BigInteger), nullable=False, server_default="{}"),
    Column("entry_count", Integer, nullable=False, server_default="1"),
    Column("last_reply_at", TIME),
    Column("last_reply_kind", Text),
    Column("last_reply_by", Text),
    Column("first_response_at", TIME),
    created_at(),
    Column("created_by", Text, nullable=False),
    Column("updated_at", TIME, nullable=False, server_default=func.now()),
    Column("closed_at", TIME),
    Column("closed_by", Text),
    Column("clock", Text),  # what it waits for; null: nothing
    Column("feedback", Text),
    Column("mailbox", Text),  # that it came by
    Column(  # whether its last message was for all who read it now
        "quotable", Boolean, nullable=False, server_default=text("true")
    ),
    version(),
    UniqueConstraint("number", name="tickets_unique_number"),  # and `[TCK-12]` in a subject
)
Index(  # a client's tickets that were closed in a month
    "tickets_closed",
    tickets.c.client_id,
    tickets.c.closed_at,
    postgresql_where=tickets.c.closed_at.is_not(None),
)
Index(  # FOLLOWER
    "tickets_follows",
    tickets.c.follows,
    tickets.c.id,
    postgresql_where=tickets.c.follows.is_not(None),
)
# Tickets that show a name which is another now, newest first.
for _shown in (tickets.c.client_id, tickets.c.contact_id, tickets.c.assigned_to):
    Index(f"tickets_{_shown.name}", _shown, tickets.c.id)
Index(
    "tickets_asset_ids",
    tickets.c.asset_ids,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "off"},
    postgresql_where=tickets.c.asset_ids != text("'{}'"),
)
_armed = tickets.c.clock.is_not(None) | (tickets.c.status == text("'auto-close'"))
Index("tickets_armed", tickets.c.id, postgresql_where=_armed)  # ARMED, PAGE

entries = Table(
    "entries",
    metadata,
    id_column(),
    Column("ticket_id", BigInteger, ForeignKey("tickets.id"), nullable=False),
    Column("origin_ticket_id", BigInteger, ForeignKey("tickets.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("opening", Boolean, nullable=False, server_default=text("false")),
    Column("author", Text, nullable=False),
    Column("body_text", Text, nullable=False),
    Column("body_html", Text),
    Column("body_quoted", Text, nullable=False, server_default=""),
    Column("body_signature", Text, nullable=False, server_default=""),
    Column("body_blob", Text),
    Column("attachments", Text, nullable=False, server_default="[]"),
    Column("time_worked", Integer, nullable=False, server_default="0"),
    Column("via", Text, nullable=False),
    Column("message_id", Text),
    Column("verified", Boolean, nullable=False, server_default=text("true")),
    created_at(),
    Column("edited_at", TIME),
    Column("redacted_at", TIME),
    Column("redacted_by", Text),
    version(),
    Index("entries_timeline", "ticket_id", "id"),  # opening entry
)
Index(  # latest Message-IDs, what is quoted, the last reply
    "entries_said",
    entries.c.ticket_id,
    entries.c.id,
    postgresql_where=entries.c.kind != text("'internal'"),
)
Index(  # whether a blob is pointed at
    "entries_body_blob", entries.c.body_blob, postgresql_where=entries.c.body_blob.is_not(None)
)
Index(  # the mail that another mail answers
    "entries_message_id",
    entries.c.message_id,
    postgresql_where=entries.c.message_id.is_not(None),
)

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

attachments = Table(
    "attachments",
    metadata,
    id_column(),
    Column("blob_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text),
    Column("content_id", Text),
    Column("inline", Boolean, nullable=False),
    created_at(),
    Column("linked_at", TIME),  # null: an upload that no entry has named yet
    Column("uploader", Text),
    Column("request_id", UUID, unique=True),  # the idempotency record of POST /attachments
    Index("attachments_blob", "blob_id"),  # whether a blob is pointed at
)
Index(  # uploads that expire
    "attachments_unused",
    attachments.c.created_at,
    postgresql_where=attachments.c.linked_at.is_(None),
)

discarded_blobs = Table(
    "discarded_blobs", metadata, Column("blob_id", Text, primary_key=True), created_at()
)
"""No row points at them any more; to be deleted."""

merges = Table(
    "merges",
    metadata,
    id_column(),
    Column("source_id", BigInteger, ForeignKey("tickets.id"), nullable=False),
    Column("target_id", BigInteger, ForeignKey("tickets.id"), nullable=False),
    Column("reason", Text, nullable=False),
    # the source as it was
    Column("status", Text, nullable=False),
    Column("closed_at", TIME),
    Column("closed_by", Text),
    # what the target took over
    Column("watchers", ARRAY(Text), nullable=False),
    Column("asset_ids", ARRAY(BigInteger), nullable=False),
    created_at(),
    Column("undone_at", TIME),
)
Index(  # a ticket's merge
    "merges_source",
    merges.c.source_id,
    unique=True,
    postgresql_where=merges.c.undone_at.is_(None),
)
Index(  # what was merged into a ticket
    "merges_target", merges.c.target_id, postgresql_where=merges.c.undone_at.is_(None)
)

history = Table(
    "history",
    metadata,
    id_column(),
    Column("ticket_id", BigInteger, ForeignKey("tickets.id"), nullable=False),
    Column("at", TIME, nullable=False, server_default=func.now()),
    Column("actor", Text, nullable=False),
    Column("through", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("old", Text, nullable=False),
    Column("new", Text, nullable=False),
)
