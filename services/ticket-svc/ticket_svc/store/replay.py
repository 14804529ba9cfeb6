"""Everything owned, for consumers that build their read models anew."""

from typing import Any

from deskwire.contracts import settings as settings_contracts
from deskwire.contracts import tickets as contracts
from deskwire.contracts.invoices import InvoiceChanged
from deskwire.contracts.schedules import SetAlarm
from deskwire.contracts.timekeeping import TimeChanged
from deskwire.messaging.replay import Kind, page
from ticket_svc.store import clocks, documents, history, invoices, records, setting_history
from ticket_svc.store import settings as settings_store
from ticket_svc.store.documents import JOINS, OPENING, OPENING_JOIN, TICKET
from ticket_svc.store.timekeeping import TIME, TIME_JOINS, time_entry


def _records(kind: records.Kind[Any]) -> Kind:
    return Kind(
        page(f"SELECT * FROM {kind.table.name}"), lambda row: kind.event(kind.document(row))
    )


RECORDS = (
    records.AGENT,
    records.CLIENT,
    records.LOCATION,
    records.CONTACT,
    records.ASSET,
    records.DOMAIN,
)
KINDS = {
    "settings": Kind(
        page("SELECT * FROM settings"),
        lambda row: settings_contracts.SettingsChanged(settings=settings_store.settings(row)),
    ),
    **{kind.name: _records(kind) for kind in RECORDS},
    "client_settings": Kind(
        page("SELECT client_id AS id, * FROM client_settings", "client_id"),
        lambda row: settings_contracts.ClientSettingsChanged(
            client_settings=settings_store.client_settings(row)
        ),
    ),
    "setting_history": Kind(
        page("SELECT * FROM setting_history"),
        lambda row: settings_contracts.SettingHistoryTold(item=setting_history.item(row)),
    ),
    "ticket": Kind(
        page(f"SELECT {TICKET}, {OPENING} FROM tickets t {JOINS} {OPENING_JOIN}", "t.id"),
        lambda row: contracts.TicketChanged(ticket=documents.ticket(row)),
    ),
    "alarm": Kind(
        page(clocks.ARMED),
        lambda row: SetAlarm(
            ticket_id=row["id"], at=documents.clock(row).alarm, version=row["version"]
        ),
    ),
    "entry": Kind(
        page("SELECT * FROM entries"),
        lambda row: contracts.EntryChanged(entry=documents.entry(row)),
    ),
    "time": Kind(
        page(f"SELECT {TIME} FROM time_entries ti {TIME_JOINS}", "ti.id"),
        lambda row: TimeChanged(time=time_entry(row)),
    ),
    "invoice": Kind(
        page(invoices.INVOICE, "i.id"),
        lambda row: InvoiceChanged(invoice=invoices.invoice(row)),
    ),
    "history": Kind(
        page("SELECT * FROM history"),
        lambda row: contracts.HistoryTold(item=history.item(row)),
    ),
}
