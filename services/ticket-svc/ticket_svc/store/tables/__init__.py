"""The tables, for statements and for the test that holds them against the migrations."""

from ticket_svc.store.tables import attachments, records, settings, tickets, work
from ticket_svc.store.tables.schema import metadata

__all__ = ["attachments", "metadata", "records", "settings", "tickets", "work"]
