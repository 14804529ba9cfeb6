"""`deskwire mail`: what came in, what went out."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from deskwire.cli import deciding, handing
from deskwire.cli.app import App
from deskwire.cli.environment import database_url, opened, variable
from deskwire.cli.output import say, table
from deskwire.errors import DeskwireError, Invalid, SetupError
from deskwire.html import clean_text, looks_like_html
from deskwire.services import MAIL_INGEST_SVC, NOTIFY_SVC, Service

app = App("Mails in and out.")
app.command("import")(handing.import_)
app.command("pipe")(handing.pipe)
for decision in (deciding.retry, deciding.accept, deciding.discard):
    app.command()(decision)

State = Annotated[str | None, typer.Option(help="Only those in this state.")]

INBOUND = ("id", "mailbox", "state", "reason", "sender", "subject", "ticket_id", "received_at")
OUTBOUND = ("id", "state", "recipient", "template", "ticket_id", "attempts", "answer", "sent_at")


PARSED = ("file", "kind", "from", "subject", "attachments")


@app.command("inbound")
def inbound(*, state: State = None, limit: int = 50) -> None:
    """The ledger of mails that came in, the newest first."""
    from deskwire.contracts.mail import InboundState

    _check(state, get_args(InboundState))
    mails = _recent(MAIL_INGEST_SVC, "store.ledger", state, limit)
    table(INBOUND, ([mail[column] for column in INBOUND] for mail in mails))


@app.command("outbound")
def outbound(*, state: State = None, limit: int = 50) -> None:
    """The mails that went out or are about to, the newest first."""
    from deskwire.contracts.notifications import DeliveryState

    _check(state, get_args(DeliveryState))
    deliveries = _recent(NOTIFY_SVC, "store.deliveries", state, limit)
    table(OUTBOUND, ([getattr(each, column) for column in OUTBOUND] for each in deliveries))


@app.command("test")
def by_hand(
    to: Annotated[str, typer.Option(help="The address that it goes to.")],
    *,
    mail: Annotated[str, typer.Option(help="Which one, as `templates preview` names them.")] = (
        "ticket-created"
    ),
    language: str = "en",
) -> None:
    """Send a mail with made-up contents as notify-svc would, and say what the server answers."""
    settings = _of_notify_svc()
    send = NOTIFY_SVC.module("sender.trial").send_sample
    say(asyncio.run(send(settings, to, mail, language)))


@app.command("dkim")
def dkim() -> None:
    """What the DNS has to have for the keys that mails are signed with."""
    keys = _of_notify_svc().dkim
    if not keys:
        raise SetupError("DESKWIRE_DKIM names no key: mails are not signed here")
    for name, told in (key.record for key in keys):
        say(f'{name}. TXT "{told}"')


def _of_notify_svc() -> Any:
    from deskwire.settings import load

    return load(
        NOTIFY_SVC.module("settings").Settings,
        database_url=variable("DATABASE_URL") or "",
        broker_url="",
    )


Told = dict[str, Any]


@app.command("parse")
def parse(files: list[Path], *, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """What is understood of mails in files, without a database; --json: all of it, a line each."""
    told = asyncio.run(_all_told(files, say_each=as_json))
    if not as_json:
        table(PARSED, map(_shown, told))
    if any("error" in each for each in told):
        raise typer.Exit(1)


async def _all_told(files: Iterable[Path], *, say_each: bool) -> list[Told]:
    kept = []
    async for told in _parsed(files):
        if say_each:
            say(json.dumps(told))
        kept.append({name: told[name] for name in told.keys() - {"text", "html"}})
    return kept


async def _parsed(files: Iterable[Path]) -> AsyncIterator[Told]:
    parsers = MAIL_INGEST_SVC.module("mailbox.parsers").Parsers()
    as_json = MAIL_INGEST_SVC.module("parse.told").as_json
    async with aclosing(parsers):
        for file in files:
            try:
                told = as_json(await parsers.parse(file.read_bytes()))
            except (DeskwireError, OSError) as error:
                told = {"error": str(error)}
            yield {"file": str(file)} | told


def _shown(told: Told) -> list[object]:
    if "error" in told:
        return [told["file"], told["error"], "", "", ""]
    sender = ", ".join(address["address"] for address in told["from"])
    names = ", ".join(attachment["name"] for attachment in told["attachments"])
    return [told["file"], told["class"]["kind"], sender, told["subject"], names]


@app.command("strip")
def strip(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Also what is quoted, and the signature.")
    ] = False,
    html: Annotated[
        bool | None, typer.Option("--html/--plain", help="What it is; else told by its looks.")
    ] = None,
) -> None:
    """What a person wrote, from the body of a mail on standard input."""
    body = clean_text(sys.stdin.buffer.read().decode(errors="replace").replace("\r\n", "\n"))
    read_reply = MAIL_INGEST_SVC.module("parse.reply").read_reply
    is_html = looks_like_html(body) if html is None else html
    reply = read_reply("", body) if is_html else read_reply(body)
    names = ("visible", "quoted", "signature", "shown_all")
    if as_json:
        say(json.dumps({name: getattr(reply, name) for name in names}, ensure_ascii=False))
    else:
        say(reply.visible)


def _check(state: str | None, states: tuple[str, ...]) -> None:
    if state is not None and state not in states:
        raise Invalid(f"--state: {state} is none of {', '.join(states)}")


def _recent(service: Service, module: str, state: str | None, limit: int) -> Any:
    async def run() -> Any:
        async with opened(service, database_url(service)) as database:
            return await service.module(module).recent(database, state=state, limit=limit)

    return asyncio.run(run())
