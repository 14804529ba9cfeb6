"""`deskwire mail retry`, `accept` and `discard`: what the API's calls of these names do."""

import asyncio
from typing import Annotated, Any

import typer

from deskwire.cli.environment import database_url, opened
from deskwire.cli.output import say
from deskwire.services import MAIL_INGEST_SVC

Ids = Annotated[list[int], typer.Argument(metavar="ID...", help="As `mail inbound` lists them.")]


def retry(ids: Ids) -> None:
    """Have mails that are failed, ignored or quarantined go their way anew."""
    from deskwire.contracts.mail import RetryMail

    _decide("retry_mail", [RetryMail(mail_id=id, actor=_operator()) for id in ids])


def accept(
    ids: Ids,
    *,
    client: Annotated[int | None, typer.Option(help="Whose contacts the senders become.")] = None,
) -> None:
    """Let mails in whoever sent them: they answer their ticket, else open one."""
    from deskwire.contracts.mail import AcceptMail

    by = _operator()
    _decide("accept_mail", [AcceptMail(mail_id=id, client_id=client, actor=by) for id in ids])


def discard(ids: Ids) -> None:
    """Say that nothing is to become of mails. They stay readable."""
    from deskwire.contracts.mail import DiscardMail

    _decide("discard_mail", [DiscardMail(mail_id=id, actor=_operator()) for id in ids])


def _operator() -> Any:
    from deskwire.contracts.actors import Actor, Author, Through

    return Actor(author=Author(type="system", name="operator"), through=Through(type="system"))


def _decide(handler: str, decisions: list[Any]) -> None:
    """All of them or none."""
    for mail in asyncio.run(_decided(handler, decisions)):
        say(f"mail {mail.id} is {mail.state}", *filter(None, [mail.reason]))


async def _decided(handler: str, decisions: list[Any]) -> list[Any]:
    from deskwire.messaging.outbox import transaction

    handle = getattr(MAIL_INGEST_SVC.module("handlers"), handler)
    async with (
        opened(MAIL_INGEST_SVC, database_url(MAIL_INGEST_SVC)) as database,
        transaction(database) as tx,
    ):
        return [await handle(decision, tx) for decision in decisions]
