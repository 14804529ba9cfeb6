"""Mails dropped into a maildir, and what may be wrong with them."""

import os
import random
import time
from email.message import EmailMessage
from pathlib import Path

import pytest
from post_office import Maildir, PostOffice, a_mail, fails_alone, post_office, until

from deskwire.contracts.mail import Address
from deskwire.testing import FreshDatabase
from mail_ingest_svc.domain import content_digest
from mail_ingest_svc.mailbox import maildir as maildir_module
from mail_ingest_svc.mailbox import prepare
from mail_ingest_svc.mailbox.maildir import MaildirMailbox
from mail_ingest_svc.store import ledger

SECOND_NS = 1_000_000_000
OUTBOX = "SELECT count(*), count(published_at) FROM outbox WHERE type = 'mail.received.v1'"


async def test_a_mail_is_taken_in_and_moved(office: PostOffice, maildir: Maildir) -> None:
    raw = a_mail("Printer", Cc="Bob <bob@example.org>", In_Reply_To="<0@example.org>")
    async with office.open(maildir.url):
        maildir.drop(raw)
        mail = await office.mail()
        row = (await office.ledger("received"))[0]
    assert mail.mail_id == row["id"]
    assert mail.mailbox == row["mailbox"] == str(maildir.path)
    assert mail.sender == Address(name="Jane Doe", email="jane@example.org")
    assert [address.email for address in mail.cc] == ["bob@example.org"]
    assert mail.in_reply_to == ("<0@example.org>",)
    assert mail.body.text.strip() == "It is on fire."
    assert (row["sender"], row["subject"], row["size"]) == ("jane@example.org", "Printer", len(raw))
    assert row["message_id"] == mail.message_id
    assert await office.blobs.get(row["raw_id"]) == raw
    assert maildir.waiting() == []
    assert maildir.moved() == [raw]


async def test_html_and_attachments(office: PostOffice, maildir: Maildir) -> None:
    message = EmailMessage()
    message["From"] = "jane@example.org"
    message.set_content("It is on fire.")
    message.add_alternative("<p>It is <b>on fire</b>.</p>", subtype="html")
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="fire.png")
    maildir.drop(message.as_bytes())
    async with office.open(maildir.url):
        mail = await office.mail()
    assert mail.body.html is not None
    assert "<b>on fire</b>" in mail.body.html
    [attachment] = mail.attachments
    assert (attachment.name, attachment.type, attachment.size) == ("fire.png", "image/png", 4)
    assert await office.blobs.get(attachment.blob_id) == b"\x89PNG"


async def test_a_long_text_travels_as_a_blob(office: PostOffice, maildir: Maildir) -> None:
    text = "It is on fire. " * 20_000
    maildir.drop(a_mail(text=text))
    async with office.open(maildir.url):
        mail = await office.mail()
    assert mail.body.blob_id is not None
    whole = await office.blobs.unfold(mail.body)
    assert whole.text.split() == text.split()


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: from nobody\n\nNo sender, no id, no date.\n",
        b"no headers at all",
        b"From: \0\xff\n\n\0\xff",
        b"\n" * 50,
        random.Random(7).randbytes(20_000),
        "From: jane@example.org\nSubject: \ud800\n\n\ud800".encode("utf-8", "surrogatepass"),
    ],
)
async def test_whatever_arrives_is_told_of(
    office: PostOffice, maildir: Maildir, raw: bytes
) -> None:
    maildir.drop(raw)
    async with office.open(maildir.url):
        await office.mail()
        [row] = await office.ledger("received")
    assert await office.blobs.get(row["raw_id"]) == raw


async def test_of_an_oversize_mail_only_the_headers_are_read(
    office: PostOffice, maildir: Maildir
) -> None:
    raw = a_mail("Backup", text="0123456789" * 500)
    maildir.drop(raw)
    maildir.drop(a_mail("Printer"))
    async with office.open(maildir.url, max_mail_bytes=2000):
        mails = {mail.subject: mail for mail in await office.mails(2)}
        rows = await office.ledger("received", "received")
    assert mails["Printer"].body.text.strip() == "It is on fire."
    notice = f"The mail of {len(raw):,} bytes was larger than the 2,000 bytes that are read"
    assert mails["Backup"].body.text.startswith(notice)
    assert [row["reason"] for row in rows if row["subject"] == "Backup"] == ["oversize"]
    assert maildir.moved("Oversize") == [raw]
    assert len(maildir.moved()) == 1


async def test_a_mail_of_100_megabytes(office: PostOffice, maildir: Maildir) -> None:
    name = maildir.drop(a_mail("Backup"))
    with (maildir.path / "new" / name).open("ab") as file:
        file.truncate(100_000_000)
    async with office.open(maildir.url):
        mail = await office.mail()
        [row] = await office.ledger("received")
    assert mail.subject == "Backup"
    assert "100,000,000 bytes" in mail.body.text
    assert row["size"] == 100_000_000
    assert len(await office.blobs.get(row["raw_id"])) < 1000


async def test_the_same_mail_again_is_a_duplicate(office: PostOffice, maildir: Maildir) -> None:
    raw = a_mail()
    async with office.open(maildir.url):
        maildir.drop(raw)
        await office.ledger("received")
        maildir.drop(raw)
        rows = await office.ledger("received", "duplicate")
        maildir.drop(b"Received: from a by b\n" + raw)
        await office.ledger("received", "duplicate", "duplicate")
    assert rows[1]["reason"] == f"the same as mail {rows[0]['id']} in {maildir.path}"
    assert len(office.heard) == 1
    assert len(maildir.moved()) == 3


async def test_a_name_may_be_used_again(office: PostOffice, maildir: Maildir) -> None:
    first, second = a_mail("First"), a_mail("Second")
    async with office.open(maildir.url):
        maildir.drop(first, "mail.eml")
        await office.ledger("received")
        maildir.drop(second, "mail.eml")
        await office.ledger("received", "received")
    assert {mail.subject for mail in office.heard} == {"First", "Second"}
    assert sorted(maildir.moved()) == sorted([first, second])


async def test_a_name_that_is_no_unicode(office: PostOffice, maildir: Maildir) -> None:
    maildir.drop(a_mail(), os.fsdecode(b"\xff\xfe"))
    async with office.open(maildir.url):
        await office.ledger("received")
    assert len(maildir.moved()) == 1


async def test_a_reused_message_id_hides_no_mail(office: PostOffice, maildir: Maildir) -> None:
    maildir.drop(a_mail(Message_ID="<1@example.org>", text="It is on fire."))
    maildir.drop(a_mail(Message_ID="<1@example.org>", text="It is out again."))
    async with office.open(maildir.url):
        await office.mails(2)
        await office.ledger("received", "received")


async def test_one_mail_to_two_mailboxes_is_one_mail(office: PostOffice, tmp_path: Path) -> None:
    boxes = [Maildir(tmp_path / "support"), Maildir(tmp_path / "billing")]
    raw = a_mail()
    async with office.open(*(box.url for box in boxes)):
        for box in boxes:
            box.drop(b"Delivered-To: %s@example.com\n" % box.path.name.encode() + raw)
        rows = await office.rows(lambda rows: len(rows) == 2 and all(r["flagged_at"] for r in rows))
    first, second = sorted(rows, key=lambda row: str(row["state"]), reverse=True)
    assert (first["state"], second["state"]) == ("received", "duplicate")
    assert second["reason"] == f"the same as mail {first['id']} in {first['mailbox']}"
    assert [mail.mail_id for mail in office.heard] == [first["id"]]


async def test_a_mail_that_fails_three_times_costs_only_itself(
    office: PostOffice, maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(raw: bytes) -> str:
        if b"poison" in raw:
            raise RuntimeError("no antidote")
        return content_digest(raw)

    monkeypatch.setattr(prepare, "content_digest", failing)
    await fails_alone(office, maildir, a_mail("poison"), reason="no antidote")


async def test_a_mail_that_cannot_be_written_costs_only_itself(
    office: PostOffice, maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        prepare, "content_digest", lambda raw: "\0" if b"poison" in raw else raw.hex()[-64:]
    )
    maildir.drop(a_mail("poison", text="poison"), "0")
    maildir.drop(a_mail("Mail", text="A mail"), "1")
    async with office.open(maildir.url):
        await office.ledger("failed", "received")
    assert [mail.subject for mail in office.heard] == ["Mail"]


async def test_a_mail_whose_processes_die_is_given_up(office: PostOffice, maildir: Maildir) -> None:
    """The ledger as processes leave it that were killed while they had a mail in work."""
    lethal, unlucky = maildir.drop(a_mail("Lethal")), maildir.drop(a_mail("Unlucky"))
    for name, attempts in ((lethal, 5), (unlucky, 4)):
        changed = (maildir.path / "new" / name).stat().st_mtime_ns
        await office.database.pool.execute(
            "INSERT INTO mails (mailbox, folder, uidvalidity, uid, size, attempts, claimed_at)"
            " VALUES ($1, 'new', 0, $2, 1, $3, now() - interval '1 minute')",
            str(maildir.path),
            f"{name}/{changed}",
            attempts,
        )
    async with office.open(maildir.url):
        rows = await office.ledger("failed", "received")
    assert rows[0]["reason"] == "the service died with it"
    assert [mail.subject for mail in office.heard] == ["Unlucky"]
    assert len(maildir.moved("Failed")) == 1


async def test_a_mail_that_is_not_listed_yet_has_not_left(
    office: PostOffice, maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun before a crash, and younger than what is listed when the folder is opened again."""
    monkeypatch.setattr(maildir_module, "SETTLE_NS", SECOND_NS)
    name = maildir.drop(a_mail())
    await office.database.pool.execute(
        "INSERT INTO mails (mailbox, folder, uidvalidity, uid, size, attempts, claimed_at)"
        " VALUES ($1, 'new', 0, $2, 1, 1, now() - interval '1 minute')",
        str(maildir.path),
        f"{name}/{(maildir.path / 'new' / name).stat().st_mtime_ns}",
    )
    async with office.open(maildir.url):
        await office.ledger("received")


async def test_what_another_process_has_in_work_is_left_to_it_for_a_while(
    office: PostOffice, maildir: Maildir
) -> None:
    name = maildir.drop(a_mail())
    uid = f"{name}/{(maildir.path / 'new' / name).stat().st_mtime_ns}"
    box = {"mailbox": str(maildir.path), "folder": "new", "uidvalidity": 0}
    await office.database.fetch(ledger.CLAIM, uids=[uid], sizes=[1], **box)
    started = time.monotonic()
    async with office.open(maildir.url):
        [row] = await office.ledger("received")
    assert 4.5 < time.monotonic() - started < 20
    assert row["attempts"] == 2


async def test_while_the_broker_is_away_mails_are_taken_in(
    fresh_database: FreshDatabase, tmp_path: Path, maildir: Maildir
) -> None:
    url = fresh_database("mail_ingest_svc")
    async with post_office(url, tmp_path / "blobs", deaf=True) as office:
        async with office.open(maildir.url):
            for _ in range(3):
                maildir.drop(a_mail())
            await office.ledger("received", "received", "received")
        written, published = await office.database.pool.fetchrow(OUTBOX) or (0, 0)
        assert (written, published) == (3, 0)
    async with post_office(url, tmp_path / "blobs") as office, office.open():
        await office.mails(3)


def test_a_file_is_not_read_while_it_is_written(
    maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By who writes into ``new/`` itself: what has just changed may change again."""
    mailbox = MaildirMailbox(maildir.path, "Processed")
    monkeypatch.setattr(maildir_module, "SETTLE_NS", 60 * SECOND_NS)
    monkeypatch.setattr(maildir_module, "EMPTY_NS", 120 * SECOND_NS)
    for name, content, age in (("a", b"x", 30), ("b", b"x", 90), ("c", b"", 90), ("d", b"", 150)):
        changed = time.time_ns() - age * SECOND_NS
        maildir.drop(content, name)
        os.utime(maildir.path / "new" / name, ns=(changed, changed))
    assert [mail.uid.partition("/")[0] for mail in mailbox.listing()] == ["d", "b"]


async def test_a_folder_that_takes_no_mails_costs_nothing(
    office: PostOffice, maildir: Maildir
) -> None:
    """Committed, then not moved, as after a crash: the move is repeated, and nothing else."""
    (maildir.path / ".Processed").write_text("in the way")
    async with office.open(maildir.url, poll_seconds=0.05):
        maildir.drop(a_mail())
        await office.mail()
    assert len(maildir.waiting()) == 1
    (maildir.path / ".Processed").unlink()
    async with office.open(maildir.url):
        await office.ledger("received")
    assert maildir.waiting() == []
    assert len(office.heard) == 1


async def test_a_moved_mail_whose_row_does_not_say_so(office: PostOffice, maildir: Maildir) -> None:
    """Killed after the move, before it was noted; and a mail that left before it was read."""
    await office.database.pool.execute(
        "INSERT INTO mails (mailbox, folder, uidvalidity, uid, size, state, claimed_at)"
        " VALUES ($1, 'new', 0, 'moved', 1, 'ticket', NULL),"
        " ($1, 'new', 0, 'gone', 1, 'fetching', NULL)",
        str(maildir.path),
    )
    async with office.open(maildir.url):
        rows = await office.ledger("ticket", "failed")
    assert rows[1]["reason"] == "left the folder before it was read"


async def test_a_mail_that_left_while_another_process_had_it(
    office: PostOffice, maildir: Maildir
) -> None:
    """Or that one died with it: this is known when its time is over."""
    await office.database.pool.execute(
        "INSERT INTO mails (mailbox, folder, uidvalidity, uid, size, claimed_at, seen_at)"
        " VALUES ($1, 'new', 0, 'gone', 1, now() - interval '4 s', now() - interval '4 s')",
        str(maildir.path),
    )
    async with office.open(maildir.url):
        [row] = await office.ledger("failed")
    assert row["reason"] == "left the folder before it was read"


async def test_a_maildir_is_made_and_may_come_back(office: PostOffice, tmp_path: Path) -> None:
    box = tmp_path / "support"
    async with office.open(f"maildir:{box}"):
        await until((box / "new").is_dir)
        box.rename(tmp_path / "away")
        await until((box / "new").is_dir)
        (box / "new" / "1").write_bytes(a_mail())
        await office.mail()
