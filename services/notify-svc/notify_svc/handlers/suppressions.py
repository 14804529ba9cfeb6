"""Addresses that get no mail because somebody says so, or get it again."""

from deskwire.contracts.notifications import (
    AddSuppression,
    RemoveSuppression,
    Suppression,
    SuppressionChanged,
)
from deskwire.errors import Conflict, NotFound
from deskwire.html import clean_text
from deskwire.messaging.outbox import Transaction
from notify_svc.store import suppressions


async def add_suppression(command: AddSuppression, tx: Transaction) -> Suppression:
    added = await suppressions.add(tx, clean_text(command.email), clean_text(command.reason))
    if added is None:
        raise Conflict("this address is suppressed already", field="email")
    tx.emit(SuppressionChanged(suppression=added))
    return added


async def remove_suppression(command: RemoveSuppression, tx: Transaction) -> Suppression:
    removed = await suppressions.remove(tx, command.id)
    if removed is None:
        raise NotFound(f"there is no suppression {command.id}")
    tx.emit(SuppressionChanged(suppression=removed))
    return removed
