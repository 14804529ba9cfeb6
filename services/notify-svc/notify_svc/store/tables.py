"""The tables, for statements and for the test that holds them against the migrations."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from deskwire.columns import TIME, created_at, id_column, version
from deskwire.messaging.schema import messaging_tables
from deskwire.oauth import oauth_table

metadata = MetaData()
messaging_tables(metadata)
oauth_table(metadata)


deliveries = Table(
    "deliveries",
    metadata,
    id_column(),
    Column("channel", Text, nullable=False, server_default="mail"),
    Column("about", Text, nullable=False),
    Column("ticket_id", BigInteger),
    Column("template", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("ambiguous", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", TIME, server_default=func.now()),
    Column("leased_by", Uuid),
    Column("lease_until", TIME),
    Column("answer", Text),
    created_at(),
    Column("queued_at", TIME, nullable=False, server_default=func.now()),
    Column("sent_at", TIME),
    version(),
    UniqueConstraint("about", "template", "recipient", name="deliveries_once"),
    CheckConstraint(
        "(state = 'sending') = (leased_by IS NOT NULL AND lease_until IS NOT NULL)",
        name="deliveries_sending_is_leased",
    ),
)
_waiting = deliveries.c.state.in_(["queued", "uncertain"])
_unfinished = deliveries.c.state.in_(["queued", "sending"])
Index(
    "deliveries_due",  # CLAIM: what is to be sent now
    deliveries.c.channel,
    deliveries.c.next_attempt_at,
    deliveries.c.id,
    postgresql_where=_waiting,
)
Index(
    "deliveries_in_order",  # CLAIM: whether an earlier mail of the ticket is not out yet
    deliveries.c.ticket_id,
    deliveries.c.recipient,
    deliveries.c.id,
    postgresql_where=_unfinished,
)
Index(
    "deliveries_by_state",  # RECENT_IN_STATE, and KEEP_LEASES and ABANDONED for those being sent
    deliveries.c.state,
    deliveries.c.id,
)

Index(
    "deliveries_of_webhook",  # REPLAY
    deliveries.c.recipient,
    deliveries.c.created_at,
    postgresql_where=deliveries.c.channel == "webhook",
)
Index(
    "deliveries_to_webhook",  # CLAIM_WEBHOOKS: what is to be told to each
    deliveries.c.recipient,
    deliveries.c.next_attempt_at,
    deliveries.c.id,
    postgresql_where=(deliveries.c.channel == "webhook") & _waiting,
)
Index("deliveries_message", deliveries.c.message_id)  # BOUNCED

agents = Table(
    "agents",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("handles", ARRAY(Text), nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)
Index("agents_by_handle", agents.c.handles, postgresql_using="gin")  # AGENTS: who is mentioned

preferences = Table(
    "preferences",
    metadata,
    Column("agent_id", BigInteger, primary_key=True, autoincrement=False),
    Column("doc", Text, nullable=False),
    version(),
)

digest_items = Table(
    "digest_items",
    metadata,
    id_column(),
    Column("delivery_id", BigInteger, ForeignKey("deliveries.id"), nullable=False),
    Column("event", Text, nullable=False),
    Column("context", Text, nullable=False),
    created_at(),
)
Index("digest_items_of", digest_items.c.delivery_id, digest_items.c.id)  # ITEMS, in their order

suppressions = Table(
    "suppressions",
    metadata,
    id_column(),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("delivery_id", BigInteger),
    created_at(),
    Column("archived_at", TIME),
    version(),
    UniqueConstraint("email_key", name="suppressions_once"),  # CLAIM: whether it gets mail
)

webhooks = Table(
    "webhooks",
    metadata,
    id_column(),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("client_id", BigInteger),
    Column("secret", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    created_at(),
    Column("archived_at", TIME),
    version(),
)
