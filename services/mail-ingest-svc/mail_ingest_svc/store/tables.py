"""The tables of the ledger."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
)

from deskwire.columns import TIME, id_column, version
from deskwire.messaging.schema import messaging_tables
from deskwire.oauth import oauth_table

metadata = MetaData()
messaging_tables(metadata)
oauth_table(metadata)


STATES = (
    "fetching",
    "received",
    "ticket",
    "reply",
    "ignored",
    "quarantined",
    "failed",
    "duplicate",
)
"""``fetching``: seen, not yet read, and with a ``raw_id`` there to be read from the blobs;
``received``: ticket-svc has yet to answer; ``quarantined``: as ignored, but somebody is to look
at it."""

mails = Table(
    "mails",
    metadata,
    id_column(),
    Column("mailbox", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="fetching"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text),
    Column("raw_id", Text),
    Column("message_id", Text),
    Column("sender", Text),
    Column("subject", Text, nullable=False, server_default=""),
    Column("ticket_id", BigInteger),
    Column("entry_id", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("claimed_at", TIME, server_default=func.now()),
    Column("seen_at", TIME, nullable=False, server_default=func.now()),
    Column("received_at", TIME),
    Column("handled_at", TIME),
    Column("flagged_at", TIME),
    Column("accepted", Boolean, nullable=False, server_default=false()),
    Column("client_id", BigInteger),
    Column("decided_by", Text),
    Column("parts", Text),  # the ids of the blobs of its files and of a long text, as JSON
    Column("raw_deleted_at", TIME),
    version(),
    UniqueConstraint("mailbox", "folder", "uidvalidity", "uid"),
    CheckConstraint(f"state IN {STATES}", name="mails_state"),
)
Index("mails_by_state", mails.c.state, mails.c.id)  # RECENT of one state: the CLI
unmoved = mails.c.flagged_at.is_(None)
Index("mails_unmoved", mails.c.mailbox, mails.c.folder, postgresql_where=unmoved)  # LEFT
_kept = text("state = 'fetching' AND raw_id IS NOT NULL")
Index("mails_kept", mails.c.id, postgresql_where=_kept)  # CLAIM_KEPT
Index("mails_raw", mails.c.raw_id, postgresql_where=mails.c.raw_id.is_not(None))  # LOOSE, DISCARDED

SETTLED = "raw_id IS NOT NULL AND state IN ('ticket', 'reply', 'ignored', 'duplicate')"
SETTLED_AT = "coalesce(handled_at, received_at, seen_at)"
Index("mails_settled", text(SETTLED_AT), _table=mails, postgresql_where=text(SETTLED))  # EXPIRE

discarded_blobs = Table("discarded_blobs", metadata, Column("blob_id", Text, primary_key=True))

originals = Table(
    "originals",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("mail_id", BigInteger, nullable=False),
)
"""The first mail of each content. Its key decides between processes that take the same one."""
