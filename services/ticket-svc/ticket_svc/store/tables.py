"""The tables, for statements and for the test that holds them against the migrations."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from deskwire.messaging.schema import messaging_tables

metadata = MetaData()
messaging_tables(metadata)

TIME = TIMESTAMP(timezone=True)


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def _created() -> Column[object]:
    return Column("created_at", TIME, nullable=False, server_default=func.now())


def _version() -> Column[int]:
    return Column("version", Integer, nullable=False, server_default="1")


settings = Table(
    "settings",
    metadata,
    Column("id", Integer, primary_key=True, server_default="1"),
    Column("ticket_prefix", Text, nullable=False),
    Column("client_notifications", Boolean, nullable=False),
    Column("new_ticket_addresses", ARRAY(Text), nullable=False),
    _version(),
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
    _id(),
    Column("name", Text, nullable=False),
    Column("notifications", Boolean, nullable=False),
    Column("language", Text, nullable=False),
    _created(),
    Column("archived_at", TIME),
    _version(),
)

contacts = Table(
    "contacts",
    metadata,
    _id(),
    Column("client_id", BigInteger, ForeignKey("clients.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("email_key", Text),
    Column("primary", Boolean, nullable=False),
    _created(),
    Column("archived_at", TIME),
    _version(),
    UniqueConstraint("client_id", "email_key", name="contacts_unique_email"),
    Index("contacts_email", "email_key"),  # who sent this mail
)
Index(  # the contact of a ticket that names none
    "contacts_primary",
    contacts.c.client_id,
    unique=True,
    postgresql_where=contacts.c.primary,
)

domains = Table(
    "domains",
    metadata,
    _id(),
    Column("client_id", BigInteger, ForeignKey("clients.id"), nullable=False),
    Column("name", Text, nullable=False),
    _created(),
    _version(),
    UniqueConstraint("name", name="domains_unique_name"),
)

agents = Table(
    "agents",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    _created(),
    Column("archived_at", TIME),
    _version(),
    UniqueConstraint("email_key", name="agents_unique_email"),
)

tickets = Table(
    "tickets",
    metadata,
    _id(),
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
    Column("tags", ARRAY(Text), nullable=False),
    Column("billable", Boolean, nullable=False),
    Column("due_at", TIME),
    Column("time_worked", Integer, nullable=False, server_default="0"),
    Column("merged_into", BigInteger, ForeignKey("tickets.id")),
    Column("merged_from", ARRAY(BigInteger), nullable=False, server_default="{}"),
    Column("entry_count", Integer, nullable=False, server_default="1"),
    Column("last_reply_at", TIME),
    Column("last_reply_kind", Text),
    Column("last_reply_by", Text),
    Column("first_response_at", TIME),
    _created(),
    Column("created_by", Text, nullable=False),
    Column("updated_at", TIME, nullable=False, server_default=func.now()),
    Column("closed_at", TIME),
    Column("closed_by", Text),
    _version(),
    UniqueConstraint("number", name="tickets_unique_number"),  # and `[TCK-12]` in a subject
)

entries = Table(
    "entries",
    metadata,
    _id(),
    Column("ticket_id", BigInteger, ForeignKey("tickets.id"), nullable=False),
    Column("origin_ticket_id", BigInteger, ForeignKey("tickets.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("opening", Boolean, nullable=False, server_default=text("false")),
    Column("author", Text, nullable=False),
    Column("body_text", Text, nullable=False),
    Column("body_html", Text),
    Column("body_blob", Text),
    Column("attachments", Text, nullable=False, server_default="[]"),
    Column("time_worked", Integer, nullable=False, server_default="0"),
    Column("via", Text, nullable=False),
    Column("message_id", Text),
    Column("verified", Boolean, nullable=False, server_default=text("true")),
    _created(),
    Column("edited_at", TIME),
    Column("redacted_at", TIME),
    Column("redacted_by", Text),
    _version(),
    Index("entries_timeline", "ticket_id", "id"),  # opening entry, latest Message-IDs
)
Index(  # the mail that another mail answers
    "entries_message_id",
    entries.c.message_id,
    postgresql_where=entries.c.message_id.is_not(None),
)

attachments = Table(
    "attachments",
    metadata,
    _id(),
    Column("blob_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("content_id", Text),
    Column("inline", Boolean, nullable=False),
    _created(),
)

merges = Table(
    "merges",
    metadata,
    _id(),
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
    _created(),
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
    _id(),
    Column("ticket_id", BigInteger, ForeignKey("tickets.id"), nullable=False),
    Column("at", TIME, nullable=False, server_default=func.now()),
    Column("actor", Text, nullable=False),
    Column("through", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("old", Text, nullable=False),
    Column("new", Text, nullable=False),
)
