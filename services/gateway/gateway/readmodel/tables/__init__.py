"""The tables, for statements and for the test that holds them against the migrations."""

from gateway.readmodel.tables import mails, records, requests, tickets, work
from gateway.readmodel.tables.schema import metadata

__all__ = ["mails", "metadata", "records", "requests", "tickets", "work"]
