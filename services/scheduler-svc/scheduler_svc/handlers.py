"""What scheduler-svc does on which message."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from deskwire.contracts.people import ClientChanged
from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.schedules import (
    ChangeSchedule,
    CreateSchedule,
    Occurrence,
    Occurrences,
    PreviewSchedule,
    RunSchedule,
    Schedule,
    ScheduleChanged,
    SetAlarm,
    Timing,
)
from deskwire.contracts.settings import (
    ClientSettingsChanged,
    SettingsChanged,
)
from deskwire.contracts.ticket_commands import OpenTicket
from deskwire.errors import Conflict, Invalid, NotFound, check_version
from deskwire.messaging.handling import Handlers
from deskwire.messaging.outbox import Transaction
from deskwire.messaging.replay import replaying
from deskwire.timezones import time_zones
from scheduler_svc import store
from scheduler_svc.domain import runs
from scheduler_svc.domain.runs import Plan, order, plan_of

OF_CALENDARS = {"business_hours", "holidays"}


async def create_schedule(command: CreateSchedule, tx: Transaction) -> Schedule:
    row = await tx.fetch_row(store.CALENDAR, client_id=command.ticket.client_id)
    timing = Timing.model_validate(command.model_dump())
    plan = plan_of(timing.model_dump_json(), row["calendar"])
    row = await tx.fetch_row(
        store.CREATE,
        **_columns(command.name, timing, command.ticket, command.rotation),
        **store.next_columns(runs.first_run(plan, row["now"])),
    )
    return _told(row, tx)


async def change_schedule(command: ChangeSchedule, tx: Transaction) -> Schedule:
    """All that is wanted, or nothing; what is so already is no change and makes no new version."""
    row, before = await _locked(command.id, command.within_client, tx)
    check_version(before.version, command.if_version)
    changes = command.changes.values
    paused = changes.pop("paused", before.state == "paused")
    deleted = changes.pop("deleted", False)
    after = before.model_copy(update=changes)
    if after == before and paused == (before.state == "paused") and not deleted:
        return before
    calendar = await tx.fetch_row(store.CALENDAR, client_id=after.ticket.client_id)
    changed = await tx.fetch_row(
        store.CHANGE,
        id=command.id,
        deleted=deleted,
        **_columns(after.name, _timing(after), after.ticket, after.rotation),
        **_going_on(row, calendar, before, after, paused=paused or deleted),
    )
    await _forget_what_comes_again(row["now"], before.timezone, after.timezone, tx, id=before.id)
    return _told(changed, tx)


async def _forget_what_comes_again(
    now: datetime, before: str, after: str, tx: Transaction, *, id: int
) -> None:
    """Nine o'clock is to come where it is earlier; what was opened ahead stays opened."""
    if before != after and before in time_zones():
        there, here = (runs.name(now, ZoneInfo(zone)) for zone in (after, before))
        await tx.execute(store.FORGET, id=id, now_there=there, now_before=here)


async def run_schedule(command: RunSchedule, tx: Transaction) -> Schedule:
    row, schedule = await _locked(command.id, command.within_client, tx)
    tx.emit(order(schedule, f"now {row['now'].isoformat()}", schedule.runs))
    return _told(await tx.fetch_row(store.RAN, id=command.id), tx)


async def preview_schedule(command: PreviewSchedule, tx: Transaction) -> Occurrences:
    row, schedule = await _locked(command.id, command.within_client, tx)
    left = runs.left(schedule)
    count = command.count if left is None else min(command.count, left)
    found = runs.preview(_plan(schedule, row), row["now"], count)
    return Occurrences(
        data=tuple(
            Occurrence(occurrence=run.occurrence, at=run.at, opens_at=run.opens_at) for run in found
        )
    )


async def set_alarm(event: SetAlarm, tx: Transaction) -> None:
    tx.append(store.SET_ALARMS, **event.model_dump())


async def keep_calendar(event: SettingsChanged, tx: Transaction) -> None:
    settings = event.settings
    await _keep_calendar(0, settings.model_dump_json(include=OF_CALENDARS), settings.version, tx)


async def keep_client_calendar(event: ClientSettingsChanged, tx: Transaction) -> None:
    settings = event.client_settings
    doc = settings.overrides.model_dump_json(include=OF_CALENDARS)
    await _keep_calendar(settings.client_id, doc, settings.version, tx)


async def _keep_calendar(client_id: int, doc: str, version: int, tx: Transaction) -> None:
    """What runs on other days now is looked at anew."""
    kept = await tx.fetch_one(store.KEEP_CALENDAR, client_id=client_id, doc=doc, version=version)
    if kept is not None:
        await tx.execute(store.LOOK_ANEW, client_id=client_id)


async def pause_of_archived(event: ClientChanged, tx: Transaction) -> None:
    """No ticket can be opened for a client that is archived."""
    if event.client.archived_at is not None:
        for row in await tx.fetch(store.PAUSE_OF_CLIENT, client_id=event.client.id):
            _told(row, tx)


async def _locked(id: int, within: int | None, tx: Transaction) -> tuple[asyncpg.Record, Schedule]:
    row = await tx.fetch_one(store.LOCK, id=id)
    if row is None or within not in (None, row["client_id"]):
        raise NotFound(f"there is no schedule {id}")
    return row, store.document(row)


def _going_on(
    row: asyncpg.Record,
    calendar: asyncpg.Record,
    before: Schedule,
    after: Schedule,
    *,
    paused: bool,
) -> dict[str, Any]:
    """Its state and its next run, by the calendar of its client now. Raises `Invalid` for a rule,
    `Conflict` for one that is over."""
    plan = _plan(after, calendar)
    if paused:
        return {"state": "paused", **store.next_columns(None)}
    other_days = after.days_off != "open" and calendar["calendar"] != row["calendar"]
    goes_on = before.state == "ended" or (before.state == "active" and not other_days)
    if _timing(after) == _timing(before) and goes_on:
        return {name: row[name] for name in ("state", "next_wall", "next_run_at")}
    if after.count is not None and after.runs >= after.count:
        raise Conflict(f"it has run {after.runs} times already", field="count")
    return {"state": "active", **store.next_columns(runs.first_run(plan, row["now"]))}


def _plan(schedule: Schedule, row: asyncpg.Record) -> Plan:
    return plan_of(_timing(schedule).model_dump_json(), row["calendar"])


def _timing(schedule: Schedule) -> Timing:
    return Timing.model_validate(schedule.model_dump())


def _columns(
    name: str, timing: Timing, ticket: OpenTicket, rotation: tuple[int, ...]
) -> dict[str, Any]:
    """Raises `Invalid` for a name that is none."""
    name = name.replace("\0", "").strip()
    if not name:
        raise Invalid("a schedule needs a name", field="name")
    return {
        "name": name,
        "timing": timing.model_dump_json(),
        "ticket": ticket.model_copy(update={"source": "schedule"}).model_dump_json(),
        "rotation": list(rotation),
        "client_id": ticket.client_id,
    }


def _told(row: asyncpg.Record, tx: Transaction) -> Schedule:
    schedule = store.document(row)
    tx.emit(ScheduleChanged(schedule=schedule))
    return schedule


HANDLERS: Handlers = {
    CreateSchedule: create_schedule,
    ChangeSchedule: change_schedule,
    RunSchedule: run_schedule,
    PreviewSchedule: preview_schedule,
    SetAlarm: set_alarm,
    SettingsChanged: keep_calendar,
    ClientSettingsChanged: keep_client_calendar,
    ClientChanged: pause_of_archived,
    ReplayDocuments: replaying(store.KINDS),
}
