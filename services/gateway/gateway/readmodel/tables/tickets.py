"""Tickets, their entries and history, what is searched of them, and what changed last."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Table,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

from deskwire.columns import TIME, id_column
from gateway.readmodel.tables.schema import metadata

CURRENT_TRANSACTION = text("CAST(CAST(pg_current_xact_id() AS text) AS bigint)")

# What lists are narrowed by is in the indexes that give their order, so that a filter which few
# tickets pass is looked for in the index alone. They are read as long as pages are all-visible:
# vacuum comes early.
_NARROWED_BY = ["status", "priority", "source", "client_id", "assigned_to"]
_TIMES = ["created_at", "updated_at"]

tickets = Table(
    "tickets",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("reference", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("client_id", BigInteger),
    Column("assigned_to", BigInteger),
    Column("source", Text, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("updated_at", TIME, nullable=False),
    Column("due_at", TIME),
    Column("first_response_at", TIME),
    Column("closed_at", TIME),
    Column("version", Integer, nullable=False),
    Column("blob_id", Text),
    Column("doc", Text, nullable=False),
    Column("lookups", ARRAY(Text), nullable=False, server_default="{}"),
    # in the order of the number, of the priority, of the status; GET /tickets/by-number/{reference}
    Index(
        "tickets_by_number",
        "number",
        "id",
        postgresql_include=[*_NARROWED_BY, *_TIMES],
    ),
    # sort=created_at, created_after=, created_before=; GET /reports/tickets
    Index(
        "tickets_by_created",
        "created_at",
        "id",
        postgresql_include=[*_NARROWED_BY, "updated_at", "first_response_at"],
    ),
    Index(  # GET /reports/tickets
        "tickets_closed",
        "closed_at",
        postgresql_include=["client_id", "assigned_to"],
        postgresql_where=text("closed_at IS NOT NULL"),
    ),
    # sort=updated_at, updated_after=, updated_before=
    Index(
        "tickets_by_updated", "updated_at", "id", postgresql_include=[*_NARROWED_BY, "created_at"]
    ),
    Index("tickets_client_number", "client_id", "number", "id"),  # a client's, and each bound key's
    Index("tickets_client_created", "client_id", "created_at", "id"),  # the same, sort=created_at
    Index("tickets_client_updated", "client_id", "updated_at", "id"),  # the same, sort=updated_at
    # status= of what is not closed, in any order: as many as there is work, however many there were
    Index(
        "tickets_not_closed",
        "number",
        "id",
        postgresql_include=[*_NARROWED_BY, *_TIMES],
        postgresql_where=text("status <> 'closed'"),
    ),
    # sort=due_at, due_after=, due_before=
    Index(
        "tickets_due",
        "due_at",
        "id",
        postgresql_include=[*_NARROWED_BY],
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index("tickets_agent", "assigned_to"),  # assigned_to= of few tickets
    Index("tickets_source", "source"),  # source= of few tickets
    # contact_id=, asset_id=, tag=, category=
    Index(
        "tickets_lookups",
        "lookups",
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    ),
)

# What is searched: an entry's text has the entry's id, what is on the ticket itself has the id of
# the ticket below zero.
texts = Table(
    "texts",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("ticket_id", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("words", TSVECTOR, nullable=False),
    Index("texts_ticket", "ticket_id"),  # a found ticket's other texts; a changed ticket's texts
    *(
        # q=; what waits to be merged into it is read by every search
        Index(
            name,
            "words",
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": "512"},
            postgresql_where=text(which),
        )
        for name, which in (("texts_of_tickets", "id < 0"), ("texts_of_entries", "id > 0"))
    ),
)

entries = Table(
    "entries",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("ticket_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("version", Integer, nullable=False),
    Column("blob_id", Text),
    Column("doc", Text, nullable=False),
    Column("reply_id", BigInteger),  # its id; null: what its ticket was opened with
    Column("redacted", Boolean, nullable=False, server_default=false()),
    Column("files", JSONB),  # null: none
    Index("entries_timeline", "ticket_id", "created_at", "id"),  # GET /tickets/{id}/entries
    # ticket_replies/read.php of all tickets
    Index("entries_replies", "kind", "reply_id", postgresql_where=text("reply_id IS NOT NULL")),
    Index(  # GET /attachments/{id}
        "entries_files",
        "files",
        postgresql_using="gin",
        postgresql_ops={"files": "jsonb_path_ops"},
        postgresql_with={"fastupdate": "off"},
        postgresql_where=text("files IS NOT NULL"),
    ),
)

history = Table(
    "history",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("ticket_id", BigInteger, nullable=False),
    Column("doc", Text, nullable=False),
    Index("history_ticket", "ticket_id", "id"),  # GET /tickets/{id}/history
)

changes = Table(
    "changes",
    metadata,
    # GET /events goes on from a place in this order
    Column("xid", BigInteger, primary_key=True, server_default=CURRENT_TRANSACTION),
    id_column(),
    Column("at", TIME, nullable=False, server_default=func.now()),
    Column("type", Text, nullable=False),
    Column("ticket_id", BigInteger, nullable=False),
    Column("entry_id", BigInteger),
    Column("internal", Boolean, nullable=False),
)
