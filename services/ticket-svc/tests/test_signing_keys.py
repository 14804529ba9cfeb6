"""Keys that sign our Message-IDs and reply addresses are replaced while mails are on their way."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from ticket_desk import AGENT, Desk, told, working

from deskwire.contracts.mail import Address, Body, MailBounced
from deskwire.contracts.threads import MailThread
from deskwire.contracts.ticket_commands import AddEntry
from deskwire.contracts.tickets import TicketReplied
from deskwire.settings import keys_of
from deskwire.testing import FreshDatabase

OLD, NEW = "the key of last year", "the key of this year"
ALICE = "alice@client.test"


async def replied(desk: Desk, ticket_id: int) -> MailThread:
    heard = len(desk.heard)
    reply = AddEntry(ticket_id=ticket_id, kind="public", body=Body(text="?"), author=AGENT)
    await desk.ask(reply)
    return (await desk.next(TicketReplied, after=heard)).thread


def answers(thread: MailThread) -> list[dict[str, object]]:
    """By the Message-ID, and by the reply address."""
    to = Address(email=f"support+{thread.token}@example.com")
    return [{"references": [thread.message_id]}, {"to": [to]}]


async def found(desk: Desk, thread: MailThread) -> set[int | None]:
    return {(await desk.mail(ALICE, **fields)).ticket_id for fields in answers(thread)}


async def test_answers_to_mails_of_an_older_key_find_their_ticket(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    url = fresh_database("ticket_svc")
    async with working(told(url, tmp_path, signing_key=OLD)) as desk:
        ticket_id = (await desk.open(await desk.client())).ticket.id
        first = await replied(desk, ticket_id)
        assert await found(desk, first) == {ticket_id}
    async with working(told(url, tmp_path, signing_key=f"{NEW}\n{OLD}\n")) as desk:
        second = await replied(desk, ticket_id)
        assert first.message_id in second.references
        assert await found(desk, first) == await found(desk, second) == {ticket_id}
        to = Address(email=f"support+{first.token}@example.com")
        await desk.mail(None, kind="bounce", automatic="report", to=[to], undelivered=[])
        known = first.message_id  # to notify-svc
        await desk.next(MailBounced, where=lambda event: event.message_id == known)
    async with working(told(url, tmp_path, signing_key=NEW)) as desk:
        assert await found(desk, second) == {ticket_id}
        assert ticket_id not in await found(desk, first)


@pytest.mark.parametrize("keys", ["", "short", f"{NEW}\nshort", f"{NEW}\n\n{OLD}", " " * 16])
def test_no_key_of_several_may_be_short(tmp_path: Path, keys: str) -> None:
    with pytest.raises(ValidationError, match="at least 16 characters"):
        told("postgresql://", tmp_path, signing_key=keys)


def test_keys_are_lines_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").write_text(f"{NEW}\r\n{OLD}\r\n")
    monkeypatch.setenv("DESKWIRE_SIGNING_KEY_FILE", str(tmp_path / "keys"))
    values = told("postgresql://", tmp_path).model_dump(exclude={"signing_key"})
    settings = type(told("postgresql://", tmp_path))(**values)
    assert keys_of(settings.signing_key) == (NEW.encode(), OLD.encode())
