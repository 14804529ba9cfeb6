"""What scheduler-svc does on which message."""

from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.schedules import CreateSchedule, Schedule, ScheduleChanged, SetAlarm
from deskwire.errors import Invalid
from deskwire.messaging.consumer import Handlers
from deskwire.messaging.outbox import Transaction
from deskwire.messaging.replay import replaying
from scheduler_svc import store
from scheduler_svc.domain import first_run


async def create_schedule(command: CreateSchedule, tx: Transaction) -> Schedule:
    name = command.name.replace("\0", "").strip()
    if not name:
        raise Invalid("a schedule needs a name", field="name")
    now = await tx.fetch_value(store.NOW)
    (row,) = await tx.fetch(
        store.CREATE,
        name=name,
        cron=command.cron,
        timezone=command.timezone,
        ticket=command.ticket.model_copy(update={"source": "schedule"}).model_dump_json(),
        next_run_at=first_run(command.cron, command.timezone, now),
    )
    schedule = store.document(row)
    tx.emit(ScheduleChanged(schedule=schedule))
    return schedule


async def set_alarm(event: SetAlarm, tx: Transaction) -> None:
    tx.append(store.SET_ALARMS, **event.model_dump())


HANDLERS: Handlers = {
    SetAlarm: set_alarm,
    CreateSchedule: create_schedule,
    ReplayDocuments: replaying(store.KINDS),
}
