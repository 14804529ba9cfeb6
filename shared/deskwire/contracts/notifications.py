"""What notify-svc owns: deliveries, and when agents want to be told of what."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from deskwire.contracts.base import Command, Document, Event

Channel = Literal["mail", "webhook"]
DeliveryState = Literal["queued", "sending", "sent", "failed", "uncertain", "bounced"]

AgentEvent = Literal[
    "assigned",
    "unassigned",
    "client-reply",
    "agent-reply",
    "note",
    "mention",
    "reopened",
    "closed",
    "merged",
    "undelivered",
    "due-soon",
    "overdue",
    "feedback",
]
"""What agents are told of; all but ``mention`` are about tickets that are (or were) assigned to
them, and done by somebody else. ``undelivered``: a mail to the client's people did not go out, or
what the agent wrote by mail became a note.
``due-soon``, ``overdue``: a first response, or the ticket."""

Telling = Literal["off", "now", "hourly", "daily", "weekly"]
"""Not at all, by a mail of its own at once, or in a digest."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Delivery(Document):
    """One mail to one recipient, or one event to one webhook. ``uncertain``: the server may have
    it, its answer was lost; ``bounced``: it was taken, and came back.

    ``ticket_id`` is None for a digest, which is about several, and for an invoice, which has an
    ``invoice_id``. To a webhook, ``template`` is the event, and ``recipient`` ``webhook:3``.
    """

    id: int
    channel: Channel = "mail"
    template: str
    ticket_id: int | None = None
    invoice_id: int | None = None
    recipient: str
    state: DeliveryState
    attempts: int
    answer: str | None = None
    message_id: str
    created_at: datetime
    sent_at: datetime | None = None
    next_attempt_at: datetime | None = None
    version: int


class QuietHours(Document):
    """Wall clock times ``22:00``; past midnight when the end is before the start."""

    start: str
    end: str


class AgentNotifications(Document):
    """When an agent is told of what. What ``events`` does not name is told at once.

    ``timezone`` is of all hours here; ``digest_hour`` is when daily and weekly digests go out.
    ``language`` None: the team's. In quiet hours nothing goes out; it waits for their end.
    """

    agent_id: int
    events: Mapping[AgentEvent, Telling] = {}
    quiet_hours: QuietHours | None = None
    timezone: str = "UTC"
    digest_hour: int = 8
    digest_day: Weekday = "monday"
    language: str | None = None
    version: int = 0


class Suppression(Document):
    """An address that gets no mail, because of what became of a delivery or because somebody said
    so. ``archived_at``: it was taken back."""

    id: int
    email: str
    reason: str
    delivery_id: int | None = None
    created_at: datetime
    archived_at: datetime | None = None
    version: int = 1


# Commands.


class SetAgentNotifications(Command[AgentNotifications], name="notifications.set.v1"):
    """All of it anew. ``if_version`` is what the caller saw (None: whatever it is now)."""

    notifications: AgentNotifications
    if_version: int | None = None


class StopDigest(Command[AgentNotifications], name="notifications.stop_digest.v1"):
    """What came in digests of this kind is told no more, nor is what waits in the next one."""

    agent_id: int
    every: Telling


class RetryDelivery(Command[Delivery], name="delivery.retry.v1"):
    """Send it now and with fresh patience; one that is out is a conflict."""

    id: int


class AddSuppression(Command[Suppression], name="suppression.add.v1"):
    email: str
    reason: str


class RemoveSuppression(Command[Suppression], name="suppression.remove.v1"):
    id: int


# Events.


class AgentNotificationsChanged(Event, name="notifications.changed.v1"):
    notifications: AgentNotifications

    @property
    def aggregate(self) -> str:
        return f"agent:{self.notifications.agent_id}"


class DeliveryChanged(Event, name="mail.delivery.v1"):
    delivery: Delivery

    @property
    def aggregate(self) -> str:
        return f"delivery:{self.delivery.id}"


class SuppressionChanged(Event, name="suppression.changed.v1"):
    suppression: Suppression

    @property
    def aggregate(self) -> str:
        return f"suppression:{self.suppression.id}"
