"""One reply to many, each of whom the mail server treats badly in another way, until all have it.

What is said of each, who got it twice, and that it was the same mail.
"""

import asyncio
from collections import Counter
from email.parser import BytesParser

import pytest
from notify_desk import Desk, desk_of, replied, settings
from test_smtp_faults import CUT, SILENCE, Faulty

from deskwire.contracts.notifications import Delivery
from notify_svc.sender import queue, session, smtp

FAULTS = {
    # recipient: (the command that goes wrong once, how, the state that follows, what is told)
    "greylisted": ("RCPT", "450 4.2.0 greylisted", "queued", "450 4.2.0 greylisted"),
    "busy": ("RCPT", "451 4.3.0 busy", "queued", "451 4.3.0 busy"),
    "closing": ("RCPT", "421 4.3.2 closing", "sent", "taken"),  # over another connection, at once
    "unknown": ("RCPT", "550 5.7.1 no", "failed", "550 5.7.1 no"),
    "later": (".", "451 4.7.0 later", "queued", "451 4.7.0 later"),
    "before": ("DATA", CUT, "sent", "taken"),  # likewise
    "after": (".", CUT, "uncertain", "after the mail was handed over"),
    "silent": (".", SILENCE, "uncertain", "said nothing for 0.4 s"),
}
TWICE = {"after", "silent"}
"""Whose server may have taken it, and had."""


class Unfair(Faulty):
    """Each recipient's first try goes wrong in its way."""

    def __init__(self) -> None:
        super().__init__(self._fault)
        self._now = ""
        self._wrong: set[str] = set()

    async def _handle(
        self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if line.startswith(b"RCPT"):
            self._now = line.partition(b"<")[2].partition(b"@")[0].decode()
        return await super()._handle(line, reader, writer)

    def _fault(self, command: str, _before: int) -> str | None:
        at, answer, *_ = FAULTS.get(self._now, ("", ""))
        if command != at or self._now in self._wrong:
            return None
        self._wrong.add(self._now)
        return answer


async def test_each_gets_it_and_only_who_may_have_it_gets_it_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "DATA_SECONDS", 0.4)
    monkeypatch.setattr(smtp, "FIRST_PAUSE", 0.01)
    server, repeated = Unfair(), queue.REPEATED._value.get()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    url = f"smtp://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    people = [f"{name}@client.test" for name in FAULTS]
    async with listening, desk_of(settings(database_url, url, smtp_connections=1)) as desk:
        await desk.tell(replied(2, contact=None, watchers=people))
        for name, (_, _, state, says) in FAULTS.items():
            told = await _said_of(desk, name, state)
            assert says in (told.answer or ""), name
        await desk.run("UPDATE deliveries SET state = 'queued' WHERE state = 'failed'")
        while len([one for one in desk.told if one.state == "sent"]) < len(people):
            await desk.make_due()
            await asyncio.sleep(0.1)
        rows = await desk.rows()
    mails = [BytesParser().parsebytes(raw, headersonly=True) for raw in server.taken]
    got = Counter(str(mail["To"]).partition("@")[0] for mail in mails)
    refused_whole = {"later"}  # the server had all of it, and said no
    assert got == Counter([*FAULTS, *TWICE, *refused_whole])
    assert {mail["Message-ID"] for mail in mails} == {row["message_id"] for row in rows}
    assert len({row["message_id"] for row in rows}) == 1
    assert len(set(server.taken)) == len(people), "the same bytes at each try"
    assert queue.REPEATED._value.get() - repeated == len(TWICE)


async def _said_of(desk: Desk, name: str, state: str) -> Delivery:
    return await desk.heard(lambda one: one.recipient.startswith(f"{name}@") and one.state == state)
