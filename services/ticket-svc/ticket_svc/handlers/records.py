"""Clients, contacts, domains, agents, assets and locations are made, changed and archived."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from deskwire.contracts import people as contracts
from deskwire.contracts import tickets as ticket_contracts
from deskwire.contracts.records import Client, Kept
from deskwire.errors import Conflict, NotFound, check_version
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import records as rules
from ticket_svc.store import changes, documents, naming, people
from ticket_svc.store import records as store
from ticket_svc.store.records import CLIENT, Kind, Record

Create = (
    contracts.CreateClient
    | contracts.CreateContact
    | contracts.CreateDomain
    | contracts.CreateAgent
    | contracts.CreateAsset
    | contracts.CreateLocation
)
Change = (
    contracts.ChangeClient
    | contracts.ChangeContact
    | contracts.ChangeDomain
    | contracts.ChangeAgent
    | contracts.ChangeAsset
    | contracts.ChangeLocation
)


async def create(kind: Kind[Record], command: Create, tx: Transaction) -> Record:
    values = {n: getattr(command, n) for n in type(command).model_fields if n != "within_client"}
    client_id = values.get("client_id")
    if isinstance(command, contracts.NewOfClient):
        await people.require_client(tx, command.client_id, command.within_client)
    if kind is CLIENT:
        values = rules.priced(values, {})
    await _check_references(client_id, values, tx)
    await _demote(kind, client_id, values, tx)
    record = await store.insert(tx, kind, values)
    tx.emit(kind.event(record))
    return record


async def change(kind: Kind[Record], command: Change, tx: Transaction) -> Record:
    """All that is wanted, or nothing; what is so already is no change and makes no new version."""
    row = await tx.fetch_one(kind.lock, id=command.id, within=command.within_client)
    if row is None:
        raise NotFound(f"there is no {kind.name} {command.id}")
    before = kind.document(row)
    check_version(before.version, command.if_version)
    wanted = rules.differences(before, _wanted(before, command))
    if not wanted and command.refuse_unchanged:
        raise Conflict("all of it is so already")
    if not wanted:
        return before
    client_id = row.get("client_id")
    await _check_references(client_id, wanted, tx)
    await _demote(kind, client_id, wanted, tx)
    columns = rules.archiving(wanted, datetime.now(UTC))
    after = await store.update(tx, kind, command.id, columns)
    tx.emit(kind.event(after))
    if kind is CLIENT and "timezone" in wanted:
        tx.emit(ticket_contracts.RecountDeadlines(client_id=command.id))
    if wanted.keys() & kind.shown:
        tx.emit(contracts.RecordRenamed.model_validate({"kind": kind.name, "id": command.id}))
    return after


async def tell_new_name(message: contracts.RecordRenamed, tx: Transaction) -> None:
    """One page of the tickets that show it; the next one is a message of its own."""
    ids = await naming.page(tx, message)
    await tx.execute(changes.LOCK, ids=ids)
    for row in await tx.fetch(naming.RETELL, ids=ids):
        tx.emit(ticket_contracts.TicketChanged(ticket=documents.ticket(row)))
    if len(ids) == naming.PAGE:
        tx.emit(message.model_copy(update={"before_ticket": ids[-1]}))


def _wanted(before: Kept, command: Change) -> Mapping[str, Any]:
    values = command.changes.values
    if isinstance(before, Client):
        return rules.priced(values, {"rate": before.rate, "currency": before.currency})
    return values


async def _check_references(
    client_id: int | None, values: Mapping[str, Any], tx: Transaction
) -> None:
    """Raises `NotFound` for a location or contact that the client has not got."""
    named = {name: values.get(name) for name in ("location_id", "contact_id")}
    if not any(named.values()):
        return
    there = await tx.fetch_row(store.REFERENCES, client_id=client_id, **named)
    for field, id in named.items():
        if there[field] is False:
            raise NotFound(f"there is no {field.removesuffix('_id')} {id}", field=field)


async def _demote(
    kind: Kind[Record], client_id: int | None, values: Mapping[str, Any], tx: Transaction
) -> None:
    if not values.get("primary"):
        return
    await tx.execute(store.ONE_AT_A_TIME, client_id=client_id)
    for row in await tx.fetch(kind.demote, client_id=client_id):
        tx.emit(kind.event(kind.document(row)))
