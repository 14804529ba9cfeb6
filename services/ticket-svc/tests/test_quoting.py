"""What mails about an entry quote: the message before it, if that was for all who get them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ticket_desk import ACTOR, AGENT, Desk

from deskwire.contracts.actors import Author
from deskwire.contracts.mail import Address, Body
from deskwire.contracts.people import CreateContact
from deskwire.contracts.terms import EntryKind
from deskwire.contracts.ticket_commands import (
    AddEntry,
    ChangeTicket,
    MergeTicket,
    RedactEntry,
    StopWatching,
    TicketChanges,
    UnmergeTicket,
)
from deskwire.contracts.tickets import Ticket, TicketReplied
from ticket_svc.domain.quoting import LONGEST, MOST_LINES, beginning
from ticket_svc.handlers.entries import _values
from ticket_svc.handlers.tickets import Origin
from ticket_svc.store import tickets

ALICE = "alice@client.test"
WIM = "wim@client.test"


def entry(ticket_id: int, text: str, kind: EntryKind = "public", **more: Any) -> AddEntry:
    by_client = Author(type="contact", id=1, name="Alice", email=ALICE)
    author = by_client if kind == "client" else AGENT
    return AddEntry(ticket_id=ticket_id, kind=kind, body=Body(text=text), author=author, **more)


async def quoted(desk: Desk, ticket_id: int, text: str = "?", **more: Any) -> str | None:
    """Of the message before it, what mails about this one quote."""
    added = await desk.ask(entry(ticket_id, text, **more))
    told = await desk.next(TicketReplied, where=lambda event: event.entry.id == added.entry.id)
    return told.answers.text if told.answers else None


async def change(desk: Desk, ticket_id: int, **changes: Any) -> Ticket:
    wanted = TicketChanges.model_validate(changes)
    return await desk.ask(ChangeTicket(ticket_id=ticket_id, changes=wanted, actor=ACTOR))


async def test_a_reply_quotes_what_it_answers(desk: Desk) -> None:
    await desk.client()
    ticket_id = (await desk.mail(ALICE, body=Body(text="It burns.", quoted="> old"))).ticket_id or 0
    added = await desk.ask(entry(ticket_id, "Water is on its way."))
    told = (await desk.next(TicketReplied)).answers
    assert told is not None
    assert (told.text, told.author.type, told.author.name) == ("It burns.", "contact", "Alice")
    assert told.at < added.entry.created_at
    assert await quoted(desk, ticket_id, "And foam.") == "Water is on its way."


async def test_notes_and_strangers_are_never_quoted(desk: Desk) -> None:
    replied = await desk.answered(body=Body(text="Is it on?"))
    ticket_id = replied.ticket.id
    await desk.ask(entry(ticket_id, "They never pay.", "internal"))
    stranger = await desk.mail("eve@evil.test", in_reply_to=[replied.thread.message_id])
    assert (stranger.ticket_id, stranger.reason) == (ticket_id, "unverified sender")
    assert await quoted(desk, ticket_id) == "Is it on?"


async def test_what_nobody_is_mailed_is_not_looked_for(desk: Desk) -> None:
    """Of what a client writes only watchers are."""
    ticket_id = (await desk.open(await desk.client())).ticket.id
    assert await quoted(desk, ticket_id, kind="client") is None
    await change(desk, ticket_id, watchers=[WIM])
    assert await quoted(desk, ticket_id, "Well?", kind="client") is None
    assert await quoted(desk, ticket_id, "Still?", kind="client") == "Well?"


async def test_what_was_redacted_is_not_quoted(desk: Desk) -> None:
    """Nor is what was said before it, which is not what is answered."""
    ticket_id = (await desk.open(await desk.client())).ticket.id
    said = (await desk.ask(entry(ticket_id, "My password is x.", "client"))).entry
    await desk.ask(RedactEntry(ticket_id=ticket_id, entry_id=said.id, actor=ACTOR))
    assert await quoted(desk, ticket_id, "Change it!") is None
    assert await quoted(desk, ticket_id, "Please.") == "Change it!"


async def test_another_contact_does_not_read_what_was_said_before(desk: Desk) -> None:
    client_id = await desk.client()
    ticket_id = (await desk.open(client_id)).ticket.id
    bob = CreateContact(client_id=client_id, name="Bob", email="bob@client.test")
    await change(desk, ticket_id, contact_id=(await desk.ask(bob)).id)
    await desk.ask(entry(ticket_id, "Nobody is told.", "internal"))
    assert await quoted(desk, ticket_id, "Hello, Bob.") is None
    assert await quoted(desk, ticket_id) == "Hello, Bob."


async def test_nor_does_a_watcher_who_comes_later(desk: Desk) -> None:
    ticket_id = (await desk.open(await desk.client())).ticket.id
    assert await quoted(desk, ticket_id, "Hello, Wim.", cc=[WIM]) is None
    assert await quoted(desk, ticket_id, cc=[WIM.upper()]) == "Hello, Wim."
    await change(desk, ticket_id, watchers=[WIM, "eva@client.test"])
    assert await quoted(desk, ticket_id, "Hello, Eva.") is None
    await change(desk, ticket_id, watchers=["eva@client.test"], subject="Scanner")
    await desk.ask(StopWatching(ticket_id=ticket_id, email="eva@client.test"))
    assert await quoted(desk, ticket_id) == "Hello, Eva."


async def test_who_is_copied_in_by_mail_has_that_mail(desk: Desk) -> None:
    replied = await desk.answered()
    await desk.mail(
        ALICE,
        in_reply_to=[replied.thread.message_id],
        cc=[Address(email=WIM)],
        authentication="pass",
        body=Body(text="Wim knows more."),
    )
    told = await desk.next(TicketReplied, where=lambda event: event.entry.kind == "client")
    assert told.ticket.watchers == (WIM,)
    assert told.answers is None
    assert await quoted(desk, told.ticket.id) == "Wim knows more."


@pytest.mark.parametrize("back", [False, True])
async def test_a_merge_tells_neither_client_of_the_other(desk: Desk, back: bool) -> None:
    here = (await desk.open(await desk.client())).ticket.id
    other = await desk.client("Other Client", "other.test")
    there = (await desk.open(other, body=Body(text="Our secret"))).ticket.id
    merge = MergeTicket(ticket_id=there, into=here, across_clients=True, actor=ACTOR)
    assert (await desk.ask(merge)).target.watchers == ("alice@other.test",)
    if back:
        await desk.ask(UnmergeTicket(ticket_id=there, actor=ACTOR))
        assert await quoted(desk, there) == "Our secret"
    assert await quoted(desk, here, "Hello, both.") is None
    assert await quoted(desk, here) == "Hello, both."


def test_a_long_text_is_cut_between_words() -> None:
    words = "word " * LONGEST
    assert beginning(f"\n{words}") == f"{words[: LONGEST - 1]} …"
    assert beginning("x" * 2 * LONGEST) == f"{'x' * LONGEST} …"
    lines = "\n".join(["a"] * MOST_LINES)
    assert beginning(f"{lines}\na") == f"{lines} …"
    for short in ("", "a", lines, "x" * LONGEST):
        assert beginning(short) == short


async def test_a_long_message_is_cut_and_an_empty_one_is_none(desk: Desk) -> None:
    ticket_id = (await desk.open(await desk.client())).ticket.id
    await desk.ask(entry(ticket_id, "word " * 5_000, "client"))
    assert await quoted(desk, ticket_id, " \n") == f"{('word ' * 200).strip()} …"
    assert await quoted(desk, ticket_id) is None


MANY = 10_000
FILL = """
    INSERT INTO entries (ticket_id, origin_ticket_id, kind, author, body_text, via)
    SELECT $1, $1, $2, $3, 'It is on fire.', 'api' FROM generate_series(1, $4)
"""


@pytest.mark.parametrize("kind", ["public", "internal"])
async def test_an_entry_costs_the_same_however_many_there_are(desk: Desk, kind: EntryKind) -> None:
    """Whatever the planner is told, or not, of the values."""
    pool, by = desk.database.pool, AGENT.model_dump_json()
    client_id = await desk.client()
    busy = (await desk.open(client_id)).ticket.id
    for _ in range(200):
        await pool.execute(FILL, (await desk.open(client_id)).ticket.id, "public", by, 50)
    for each in ("public", "internal"):
        await pool.execute(FILL, busy, each, by, MANY)
    await pool.execute("VACUUM ANALYZE entries")
    values = _values(entry(busy, "?", kind), Origin())
    for mode in ("force_custom_plan", "force_generic_plan"):
        read = sum(await rows_read(desk, mode, values))
        assert read < 20, mode


async def rows_read(desk: Desk, mode: str, values: dict[str, Any]) -> list[int]:
    """From entries, by each part of the plan."""
    explain = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {tickets.ADD_ENTRY.sql}"
    async with desk.database.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        told = await connection.fetchval(explain, *tickets.ADD_ENTRY.arguments(values))
    scans = [node for node in walk(json.loads(told)[0]["Plan"]) if "Scan" in node["Node Type"]]
    found = [node for node in scans if node.get("Relation Name") == "entries"]
    assert found
    return [
        int(node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)))
        for node in found
    ]


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for each in node.get("Plans", ()):
        yield from walk(each)
