"""Clients to settings, each a document that is listed and looked up, and what settings were."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR

from gateway.readmodel.tables.schema import metadata

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
