"""`deskwire keys`: who may use the API."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from deskwire.cli.app import App
from deskwire.cli.environment import database_url, opened
from deskwire.cli.output import say, table
from deskwire.errors import Invalid
from deskwire.services import GATEWAY

app = App("API keys.")

Scopes = Annotated[
    str, typer.Option(help="Comma separated: admin, or as in tickets:read,tickets:write.")
]
Expires = Annotated[str | None, typer.Option(metavar="DATE", help="As in 2027-01-31; UTC.")]


@app.command("create")
def create(
    *,
    name: Annotated[str, typer.Option(help="Whose it is.")],
    scopes: Scopes,
    client: Annotated[int | None, typer.Option(help="The only client it sees.")] = None,
    agent: Annotated[int | None, typer.Option(help="The agent it acts as.")] = None,
    expires: Expires = None,
) -> None:
    """Make a key and print it: it is shown this once."""
    key = _on_gateway(
        "create_key",
        name=name,
        scopes=[scope.strip() for scope in scopes.split(",") if scope.strip()],
        client_id=client,
        agent_id=agent,
        expires_at=expires and moment(expires),
    )
    say(key)


@app.command("list")
def list_() -> None:
    """All keys, without their secrets."""
    columns = ("id", "name", "client_id", "agent_id", "created_at", "expires_at", "revoked_at")
    rows = (
        [*(getattr(key, column) for column in columns), ",".join(sorted(key.scopes))]
        for key in _on_gateway("list_keys")
    )
    table((*columns, "scopes"), rows)


@app.command("revoke")
def revoke(key_id: int) -> None:
    """Let nobody in with it any more, within seconds."""
    _on_gateway("revoke_key", key_id=key_id)
    say("revoked", key_id)


def moment(text: str) -> datetime:
    """ISO 8601; without a zone it is UTC."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text} is no date or time, as in 2027-01-31T08:00") from None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _on_gateway(function: str, **values: Any) -> Any:
    async def call() -> Any:
        async with opened(GATEWAY, database_url(GATEWAY)) as database:
            return await getattr(GATEWAY.module("keys"), function)(database, **values)

    return asyncio.run(call())
