"""Clients, contacts, domains, agents and settings."""

from deskwire.contracts import people as contracts
from deskwire.contracts import settings as settings_contracts
from deskwire.errors import Conflict, NotFound, StaleVersion
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain.senders import domain_key, email_key
from ticket_svc.store import people


async def create_client(command: contracts.CreateClient, tx: Transaction) -> contracts.Client:
    row = await tx.fetch_row(people.INSERT_CLIENT, **command.model_dump())
    client = people.client(row)
    tx.emit(contracts.ClientChanged(client=client))
    return client


async def create_contact(command: contracts.CreateContact, tx: Transaction) -> contracts.Contact:
    _require_within(command.within_client, command.client_id)
    if command.primary:
        for demoted in await tx.fetch(people.DEMOTE_PRIMARY, client_id=command.client_id):
            tx.emit(contracts.ContactChanged(contact=people.contact(demoted)))
    return await add_contact(
        tx, command.client_id, command.name, command.email, primary=command.primary
    )


async def add_contact(
    tx: Transaction, client_id: int, name: str, email: str | None, *, primary: bool = False
) -> contracts.Contact:
    row = await people.insert_contact(
        tx,
        client_id,
        name=name,
        email=email,
        email_key=email_key(email) if email else None,
        primary=primary,
    )
    contact = people.contact(row)
    tx.emit(contracts.ContactChanged(contact=contact))
    return contact


async def create_domain(command: contracts.CreateDomain, tx: Transaction) -> contracts.Domain:
    _require_within(command.within_client, command.client_id)
    row = await people.insert_domain(tx, command.client_id, domain_key(command.name))
    domain = people.domain(row)
    tx.emit(contracts.DomainChanged(domain=domain))
    return domain


async def create_agent(command: contracts.CreateAgent, tx: Transaction) -> contracts.Agent:
    row = await tx.fetch_one(
        people.INSERT_AGENT,
        name=command.name,
        email=command.email,
        email_key=email_key(command.email),
    )
    if row is None:
        raise Conflict("there is an agent with this e-mail address", field="email")
    agent = people.agent(row)
    tx.emit(contracts.AgentChanged(agent=agent))
    return agent


async def update_settings(
    command: settings_contracts.UpdateSettings, tx: Transaction
) -> settings_contracts.Settings:
    addresses = command.new_ticket_addresses
    row = await tx.fetch_one(
        people.UPDATE_SETTINGS,
        if_version=command.if_version,
        ticket_prefix=command.ticket_prefix,
        client_notifications=command.client_notifications,
        addresses=None if addresses is None else list(addresses),
    )
    if row is None:
        raise StaleVersion
    settings = people.settings(row)
    tx.emit(settings_contracts.SettingsChanged(settings=settings))
    return settings


def _require_within(within_client: int | None, client_id: int) -> None:
    if within_client is not None and within_client != client_id:
        raise NotFound(f"there is no client {client_id}", field="client_id")
