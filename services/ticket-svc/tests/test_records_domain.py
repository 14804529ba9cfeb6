"""The rules of what is kept of clients, contacts and the rest: pure, for all values."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskwire.contracts.money import Money
from deskwire.contracts.people import ClientChanges
from deskwire.contracts.records import Client
from deskwire.errors import Invalid
from ticket_svc.domain import records, senders
from ticket_svc.domain.senders import Sender

AT = datetime(2024, 1, 1, tzinfo=UTC)

amounts = st.decimals(0, 10**9, places=2, allow_nan=False, allow_infinity=False).map(str)
currencies = st.sampled_from(["EUR", "CHF", "USD"])
rates = st.builds(Money, amount=amounts, currency=currencies)
changes = st.builds(
    ClientChanges.model_validate,
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.text(min_size=1),
            "notes": st.none() | st.text(),
            "rate": st.none() | rates,
            "currency": currencies,
            "archived": st.booleans(),
        },
    ),
)
senders_known = st.lists(
    st.builds(
        Sender,
        st.integers(1, 3),
        st.none() | st.integers(1, 9),
        archived=st.booleans(),
        client_archived=st.booleans(),
    ).map(lambda s: s if s.contact_id else Sender(s.client_id, None, False, s.client_archived)),
    max_size=6,
)


def changed(client: Client, wanted: dict[str, Any]) -> Client:
    values = {n: v for n, v in wanted.items() if n != "archived"}
    if "archived" in wanted:
        values["archived_at"] = AT if wanted["archived"] else None
    return client.model_copy(update=values)


@given(changes)
def test_what_was_changed_is_no_change_again(wanted: ClientChanges) -> None:
    client = Client(id=1, name="Acme", created_at=AT)
    after = changed(client, records.differences(client, wanted.values))
    assert records.differences(after, wanted.values) == {}
    assert set(records.differences(client, wanted.values)) <= wanted.model_fields_set


@given(st.none() | rates, currencies, changes)
def test_a_rate_is_always_in_the_clients_currency(
    rate: Money | None, currency: str, wanted: ClientChanges
) -> None:
    before: dict[str, Any] = {"rate": rate, "currency": rate.currency if rate else currency}
    rate = wanted.values.get("rate", rate)
    currency = wanted.values.get("currency", before["currency"])
    if rate and "currency" in wanted.values and rate.currency != currency:
        with pytest.raises(Invalid) as refused:
            records.priced(wanted.values, before)
        assert refused.value.field == "currency"
    else:
        after = before | records.priced(wanted.values, before)
        assert after["rate"] is None or after["rate"].currency == after["currency"]


@given(amounts, st.sampled_from(["", "0", "00"]))
def test_amounts_are_compared_by_their_number(amount: str, zeros: str) -> None:
    client = Client(id=1, name="Acme", created_at=AT, rate=Money(amount=amount, currency="EUR"))
    same = {"rate": Money(amount=amount + zeros, currency="EUR")}
    assert records.differences(client, same) == {}
    assert records.client_columns(same)["rate"] == Decimal(amount)


@pytest.mark.parametrize(
    ("values", "columns"),
    [
        ({"email": "Ann@Bücher.test"}, {"email_key": "ann@xn--bcher-kva.test"}),
        ({"email": None}, {"email_key": None}),
        ({"name": "Ann"}, {}),
    ],
)
def test_addresses_have_their_key(values: dict[str, Any], columns: dict[str, Any]) -> None:
    assert records.person_columns(values) == values | columns


@given(st.dictionaries(st.sampled_from(["name", "archived"]), st.booleans()))
def test_archiving_says_when(values: dict[str, Any]) -> None:
    columns = records.archiving(values, AT)
    assert ("archived_at" in columns, "archived" in columns) == ("archived" in values, False)
    assert columns.get("archived_at") == (AT if values.get("archived") else None)


@given(senders_known)
def test_nothing_archived_opens_a_ticket(known: list[Sender]) -> None:
    found = senders.opening(known)
    if isinstance(found, str):
        live = [s for s in known if not s.archived and not s.client_archived]
        gone = {s.client_id for s in known if s.archived}
        assert all(s.contact_id is None and s.client_id in gone for s in live)
        return
    assert not found.archived
    assert not found.client_archived
    if found.contact_id is None:
        archived = [s for s in known if s.archived]
        assert found.client_id not in {s.client_id for s in archived}
        assert all(s.archived or s.client_archived for s in known if s.contact_id is not None)


@given(senders_known, st.none() | st.integers(1, 3), st.none() | st.integers(1, 9))
def test_who_takes_part_is_of_the_tickets_client(
    known: list[Sender], client_id: int | None, contact_id: int | None
) -> None:
    found = senders.taking_part(known, client_id, contact_id)
    if found is not None:
        assert found.client_id == client_id
        assert not found.archived or found.contact_id == contact_id
    assert found is not None or all(
        s.archived or s.contact_id is None for s in known if s.client_id == client_id
    )
