"""`deskwire mail`: what came in, what went out."""

import asyncio
from typing import Annotated, Any

import typer

from deskwire.cli.app import App
from deskwire.cli.environment import database_url, opened
from deskwire.cli.output import table
from deskwire.services import MAIL_INGEST_SVC, NOTIFY_SVC, Service

app = App("Mails in and out.")

State = Annotated[str | None, typer.Option(help="Only those in this state.")]

INBOUND = ("id", "mailbox", "state", "reason", "sender", "subject", "ticket_id", "received_at")
OUTBOUND = ("id", "state", "recipient", "template", "ticket_id", "attempts", "answer", "sent_at")


@app.command("inbound")
def inbound(*, state: State = None, limit: int = 50) -> None:
    """The ledger of mails that came in, the newest first."""
    mails = _recent(MAIL_INGEST_SVC, state, limit)
    table(INBOUND, ([mail[column] for column in INBOUND] for mail in mails))


@app.command("outbound")
def outbound(*, state: State = None, limit: int = 50) -> None:
    """The mails that went out or are about to, the newest first."""
    deliveries = _recent(NOTIFY_SVC, state, limit)
    table(OUTBOUND, ([getattr(each, column) for column in OUTBOUND] for each in deliveries))


def _recent(service: Service, state: str | None, limit: int) -> Any:
    async def run() -> Any:
        async with opened(service, database_url(service)) as database:
            return await service.module("store").recent(database, state=state, limit=limit)

    return asyncio.run(run())
