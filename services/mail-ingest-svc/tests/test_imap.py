"""A real Dovecot, and everything that can become of a connection to it."""

import asyncio
import imaplib
import json
import os
import re
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from imap_wire import Wire
from post_office import Maildir, PostOffice, a_mail, until
from prometheus_client import REGISTRY

from deskwire.local import Dovecot, free_port
from deskwire.local import dovecot as dovecot_server
from mail_ingest_svc.domain import Listed
from mail_ingest_svc.mailbox.imap import ImapMailbox
from mail_ingest_svc.mailbox.imap_session import namespace


def client(dovecot: Dovecot, user: str) -> imaplib.IMAP4:
    parts = urlsplit(dovecot.url(user))
    imap = imaplib.IMAP4(parts.hostname or "", parts.port or 0, timeout=20)
    imap.login(user, parts.password or "")
    return imap


def subjects(raws: list[bytes]) -> list[str]:
    found = (line for raw in raws for line in raw.decode().splitlines())
    return sorted(line.removeprefix("Subject: ") for line in found if line.startswith("Subject: "))


async def test_a_mail_is_taken_in_and_moved(
    office: PostOffice, dovecot: Dovecot, user: str
) -> None:
    async with office.open(f"{dovecot.url(user)}/INBOX?processed=Deskwire"):
        dovecot.append(user, a_mail("First"))
        await office.mails(1)
        await office.ledger("received")
        dovecot.append(user, a_mail("Second"))
        started = time.monotonic()
        await office.mails(2)
        assert time.monotonic() - started < 5  # by IDLE, not by the poll
        rows = await office.ledger("received", "received")
    assert [mail.subject for mail in office.heard] == ["First", "Second"]
    assert {row["mailbox"] for row in rows} == {f"{user}@127.0.0.1/INBOX"}
    assert [(row["folder"], row["uid"]) for row in rows] == [("INBOX", "1"), ("INBOX", "2")]
    assert dovecot.messages(user) == []
    assert subjects(dovecot.messages(user, "Deskwire")) == ["First", "Second"]
    with client(dovecot, user) as imap:
        imap.select("Deskwire", readonly=True)
        assert imap.search(None, "SEEN")[1] == [b""]


async def test_mail_that_comes_while_other_mail_is_moved(
    office: PostOffice, dovecot: Dovecot, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server tells of it in its answer to the move, and does not tell again in IDLE."""
    move, late = ImapMailbox.move, [a_mail("Late")]

    def moving(self: ImapMailbox, mails: Sequence[Listed], folder: str) -> None:
        if late:
            dovecot.append(user, late.pop())
        move(self, mails, folder)

    monkeypatch.setattr(ImapMailbox, "move", moving)
    async with office.open(dovecot.url(user)):
        started = time.monotonic()
        dovecot.append(user, a_mail("First"))
        await office.mails(2)
        assert time.monotonic() - started < 15  # by looking again, not by the poll


async def test_a_mail_that_a_human_has_read(
    office: PostOffice, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, a_mail())
    with client(dovecot, user) as imap:
        imap.select()
        imap.store("1", "+FLAGS", r"(\Seen)")
    async with office.open(dovecot.url(user)):
        await office.ledger("received")
    assert len(office.heard) == 1


async def test_two_at_one_mailbox(office: PostOffice, dovecot: Dovecot, user: str) -> None:
    """Two replicas, each told of every mail at the same moment, most of them while they run."""
    for number in range(30):
        dovecot.append(user, a_mail(str(number)))
    async with office.open(dovecot.url(user)), office.open(dovecot.url(user)):
        for number in range(30, 60):
            await asyncio.to_thread(dovecot.append, user, a_mail(str(number)))
        await office.ledger(*["received"] * 60)
    assert sorted(int(mail.subject) for mail in office.heard) == list(range(60))
    assert dovecot.messages(user) == []
    assert len(dovecot.messages(user, "Processed")) == 60


async def test_a_new_uidvalidity(
    office: PostOffice, dovecot: Dovecot, user: str, dovecot_folder: Path
) -> None:
    """The server has lost its list of UIDs, and mails that could not be moved are still there."""
    for number in range(3):
        dovecot.append(user, a_mail(str(number)))
    async with office.open(f"{dovecot.url(user)}?processed=no//folder"):
        rows = await office.rows(lambda rows: [row["state"] for row in rows] == ["received"] * 3)
    await until(lambda: time.time() > rows[0]["uidvalidity"] + 1)  # it is the second of its making
    for file in (dovecot_folder / "mail" / user / "Maildir").glob("dovecot*"):
        file.unlink()
    dovecot.append(user, a_mail("new"))
    async with office.open(dovecot.url(user)):
        rows = await office.ledger(*["received"] * 3, *["duplicate"] * 3, "received")
    assert len({row["uidvalidity"] for row in rows}) == 2
    assert [mail.subject for mail in await office.mails(4)] == ["0", "1", "2", "new"]


async def test_a_mail_put_back_is_a_duplicate(
    office: PostOffice, dovecot: Dovecot, user: str
) -> None:
    raw = a_mail()
    async with office.open(dovecot.url(user)):
        dovecot.append(user, raw)
        await office.ledger("received")
        dovecot.append(user, raw)
        await office.ledger("received", "duplicate")
    assert len(office.heard) == 1


async def test_committed_and_not_moved(office: PostOffice, dovecot: Dovecot, user: str) -> None:
    """As after a crash between the two: only the move is repeated."""
    dovecot.append(user, a_mail())
    async with office.open(f"{dovecot.url(user)}?processed=no//folder"):
        await office.rows(lambda rows: [row["state"] for row in rows] == ["received"])
    assert len(dovecot.messages(user)) == 1
    async with office.open(dovecot.url(user)):
        await office.ledger("received")
    assert dovecot.messages(user) == []
    assert len(office.heard) == 1


async def test_a_server_that_hangs_up(office: PostOffice, dovecot: Dovecot, user: str) -> None:
    """In the greeting, in the list, within mails and between them."""
    for number in range(20):
        dovecot.append(user, a_mail(str(number), text="0123456789" * 1000))
    async with Wire(dovecot.url(user)).up() as wire:
        wire.cuts = [50, 1500, 5_000, 40_000, 100_000]
        async with office.open(wire.url):
            rows = await office.ledger(*["received"] * 20)
        assert wire.connections >= 5
    assert sorted(int(mail.subject) for mail in office.heard) == list(range(20))
    assert max(row["attempts"] for row in rows) <= 3


async def test_a_server_that_restarts(office: PostOffice, dovecot: Dovecot, user: str) -> None:
    async with office.open(dovecot.url(user)):
        dovecot.append(user, a_mail("before"))
        await office.ledger("received")
        await asyncio.to_thread(dovecot.stop)
        await asyncio.to_thread(dovecot.start)
        dovecot.append(user, a_mail("after"))
        await office.ledger("received", "received")
    assert [mail.subject for mail in office.heard] == ["before", "after"]


async def test_a_silent_cut_is_met_by_the_poll(
    office: PostOffice, dovecot: Dovecot, user: str
) -> None:
    """IDLE's word for a new mail is lost on the way."""
    async with Wire(dovecot.url(user)).up() as wire:
        wire.said = lambda data: b"" if data.startswith(b"* 1 EXISTS") else data
        async with office.open(wire.url, poll_seconds=1):
            await until(lambda: wire.connections == 1)
            dovecot.append(user, a_mail())
            await office.ledger("received")


async def test_idle_is_begun_anew_before_the_way_forgets_it(
    office: PostOffice, dovecot: Dovecot, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a look at the mailbox in between, however rarely it is polled."""
    monkeypatch.setattr("mail_ingest_svc.mailbox.imap_idle.IDLE_SECONDS", 0.2)
    async with Wire(dovecot.url(user)).up() as wire:
        wire.said = lambda data: b"" if data.startswith(b"* 1 EXISTS") else data
        async with office.open(wire.url, poll_seconds=3600):
            await until(lambda: wire.heard.count(b" IDLE\r\n") == 3)
            dovecot.append(user, a_mail())
            await office.ledger("received")
    assert wire.connections == 1


async def test_a_mailbox_that_never_answers_is_told_of(office: PostOffice) -> None:
    """An alert goes by the time of the last success, so there must be one from the start."""
    began = time.time()
    async with office.open(f"imap://nobody:x@127.0.0.1:{free_port()}"):
        name = {"mailbox": "nobody@127.0.0.1/INBOX"}
        shown = REGISTRY.get_sample_value("deskwire_mailbox_last_success_seconds", name)
    assert shown is not None
    assert shown >= began - 1


@pytest.mark.parametrize(
    ("unable", "left", "moved"),
    [([b"MOVE"], 0, 2), ([b"MOVE", b"UIDPLUS"], 2, 0), ([b"MOVE", b"UIDPLUS", b"IDLE"], 2, 0)],
)
async def test_what_a_server_cannot_do(
    office: PostOffice, dovecot: Dovecot, user: str, unable: list[bytes], left: int, moved: int
) -> None:
    """Without MOVE by COPY and UID EXPUNGE; without that the mails stay, and others' mails too."""

    def modest(data: bytes) -> bytes:
        for word in unable:
            data = data.replace(b" " + word, b" X" + word[1:])
        return data

    dovecot.append(user, a_mail("deleted by a human"))
    with client(dovecot, user) as imap:
        imap.select()
        imap.store("1", "+FLAGS", r"(\Deleted)")
        imap.unselect()
    dovecot.append(user, a_mail("other"))
    async with Wire(dovecot.url(user)).up() as wire:
        wire.said = modest
        for _ in range(2):  # and a second time: nothing is taken twice
            async with office.open(wire.url, poll_seconds=0.2):
                await office.ledger("received", "received")
    assert len(office.heard) == 2
    assert len(dovecot.messages(user)) == left
    assert len(dovecot.messages(user, "Processed")) == moved


async def test_folders_below_the_inbox(office: PostOffice, server_folder: Path, user: str) -> None:
    """As on Courier, and Cyrus before 3: our own folders are made where the server has them."""
    with dovecot_server(server_folder / "below", prefix="INBOX.") as below:
        below.append(user, a_mail("0"))
        below.append(user, a_mail("1", text="x" * 3000))
        url = f"{below.url(user)}?processed=Deskwire/Done"
        async with office.open(url, max_mail_bytes=2000):
            await office.ledger("received", "received")
        assert subjects(below.messages(user, "INBOX.Deskwire.Done")) == ["0"]
        assert subjects(below.messages(user, "INBOX.Oversize")) == ["1"]


@pytest.mark.parametrize(
    ("told", "folder", "name"),
    [
        (b'(("" "/")) NIL NIL', "A/B", "A/B"),
        (b'(("INBOX." ".")) NIL NIL', "A/B", "INBOX.A.B"),
        (b'(("INBOX." ".")("#mh." ".")) (("~" "/")) NIL', "inbox.A", "inbox.A"),
        (b'(("" "\\\\")) NIL NIL', "A/B", "A\\B"),
        (b"NIL NIL NIL", "A", "A"),
        (b'(("" NIL)) NIL NIL', "A/B", "A/B"),
    ],
)
def test_folders_are_named_within_the_namespace(told: bytes, folder: str, name: str) -> None:
    class Server:
        def namespace(self) -> tuple[str, list[bytes]]:
            return "OK", [told]

    server: Any = Server()
    assert namespace(server).name(folder) == name


async def test_a_read_only_folder(office: PostOffice, dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, a_mail())
    async with Wire(dovecot.url(user)).up() as wire:
        wire.said = lambda data: data.replace(b"[READ-WRITE]", b"[READ-ONLY] ")
        async with office.open(wire.url, poll_seconds=0.1):
            await office.rows(lambda rows: [row["state"] for row in rows] == ["received"])
            dovecot.append(user, a_mail())
            await office.mails(2)
    assert len(dovecot.messages(user)) == 2


async def test_a_mail_that_the_server_does_not_give_out(
    office: PostOffice, dovecot: Dovecot, user: str
) -> None:
    for subject in ("0", "poison", "2"):
        dovecot.append(user, a_mail(subject))
    async with Wire(dovecot.url(user)).up() as wire:

        def refusing(data: bytes) -> bytes:
            asked = re.search(rb"(\w+) UID FETCH (\d+,)*2(,\d+)* \(UID BODY\S+\s*$", wire.heard)
            if asked is None:
                return data
            return asked[1] + b" NO it is broken\r\n" if b" OK Fetch" in data else b""

        wire.said = refusing
        async with office.open(wire.url):
            rows = await office.ledger("received", "failed", "received")
    assert rows[1]["reason"] == "the server does not give it out: it is broken"
    assert rows[1]["attempts"] == 3
    assert {mail.subject for mail in office.heard} == {"0", "2"}
    assert subjects(dovecot.messages(user, "Failed")) == ["poison"]


async def test_a_mail_at_which_the_server_hangs_up(
    office: PostOffice, dovecot: Dovecot, user: str, dovecot_folder: Path
) -> None:
    """It cannot be moved either, and is left alone."""
    for number in range(3):
        dovecot.append(user, a_mail(str(number)))
    place = dovecot_folder / "mail" / user / "Maildir"
    [file] = [f for f in place.glob("*/*") if f.is_file() and b"Subject: 1" in f.read_bytes()]
    os.chown(file, 0, 0)
    file.chmod(0)
    expected = ["received", "failed", "received", "received"]
    async with office.open(dovecot.url(user)):
        await office.rows(lambda rows: [row["state"] for row in rows] == expected[:3])
        dovecot.append(user, a_mail("3"))
        rows = await office.rows(lambda rows: [row["state"] for row in rows] == expected)
    assert "Internal error occurred" in rows[1]["reason"]
    assert {mail.subject for mail in office.heard} == {"0", "2", "3"}


async def test_an_oversize_mail(office: PostOffice, dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, a_mail("Backup", text="0123456789" * 500))
    dovecot.append(user, a_mail("Printer"))
    async with office.open(dovecot.url(user), max_mail_bytes=2000):
        mails = await office.mails(2)
        await office.ledger("received", "received")
    assert "larger than the 2,000 bytes" in mails[0].body.text
    assert mails[1].body.text.strip() == "It is on fire."
    assert subjects(dovecot.messages(user, "Oversize")) == ["Backup"]
    assert subjects(dovecot.messages(user, "Processed")) == ["Printer"]


async def test_a_backlog_is_taken_in_whole(office: PostOffice, dovecot: Dovecot, user: str) -> None:
    with client(dovecot, user) as imap:
        for number in range(120):
            imap.append("INBOX", "", "", a_mail(str(number)))
    async with office.open(dovecot.url(user)):
        await office.ledger(*["received"] * 120)
    assert [int(mail.subject) for mail in await office.mails(120)] == list(range(120))


async def test_a_mailbox_in_trouble_troubles_no_other(
    office: PostOffice, dovecot: Dovecot, user: str, maildir: Maildir, logged: list[dict[str, str]]
) -> None:
    wrong = dovecot.url(user).replace("password", "s3cret")
    nobody = f"imap://sup:s3cret@127.0.0.1:{free_port()}"
    folder = f"{dovecot.url(user)}/Nowhere"
    async with office.open(wrong, nobody, folder, maildir.url):
        maildir.drop(a_mail())
        await office.mail()
        await until(lambda: len({line.get("mailbox") for line in logged}) == 3)
    told = {line["mailbox"]: line["cause"] for line in logged}
    assert "the login is refused" in told[f"{user}@127.0.0.1/INBOX"]
    assert "refused" in told["sup@127.0.0.1/INBOX"].lower()
    assert "Nowhere cannot be opened" in told[f"{user}@127.0.0.1/Nowhere"]
    assert "s3cret" not in json.dumps(logged, default=str)


async def test_tls_is_verified(
    office: PostOffice,
    dovecot: Dovecot,
    user: str,
    logged: list[dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dovecot.append(user, a_mail())
    async with office.open(dovecot.tls_url(user)):
        await until(lambda: any("certificate" in line["cause"].lower() for line in logged))
    assert office.heard == []
    monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.certificate))
    async with office.open(dovecot.tls_url(user)):
        await office.ledger("received")
        dovecot.append(user, a_mail())
        await office.ledger("received", "received")


async def test_nothing_is_said_in_clear_text_to_another_machine(
    office: PostOffice, dovecot: Dovecot, user: str, logged: list[dict[str, str]]
) -> None:
    """Neither when its certificate is not known, nor when it seems not to offer TLS."""
    async with Wire(dovecot.url(user)).up(socket.gethostname()) as wire:
        async with office.open(wire.url):
            await until(lambda: len(logged) == 1)
        wire.said = lambda data: data.replace(b"STARTTLS", b"STARTXXX")
        async with office.open(wire.url):
            await until(lambda: len(logged) == 2)
    assert "certificate" in logged[0]["cause"].lower()
    assert "TLS not supported" in logged[1]["cause"]
    assert b"STARTTLS" in wire.heard
    assert b"LOGIN" not in wire.heard


async def test_stopping_does_not_wait_for_idle(
    office: PostOffice, dovecot: Dovecot, user: str
) -> None:
    async with office.open(dovecot.url(user)):
        dovecot.append(user, a_mail())
        await office.ledger("received")
        await asyncio.sleep(0.2)  # into IDLE
        started = time.monotonic()
    assert time.monotonic() - started < 2
