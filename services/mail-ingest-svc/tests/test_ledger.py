"""The tables, and what is asked of them."""

import asyncio
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from post_office import Maildir, PostOffice, a_mail
from sqlalchemy.ext.asyncio import create_async_engine

from deskwire.contracts.mail import MailHandled
from deskwire.messaging.envelope import wrap
from deskwire.testing import FreshDatabase
from mail_ingest_svc import domain
from mail_ingest_svc.mailbox.prepare import Claimed, Contents, Outcome, Preparing
from mail_ingest_svc.store import ledger, tables


def differences(connection: sqlalchemy.Connection) -> Any:
    return compare_metadata(MigrationContext.configure(connection), tables.metadata)


async def test_the_tables_are_what_the_migrations_make(fresh_database: FreshDatabase) -> None:
    url = fresh_database("mail_ingest_svc").replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()
    assert found == []


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("ticket", ""),
        ("reply", ""),
        ("ignored", "unknown sender"),
        ("quarantined", "unknown sender"),
        ("duplicate", "known"),
    ],
)
async def test_what_became_of_a_mail_closes_its_row(
    office: PostOffice, maildir: Maildir, outcome: Any, reason: str
) -> None:
    maildir.drop(a_mail())
    async with office.open(maildir.url):
        mail = await office.mail()
        handled = MailHandled(
            mail_id=mail.mail_id, outcome=outcome, reason=reason, ticket_id=12, entry_id=34
        )
        await office.broker.publish(wrap(handled))
        row = (await office.ledger(outcome))[0]
    assert (row["reason"], row["ticket_id"], row["entry_id"]) == (reason, 12, 34)
    assert row["handled_at"] >= row["received_at"]


async def test_the_newest_are_listed_of_a_state_or_all(
    office: PostOffice, maildir: Maildir
) -> None:
    copy = a_mail()
    for raw in (a_mail("First"), copy, copy):
        maildir.drop(raw)
    async with office.open(maildir.url):
        await office.rows(
            lambda rows: (
                sorted(row["state"] for row in rows)
                == sorted(["received", "received", "duplicate"])
            )
        )
        duplicates = await ledger.recent(office.database, "duplicate")
        newest = await ledger.recent(office.database, limit=2)
    assert [row["state"] for row in duplicates] == ["duplicate"]
    assert [row["id"] for row in newest] == [3, 2]


async def test_chunks_that_are_read_at_once_are_told_of_in_their_order(
    office: PostOffice, maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer comes after what it answers."""
    prepare = Preparing.all

    async def the_first_ones_are_slow(
        self: Preparing, contents: Contents
    ) -> dict[Claimed, Outcome]:
        outcomes = await prepare(self, contents)
        await asyncio.sleep(0.2 / next(iter(contents)).id)
        return outcomes

    monkeypatch.setattr(Preparing, "all", the_first_ones_are_slow)
    monkeypatch.setattr(domain, "CHUNK_MAILS", 1)
    for number in range(5):
        maildir.drop(a_mail(f"Mail {number}"), str(number))
    async with office.open(maildir.url):
        await office.mails(5)
        await office.ledger(*["received"] * 5)
    assert [mail.subject for mail in office.heard] == [f"Mail {number}" for number in range(5)]


async def test_a_chunk_that_fails_leaves_the_one_after_it_alone(
    office: PostOffice, maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, failures = Preparing.all, [OSError("the disk is away")]

    async def the_first_one_fails(self: Preparing, contents: Contents) -> dict[Claimed, Outcome]:
        if failures:
            raise failures.pop()
        return await prepare(self, contents)

    monkeypatch.setattr(Preparing, "all", the_first_one_fails)
    monkeypatch.setattr(domain, "CHUNK_MAILS", 1)
    for number in range(3):
        maildir.drop(a_mail(f"Mail {number}"), str(number))
    async with office.open(maildir.url):
        rows = await office.ledger(*["received"] * 3)
    assert [row["attempts"] for row in rows] == [1, 1, 1]
    assert len(office.heard) == 3
