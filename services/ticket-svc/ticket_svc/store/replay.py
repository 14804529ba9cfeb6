"""Pages of everything owned, for consumers that build their read models anew."""

from collections.abc import Callable
from dataclasses import dataclass

import asyncpg
from sqlalchemy import text

from deskwire.contracts import tickets as contracts
from deskwire.contracts.base import Event
from deskwire.db import Statement, compiled
from ticket_svc.store import documents, people
from ticket_svc.store.documents import JOINS, OPENING, OPENING_JOIN, TICKET

PAGE = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """One page after an id, and the event that tells a row of it."""

    page: Statement
    event: Callable[[asyncpg.Record], Event]


def _page(source: str) -> Statement:
    return compiled(text(f"{source} > :after_id ORDER BY 1 LIMIT {PAGE}"))


KINDS = {
    "settings": Kind(
        _page("SELECT * FROM settings WHERE id"),
        lambda row: contracts.SettingsChanged(settings=people.settings(row)),
    ),
    "agent": Kind(
        _page("SELECT * FROM agents WHERE id"),
        lambda row: contracts.AgentChanged(agent=people.agent(row)),
    ),
    "client": Kind(
        _page("SELECT * FROM clients WHERE id"),
        lambda row: contracts.ClientChanged(client=people.client(row)),
    ),
    "contact": Kind(
        _page("SELECT * FROM contacts WHERE id"),
        lambda row: contracts.ContactChanged(contact=people.contact(row)),
    ),
    "domain": Kind(
        _page("SELECT * FROM domains WHERE id"),
        lambda row: contracts.DomainChanged(domain=people.domain(row)),
    ),
    "ticket": Kind(
        _page(f"SELECT {TICKET}, {OPENING} FROM tickets t {JOINS} {OPENING_JOIN} WHERE t.id"),
        lambda row: contracts.TicketChanged(ticket=documents.ticket(row)),
    ),
    "entry": Kind(
        _page("SELECT * FROM entries WHERE id"),
        lambda row: contracts.EntryChanged(entry=documents.entry(row)),
    ),
}
