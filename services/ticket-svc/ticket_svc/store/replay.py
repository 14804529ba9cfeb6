"""Everything owned, for consumers that build their read models anew."""

from deskwire.contracts import people as people_contracts
from deskwire.contracts import settings as settings_contracts
from deskwire.contracts import tickets as contracts
from deskwire.messaging.replay import Kind, page
from ticket_svc.store import documents, history, people
from ticket_svc.store.documents import JOINS, OPENING, OPENING_JOIN, TICKET

KINDS = {
    "settings": Kind(
        page("SELECT * FROM settings"),
        lambda row: settings_contracts.SettingsChanged(settings=people.settings(row)),
    ),
    "agent": Kind(
        page("SELECT * FROM agents"),
        lambda row: people_contracts.AgentChanged(agent=people.agent(row)),
    ),
    "client": Kind(
        page("SELECT * FROM clients"),
        lambda row: people_contracts.ClientChanged(client=people.client(row)),
    ),
    "contact": Kind(
        page("SELECT * FROM contacts"),
        lambda row: people_contracts.ContactChanged(contact=people.contact(row)),
    ),
    "domain": Kind(
        page("SELECT * FROM domains"),
        lambda row: people_contracts.DomainChanged(domain=people.domain(row)),
    ),
    "ticket": Kind(
        page(f"SELECT {TICKET}, {OPENING} FROM tickets t {JOINS} {OPENING_JOIN}", "t.id"),
        lambda row: contracts.TicketChanged(ticket=documents.ticket(row)),
    ),
    "entry": Kind(
        page("SELECT * FROM entries"),
        lambda row: contracts.EntryChanged(entry=documents.entry(row)),
    ),
    "history": Kind(
        page("SELECT * FROM history"),
        lambda row: contracts.HistoryTold(item=history.item(row)),
    ),
}
