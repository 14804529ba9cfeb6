"""Who calls the API, and which requests of many commands there were."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from deskwire.columns import TIME, created_at, id_column
from gateway.readmodel.tables.schema import metadata

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

# Which body a request had that is many commands, by the id that its Idempotency-Key gives it.
bulk_requests = Table(
    "bulk_requests",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("body_sha256", LargeBinary, nullable=False),
    Column("at", TIME, nullable=False, server_default=func.now()),
    Index("bulk_requests_at", "at"),
)
