"""Mails that end, stall or burst the process that parses them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
from post_office import Maildir, PostOffice, a_mail, fails_alone

from mail_ingest_svc.mailbox import parsers as module
from mail_ingest_svc.mailbox.parsers import ParserDied, Parsers

WORKER = """
import os, signal, sys, time
from mail_ingest_svc.parse import mail, worker

def hostile(raw, own, authserv_id):
    if b"stall" in raw:
        time.sleep(60)
    if b"spin" in raw:
        sum(range(10**11))
    if b"burst" in raw:
        os.kill(os.getpid(), signal.SIGABRT)
    return mail.parse(raw, own, authserv_id)

worker.SECONDS = float(os.environ["PARSER_SECONDS"])
worker.parse = hostile
worker.main()
"""


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that parse as ever, but some mails as a broken library would."""
    monkeypatch.setattr(module, "COMMAND", ("-c", WORKER))
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    monkeypatch.setenv("PARSER_SECONDS", "1.5")


@pytest.fixture
async def parsers() -> AsyncIterator[Parsers]:
    parsers = Parsers(["Support@example.com"])
    yield parsers
    await parsers.aclose()


async def test_mails_are_parsed_by_one_process(parsers: Parsers) -> None:
    parsed = await asyncio.gather(*(parsers.parse(a_mail(f"{n}")) for n in range(20)))
    assert [mail.subject for mail in parsed] == [str(n) for n in range(20)]
    own = await parsers.parse(a_mail(From="support@example.com"))
    assert own.kind == "own"
    assert len(parsers.processes) == 1


async def test_a_large_mail_fits_into_the_memory(parsers: Parsers) -> None:
    raw = a_mail("Large").replace(b"It is on fire.", b"x" * 76 + b"\n" * 10)
    raw = raw + b"y" * 50 * 1024 * 1024
    parsed = await parsers.parse(raw)
    assert parsed.subject == "Large"
    assert "unreadable" not in parsed.defects


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize(("word", "cause"), [("stall", "seconds"), ("spin", "seconds"),
                                             ("burst", "MiB")])  # fmt: skip
async def test_a_mail_that_ends_its_process_says_why(
    parsers: Parsers, word: str, cause: str
) -> None:
    with pytest.raises(ParserDied, match=cause):
        await parsers.parse(a_mail(word))
    assert (await parsers.parse(a_mail("Printer"))).subject == "Printer"


@pytest.mark.usefixtures("hostile")
async def test_others_do_not_wait_for_a_slow_mail(
    parsers: Parsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARSER_SECONDS", "60")
    await parsers.parse(a_mail("warm"))
    slow = asyncio.create_task(parsers.parse(a_mail("stall")))
    await asyncio.gather(*(parsers.parse(a_mail(f"{n}")) for n in range(20)))
    assert not slow.done()
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert len(parsers.processes) == 1


async def test_a_process_that_was_killed_while_it_waited_costs_one_attempt(
    parsers: Parsers,
) -> None:
    await parsers.parse(a_mail())
    os.kill(parsers.processes[0], signal.SIGKILL)
    with pytest.raises(ParserDied):
        await parsers.parse(a_mail("Printer"))
    assert (await parsers.parse(a_mail("Printer"))).subject == "Printer"


@pytest.mark.usefixtures("hostile")
async def test_a_mail_that_ends_its_process_three_times_is_failed_and_the_others_go_on(
    office: PostOffice, maildir: Maildir
) -> None:
    why = "parsing it takes more than 512 MiB"
    await fails_alone(office, maildir, a_mail("burst"), reason=why)
