"""2,000 ordinary mails to tickets, beside one process that merely fetches and parses them."""

import asyncio
import imaplib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import harmonic_mean
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from imap_tools import MailBoxUnencrypted

from bench.mails import mails
from bench.rig import Rig, cpu_seconds
from deskwire.local import Dovecot
from mail_ingest_svc.domain import chunks
from mail_ingest_svc.mailbox import open_mailboxes
from mail_ingest_svc.parse import parse
from mail_ingest_svc.settings import Settings

MAILS = 2_000
WARMING = 100  # the peer's code and statements are loaded, too
LIMIT = Settings.model_fields["max_mail_bytes"].default

CLOSED = "SELECT count(*) FROM mails WHERE state IN ('ticket', 'reply')"
ENTRIES = "SELECT count(*) FROM entries WHERE via = 'email'"

Arrive = Callable[[Sequence[bytes]], None]
"""Has the mails be in a mailbox, all at once."""


@dataclass(frozen=True)
class Way:
    """The URLs of two mailboxes, one that Deskwire reads and one for the peer."""

    name: str
    inbox: str
    aside: str
    into_inbox: Arrive
    into_aside: Arrive


@dataclass(frozen=True)
class Pace:
    """Mails a second by the clock, and a second of CPU time. That is of all processes of the run:
    Deskwire, its parsers, PostgreSQL, Dovecot, and the one that measures."""

    per_second: float
    per_core: float


class Stopwatch:
    def __init__(self) -> None:
        self._started, self._used = time.monotonic(), cpu_seconds(os.getpid())

    def pace(self, mails: int) -> Pace:
        seconds = time.monotonic() - self._started
        return Pace(mails / seconds, mails / (cpu_seconds(os.getpid()) - self._used))


async def compared(rig: Rig, way: Way) -> tuple[Pace, Pace]:
    """The peer's, which is measured before and after, and ours. How fast a processor is that others
    use too changes within seconds."""
    written = list(mails(MAILS, way.name))
    way.into_aside(written)
    before = fetched_and_parsed(way.aside)
    await whole_way(rig, list(mails(WARMING, f"warm-{way.name}")), way.into_inbox)
    await rig.settled(60)
    ours = await whole_way(rig, written, way.into_inbox)
    await rig.settled(60)
    after = fetched_and_parsed(way.aside)
    return _mean(before, after), ours


def _mean(one: Pace, other: Pace) -> Pace:
    """That of both, one after the other."""
    rates = zip(astuple(one), astuple(other), strict=True)
    return Pace(*(harmonic_mean(pair) for pair in rates))


def fetched_and_parsed(url: str) -> Pace:
    """In this one process, one after the other, and that is all."""
    (mailbox,) = open_mailboxes([url])
    mailbox.open(None)
    watch = Stopwatch()
    listed = mailbox.listing()
    for chunk in chunks(listed, LIMIT):
        for raw in mailbox.fetch(chunk).values():
            assert isinstance(raw, bytes), raw
            parse(raw)
    pace = watch.pace(len(listed))
    mailbox.close()
    return pace


async def whole_way(rig: Rig, written: Sequence[bytes], arrive: Arrive) -> Pace:
    """From their arrival until the ledger knows of each which entry it has become."""
    before = await rig.query("ticket-svc", ENTRIES)
    ledger = await asyncpg.connect(rig.database("mail-ingest-svc"))
    done = await ledger.fetchval(CLOSED) + len(written)
    watch = await asyncio.to_thread(_arrived, written, arrive)
    async with asyncio.timeout(300):
        while await ledger.fetchval(CLOSED) < done:
            await asyncio.sleep(0.05)
    pace = watch.pace(len(written))
    await ledger.close()
    after = await rig.query("ticket-svc", ENTRIES)
    assert after[0]["count"] == before[0]["count"] + len(written)
    return pace


def _arrived(written: Sequence[bytes], arrive: Arrive) -> Stopwatch:
    arrive(written)
    return Stopwatch()


def by_maildir(inbox: Path, aside: Path) -> Way:
    urls = (f"maildir:{inbox}", f"maildir:{aside}")
    return Way("maildir", *urls, _into_maildir(inbox), _into_maildir(aside))


def by_dovecot(server: Dovecot) -> Way:
    inbox, aside = "support", "aside"
    into_both = (_into_dovecot(server, inbox), _into_dovecot(server, aside))
    return Way("Dovecot", server.url(inbox), server.url(aside), *into_both)


def _into_maildir(folder: Path) -> Arrive:
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True, exist_ok=True)

    def arrive(written: Sequence[bytes]) -> None:
        files = [folder / "tmp" / uuid4().hex for _ in written]
        for file, raw in zip(files, written, strict=True):
            file.write_bytes(raw)
        for file in files:
            file.rename(folder / "new" / file.name)

    return arrive


def _into_dovecot(server: Dovecot, user: str) -> Arrive:
    """Into another folder first: all are moved by one command. They have arrived when who idles is
    told of it, which Dovecot does half a second later, to tell of many changes at once."""
    place = urlsplit(server.url(user))

    def arrive(written: Sequence[bytes]) -> None:
        with imaplib.IMAP4(place.hostname or "", place.port or 143) as client:
            client.login(place.username or "", place.password or "")
            client.create("Arriving")
            for raw in written:
                client.append("Arriving", "", "", raw)
            client.select("Arriving")
            with MailBoxUnencrypted(place.hostname or "", place.port or 143) as idling:
                idling.login(place.username or "", place.password or "")
                with idling.idle as idle:
                    client.uid("MOVE", "1:*", "INBOX")
                    assert idle.poll(timeout=10)

    return arrive
