"""What scheduler-svc owns: schedules and their occurrences, and the alarms of tickets."""

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


class SetAlarm(Event, name="alarm.set.v1"):
    """Wake the ticket at this time (None: not any more), whatever was said with an older version.

    An event: whoever loses its alarms has them told anew, as documents are.
    """

    ticket_id: int
    at: datetime | None
    version: int

    @property
    def aggregate(self) -> str:
        return f"ticket:{self.ticket_id}"


class ScheduleChanged(Event, name="schedule.changed.v1"):
    schedule: Schedule

    @property
    def aggregate(self) -> str:
        return f"schedule:{self.schedule.id}"
