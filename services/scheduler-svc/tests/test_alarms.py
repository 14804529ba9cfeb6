"""Alarms of tickets: set, taken back, rung once by any number of schedulers."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from scheduler_office import Office

from deskwire.contracts.schedules import SetAlarm
from deskwire.contracts.ticket_commands import WakeTicket
from deskwire.messaging.envelope import wrap
from scheduler_svc.clock import ring
from scheduler_svc.main import running

NOON = datetime(2100, 1, 1, 12, tzinfo=UTC)


async def told(office: Office, *alarms: tuple[int, datetime | None, int]) -> list[tuple[int, int]]:
    """The alarms that there are, by ticket and version, when the scheduler knows of these."""
    for ticket_id, at, version in alarms:
        await office.broker.publish(wrap(SetAlarm(ticket_id=ticket_id, at=at, version=version)))
    rows = await office.sql("SELECT ticket_id, version FROM alarms ORDER BY 1")
    return [(row["ticket_id"], row["version"]) for row in rows]


async def test_the_newest_alarm_of_a_ticket_counts(office: Office) -> None:
    later = NOON + timedelta(hours=1)
    async with running(office.settings):
        assert await told(office, (1, NOON, 3), (2, NOON, 1)) == [(1, 3), (2, 1)]
        assert await told(office, (1, later, 4), (1, NOON, 2)) == [(1, 4), (2, 1)]
        assert await told(office, (1, None, 3), (2, None, 2)) == [(1, 4)]
        assert await told(office, (1, None, 4)) == []
    assert office.all(WakeTicket) == []


async def test_an_alarm_rings_at_its_time_and_is_gone(office: Office) -> None:
    at = datetime.now(UTC) + timedelta(seconds=1)
    async with running(office.settings):
        await told(office, (7, at, 3), (8, NOON, 1))
        (woken,) = await office.wait_for(WakeTicket)
        late = datetime.now(UTC) - at
    assert woken == WakeTicket(ticket_id=7, at=at)
    assert timedelta() <= late < timedelta(seconds=5)  # one is usual; this machine may be busy
    assert await told(office) == [(8, 1)]


async def test_many_that_come_at_once_ring_once_each(office: Office) -> None:
    await office.sql("INSERT INTO alarms SELECT n, now(), 1 FROM generate_series(1, 3000) AS n")
    async with running(office.settings), running(office.settings):
        await office.wait_for(WakeTicket, 3000)
    counted = Counter(woken.ticket_id for woken in office.all(WakeTicket))
    assert counted == dict.fromkeys(range(1, 3001), 1)
    assert await office.sql("SELECT FROM outbox GROUP BY body HAVING count(*) > 1") == []


async def test_clocks_at_the_same_time_share_the_alarms(office: Office) -> None:
    await office.sql("INSERT INTO alarms SELECT n, now(), 1 FROM generate_series(1, 1500) AS n")
    rung = await asyncio.gather(*(ring(office.outbox()) for _ in range(4)))
    assert sum(rung) == 1500
    assert await office.database.pool.fetchval("SELECT count(*) FROM outbox") == 1500
