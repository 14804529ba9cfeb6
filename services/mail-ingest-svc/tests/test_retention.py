"""How long mails are kept as they came."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from post_office import Maildir, PostOffice, Row, until

from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.mail import AcceptMail, MailHandled
from deskwire.errors import Conflict
from deskwire.messaging.envelope import wrap
from deskwire.messaging.outbox import Outbox
from deskwire.messaging.requests import ask
from mail_ingest_svc.mailbox import sweep
from mail_ingest_svc.mailbox.sweep import delete_discarded, expire
from mail_ingest_svc.store import retention

BY = Actor(author=Author(type="agent", id=1, name="Ann"), through=Through(type="key", id=3))
OUTCOMES: tuple[Any, ...] = ("ticket", "reply", "ignored", "quarantined")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "EVERY_SECONDS", 0.05)


def with_file(subject: str) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = "jane@example.org", subject
    message["Message-ID"] = f"<{subject}@example.org>"
    message["Date"] = "Mon, 2 Mar 2026 09:00:00 +0100"
    message.set_content("See.")
    message.add_attachment(subject.encode(), maintype="image", subtype="png", filename="x.png")
    return message.as_bytes()


async def settle(office: PostOffice, maildir: Maildir) -> list[Row]:
    """A mail of each outcome, and one that came before."""
    raws = [with_file(outcome) for outcome in OUTCOMES]
    for outcome, raw in zip(OUTCOMES, raws, strict=True):
        maildir.drop(raw)
        heard = (await office.mails(len(office.heard) + 1))[-1]
        await office.broker.publish(wrap(MailHandled(mail_id=heard.mail_id, outcome=outcome)))
    maildir.drop(raws[0])
    return await office.ledger(*OUTCOMES, "duplicate")


async def pass_days(office: PostOffice, days: int, *mail_ids: int) -> None:
    await office.database.pool.execute(
        "UPDATE mails SET handled_at = handled_at - $1 * interval '1 day',"
        " received_at = received_at - $1 * interval '1 day' WHERE id = ANY($2)",
        days,
        mail_ids,
    )


def stored(office: PostOffice) -> set[str]:
    folder = Path(office.blob_url.removeprefix("file://"))
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


async def test_settled_mails_are_kept_for_as_long_as_they_are_to_be(
    office: PostOffice, maildir: Maildir
) -> None:
    async with office.open(maildir.url, raw_mail_days=30):
        rows = await settle(office, maildir)
        raw_ids = {row["state"]: row["raw_id"] for row in rows}
        before = stored(office)
        assert set(raw_ids.values()) < before
        await pass_days(office, 29, *(row["id"] for row in rows))
        await pass_days(office, 1, *(row["id"] for row in rows if row["state"] != "reply"))
        await until(lambda: len(stored(office)) == 5)
        gone = [office.told[row["id"]].raw_deleted_at is not None for row in rows]
        assert gone == [True, False, True, False, True]
        accept = AcceptMail(mail_id=rows[2]["id"], actor=BY)
        with pytest.raises(Conflict, match="the mail itself was deleted on"):
            await ask(office.broker, accept)
    files = {heard.attachments[0].blob_id for heard in office.heard if heard.subject != "ignored"}
    assert stored(office) == {raw_ids["reply"], raw_ids["quarantined"], *files}
    assert await office.database.fetch(retention.DISCARDED) == []


async def test_mails_are_kept_for_ever_without_a_setting(
    office: PostOffice, maildir: Maildir
) -> None:
    async with office.open(maildir.url):
        rows = await settle(office, maildir)
        before = stored(office)
        await pass_days(office, 4000, *(row["id"] for row in rows))
        await until(lambda: len(office.told) == len(rows))
    assert stored(office) == before


async def test_a_blob_goes_with_the_last_mail_that_has_it(office: PostOffice) -> None:
    """As it was stored once for equal mails before; and whoever dies in the middle."""
    shared = await office.blobs.put(with_file("Twice"))
    for uid in ("1", "2"):
        await office.database.pool.execute(
            "INSERT INTO mails"
            " (mailbox, folder, uidvalidity, uid, size, raw_id, state, received_at)"
            " VALUES ('a', 'b', 1, $1, 1, $2, 'ticket', now() - interval '9 days')",
            uid,
            shared,
        )
    await pass_days(office, -9, 2)
    outbox = Outbox(office.database, office.broker, service="mail-ingest-svc")
    await expire(outbox, 7)
    await delete_discarded(office.database, office.blobs)
    assert len(stored(office)) == 1
    await pass_days(office, 9, 2)
    await expire(outbox, 7)
    assert len(stored(office)) == 1
    await office.blobs.delete(shared)
    await delete_discarded(office.database, office.blobs)
    assert stored(office) == set()
    assert await office.database.fetch(retention.DISCARDED) == []
