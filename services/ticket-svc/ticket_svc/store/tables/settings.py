"""Settings, who changed them, and the numbers that are next."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from deskwire.columns import TIME, id_column, version
from ticket_svc.store.tables.schema import metadata

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
