"""Mail in, ticket, mail out: how many a second, and how long one takes."""

import asyncio
import imaplib
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit
from uuid import uuid4

from deskwire.local import Dovecot

Deliver = Callable[[str], None]

MAIL = """From: Alice Client <alice@client.test>
To: support@example.com
Subject: {subject}
Message-ID: <{subject}@client.test>
Date: Tue, 06 Jan 2026 10:00:00 +0000

{text}
"""


def into_maildir(inbox: Path) -> Deliver:
    def deliver(subject: str) -> None:
        raw = MAIL.format(subject=subject, text="It is on fire. " * 20)
        (inbox / "tmp" / subject).write_text(raw)
        (inbox / "tmp" / subject).rename(inbox / "new" / subject)

    return deliver


def into_dovecot(server: Dovecot, user: str) -> Deliver:
    """By one connection that stays open: connecting is not what is measured."""
    place = urlsplit(server.url(user))
    client = imaplib.IMAP4(place.hostname or "", place.port or 143)
    client.login(place.username or "", place.password or "")

    def deliver(subject: str) -> None:
        raw = MAIL.format(subject=subject, text="It is on fire. " * 20)
        client.append("INBOX", "", "", raw.replace("\n", "\r\n").encode())

    return deliver


class Outbox:
    """The maildir that mails go out to; each file is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "new"
        self._seen = {entry.name for entry in os.scandir(self._folder)}

    def arrived(self) -> list[str]:
        """The text of the mails that are new since the last look."""
        new = [e for e in os.scandir(self._folder) if e.name not in self._seen]
        self._seen.update(entry.name for entry in new)
        return [Path(entry.path).read_text() for entry in new]


async def backlog(deliver: Deliver, outbox: Outbox, count: int) -> float:
    """Mails a second from a full mailbox to the client's mail about each ticket."""
    run = uuid4().hex[:8]
    for number in range(count):
        deliver(f"backlog-{run}-{number}")
    started, answered = time.monotonic(), 0
    async with asyncio.timeout(120):
        while answered < count:
            answered += sum("<alice@client.test>" in mail for mail in outbox.arrived())
            await asyncio.sleep(0.01)
    return count / (time.monotonic() - started)


async def one_a_second(deliver: Deliver, outbox: Outbox, count: int) -> tuple[float, float]:
    """p50 and p99 in seconds of the whole way, at one mail a second."""
    took = []
    for _ in range(count):
        subject = f"single-{uuid4().hex[:8]}"
        started = time.monotonic()
        await asyncio.to_thread(deliver, subject)
        async with asyncio.timeout(30):
            while not any(_is_answer(mail, subject) for mail in outbox.arrived()):
                await asyncio.sleep(0.002)
        took.append(time.monotonic() - started)
        await asyncio.sleep(max(0.0, 1 - took[-1]))
    return median(took), quantiles(took, n=100, method="inclusive")[98]


def _is_answer(mail: str, subject: str) -> bool:
    return subject in mail and "<alice@client.test>" in mail
