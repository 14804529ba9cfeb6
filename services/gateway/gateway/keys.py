"""API keys: made once, stored as a hash, verified from memory for a few seconds at a time."""

import hmac
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text

from deskwire.db import Database, compiled
from deskwire.errors import Conflict, Invalid, NotFound

RESOURCES = (
    "agents",
    "assets",
    "attachments",
    "clients",
    "contacts",
    "domains",
    "invoices",
    "locations",
    "mail",
    "scheduled-tickets",
    "settings",
    "tickets",
    "webhooks",
)
ADMIN = "admin"
SCOPES = frozenset({f"{name}:{way}" for name in RESOURCES for way in ("read", "write")} | {ADMIN})
"""``admin`` stands for all of them, and for the keys themselves."""

CACHE_SECONDS = 5.0
"""How long a revoked key may still be let in."""

CACHED_KEYS = 10_000
_NO_SECRET = sha256(b"").digest()

_CREATE = compiled(
    text("""
    INSERT INTO api_keys (name, secret_sha256, client_id, agent_id, scopes, expires_at, request_id)
    VALUES (:name, :secret, :client_id, :agent_id, CAST(:scopes AS text[]), :expires_at,
            :request_id)
    ON CONFLICT (request_id) DO NOTHING
    RETURNING id
    """)
)
_REVOKE = compiled(
    text("""
    UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = :id RETURNING id
    """)
)
_MADE_BY = compiled(text("SELECT id FROM api_keys WHERE request_id = :request_id"))
_COLUMNS = (
    "k.id, k.name, k.client_id, k.agent_id, k.scopes, k.created_at, k.expires_at, k.revoked_at"
)
_LIST = compiled(
    text(f"SELECT {_COLUMNS} FROM api_keys k WHERE k.id > :after ORDER BY k.id LIMIT :limit")
)
_COUNT = compiled(text("SELECT count(*) FROM api_keys"))
_GET = compiled(text(f"SELECT {_COLUMNS} FROM api_keys k WHERE k.id = :id"))
_FIND = compiled(
    text(f"""
    SELECT {_COLUMNS}, k.secret_sha256, a.doc AS agent,
           coalesce(a.archived, false) AS agent_archived
    FROM api_keys k
    LEFT JOIN records a ON a.kind = 'agent' AND a.id = k.agent_id
    WHERE k.id = :id
    """)
)


@dataclass(frozen=True, slots=True)
class Key:
    """``agent`` is the document of the agent that the key acts as, once that is known here. The
    key of an agent who is archived does not work."""

    id: int
    name: str
    client_id: int | None
    agent_id: int | None
    agent: str | None
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    agent_archived: bool = False

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or ADMIN in self.scopes

    @property
    def usable(self) -> bool:
        live = self.expires_at is None or self.expires_at > datetime.now(UTC)
        return live and self.revoked_at is None and not self.agent_archived


async def create_key(
    database: Database,
    name: str,
    *,
    scopes: Collection[str],
    client_id: int | None = None,
    agent_id: int | None = None,
    expires_at: datetime | None = None,
    request_id: UUID | None = None,
) -> str:
    """The new key ``dw_<id>_<secret>``: nobody can be told it again.

    Raises `Invalid` for an unknown scope, `Conflict` when ``request_id`` has made a key before.
    """
    unknown = sorted(set(scopes) - SCOPES)
    if unknown or not scopes:
        raise Invalid(
            f"scopes: {', '.join(unknown) or 'none'} not among {', '.join(sorted(SCOPES))}"
        )
    secret = secrets.token_hex(20)
    key_id = await database.fetch_value(
        _CREATE,
        name=name,
        secret=sha256(secret.encode()).digest(),
        client_id=client_id,
        agent_id=agent_id,
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
        request_id=request_id,
    )
    if key_id is None:
        made = await database.fetch_value(_MADE_BY, request_id=request_id)
        raise Conflict(f"this request has made key {made}, which was shown once: revoke that one")
    return f"dw_{key_id}_{secret}"


async def revoke_key(database: Database, key_id: int) -> None:
    """Every gateway refuses it within `CACHE_SECONDS`. Raises `NotFound`."""
    if await database.fetch_value(_REVOKE, id=key_id) is None:
        raise NotFound(f"there is no key {key_id}")


async def list_keys(database: Database, *, after: int = 0, limit: int | None = None) -> list[Key]:
    """Those behind an id; all of them without a limit."""
    rows = await database.fetch(_LIST, after=after, limit=limit)
    return [_key(row, agent=None) for row in rows]


async def count_keys(database: Database) -> int:
    return int(await database.fetch_value(_COUNT))


async def read_key(database: Database, key_id: int) -> Key:
    """Raises `NotFound`."""
    row = await database.fetch_one(_GET, id=key_id)
    if row is None:
        raise NotFound(f"there is no key {key_id}")
    return _key(row, agent=None)


def _key(row: asyncpg.Record, agent: str | None) -> Key:
    values: dict[str, Any] = dict(row)
    values.pop("secret_sha256", None)
    return Key(**values | {"scopes": frozenset(row["scopes"]), "agent": agent})


@dataclass(frozen=True, slots=True)
class _Cached:
    key: Key | None
    secret_sha256: bytes
    until: float


class KeyRing:
    """Says whose key it is. What the database said of an id is believed for some seconds."""

    def __init__(self, database: Database, *, believed: float = CACHE_SECONDS) -> None:
        self._database = database
        self._believed = believed
        self._cached: dict[int, _Cached] = {}

    async def verify(self, token: str) -> Key | None:
        """The key, or None when it is not one, has expired or was revoked."""
        key_id, _, secret = token[3:].partition("_")
        if not _well_formed(token, key_id):
            return None
        return _matching(await self._find(int(key_id)), secret)

    async def _find(self, key_id: int) -> _Cached:
        cached = self._cached.get(key_id)
        if cached is not None and cached.until >= time.monotonic():
            return cached
        row = await self._database.fetch_one(_FIND, id=key_id)
        until = time.monotonic() + self._believed
        if row is None:
            found = _Cached(None, _NO_SECRET, until)
        else:
            found = _Cached(_key(row, row["agent"]), row["secret_sha256"], until)
        if len(self._cached) >= CACHED_KEYS:
            self._cached.clear()
        self._cached[key_id] = found
        return found


def _well_formed(token: str, key_id: str) -> bool:
    return token.startswith("dw_") and key_id.isascii() and key_id.isdigit() and len(key_id) < 19


def _matching(cached: _Cached, secret: str) -> Key | None:
    """In the same time for every wrong secret, and for an id that does not exist."""
    given = sha256(secret.encode(errors="surrogatepass")).digest()
    equal = hmac.compare_digest(given, cached.secret_sha256)
    return cached.key if equal and cached.key is not None and cached.key.usable else None
