"""Tickets, their entries, what was merged, and what was changed."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from deskwire.columns import TIME, created_at, id_column, version
from ticket_svc.store.tables.schema import metadata

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
