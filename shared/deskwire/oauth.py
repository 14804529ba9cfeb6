"""OAuth 2 access tokens for mail servers (RFC 6749): refreshed once for all, kept for as long as
they are good.

Microsoft, Google and the rest differ in their URLs and scopes alone, which are told. A refresh
token that the server replaces is kept in the database: the next process, and the next start, must
use the new one.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from prometheus_client import Gauge
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import Column, MetaData, Table, Text, func, text

from deskwire.columns import TIME
from deskwire.db import Database, Session, compiled
from deskwire.errors import DeskwireError

ASK_SECONDS = 10.0
EARLY_SECONDS = 300.0
"""So long before its end a token is taken for ended: it must last for the login and for a while."""

REFRESHED = Gauge(
    "deskwire_oauth_refreshed_seconds", "When an access token was last given out", ["oauth"]
)

CREATE = """
CREATE TABLE oauth_tokens (
    name text PRIMARY KEY,
    told text NOT NULL,
    refresh_token text NOT NULL,
    refreshed_at timestamptz NOT NULL DEFAULT now()
);
"""

# Whoever refreshes holds the row: two at once would each be given a token of which one is void.
# What is told by the settings counts until the server replaces it, and again when it is told anew.
_HOLD = compiled(
    text("""
    INSERT INTO oauth_tokens AS known (name, told, refresh_token)
    VALUES (:name, :told, :refresh_token)
    ON CONFLICT (name) DO UPDATE SET
        refresh_token = CASE WHEN known.told = excluded.told
            THEN known.refresh_token ELSE excluded.refresh_token END,
        told = excluded.told
    RETURNING refresh_token, refreshed_at
    """)
)
_KEEP = compiled(
    text("""
    UPDATE oauth_tokens SET refresh_token = :refresh_token, refreshed_at = now() WHERE name = :name
    """)
)


def oauth_table(metadata: MetaData) -> None:
    """Add the refresh tokens to a service's tables; ``told`` is a hash of the settings' one."""
    Table(
        "oauth_tokens",
        metadata,
        Column("name", Text, primary_key=True),
        Column("told", Text, nullable=False),
        Column("refresh_token", Text, nullable=False),
        Column("refreshed_at", TIME, nullable=False, server_default=func.now()),
    )


class OAuthClient(BaseModel):
    """How a token is asked for: with a refresh token, or as the application itself without one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_url: str = Field(pattern=r"^https://|^http://(127\.0\.0\.1|localhost)[:/]")
    client_id: str
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    scope: str | None = None


class OAuthRefused(DeskwireError):
    """The authorization server gives out no token: the consent must be given anew."""

    code = "oauth_refused"


class OAuthAway(DeskwireError):
    """The authorization server cannot be reached, or has a fault."""

    code = "oauth_away"


@dataclass(frozen=True, slots=True)
class _Access:
    token: str
    ends_at: float


class Tokens:
    """The access tokens of one service, by the names that its settings give their clients."""

    def __init__(self, clients: Mapping[str, OAuthClient], database: Database) -> None:
        self._clients = clients
        self._database = database
        self._known: dict[str, _Access] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def knows(self, name: str) -> bool:
        return name in self._clients

    async def access(self, name: str) -> str:
        """A token that is good for minutes. Raises `OAuthRefused` or `OAuthAway`."""
        async with self._asking[name]:
            known = self._known.get(name)
            if known is None or time.monotonic() > known.ends_at - EARLY_SECONDS:
                known = self._known[name] = await self._refreshed(name)
            return known.token

    def forget(self, name: str) -> None:
        """The mail server does not take it, whatever its end."""
        self._known.pop(name, None)

    async def _refreshed(self, name: str) -> _Access:
        client = self._clients[name]
        if client.refresh_token is None:
            answer = await _asked(client, None)
        else:
            async with self._database.transaction() as session:
                answer = await _exchanged(name, client, client.refresh_token, session)
        REFRESHED.labels(name).set_to_current_time()
        return _Access(answer["access_token"], time.monotonic() + answer.get("expires_in", 3600))


async def _exchanged(
    name: str, client: OAuthClient, told: SecretStr, session: Session
) -> dict[str, Any]:
    secret = told.get_secret_value()
    digest = sha256(secret.encode()).hexdigest()
    held = await session.fetch_row(_HOLD, name=name, told=digest, refresh_token=secret)
    REFRESHED.labels(name).set(held["refreshed_at"].timestamp())  # as it stays if it is refused
    answer = await _asked(client, held["refresh_token"])
    kept = answer.get("refresh_token") or held["refresh_token"]
    await session.execute(_KEEP, name=name, refresh_token=kept)
    return answer


async def _asked(client: OAuthClient, refresh_token: str | None) -> dict[str, Any]:
    from authlib.integrations.base_client import OAuthError
    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from httpx2 import HTTPError

    secret = client.client_secret and client.client_secret.get_secret_value()
    method = "client_secret_post" if secret else "none"
    asking = AsyncOAuth2Client(
        client.client_id,
        secret,
        scope=client.scope,
        token_endpoint_auth_method=method,
        timeout=ASK_SECONDS,
    )
    try:
        async with asking:
            if refresh_token is None:
                answer = await asking.fetch_token(client.token_url, grant_type="client_credentials")
            else:
                answer = await asking.refresh_token(client.token_url, refresh_token=refresh_token)
    except OAuthError as error:
        raise OAuthRefused(f"{error.error}: {error.description or 'no reason given'}") from error
    except (HTTPError, OSError, ValueError) as error:
        raise OAuthAway(f"no token from {client.token_url}: {error}") from error
    return dict(answer)
