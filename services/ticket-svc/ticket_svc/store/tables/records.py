"""Whom and what tickets are about, and how much a sender may cause."""

from typing import Any

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
    text,
)

from deskwire.columns import TIME, created_at, id_column, version
from ticket_svc.store.tables.schema import metadata


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
