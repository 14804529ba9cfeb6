"""Mails that no mailbox brings, and what people decide about mails."""

import asyncio
import mailbox
import smtplib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from post_office import Maildir, PostOffice, Row, a_mail, until

from deskwire.blobs import raw_folder
from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.base import Command
from deskwire.contracts.mail import (
    AcceptMail,
    DiscardMail,
    HandInMail,
    InboundMail,
    MailHandled,
    RetryMail,
)
from deskwire.errors import Conflict, NotFound
from deskwire.local import free_port
from deskwire.messaging.envelope import wrap
from deskwire.messaging.requests import ask
from mail_ingest_svc.domain import content_digest
from mail_ingest_svc.mailbox import prepare
from mail_ingest_svc.mailbox.handing import Handed, hand_in
from mail_ingest_svc.mailbox.sweep import sweep
from mail_ingest_svc.store import decisions

BY = Actor(author=Author(type="agent", id=1, name="Ann"), through=Through(type="key", id=3))


async def asked(office: PostOffice, command: Command[InboundMail]) -> InboundMail:
    return (await ask(office.broker, command)).reply


async def handed(office: PostOffice, *raws: bytes) -> None:
    mails = [Handed.delivered(raw, "upload") for raw in raws]
    await hand_in(office.database, office.blobs, mails)


def in_states(*states: str) -> Callable[[list[Row]], bool]:
    return lambda rows: [row["state"] for row in rows] == list(states)


async def handle(office: PostOffice, mail_id: int, outcome: Any, reason: str = "") -> None:
    handled = MailHandled(mail_id=mail_id, outcome=outcome, reason=reason)
    await office.broker.publish(wrap(handled))
    await until(lambda: office.told[mail_id].state == outcome)


async def test_what_is_handed_in_goes_the_way_of_all_mails(office: PostOffice) -> None:
    raw = a_mail("Printer")
    await handed(office, raw, raw, a_mail("Scanner"))
    async with office.open():
        await office.rows(in_states("received", "duplicate", "received"))
        assert [mail.subject for mail in await office.mails(2)] == ["Printer", "Scanner"]
        await until(lambda: {m.state for m in office.told.values()} == {"received", "duplicate"})
        assert (office.told[1].mailbox, office.told[1].sender) == ("upload", "jane@example.org")
        await handle(office, 1, "ticket")
    assert office.told[2].reason == "the same as mail 1 in upload"
    assert await office.blobs.get(office.told[1].raw_id or "") == raw


async def test_an_upload_that_is_sent_again_is_one_mail(office: PostOffice) -> None:
    raw_id = await office.blobs.put(a_mail())
    async with office.open():
        command = HandInMail(mailbox="upload", uid="1", raw_id=raw_id, size=9)
        again = command.model_copy(update={"raw_id": "another"})
        first = await asked(office, command)
        assert (await asked(office, again)).raw_id == first.raw_id == raw_id
        await office.mail()
        await office.rows(in_states("received"))


async def test_a_mail_that_is_accepted_says_so(office: PostOffice, maildir: Maildir) -> None:
    maildir.drop(a_mail())
    async with office.open(maildir.url):
        first = await office.mail()
        await handle(office, first.mail_id, "ignored", "unknown sender")
        told = await asked(office, AcceptMail(mail_id=first.mail_id, client_id=7, actor=BY))
        assert (told.state, told.reason, told.decided_by) == ("received", "", BY.author)
        again = (await office.mails(2))[1]
        with pytest.raises(Conflict):
            await asked(office, AcceptMail(mail_id=first.mail_id, actor=BY))
        await handle(office, first.mail_id, "ticket")
    assert (first.accepted, again.accepted, again.client_id) == (False, True, 7)
    assert (
        again.model_copy(
            update={"accepted": False, "client_id": None, "received_at": first.received_at}
        )
        == first
    )
    assert len(maildir.moved()) == 1


async def test_a_mail_that_failed_is_taken_when_it_is_retried(
    office: PostOffice, maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(raw: bytes) -> str:
        raise RuntimeError("no antidote")

    monkeypatch.setattr(prepare, "content_digest", failing)
    maildir.drop(a_mail())
    async with office.open(maildir.url):
        await office.ledger("failed")
        await until(lambda: 1 in office.told)
        failed = office.told[1]
        assert (failed.state, failed.reason, failed.attempts) == ("failed", "no antidote", 3)
        monkeypatch.setattr(prepare, "content_digest", content_digest)
        await asked(office, RetryMail(mail_id=1, actor=BY))
        assert (await office.mail()).subject == "Printer"
        assert not (await office.mail()).accepted
    assert len(maildir.moved("Failed")) == 1


async def test_what_was_never_read_cannot_be_retried(office: PostOffice) -> None:
    await office.database.pool.execute(
        "INSERT INTO mails (mailbox, folder, uidvalidity, uid, size, state)"
        " VALUES ('a', 'b', 1, '1', 1, 'failed')"
    )
    async with office.open():
        with pytest.raises(Conflict, match="nothing was kept of it"):
            await asked(office, RetryMail(mail_id=1, actor=BY))
        with pytest.raises(NotFound):
            await asked(office, RetryMail(mail_id=2, actor=BY))
        discarded = await asked(office, DiscardMail(mail_id=1, actor=BY))
        assert (discarded.state, discarded.reason) == ("ignored", "discarded")
        assert await asked(office, DiscardMail(mail_id=1, actor=BY)) == discarded


async def test_a_mail_whose_blob_is_gone_fails_alone(office: PostOffice) -> None:
    await handed(office, a_mail("Gone"), a_mail("There"))
    await office.blobs.delete((await office.rows(lambda rows: len(rows) == 2))[0]["raw_id"])
    async with office.open():
        assert (await office.mail()).subject == "There"
        rows = await office.rows(in_states("failed", "received"))
    assert "there is no blob" in rows[0]["reason"]


async def test_uploads_that_became_no_mail_are_deleted(office: PostOffice) -> None:
    today = datetime.now(UTC).date()
    for days in (2, 3, 7):
        for name in ("loose", "mail"):
            place = f"{raw_folder(today - timedelta(days=days))}{name}"
            await office.blobs.write(place, chunks(a_mail()))
            if name == "mail":
                uid, values = str(days), {"mailbox": "upload", "raw_id": place, "size": 1}
                await office.database.fetch(decisions.HAND_IN, uid=uid, **values)
    await sweep(office.database, office.blobs, today)
    left = [each async for page in office.blobs.listed("raw/") for each in page]
    assert sorted(each.rpartition("/")[2] for each in left) == ["loose", "mail", "mail", "mail"]


async def chunks(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


def spoken(port: int, *lines: bytes) -> list[bytes]:
    """The answers to a conversation: RFC 2033 has one for each recipient after the mail, of which
    smtplib reads the first alone."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(b"".join(each + b"\r\n" for each in (*lines, b"QUIT")))
        with line.makefile("rb") as answers:
            return [answer[:3] for answer in answers if answer[3:4] == b" "]


async def test_mails_are_taken_over_lmtp(office: PostOffice) -> None:
    port = free_port()
    raw = a_mail("Printer").replace(b"\n", b"\r\n")
    to = [b"RCPT TO:<support@example.com>", b"RCPT TO:<sales@example.com>"]
    mail = [b"MAIL FROM:<>", *to, b"DATA", raw + b".", *[b"MAIL FROM:<a@b.test>", to[0], b"DATA"]]
    large = [b"MAIL FROM:<a@b.test>", *to, b"DATA", b"x" * 20_000, b"."]

    async with office.open(f"lmtp://127.0.0.1:{port}", max_mail_bytes=10_000):
        await until(lambda: _listens(port))
        lines = [b"LHLO a.test", *mail, b"Subject: Long\r\n\r\n" + b"x" * 5000, b".", *large]
        answers = await asyncio.to_thread(spoken, port, *lines)
        mails = await office.mails(2)
        await until(lambda: len(office.told) == 2)
    assert answers[:1] == [b"220"]
    assert answers[2:8] == [b"250", b"250", b"250", b"354", b"250", b"250"]
    assert answers[8:12] == [b"250", b"250", b"354", b"250"]
    assert answers[12:] == [b"250", b"250", b"250", b"354", b"552", b"552", b"221"]
    assert [mail.subject for mail in mails] == ["Printer", "Long"]
    assert {mail.mailbox for mail in mails} == {f"lmtp://127.0.0.1:{port}"}
    kept = await office.blobs.get(office.told[mails[0].mail_id].raw_id or "")
    assert kept.startswith(
        b"Delivered-To: support@example.com\r\n"
        b"Delivered-To: sales@example.com\r\nReturn-Path: <>\r\nFrom:"
    )


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


async def test_lmtp_does_not_wait_for_who_says_nothing(office: PostOffice) -> None:
    port = free_port()
    async with office.open(f"lmtp://127.0.0.1:{port}"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert (await reader.readline()).startswith(b"220")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_lmtp_puts_off_what_cannot_be_kept(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()

    async def away(*_: object) -> None:
        raise OSError("the disk is full")

    def deliver() -> int:
        with smtplib.LMTP("127.0.0.1", port) as client, pytest.raises(smtplib.SMTPDataError) as at:
            client.sendmail("jane@example.org", "a@example.com", a_mail())
        return at.value.smtp_code

    monkeypatch.setattr("mail_ingest_svc.mailbox.lmtp.hand_in", away)
    async with office.open(f"lmtp://127.0.0.1:{port}"):
        assert await asyncio.to_thread(deliver) == 451


def deskwire(
    office: PostOffice, url: str, *words: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    told = {"DESKWIRE_DATABASE_URL": url, "DESKWIRE_BLOB_URL": office.blob_url}
    command = [str(Path(sys.executable).with_name("deskwire")), "mail", *words]
    return subprocess.run(command, input=given, env=told, capture_output=True, check=False)


async def test_import_and_pipe(office: PostOffice, tmp_path: Path) -> None:
    url = str(office.database_url)
    box = mailbox.mbox(tmp_path / "old.mbox")
    for subject in ("one", "two"):
        box.add(a_mail(subject))
    box.close()
    folder = Maildir(tmp_path / "maildir")
    folder.drop(a_mail("three"))
    (folder.path / "tmp" / "draft").write_bytes(a_mail("draft"))
    (tmp_path / "four.eml").write_bytes(a_mail("four"))
    places = [str(tmp_path / "old.mbox"), str(folder.path), str(tmp_path / "four.eml")]

    def run(*words: str, given: bytes = b"", at: str = url) -> tuple[int, bytes]:
        done = deskwire(office, at, *words, given=given)
        return done.returncode, done.stdout + done.stderr

    assert run("import", *places) == (0, b"4 mails are in the ledger, 0 were there before\n")
    assert run("import", *places) == (0, b"0 mails are in the ledger, 4 were there before\n")
    assert run("pipe", "--mailbox", "alias", given=a_mail("five")) == (0, b"")
    assert run("pipe")[0] == 66
    assert run("pipe", "--max-bytes", "9", given=a_mail())[0] == 65
    assert run("pipe", given=a_mail(), at="postgresql://127.0.0.1:1/none")[0] == 75
    async with office.open():
        mails = await office.mails(5)
    assert {mail.subject for mail in mails} == {"one", "two", "three", "four", "five"}
    assert [mail.mailbox for mail in mails].count("import") == 4


async def test_an_operator_decides_without_the_gateway(office: PostOffice) -> None:
    await handed(office, a_mail("one"), a_mail("two"))

    async def run(*words: str) -> tuple[int, str]:
        done = await asyncio.to_thread(deskwire, office, str(office.database_url), *words)
        return done.returncode, (done.stdout + done.stderr).decode().strip()

    async with office.open():
        first, second = (mail.mail_id for mail in await office.mails(2))
        await handle(office, first, "quarantined", "unknown sender")
        await handle(office, second, "quarantined", "unknown sender")
        done = await run("discard", str(first))
        assert done == (0, f"mail {first} is ignored discarded: unknown sender")
        assert await run("accept", "--client", "7", str(second)) == (
            0,
            f"mail {second} is received",
        )
        accepted = (await office.mails(3))[2]
        assert (accepted.accepted, accepted.client_id) == (True, 7)
        await handle(office, second, "ticket")
        code, words = await run("retry", str(first), str(second))
        assert (code, words) == (
            1,
            "deskwire: the mail's state is ticket: there is nothing to decide",
        )
        assert office.told[first].state == "ignored"  # all of them or none
        assert office.told[first].decided_by == Author(type="system", name="operator")
