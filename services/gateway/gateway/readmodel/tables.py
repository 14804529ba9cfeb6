"""The tables, for statements and for the test that holds them against the migrations."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR, UUID

from deskwire.columns import TIME, created_at, id_column
from deskwire.messaging.schema import messaging_tables

metadata = MetaData()
messaging_tables(metadata)

CURRENT_TRANSACTION = text("CAST(CAST(pg_current_xact_id() AS text) AS bigint)")

api_keys = Table(
    "api_keys",
    metadata,
    id_column(),
    Column("name", Text, nullable=False),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("client_id", BigInteger),
    Column("agent_id", BigInteger),
    Column("scopes", ARRAY(Text), nullable=False),
    created_at(),
    Column("expires_at", TIME),
    Column("revoked_at", TIME),
    Column("request_id", UUID, unique=True),  # the idempotency record of POST /keys
)

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

# Which body a request had that is many commands, by the id that its Idempotency-Key gives it.
bulk_requests = Table(
    "bulk_requests",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("body_sha256", LargeBinary, nullable=False),
    Column("at", TIME, nullable=False, server_default=func.now()),
    Index("bulk_requests_at", "at"),
)

history = Table(
    "history",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("ticket_id", BigInteger, nullable=False),
    Column("doc", Text, nullable=False),
    Index("history_ticket", "ticket_id", "id"),  # GET /tickets/{id}/history
)


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

setting_history = Table(
    "setting_history",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # GET /settings/history
    Column("client_id", BigInteger),
    Column("doc", Text, nullable=False),
    Index("setting_history_client", "client_id", "id"),  # the same, client_id=
)

records = Table(
    "records",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # lists are in its order
    Column("client_id", BigInteger),
    Column("version", Integer, nullable=False),
    Column("doc", Text, nullable=False),
    Column("lookups", ARRAY(Text), nullable=False, server_default="{}"),
    Column("archived", Boolean, nullable=False, server_default=false()),
    Column("name", Text(collation="C"), nullable=False, server_default=""),  # folded
    Column("words", TSVECTOR, nullable=False, server_default=""),
    # name=, email=, and ITFlow's look-ups by serial, ...
    Index(
        "records_lookups",
        "lookups",
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    ),
    Index("records_client", "kind", "client_id", "id"),  # client_id=, and every bound key's lists
    Index("records_name", "kind", "name", "id"),  # sort=name
    Index("records_client_name", "kind", "client_id", "name", "id"),  # the same, of a client
    Index("records_archived", "kind", "id", postgresql_where=text("archived")),  # archived=true
    Index(  # q=
        "records_words",
        "words",
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    ),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", Text, nullable=False, server_default="mail"),
    Column("ticket_id", BigInteger),
    Column("state", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("doc", Text, nullable=False),
    Index("deliveries_ticket", "ticket_id", "id"),  # GET /mail/outbound?ticket_id=
    Index("deliveries_state", "state", "id"),  # GET /mail/outbound?state=
    Index("deliveries_template", "template", "id"),  # GET /mail/outbound?template=
    Index("deliveries_recipient", "recipient", "id"),  # GET /mail/outbound?recipient=
)

inbound = Table(
    "inbound",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("mailbox", Text, nullable=False),
    Column("sender", Text),  # in lower case
    Column("ticket_id", BigInteger),
    Column("seen_at", TIME, nullable=False),
    Column("raw_id", Text),
    Column("version", Integer, nullable=False),
    Column("doc", Text, nullable=False),
    Index("inbound_state", "state", "seen_at", "id"),  # GET /mail/inbound?state=
    Index("inbound_mailbox", "mailbox", "seen_at", "id"),  # GET /mail/inbound?mailbox=
    Index("inbound_sender", "sender", "seen_at", "id"),  # GET /mail/inbound?sender=
    Index("inbound_ticket", "ticket_id"),  # GET /mail/inbound?ticket_id=
    Index("inbound_seen", "seen_at", "id"),  # GET /mail/inbound
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
