"""Which body a request had that is many commands: each of them is remembered by its owner alone."""

from hashlib import sha256
from uuid import UUID

from sqlalchemy import text

from deskwire.db import Database, compiled
from deskwire.errors import KeyReused
from deskwire.messaging.housekeeping import INBOX_DAYS, ROWS

_FIRST = compiled(
    text("""
    INSERT INTO bulk_requests AS known (id, body_sha256) VALUES (:id, :body)
    ON CONFLICT (id) DO UPDATE SET body_sha256 = known.body_sha256
    RETURNING body_sha256
    """)
)
TIDY_REPEATS = compiled(
    text(f"""
    DELETE FROM bulk_requests WHERE id IN (
        SELECT id FROM bulk_requests WHERE at < now() - interval '{INBOX_DAYS} days'
        ORDER BY at LIMIT {ROWS})
    RETURNING id
    """)
)


async def check_body(database: Database, id: UUID, body: bytes) -> None:
    """Raises `KeyReused` when the request had another body before."""
    given = sha256(body).digest()
    if await database.fetch_value(_FIRST, id=id, body=given) != given:
        raise KeyReused
