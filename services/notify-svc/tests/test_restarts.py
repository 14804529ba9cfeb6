"""Services that stop, die or lose their lease while mails are on their way."""

import asyncio
import os
import sys
import threading
from pathlib import Path

import pytest
from notify_desk import Desk, desk_of, opened, parsed, replied, settings

from deskwire import db
from deskwire.local import Smtp, free_port
from deskwire.messaging.outbox import Outbox
from notify_svc.settings import Settings
from notify_svc.store import deliveries

EXPIRED = "UPDATE deliveries SET lease_until = now() - interval '1 second' WHERE state = 'sending'"


async def test_what_waits_is_sent_by_the_next_service(database_url: str, smtp_server: Smtp) -> None:
    async with desk_of(settings(database_url, f"smtp://127.0.0.1:{free_port()}")) as desk:
        await desk.tell(opened())
        await desk.state("queued")
        await desk.make_due()
    async with desk_of(settings(database_url, smtp_server.url)) as desk:
        told = await desk.state("sent")
    assert told.attempts >= 2
    assert len(smtp_server.mails) == 1


async def test_a_sender_that_is_killed_between_the_mail_and_its_row_repeats_it_once(
    database_url: str, smtp_server: Smtp, tmp_path: Path
) -> None:
    async with desk_of(settings(database_url, f"smtp://127.0.0.1:{free_port()}")) as desk:
        await desk.tell(opened())
        await desk.state("queued")
        await desk.make_due()
    process = await _process(settings(database_url, smtp_server.url))

    def kill(command: str, _address: str) -> str | None:
        if command == "DATA":
            process.kill()
        return None

    smtp_server.script = kill
    await process.wait()
    smtp_server.script = lambda _command, _address: None
    async with desk_of(settings(database_url, f"smtp://127.0.0.1:{free_port()}")) as desk:
        assert [row["state"] for row in await desk.rows()] == ["sending"]
        await desk.run(EXPIRED)
    async with desk_of(settings(database_url, smtp_server.url)) as desk:
        uncertain, sent = await desk.state("uncertain"), await desk.state("sent")
    assert uncertain.version < sent.version
    first, second = smtp_server.mails
    assert first.raw == second.raw
    assert parsed(first.raw)["Message-ID"] == sent.message_id


async def _process(told: Settings) -> asyncio.subprocess.Process:
    values = told.model_dump(exclude_defaults=True)
    environment = {f"DESKWIRE_{name.upper()}": str(value) for name, value in values.items()}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "notify_svc.main", env=os.environ | environment
    )


class Gate:
    """Holds the server's answer to DATA, or to another command, until it is opened."""

    def __init__(self, server: Smtp, command: str = "DATA") -> None:
        self._command = command
        self._open = threading.Event()
        self._reached = threading.Event()
        server.script = self._script

    def _script(self, command: str, _address: str) -> None:
        if command == self._command:
            self._reached.set()
            self._open.wait(20)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, 20)

    def open(self) -> None:
        self._open.set()


async def test_a_stopping_service_finishes_what_is_on_its_way_and_gives_back_the_rest(
    database_url: str, smtp_server: Smtp
) -> None:
    gate = Gate(smtp_server)
    told = settings(database_url, smtp_server.url, smtp_connections=1, shutdown_seconds=20)
    async with db.connect(database_url, size=1) as database:

        async def open_when_the_rest_is_given_back() -> None:
            while [row.state for row in await deliveries.recent(database)].count("sending") > 1:
                await asyncio.sleep(0.02)
            gate.open()

        async with asyncio.TaskGroup() as tasks, desk_of(told) as desk:
            await desk.tell(opened(team=["a@example.com", "b@example.com"]))
            await gate.reached()
            tasks.create_task(open_when_the_rest_is_given_back())
        rows = await deliveries.recent(database)
    assert [(row.state, row.attempts) for row in reversed(rows)] == [
        ("sent", 1),
        ("queued", 0),
        ("queued", 0),
    ]
    assert len(smtp_server.mails) == 1


@pytest.mark.parametrize(
    ("silent_at", "is_left"), [("MAIL", "queued"), ("RCPT", "queued"), ("DATA", "sending")]
)
async def test_a_mail_is_in_doubt_only_when_the_server_may_have_it(
    database_url: str, smtp_server: Smtp, silent_at: str, is_left: str
) -> None:
    gate = Gate(smtp_server, silent_at)
    patient = 0.5 if is_left == "sending" else 20
    told = settings(database_url, smtp_server.url, shutdown_seconds=patient)
    async with db.connect(database_url, size=1) as database:
        async with asyncio.timeout(10), desk_of(told) as desk:
            await desk.tell(opened())
            await gate.reached()
        (row,) = await deliveries.recent(database)
    gate.open()
    assert (row.state, row.attempts) == (is_left, int(is_left == "sending"))


async def test_mails_that_wait_for_their_turn_are_given_back_at_once(
    database_url: str, smtp_server: Smtp
) -> None:
    told = settings(database_url, smtp_server.url, smtp_per_minute=1, shutdown_seconds=20)
    async with db.connect(database_url, size=1) as database:
        async with asyncio.timeout(10), desk_of(told) as desk:
            await desk.tell(opened(team=[f"{n}@example.com" for n in range(9)]))
            await desk.state("sent")
        rows = await deliveries.recent(database)
    assert sorted((row.state, row.attempts) for row in rows) == [*[("queued", 0)] * 9, ("sent", 1)]
    assert all(row.next_attempt_at for row in rows if row.state == "queued")


async def test_who_has_lost_the_lease_changes_nothing(desk: Desk, smtp_server: Smtp) -> None:
    """Another sender has taken the mail over: what the slow one finds out is too late."""
    gate = Gate(smtp_server)
    await desk.tell(opened(1))
    await gate.reached()
    await desk.run(
        "UPDATE deliveries SET leased_by = gen_random_uuid(), version = version + 1,"
        " lease_until = now() + interval '1 hour'"
    )
    gate.open()
    await desk.tell(replied(2, contact=None, watchers=["bob@client.test"]))
    await desk.state("sent")
    assert [row["state"] for row in await desk.rows()] == ["sending", "sent"]


async def test_leases_that_ended_while_the_database_was_away_are_of_their_own_channel(
    desk: Desk, smtp_server: Smtp
) -> None:
    """The sender of webhooks may look first, while a mail is still on its way."""
    gate = Gate(smtp_server)
    await desk.tell(opened(1))
    await gate.reached()
    await desk.run(EXPIRED)
    async with Outbox(desk.database, desk.broker, service="notify-svc").transaction() as tx:
        assert await deliveries.abandoned(tx, "webhook", []) == []
    gate.open()
    assert (await desk.state("sent")).attempts == 1
    assert len(smtp_server.mails) == 1


async def test_a_mail_that_was_in_doubt_too_often_waits_for_an_operator(
    database_url: str, smtp_server: Smtp
) -> None:
    smtp_server.script = lambda command, _: "disconnect" if command == "DATA" else None
    async with desk_of(settings(database_url, smtp_server.url)) as desk:
        await desk.tell(opened())
        for count in range(1, 4):
            await desk.state("uncertain", count=count)
            await desk.make_due()
        last = await desk.state("uncertain", count=4)
        assert last.next_attempt_at is None
    assert len(smtp_server.mails) == 4
