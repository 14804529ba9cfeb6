"""Keeps every document that the owners tell of, and that they did; one statement per table and
batch."""

from deskwire.contracts import people, settings
from deskwire.contracts import tickets as events
from deskwire.contracts.base import Event
from deskwire.contracts.entries import Entry
from deskwire.contracts.invoices import InvoiceChanged, InvoiceDrafted, InvoiceEvent
from deskwire.contracts.mail import InboundChanged
from deskwire.contracts.notifications import (
    AgentNotificationsChanged,
    DeliveryChanged,
    SuppressionChanged,
)
from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.schedules import ScheduleChanged
from deskwire.contracts.timekeeping import TimeChanged
from deskwire.contracts.webhooks import WebhookChanged
from deskwire.messaging.handling import Handler, Handlers
from deskwire.messaging.outbox import Outbox, Transaction
from gateway.readmodel.changes import KEEP_CHANGES, TIDY_CHANGES, TIDY_FUTURE, change_row
from gateway.readmodel.deliveries import KEEP_DELIVERIES, delivery_row
from gateway.readmodel.history import (
    KEEP_HISTORY,
    KEEP_SETTING_HISTORY,
    history_row,
    setting_history_row,
)
from gateway.readmodel.inbound import KEEP_INBOUND, inbound_row
from gateway.readmodel.invoices import KEEP_INVOICES, invoice_row
from gateway.readmodel.records import IS_EMPTY, KEEP_RECORDS, Record, record_row
from gateway.readmodel.texts import KEEP_TEXTS_OF_ENTRIES, KEEP_TEXTS_OF_TICKETS
from gateway.readmodel.timekeeping import KEEP_TIMES, time_row
from gateway.readmodel.writing import KEEP_ENTRIES, KEEP_TICKETS, entry_row, ticket_row
from gateway.repeats import TIDY_REPEATS

TicketAndEntry = events.TicketOpened | events.TicketReplied | events.TicketNoted

TIDY = (TIDY_CHANGES, TIDY_FUTURE, TIDY_REPEATS)


async def keep_ticket_and_entry(event: TicketAndEntry, tx: Transaction) -> None:
    _keep_ticket(event, tx)
    _keep_entry(event.entry, tx)
    tx.append(KEEP_CHANGES, **change_row(event, event.ticket.id, event.entry))


async def keep_ticket(event: events.TicketEvent, tx: Transaction) -> None:
    _keep_ticket(event, tx)
    tx.append(KEEP_CHANGES, **change_row(event, event.ticket.id))


async def keep_time(event: TimeChanged, tx: Transaction) -> None:
    tx.append(KEEP_TIMES, **time_row(event.time))
    for item in event.history:
        tx.append(KEEP_HISTORY, **history_row(item))


async def keep_invoice(event: InvoiceEvent, tx: Transaction) -> None:
    tx.append(KEEP_INVOICES, **invoice_row(event.invoice))


async def keep_history(event: events.HistoryTold, tx: Transaction) -> None:
    tx.append(KEEP_HISTORY, **history_row(event.item))


async def keep_entry(event: events.EntryChanged, tx: Transaction) -> None:
    _keep_entry(event.entry, tx)
    tx.append(KEEP_CHANGES, **change_row(event, event.entry.ticket_id, event.entry))


def keep_record(field: str) -> Handler:
    """For an event that tells one record, in this field."""

    async def keep(event: Event, tx: Transaction) -> None:
        _keep_record(getattr(event, field), tx)

    return keep


async def keep_settings(event: settings.SettingsChanged, tx: Transaction) -> None:
    _keep_record(event.settings, tx)
    for item in event.history:
        tx.append(KEEP_SETTING_HISTORY, **setting_history_row(item))


async def keep_client_settings(event: settings.ClientSettingsChanged, tx: Transaction) -> None:
    _keep_record(event.client_settings, tx)
    for item in event.history:
        tx.append(KEEP_SETTING_HISTORY, **setting_history_row(item))


async def keep_setting_history(event: settings.SettingHistoryTold, tx: Transaction) -> None:
    tx.append(KEEP_SETTING_HISTORY, **setting_history_row(event.item))


async def keep_delivery(event: DeliveryChanged, tx: Transaction) -> None:
    tx.append(KEEP_DELIVERIES, **delivery_row(event.delivery))


async def keep_inbound(event: InboundChanged, tx: Transaction) -> None:
    tx.append(KEEP_INBOUND, **inbound_row(event.mail))


async def fill_if_empty(outbox: Outbox) -> None:
    """On the first start, or with a new database, have everything told that was before."""
    async with outbox.transaction() as tx:
        if await tx.fetch_value(IS_EMPTY):
            tx.emit(ReplayDocuments())


def _keep_ticket(event: events.TicketEvent, tx: Transaction) -> None:
    tx.append(KEEP_TICKETS, **ticket_row(event.ticket))
    for item in event.history:
        tx.append(KEEP_HISTORY, **history_row(item))
    tx.append(KEEP_TEXTS_OF_TICKETS, text_ticket=event.ticket.id)


def _keep_entry(entry: Entry, tx: Transaction) -> None:
    tx.append(KEEP_ENTRIES, **entry_row(entry))
    tx.append(KEEP_TEXTS_OF_ENTRIES, text_entry=entry.id)


def _keep_record(record: Record, tx: Transaction) -> None:
    tx.append(KEEP_RECORDS, **record_row(record))


HANDLERS: Handlers = {
    events.TicketOpened: keep_ticket_and_entry,
    events.TicketReplied: keep_ticket_and_entry,
    events.TicketNoted: keep_ticket_and_entry,
    events.TicketChanged: keep_ticket,
    events.TicketChased: keep_ticket,
    events.TicketDeadline: keep_ticket,
    events.TicketMerged: keep_ticket,
    events.TicketRated: keep_ticket,
    events.HistoryTold: keep_history,
    events.EntryChanged: keep_entry,
    TimeChanged: keep_time,
    InvoiceDrafted: keep_invoice,
    InvoiceChanged: keep_invoice,
    people.ClientChanged: keep_record("client"),
    people.ContactChanged: keep_record("contact"),
    people.DomainChanged: keep_record("domain"),
    people.AgentChanged: keep_record("agent"),
    people.AssetChanged: keep_record("asset"),
    people.LocationChanged: keep_record("location"),
    settings.SettingsChanged: keep_settings,
    settings.ClientSettingsChanged: keep_client_settings,
    settings.SettingHistoryTold: keep_setting_history,
    ScheduleChanged: keep_record("schedule"),
    DeliveryChanged: keep_delivery,
    InboundChanged: keep_inbound,
    AgentNotificationsChanged: keep_record("notifications"),
    SuppressionChanged: keep_record("suppression"),
    WebhookChanged: keep_record("webhook"),
}
