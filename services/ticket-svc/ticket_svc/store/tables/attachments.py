"""Files of entries, and blobs that are none any more."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import UUID

from deskwire.columns import TIME, created_at, id_column
from ticket_svc.store.tables.schema import metadata

attachments = Table(
    "attachments",
    metadata,
    id_column(),
    Column("blob_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text),
    Column("content_id", Text),
    Column("inline", Boolean, nullable=False),
    created_at(),
    Column("linked_at", TIME),  # null: an upload that no entry has named yet
    Column("uploader", Text),
    Column("request_id", UUID, unique=True),  # the idempotency record of POST /attachments
    Index("attachments_blob", "blob_id"),  # whether a blob is pointed at
)
Index(  # uploads that expire
    "attachments_unused",
    attachments.c.created_at,
    postgresql_where=attachments.c.linked_at.is_(None),
)

discarded_blobs = Table(
    "discarded_blobs", metadata, Column("blob_id", Text, primary_key=True), created_at()
)
"""No row points at them any more; to be deleted."""
