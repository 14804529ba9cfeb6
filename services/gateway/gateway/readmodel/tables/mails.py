"""Mails in and out."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
)

from deskwire.columns import TIME
from gateway.readmodel.tables.schema import metadata

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
