"""What scheduler-svc owns: schedules and their occurrences."""

from datetime import datetime

from deskwire.contracts.base import Command, Document, Event
from deskwire.contracts.tickets import OpenTicket


class Schedule(Document):
    """A scheduled ticket: a cron rule in an IANA zone, and the ticket that it opens each time."""

    id: int
    name: str
    cron: str
    timezone: str
    ticket: OpenTicket
    next_run_at: datetime | None
    created_at: datetime
    version: int = 1


class CreateSchedule(Command[Schedule], name="schedule.create.v1"):
    name: str
    cron: str
    timezone: str = "UTC"
    ticket: OpenTicket


class ScheduleChanged(Event, name="schedule.changed.v1"):
    schedule: Schedule

    @property
    def aggregate(self) -> str:
        return f"schedule:{self.schedule.id}"
