"""ITFlow's `clients/`, `contacts/`, `domains/`, `assets/`, `locations/`: read and written."""

from datetime import UTC, datetime
from typing import Any

from gateway_api import Api, Desk
from itflow_api import (
    NOT_CREATED,
    NOT_DELETED,
    NOT_UPDATED,
    NOTHING,
    UPDATED,
    insert,
    read,
    rows,
    write,
)

from deskwire.contracts.base import Event
from deskwire.contracts.money import Money
from deskwire.contracts.people import (
    AssetChanged,
    ClientChanged,
    ContactChanged,
    DomainChanged,
    LocationChanged,
)
from deskwire.contracts.records import Asset, Client, Contact, Domain, Location
from deskwire.messaging.envelope import wrap

AT = datetime(2023, 3, 20, 9, 15, tzinfo=UTC)
LATER = datetime(2023, 3, 21, 10, 0, 0, 123456, tzinfo=UTC)


def client(id: int, name: str, **values: Any) -> Event:
    return ClientChanged(client=Client(id=id, name=name, created_at=AT, **values))


def contact(id: int, client_id: int, email: str | None, **values: Any) -> Event:
    known = {"name": "Ann", "email": email, "created_at": AT} | values
    return ContactChanged(contact=Contact(id=id, client_id=client_id, **known))


def domain(id: int, client_id: int, name: str) -> Event:
    return DomainChanged(domain=Domain(id=id, client_id=client_id, name=name, created_at=AT))


def asset(id: int, client_id: int, name: str, **values: Any) -> Event:
    return AssetChanged(asset=Asset(id=id, client_id=client_id, name=name, created_at=AT, **values))


def location(id: int, client_id: int, name: str, **values: Any) -> Event:
    kept = Location(id=id, client_id=client_id, name=name, created_at=AT, **values)
    return LocationChanged(location=kept)


async def keep(desk: Desk, *events: Event) -> None:
    for event in events:
        await desk.broker.publish(wrap(event))


async def values(api: Api, name: str, query: str) -> list[str | None]:
    """Of the one row, whose numbers are before the names."""
    answer = await read(api, name, query)
    assert answer.json["count"] == 1
    [row] = answer.json["data"]
    names = [key for key in row if not key.isdigit()]
    keys = [key for place, name in enumerate(names) for key in (str(place), name)]
    assert list(row) == keys
    assert [row[str(place)] for place in range(len(names))] == [row[name] for name in names]
    return [row[name] for name in names]


async def ids(api: Api, name: str, query: str) -> list[int]:
    found = await rows(api, name, query)
    return [int(next(iter(row.values()))) for row in found]


async def test_client_byte_for_byte(lonely_desk: Desk) -> None:
    await keep(lonely_desk, client(7, "Acme / Söhne"))
    answer = await read(lonely_desk.api, "clients/read", "client_id=7")
    assert answer.body.decode() == (
        '{"success":"True","count":1,"data":[{"0":"7","client_id":"7","1":"Acme \\/ S\\u00f6hne",'
        '"client_name":"Acme \\/ S\\u00f6hne","2":null,"client_type":null,"3":null,'
        '"client_website":null,"4":null,"client_referral":null,"5":null,"client_rate":null,'
        '"6":"EUR","client_currency_code":"EUR","7":"0","client_net_terms":"0","8":null,'
        '"client_tax_id_number":null,"9":null,"client_notes":null,"10":"2023-03-20 09:15:00",'
        '"client_created_at":"2023-03-20 09:15:00","11":null,"client_updated_at":null,"12":null,'
        '"client_archived_at":null,"13":null,"client_accessed_at":null}]}'
    )


async def test_client_in_full(lonely_desk: Desk) -> None:
    full = client(
        7,
        "Acme",
        type="Retail",
        website="acme.example.com",
        referral="a friend",
        rate=Money(amount="90.5", currency="CHF"),
        net_terms=14,
        tax_id="CHE-1",
        notes="a\nb",
        updated_at=LATER,
        archived_at=LATER,
    )
    await keep(lonely_desk, full)
    told = "2023-03-21 10:00:00"
    assert await values(lonely_desk.api, "clients/read", "") == [
        *("7", "Acme", "Retail", "acme.example.com", "a friend", "90.50", "CHF", "14", "CHE-1"),
        *("a\nb", "2023-03-20 09:15:00", told, told, None),
    ]


async def test_contact_in_full(lonely_desk: Desk) -> None:
    full = contact(
        5,
        7,
        "ann@example.com",
        title="CEO",
        department="Board",
        phone="5551",
        extension="2",
        mobile="5552",
        notes="n",
        primary=True,
        technical=True,
        location_id=3,
        updated_at=AT,
    )
    await keep(lonely_desk, full, contact(6, 7, None))
    at = "2023-03-20 09:15:00"
    assert await values(lonely_desk.api, "contacts/read", "contact_id=5") == [
        *("5", "Ann", "CEO", "ann@example.com", "5551", "2", "5552", None, None, "n", None, None),
        *(None, None, "1", "0", "0", "1", at, None, None, None, "3", "Board", "7"),
    ]
    bare = await rows(lonely_desk.api, "contacts/read", "contact_id=6")
    assert list(bare[0]) == [
        "contact_id",
        "contact_name",
        "contact_title",
        "contact_email",
        "contact_phone",
        "contact_extension",
        "contact_mobile",
        "contact_photo",
        "contact_pin",
        "contact_notes",
        "contact_auth_method",
        "contact_password_hash",
        "contact_password_reset_token",
        "contact_token_expire",
        "contact_primary",
        "contact_important",
        "contact_billing",
        "contact_technical",
        "contact_created_at",
        "contact_updated_at",
        "contact_archived_at",
        "contact_accessed_at",
        "contact_location_id",
        "contact_department",
        "contact_client_id",
    ]
    assert (bare[0]["contact_email"], bare[0]["contact_location_id"]) == (None, "0")


async def test_domain_in_full(lonely_desk: Desk) -> None:
    await keep(lonely_desk, domain(4, 7, "example.com"))
    assert await values(lonely_desk.api, "domains/read", "domain_name=EXAMPLE.com") == [
        *("4", "example.com", None, None, None, None, None, None, "2023-03-20 09:15:00", None),
        *(None, None, "0", "0", "7"),
    ]


async def test_look_ups_and_pages(lonely_desk: Desk) -> None:
    api = lonely_desk.api
    await keep(
        lonely_desk,
        client(1, "Acme  GmbH"),
        client(2, "Initech"),
        client(3, "acme gmbh", archived_at=LATER),
        contact(1, 1, "Ann@example.com", phone="555-1", mobile="555 2"),
        contact(2, 2, "ann@example.com", mobile="5551"),
        contact(3, 2, "ben@example.com"),
        domain(1, 1, "one.example.com"),
        domain(2, 2, "two.example.com"),
    )
    for name, query, wanted in (
        ("clients/read", "", [1, 2, 3]),
        ("clients/read", "client_id=2x", [2]),
        ("clients/read", "client_id=0", []),
        ("clients/read", "client_id=", []),
        ("clients/read", "client_id=9&client_name=Initech", []),
        ("clients/read", "client_name=INITECH%20", [2]),
        ("clients/read", "client_name=acme+gmbh", [1, 3]),
        ("clients/read", "client_name=Init", []),
        ("clients/read", "client_name=", []),
        ("clients/read", "client_name=%00%FF%25", []),
        ("clients/read", "client_name[]=Initech", [1, 2, 3]),
        ("clients/read", "limit=2", [1, 2]),
        ("clients/read", "limit=2&offset=2", [3]),
        ("clients/read", "limit=0", []),
        ("clients/read", "limit=-1", []),
        ("clients/read", "offset=-1", []),
        ("clients/read", "offset=99999999999999999999", []),
        ("clients/read", "limit=0&client_id=1", [1]),
        ("contacts/read", "", [1, 2, 3]),
        ("contacts/read", "contact_id=2&contact_email=ben@example.com", [2]),
        ("contacts/read", "contact_id=99999999999999999999", []),
        ("contacts/read", "contact_email=ann@EXAMPLE.com", [1, 2]),
        ("contacts/read", "contact_email=ann@example.com&limit=1&offset=1", [2]),
        ("contacts/read", "contact_email=ann@example.com&client_id=2", [2]),
        ("contacts/read", "contact_email=ben@example.com&contact_phone_or_mobile=5551", [3]),
        ("contacts/read", "contact_phone_or_mobile=5551", [1, 2]),
        ("contacts/read", "contact_phone_or_mobile=555-2", [1]),
        ("contacts/read", "contact_id=1&client_id=2", []),
        ("contacts/read", "client_id=2", [2, 3]),
        ("contacts/read", "client_id=0", []),
        ("contacts/read", "client_id=x", [1, 2, 3]),
        ("domains/read", "client_id=2", [2]),
        ("domains/read", "domain_id=1", [1]),
        ("domains/read", "domain_name=example.com", []),
    ):
        assert await ids(api, name, query) == wanted, (name, query)
        if not wanted:
            assert (await read(api, name, query)).body == NOTHING, (name, query)


async def test_a_clients_key_sees_its_client_alone(lonely_desk: Desk) -> None:
    await keep(
        lonely_desk,
        client(1, "Acme"),
        client(2, "Initech"),
        contact(1, 1, "ann@example.com", phone="5551"),
        contact(2, 2, "ann@example.com", phone="5551"),
        domain(1, 1, "one.example.com"),
        domain(2, 2, "two.example.com"),
    )
    bound = await lonely_desk.key("admin", client_id=2)
    for name, query, wanted in (
        ("clients/read", "", [2]),
        ("clients/read", "client_id=2", [2]),
        ("clients/read", "client_id=1", []),
        ("clients/read", "client_name=Acme", []),
        ("contacts/read", "", [2]),
        ("contacts/read", "client_id=1", [2]),
        ("contacts/read", "client_id=0", [2]),
        ("contacts/read", "contact_id=1", []),
        ("contacts/read", "contact_id=1&client_id=1", []),
        ("contacts/read", "contact_email=ann@example.com", [2]),
        ("contacts/read", "contact_phone_or_mobile=5551", [2]),
        ("domains/read", "", [2]),
        ("domains/read", "domain_id=1", []),
        ("domains/read", "domain_name=one.example.com", []),
    ):
        assert await ids(bound, name, query) == wanted, (name, query)


async def test_look_ups_follow_changes(lonely_desk: Desk) -> None:
    await keep(lonely_desk, contact(1, 1, "ann@example.com", phone="1"))
    await keep(lonely_desk, contact(1, 1, "ann@example.org", phone=None, version=2))
    assert await ids(lonely_desk.api, "contacts/read", "contact_email=ann@example.com") == []
    assert await ids(lonely_desk.api, "contacts/read", "contact_phone_or_mobile=1") == []
    assert await ids(lonely_desk.api, "contacts/read", "contact_email=ann@example.org") == [1]


async def test_asset_in_full(lonely_desk: Desk) -> None:
    full = asset(
        9,
        7,
        "srv1",
        type="Server",
        description="d",
        make="m",
        model="o",
        serial="S-1",
        os="Debian",
        ip="192.0.2.1",
        mac="00:00:5e:00:53:01",
        uri="https://srv1.test",
        status="Deployed",
        purchase_date="2024-01-31",
        warranty_expire="2027-01-31",
        install_date="2024-02-01",
        notes="n",
        location_id=3,
        contact_id=5,
    )
    await keep(lonely_desk, full)
    assert await values(lonely_desk.api, "assets/read", "asset_id=9") == [
        *("9", "Server", "srv1", "d", "m", "o", "S-1", "Debian", "192.0.2.1", "00:00:5e:00:53:01"),
        *("https://srv1.test", "Deployed", "2024-01-31", "2027-01-31", "2024-02-01", "n"),
        *("2023-03-20 09:15:00", None, None, None, "0", "0", "3", "5", "0", "7"),
    ]


async def test_location_in_full(lonely_desk: Desk) -> None:
    full = location(
        3,
        7,
        "Office",
        country="CH",
        address="Street 1",
        city="Town",
        state="ZH",
        zip="8000",
        phone="555",
        hours="8-17",
        notes="n",
        primary=True,
    )
    await keep(lonely_desk, full)
    assert await values(lonely_desk.api, "locations/read", "") == [
        *("3", "Office", "CH", "Street 1", "Town", "ZH", "8000", "555", "8-17", None, "1", "n"),
        *("2023-03-20 09:15:00", None, None, None, "0", "7"),
    ]


async def test_look_ups_of_assets(lonely_desk: Desk) -> None:
    await keep(
        lonely_desk,
        asset(1, 1, "srv1", type="Server", serial="S-1", mac="00:00:5e:00:53:01", uri="https://a"),
        asset(2, 2, "srv1", type="Server"),
        asset(3, 2, "old", archived_at=LATER),
        location(1, 1, "Office"),
        location(2, 2, "Office", archived_at=LATER),
    )
    for name, query, wanted in (
        ("assets/read", "", [1, 2]),
        ("assets/read", "asset_id=3", []),
        ("assets/read", "asset_name=SRV1", [1, 2]),
        ("assets/read", "asset_name=srv1&client_id=2", [2]),
        ("assets/read", "asset_type=server&asset_name=old", [1, 2]),
        ("assets/read", "asset_serial=s-1", [1]),
        ("assets/read", "client_id=2&asset_mac=00:00:5e:00:53:01", [2]),
        ("assets/read", "asset_uri=https://a", [1]),
        ("locations/read", "", [1, 2]),
        ("locations/read", "location_id=2", [2]),
    ):
        assert await ids(lonely_desk.api, name, query) == wanted, (name, query)
    bound = await lonely_desk.key("admin", client_id=2)
    assert await ids(bound, "assets/read", "asset_id=1") == []
    assert await ids(bound, "locations/read", "") == [2]


async def test_a_clients_key_writes_its_client_alone(desk: Desk) -> None:
    one = await insert(desk.api, "clients/create", {"client_name": "Acme"})
    two = await insert(desk.api, "clients/create", {"client_name": "Initech"})
    foreign = await insert(desk.api, "assets/create", {"client_id": one, "asset_name": "srv1"})
    bound = await desk.key("admin", client_id=two)
    values = {"client_id": one, "contact_name": "Ann", "contact_email": "ann@example.com"}
    own = await insert(bound, "contacts/create", values)
    assert (await rows(bound, "contacts/read"))[0]["contact_client_id"] == str(two)
    for name, changed, refused in (
        ("contacts/update", {"contact_id": own, "client_id": one, "contact_title": "x"}, UPDATED),
        ("assets/update", {"asset_id": foreign, "client_id": one, "asset_os": "x"}, NOT_UPDATED),
        ("assets/delete", {"asset_id": foreign, "client_id": one}, NOT_DELETED),
        ("assets/create", {"asset_name": "a", "asset_contact_id": 99}, NOT_CREATED),
        ("clients/create", {"client_name": "Mine"}, NOT_CREATED),
        ("clients/update", {"client_id": two, "client_rate": "1"}, NOT_UPDATED),
        ("clients/archive", {"client_id": two}, NOT_UPDATED),
    ):
        assert (await write(bound, name, changed)).body == refused, name


async def test_writing_again_with_the_same_idempotency_key(desk: Desk) -> None:
    first = await write(desk.api, "clients/create", {"client_name": "A"}, Idempotency_Key="k")
    again = await write(desk.api, "clients/create", {"client_name": "A"}, Idempotency_Key="k")
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert len(await rows(desk.api, "clients/read")) == 1


async def test_values_that_are_none_of_ours_are_failures(desk: Desk) -> None:
    acme = await insert(desk.api, "clients/create", {"client_name": "Acme"})
    for name, values in (
        ("clients/create", {"client_name": "a" * 201}),
        ("clients/create", {"client_name": "a", "client_rate": "-1"}),
        ("clients/create", {"client_name": "a", "client_rate": "1e999"}),
        ("clients/create", {"client_name": "a", "client_currency_code": "XXQ"}),
        ("clients/create", {"client_name": "a", "client_net_terms": "-1"}),
        ("contacts/create", {"client_id": acme, "contact_name": "a", "contact_email": "a"}),
        ("assets/create", {"client_id": acme, "asset_name": "a", "asset_uri": "javascript:x"}),
        ("assets/create", {"client_id": acme, "asset_name": "a", "asset_location_id": 99}),
        ("locations/create", {"client_id": 99, "location_name": "a"}),
    ):
        assert (await write(desk.api, name, values)).body == NOT_CREATED, values
