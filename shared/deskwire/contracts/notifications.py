"""What notify-svc owns: deliveries."""

from datetime import datetime
from typing import Literal

from deskwire.contracts.base import Document, Event

DeliveryState = Literal["queued", "sending", "sent", "failed", "uncertain"]


class Delivery(Document):
    """One mail to one recipient. ``uncertain``: the server may have it, its answer was lost."""

    id: int
    template: str
    ticket_id: int
    recipient: str
    state: DeliveryState
    attempts: int
    answer: str | None = None
    message_id: str
    created_at: datetime
    sent_at: datetime | None = None
    next_attempt_at: datetime | None = None
    version: int


class DeliveryChanged(Event, name="mail.delivery.v1"):
    delivery: Delivery

    @property
    def aggregate(self) -> str:
        return f"delivery:{self.delivery.id}"
