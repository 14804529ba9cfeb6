"""Clients, contacts, domains, agents, assets and locations: made, changed, archived, told."""

import asyncio
from datetime import date
from typing import Any

import pytest
from ticket_desk import Desk

from deskwire.contracts.money import Money
from deskwire.contracts.people import (
    AgentChanges,
    AssetChanged,
    AssetChanges,
    ChangeAgent,
    ChangeAsset,
    ChangeClient,
    ChangeContact,
    ChangeDomain,
    ChangeLocation,
    ClientChanged,
    ClientChanges,
    ContactChanged,
    ContactChanges,
    CreateAgent,
    CreateAsset,
    CreateClient,
    CreateContact,
    CreateDomain,
    CreateLocation,
    DomainChanges,
    LocationChanged,
    LocationChanges,
)
from deskwire.contracts.records import Client, Contact
from deskwire.contracts.replay import ReplayDocuments
from deskwire.errors import Conflict, Invalid, NotFound, StaleVersion
from deskwire.messaging.envelope import wrap

CLIENT = {
    "name": "Acme",
    "type": "Retail",
    "abbreviation": "ACME",
    "website": "acme.example.com",
    "referral": "a friend",
    "lead": True,
    "rate": {"amount": "90.50", "currency": "CHF"},
    "currency": "CHF",
    "net_terms": 30,
    "tax_id": "CHE-1",
    "language": "de-CH",
    "timezone": "Europe/Zurich",
    "notifications": False,
    "notes": "a\nb",
}
CONTACT = {
    "name": "Ann",
    "email": "Ann@client.test",
    "title": "CEO",
    "department": "Board",
    "phone": "1",
    "extension": "2",
    "mobile": "3",
    "notes": "n",
    "primary": True,
    "important": True,
    "billing": True,
    "technical": True,
}
ASSET = {
    "name": "srv1",
    "type": "Server",
    "description": "d",
    "make": "m",
    "model": "o",
    "serial": "s",
    "os": "Debian",
    "ip": "192.0.2.1",
    "mac": "00:00:5e:00:53:01",
    "uri": "https://srv1.test",
    "status": "up",
    "purchase_date": date(2024, 1, 31),
    "warranty_expire": date(2027, 1, 31),
    "install_date": date(2024, 2, 1),
    "notes": "n",
}
LOCATION = {
    "name": "Office",
    "description": "d",
    "country": "CH",
    "address": "Street 1",
    "city": "Town",
    "state": "ZH",
    "zip": "8000",
    "phone": "1",
    "hours": "8-17",
    "notes": "n",
    "primary": True,
}


async def contact(desk: Desk, client_id: int, **values: Any) -> Contact:
    return await desk.ask(
        CreateContact.model_validate({"client_id": client_id, "name": "Bob"} | values)
    )


async def change_contact(desk: Desk, id: int, **values: Any) -> Contact:
    known = ("if_version", "within_client", "refuse_unchanged")
    options = {n: values.pop(n) for n in known if n in values}
    changes = ContactChanges.model_validate(values)
    return await desk.ask(ChangeContact(id=id, changes=changes, **options))


def holds(document: Any, values: dict[str, Any]) -> None:
    told = document.model_dump()
    assert {name: told[name] for name in values} == values


async def test_everything_is_kept_and_told(desk: Desk) -> None:
    client = await desk.ask(CreateClient.model_validate(CLIENT))
    location = await desk.ask(CreateLocation.model_validate(LOCATION | {"client_id": client.id}))
    of_client = {"client_id": client.id, "location_id": location.id}
    ann = await desk.ask(CreateContact.model_validate(CONTACT | of_client))
    of_client["contact_id"] = ann.id
    asset = await desk.ask(CreateAsset.model_validate(ASSET | of_client))
    holds(client, CLIENT)
    holds(location, LOCATION)
    holds(ann, CONTACT)
    holds(asset, ASSET | of_client)
    await desk.broker.publish(wrap(ReplayDocuments()))
    for event, document in (
        (ClientChanged, client),
        (LocationChanged, location),
        (ContactChanged, ann),
        (AssetChanged, asset),
    ):
        field = event.wire_name.partition(".")[0]
        async with asyncio.timeout(10):
            while [getattr(e, field) for e in desk.heard if isinstance(e, event)] != [document] * 2:
                await asyncio.sleep(0.01)


async def test_what_is_not_said_stays_and_null_takes_back(desk: Desk) -> None:
    client_id = await desk.client()
    made = await contact(desk, client_id, email="bob@client.test", phone="1", title="CEO")
    changed = await change_contact(desk, made.id, title=None, phone="2")
    assert (changed.title, changed.phone, changed.email) == (None, "2", "bob@client.test")
    assert changed.version == 2
    assert changed.updated_at is not None
    assert (await desk.next(ContactChanged, where=lambda e: e.contact.version == 2)).contact == (
        changed
    )
    assert await change_contact(desk, made.id, phone="2") == changed
    assert await change_contact(desk, made.id) == changed
    with pytest.raises(Conflict, match="so already"):
        await change_contact(desk, made.id, phone="2", refuse_unchanged=True)
    assert (await change_contact(desk, made.id, email=None)).email is None


async def test_stale_and_foreign_changes_are_refused(desk: Desk) -> None:
    mine, other = await desk.client(), await desk.client("Other", "other.test")
    made = await contact(desk, mine)
    with pytest.raises(StaleVersion):
        await change_contact(desk, made.id, phone="1", if_version=2)
    with pytest.raises(NotFound):
        await change_contact(desk, made.id, phone="1", within_client=other)
    with pytest.raises(NotFound):
        await contact(desk, mine, within_client=other)
    with pytest.raises(NotFound):
        await desk.ask(ChangeClient(id=mine, changes=ClientChanges(name="x"), within_client=other))
    agent = await desk.ask(CreateAgent(name="Ben", email="ben@example.com"))
    with pytest.raises(NotFound):
        await desk.ask(ChangeAgent(id=agent.id, changes=AgentChanges(name="x"), within_client=mine))
    assert (await change_contact(desk, made.id, phone="1", if_version=1)).version == 2


async def test_of_many_changes_of_one_version_one_wins(desk: Desk) -> None:
    made = await contact(desk, await desk.client())
    results = await asyncio.gather(
        *(change_contact(desk, made.id, phone=str(n), if_version=1) for n in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Contact) for result in results) == 1
    assert sum(isinstance(result, StaleVersion) for result in results) == 19


async def test_a_client_has_one_primary_contact_and_location(desk: Desk) -> None:
    client_id = await desk.client()
    bob = await contact(desk, client_id, primary=True)
    alice = await desk.next(ContactChanged, where=lambda e: e.contact.version == 2)
    assert (alice.contact.name, alice.contact.primary) == ("Alice", False)
    eve = await contact(desk, client_id, name="Eve")
    await asyncio.gather(*(change_contact(desk, c.id, primary=True) for c in (bob, eve, bob, eve)))
    query = 'SELECT count(*) FROM contacts WHERE client_id = $1 AND "primary"'
    assert await desk.database.pool.fetchval(query, client_id) == 1
    first, second = [
        await desk.ask(CreateLocation(client_id=client_id, name=name, primary=True))
        for name in ("Office", "Cellar")
    ]
    demoted = await desk.next(LocationChanged, where=lambda e: e.location.version == 2)
    assert (demoted.location.id, demoted.location.primary) == (first.id, False)
    changes = LocationChanges(primary=True)
    await desk.ask(ChangeLocation(id=first.id, changes=changes))
    await desk.next(
        LocationChanged, where=lambda e: e.location.id == second.id and not e.location.primary
    )


async def test_an_address_is_unique_within_a_client(desk: Desk) -> None:
    client_id = await desk.client()
    bob = await contact(desk, client_id, email="bob@bücher.test")
    with pytest.raises(Conflict) as refused:
        await contact(desk, client_id, email="BOB@xn--bcher-kva.test")
    assert refused.value.field == "email"
    await contact(desk, await desk.client("Other", "other.test"), email="bob@bücher.test")
    eve = await contact(desk, client_id, name="Eve")
    with pytest.raises(Conflict) as refused:
        await change_contact(desk, eve.id, email="bob@bücher.test")
    assert refused.value.field == "email"
    await change_contact(desk, bob.id, archived=True)
    await change_contact(desk, eve.id, email="bob@bücher.test")
    with pytest.raises(Conflict) as refused:
        await change_contact(desk, bob.id, archived=False)
    assert refused.value.field == "email"


async def test_domains_and_agents_are_unique_while_they_are_there(desk: Desk) -> None:
    client_id = await desk.client()
    with pytest.raises(Conflict) as refused:
        await desk.ask(CreateDomain(client_id=client_id, name="Client.TEST"))
    assert refused.value.field == "name"
    other = await desk.ask(CreateDomain(client_id=client_id, name="other.test"))
    with pytest.raises(Conflict):
        await desk.ask(ChangeDomain(id=other.id, changes=DomainChanges(name="client.test")))
    renamed = await desk.ask(ChangeDomain(id=other.id, changes=DomainChanges(name="NEW.test")))
    assert renamed.name == "new.test"
    ann = await desk.ask(CreateAgent(name="Ann", email="ann@example.com"))
    with pytest.raises(Conflict) as refused:
        await desk.ask(CreateAgent(name="Ann", email="ANN@example.com"))
    assert refused.value.field == "email"
    archived = await desk.ask(ChangeAgent(id=ann.id, changes=AgentChanges(archived=True)))
    assert archived.archived_at is not None
    await desk.ask(CreateAgent(name="Ann", email="ann@example.com"))
    with pytest.raises(Conflict):
        await desk.ask(ChangeAgent(id=ann.id, changes=AgentChanges(archived=False)))


async def test_concurrent_makers_of_one_address(desk: Desk) -> None:
    client_id = await desk.client()
    results = await asyncio.gather(
        *(contact(desk, client_id, email="bob@client.test") for _ in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Contact) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 9


async def test_what_a_contact_and_an_asset_name_is_of_their_client(desk: Desk) -> None:
    mine, other = await desk.client(), await desk.client("Other", "other.test")
    theirs = await desk.ask(CreateLocation(client_id=other, name="Office"))
    with pytest.raises(NotFound) as refused:
        await contact(desk, mine, location_id=theirs.id)
    assert refused.value.field == "location_id"
    bob = await contact(desk, mine)
    with pytest.raises(NotFound):
        await change_contact(desk, bob.id, location_id=theirs.id)
    for wrong in ({"contact_id": bob.id}, {"location_id": 99}):
        with pytest.raises(NotFound) as refused:
            await desk.ask(CreateAsset.model_validate({"client_id": other, "name": "srv1"} | wrong))
        assert refused.value.field in wrong
    with pytest.raises(NotFound) as refused:
        await desk.ask(CreateAsset(client_id=99, name="srv1"))
    assert refused.value.field == "client_id"


async def test_an_archived_client_gets_nothing_new(desk: Desk) -> None:
    client_id = await desk.client()
    archived = await desk.ask(ChangeClient(id=client_id, changes=ClientChanges(archived=True)))
    assert archived.archived_at is not None
    with pytest.raises(NotFound) as refused:
        await contact(desk, client_id)
    assert refused.value.field == "client_id"
    with pytest.raises(NotFound):
        await desk.open(client_id)
    back = await desk.ask(ChangeClient(id=client_id, changes=ClientChanges(archived=False)))
    assert back.archived_at is None
    await desk.open(client_id)


async def test_a_rate_is_in_the_clients_currency(desk: Desk) -> None:
    client = await desk.ask(CreateClient(name="Acme"))

    async def change(**values: Any) -> Client:
        changes = ClientChanges.model_validate(values)
        return await desk.ask(ChangeClient(id=client.id, changes=changes))

    priced = await change(rate={"amount": "90.5", "currency": "CHF"})
    assert (priced.rate, priced.currency) == (Money(amount="90.50", currency="CHF"), "CHF")
    assert await change(rate={"amount": "90.500", "currency": "CHF"}) == priced
    with pytest.raises(Invalid) as refused:
        await change(currency="EUR")
    assert refused.value.field == "currency"
    with pytest.raises(Invalid):
        await change(rate={"amount": "1", "currency": "EUR"}, currency="CHF")
    assert (await change(rate=None, currency="EUR")).rate is None


@pytest.mark.parametrize("what", ["client", "contact"])
async def test_what_is_archived_opens_nothing_by_mail(desk: Desk, what: str) -> None:
    client_id = await desk.client()
    alice = (await desk.next(ContactChanged)).contact
    opened = (await desk.mail("alice@client.test")).ticket_id
    if what == "client":
        await desk.ask(ChangeClient(id=client_id, changes=ClientChanges(archived=True)))
    else:
        await change_contact(desk, alice.id, archived=True)
    handled = await desk.mail("alice@client.test", subject="Another")
    assert (handled.outcome, handled.reason) == ("ignored", f"archived {what}")
    answer = await desk.mail("alice@client.test", subject=f"Re: [TCK-{opened}] Printer")
    assert (answer.outcome, answer.ticket_id, answer.reason) == ("reply", opened, "")


async def test_an_archived_domain_brings_no_strangers(desk: Desk) -> None:
    await desk.client()
    domain_id = await desk.database.pool.fetchval("SELECT id FROM domains")
    await desk.ask(ChangeDomain(id=domain_id, changes=DomainChanges(archived=True)))
    assert (await desk.mail("bob@client.test")).reason == "unknown sender"
    assert (await desk.mail("alice@client.test")).outcome == "ticket"


async def test_an_asset_is_deleted_by_archiving_it(desk: Desk) -> None:
    asset = await desk.ask(CreateAsset(client_id=await desk.client(), name="srv1"))
    delete = ChangeAsset(id=asset.id, changes=AssetChanges(archived=True), refuse_unchanged=True)
    assert (await desk.ask(delete)).archived_at is not None
    with pytest.raises(Conflict):
        await desk.ask(delete)
