"""Schedules come due: made, run once by any number of schedulers, paused, ended."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import pytest
from scheduler_office import TICKET, Office

from deskwire.contracts.people import ClientChanged
from deskwire.contracts.records import Client
from deskwire.contracts.schedules import (
    ChangeSchedule,
    CreateSchedule,
    PreviewSchedule,
    RunSchedule,
    ScheduleChanged,
    ScheduleChanges,
    Timing,
)
from deskwire.contracts.settings import ClientSettings, ClientSettingsChanged, PolicyChanges
from deskwire.contracts.ticket_commands import OpenScheduledTicket
from deskwire.errors import Invalid, NotFound, StaleVersion
from deskwire.messaging.envelope import wrap
from deskwire.messaging.requests import ask
from scheduler_svc.clock import LAG, run_due, tick
from scheduler_svc.main import running


async def test_a_schedule_is_made_and_told(office: Office) -> None:
    async with running(office.settings):
        schedule = await office.schedule("0 9 * * mon", "Europe/Paris")
        (told,) = await office.wait_for(ScheduleChanged)
    assert told.schedule == schedule
    assert schedule.version == 1
    assert schedule.ticket == TICKET.model_copy(update={"source": "schedule"})
    assert schedule.next_run_at is not None
    assert schedule.created_at < schedule.next_run_at <= schedule.created_at + timedelta(days=7)
    assert schedule.next_run_at.weekday() == 0
    assert not office.all(OpenScheduledTicket)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("cron", {"cron": "0 9 * * someday"}),
        ("cron", {"cron": "* * * * *"}),
        ("timezone", {"timezone": "Europe/Atlantis"}),
        ("name", {"name": " \0 "}),
    ],
)
async def test_a_bad_schedule_is_refused(
    office: Office, field: str, values: dict[str, str]
) -> None:
    good = {"name": "Backups", "cron": "0 9 * * mon", "ticket": TICKET}
    async with running(office.settings):
        with pytest.raises(Invalid) as refusal:
            await ask(office.broker, CreateSchedule.model_validate(good | values))
    assert refusal.value.field == field
    assert await office.sql("SELECT * FROM schedules") == []


async def test_what_is_due_opens_one_ticket(office: Office) -> None:
    async with running(office.settings):
        schedule = await office.schedule()
        await office.make_due()
        (order,) = await office.wait_for(OpenScheduledTicket)
        _, changed = await office.wait_for(ScheduleChanged, 2)
    assert order.schedule_id == schedule.id
    assert order.ticket == schedule.ticket
    after = changed.schedule
    assert (after.version, after.runs, after.last_run_at is not None) == (2, 1, True)
    assert after.next_run_at == schedule.next_run_at


async def test_two_schedulers_open_each_ticket_once(office: Office) -> None:
    ids = await office.schedules(60)
    await office.make_due()
    async with running(office.settings), running(office.settings):
        await office.wait_for(ScheduleChanged, 60)
    counted = Counter(order.schedule_id for order in office.all(OpenScheduledTicket))
    assert counted == dict.fromkeys(ids, 1)
    assert len(office.all(ScheduleChanged)) == 60
    assert await office.database.pool.fetchval("SELECT count(*) FROM occurrences") == 60
    orders = "SELECT count(*) FROM outbox WHERE type = 'ticket.open_scheduled.v1'"
    assert await office.database.pool.fetchval(orders) == 60


async def test_clocks_at_the_same_time_share_what_is_due(office: Office) -> None:
    await office.schedules(30)
    for round_ in range(1, 6):
        await office.make_due(timedelta(days=7 * round_))
        await office.sql("DELETE FROM occurrences")
        done = await asyncio.gather(*(run_due(office.outbox()) for _ in range(4)))
        assert sum(done) == 30
        orders = "SELECT count(*) FROM outbox WHERE type = 'ticket.open_scheduled.v1'"
        assert await office.database.pool.fetchval(orders) == 30 * round_


async def test_an_occurrence_that_was_run_is_not_run_again(office: Office) -> None:
    await office.schedules(1)
    timing = Timing(cron="0 9 5 1 *").model_dump_json()
    for _ in range(2):  # as after the database's clock was set back
        await office.make_due()
        await office.sql("UPDATE schedules SET timing = $1, next_wall = '2026-01-05T09:00'", timing)
        assert await run_due(office.outbox()) == 1
    (row,) = await office.sql("SELECT * FROM occurrences")
    orders = await office.sql("SELECT * FROM outbox WHERE type = 'ticket.open_scheduled.v1'")
    assert len(orders) == 1
    assert row["occurrence"].endswith("-01-05T09:00")


async def test_after_an_outage_it_runs_once_for_the_latest_missed(office: Office) -> None:
    await office.schedules(1, cron="*/30 * * * *")
    await office.make_due(timedelta(days=3))
    async with running(office.settings):
        (changed,) = await office.wait_for(ScheduleChanged)
        assert changed.schedule.next_run_at is not None
        (row,) = await office.sql("SELECT now() AS now")
    (order,) = office.all(OpenScheduledTicket)
    ran = datetime.fromisoformat(f"{order.occurrence}:00+00:00")
    assert changed.schedule.next_run_at - ran == timedelta(minutes=30)
    assert ran <= row["now"] < changed.schedule.next_run_at + timedelta(minutes=1)


async def test_a_rule_that_no_longer_runs_ends_and_harms_no_other(office: Office) -> None:
    broken, good = await office.schedules(2)
    await office.make_due()
    timing = Timing(cron="0 9 * * *", timezone="Europe/Atlantis").model_dump_json()
    await office.sql("UPDATE schedules SET timing = $1 WHERE id = $2", timing, broken)
    async with running(office.settings):
        changes = await office.wait_for(ScheduleChanged, 2)
    ended = {change.schedule.id: change.schedule.next_run_at is None for change in changes}
    assert ended == {broken: True, good: False}
    assert [order.schedule_id for order in office.all(OpenScheduledTicket)] == [good]
    states = await office.sql("SELECT state FROM schedules ORDER BY id")
    assert [row["state"] for row in states] == ["ended", "active"]


async def test_a_paused_schedule_does_not_run(office: Office) -> None:
    paused, _ = await office.schedules(2)
    async with running(office.settings):
        await office.change(paused, paused=True)
    await office.sql("UPDATE schedules SET next_run_at = now() WHERE state = 'active'")
    assert await run_due(office.outbox()) == 1
    assert await run_due(office.outbox()) == 0


async def test_the_lag_is_that_of_the_first_due(office: Office) -> None:
    await office.schedules(2)
    await office.make_due(timedelta(seconds=100))
    await tick(office.outbox(), 1.0)
    assert 100 <= LAG._value.get() < 130
    assert await tick(office.outbox(), 1.0) == 1.0
    assert LAG._value.get() == 0


async def test_it_looks_again_when_the_next_one_is_due(office: Office) -> None:
    assert await tick(office.outbox(), 5.0) == 5.0
    await office.schedules(1)
    await office.sql("UPDATE schedules SET next_run_at = now() + interval '2 seconds'")
    assert 0 < await tick(office.outbox(), 5.0) <= 2


async def test_the_clock_goes_on_after_the_database_was_away(office: Office) -> None:
    async with running(office.settings):
        await office.schedule()
        await office.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await office.make_due()
        await office.wait_for(OpenScheduledTicket)


# --- what is made of them


async def test_a_schedule_is_changed_paused_resumed_and_deleted(office: Office) -> None:
    async with running(office.settings):
        made = await office.schedule()
        weekly = await office.change(
            made.id, cron=None, every="weekly", starts_at="2026-01-05T09:00:00Z", count=3
        )
        assert (weekly.cron, weekly.every, weekly.next_run_at is None) == (None, "weekly", False)
        named = await office.change(made.id, name="Other")
        assert (named.name, named.next_run_at) == ("Other", weekly.next_run_at)
        assert await office.change(made.id, name="Other") == named
        paused = await office.change(made.id, paused=True)
        assert (paused.state, paused.next_run_at) == ("paused", None)
        resumed = await office.change(made.id, paused=False)
        assert (resumed.state, resumed.next_run_at) == ("active", weekly.next_run_at)
        for field, values in (("cron", {"cron": "x"}), ("name", {"name": " "})):
            with pytest.raises(Invalid) as refusal:
                await office.change(
                    made.id, **({"every": None} if field == "cron" else {}), **values
                )
            assert refusal.value.field == field
        with pytest.raises(StaleVersion):
            await office.ask(ChangeSchedule(id=made.id, changes=ScheduleChanges(), if_version=1))
        with pytest.raises(NotFound):
            await office.ask(ChangeSchedule(id=made.id, changes=ScheduleChanges(), within_client=2))
        deleted = await office.change(made.id, deleted=True)
        assert deleted.deleted_at is not None
        with pytest.raises(NotFound):
            await office.change(made.id, paused=False)


async def test_it_runs_now_and_ends_after_so_many(office: Office) -> None:
    async with running(office.settings):
        made = await office.change((await office.schedule()).id, count=2, rotation=(7, 8))
        ran = await office.ask(RunSchedule(id=made.id))
        assert (ran.runs, ran.next_run_at, ran.state) == (1, made.next_run_at, "active")
        await office.make_due()
        first, second = await office.wait_for(OpenScheduledTicket, 2)
        ended = (await office.wait_for(ScheduleChanged, 4))[-1].schedule
    assert [order.ticket.assigned_to for order in (first, second)] == [7, 8]
    assert first.occurrence != second.occurrence
    assert (ended.state, ended.runs, ended.next_run_at) == ("ended", 2, None)


async def test_one_that_ran_by_hand_more_often_than_it_was_to_opens_nothing_late(
    office: Office,
) -> None:
    async with running(office.settings):
        made = await office.change((await office.schedule("0 */8 * * *")).id, count=1)
        await office.change(made.id, catch_up="all")
        for _ in range(2):
            await office.ask(RunSchedule(id=made.id))
        await office.wait_for(OpenScheduledTicket, 2)
    await office.make_due(timedelta(days=1))
    assert await run_due(office.outbox()) == 1
    (row,) = await office.sql("SELECT state, runs FROM schedules")
    assert row == {"state": "ended", "runs": 2}
    assert await office.sql("SELECT * FROM occurrences") == []


async def test_each_missed_run_has_its_ticket(office: Office) -> None:
    async with running(office.settings):
        schedule = await office.schedule("0 */8 * * *")
        await office.change(schedule.id, catch_up="all")
    await office.make_due(timedelta(days=1))
    async with running(office.settings):
        orders = await office.wait_for(OpenScheduledTicket, 27)
        await asyncio.sleep(0.5)
    assert len({order.occurrence for order in orders}) == len(orders) in (27, 28)


async def test_days_off_follow_the_settings(office: Office) -> None:
    async with running(office.settings):
        made = await office.schedule("0 9 * * *")
        shown = await office.change(made.id, days_off="skip")
        first, second = (await office.ask(PreviewSchedule(id=made.id, count=2))).data
        assert shown.next_run_at == first.at
        settings = ClientSettings(
            client_id=1, overrides=PolicyChanges(holidays=(first.at.date(),)), version=1
        )
        await office.broker.publish(wrap(ClientSettingsChanged(client_settings=settings)))
        moved = (await office.wait_for(ScheduleChanged, 3))[-1].schedule
        (next_one,) = (await office.ask(PreviewSchedule(id=made.id, count=1))).data
    assert moved.next_run_at == second.at == next_one.at
    assert moved.runs == 0


async def test_days_off_are_those_of_the_client_that_it_is_for_now(office: Office) -> None:
    async with running(office.settings):
        made = await office.schedule("0 9 * * *")
        shown = await office.change(made.id, days_off="skip")
        first, second = (await office.ask(PreviewSchedule(id=made.id, count=2))).data
        settings = ClientSettings(
            client_id=2, overrides=PolicyChanges(holidays=(first.at.date(),)), version=1
        )
        await office.broker.publish(wrap(ClientSettingsChanged(client_settings=settings)))
        moved = await office.change(made.id, ticket=TICKET.model_copy(update={"client_id": 2}))
        assert (shown.next_run_at, moved.next_run_at) == (first.at, second.at)
        back = await office.change(made.id, ticket=TICKET)
    assert back.next_run_at == first.at


async def test_a_time_that_comes_once_more_in_another_zone_has_its_ticket(office: Office) -> None:
    """It was opened at nine in the east; in the west nine is to come."""
    async with running(office.settings):
        made = await office.schedule("*/30 * * * *", "Pacific/Kiritimati")
        await office.make_due()
        (early,) = await office.wait_for(OpenScheduledTicket)
        ahead = "2999-01-01T09:00"
        await office.sql("INSERT INTO occurrences VALUES ($1, $2)", made.id, ahead)
        hour, minute = early.occurrence[11:13], early.occurrence[14:]
        west = await office.change(
            made.id, cron=f"{minute} {hour} * * *", timezone="Pacific/Honolulu"
        )
        (next_one,) = (await office.ask(PreviewSchedule(id=made.id, count=1))).data
        assert (next_one.occurrence, next_one.at) == (early.occurrence, west.next_run_at)
        kept = await office.sql("SELECT occurrence FROM occurrences")
    assert [row["occurrence"] for row in kept] == [ahead]


async def test_schedules_of_a_client_that_is_archived_are_paused(office: Office) -> None:
    async with running(office.settings):
        made = await office.schedule()
        other = await office.change(
            (await office.schedule()).id, ticket=TICKET.model_copy(update={"client_id": 2})
        )
        client = Client(id=1, name="Gone", created_at=made.created_at)
        for archived_at, version in ((None, 2), (made.created_at, 3)):
            told = client.model_copy(update={"archived_at": archived_at, "version": version})
            await office.broker.publish(wrap(ClientChanged(client=told)))
        paused = (await office.wait_for(ScheduleChanged, 4))[-1].schedule
        assert (paused.id, paused.state, paused.next_run_at) == (made.id, "paused", None)
        resumed = await office.change(made.id, paused=False)
    assert (resumed.state, resumed.next_run_at) == ("active", made.next_run_at)
    rows = await office.sql("SELECT id, state FROM schedules ORDER BY id")
    assert rows[1] == {"id": other.id, "state": "active"}
