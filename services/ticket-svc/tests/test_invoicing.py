"""Invoices: drafted of time, added to, issued, made void; no minute is billed twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from ticket_desk import ACTOR, Desk

from deskwire import db
from deskwire.contracts.actors import Named
from deskwire.contracts.invoices import (
    DraftedInvoice,
    Invoice,
    InvoiceChanged,
    InvoiceClient,
    InvoiceDrafted,
    InvoiceTicket,
    IssueInvoice,
    VoidInvoice,
)
from deskwire.contracts.money import Money
from deskwire.contracts.people import (
    ChangeClient,
    ClientChanges,
    CreateAgent,
    CreateClient,
    CreateLocation,
)
from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.settings import PolicyChanges, UpdateClientSettings
from deskwire.contracts.ticket_commands import (
    ChangeTicket,
    GetTicket,
    MergeTicket,
    TicketChanges,
    UnmergeTicket,
)
from deskwire.contracts.tickets import Ticket, TicketChanged
from deskwire.contracts.timekeeping import (
    AddTime,
    ChangeTime,
    RemoveTime,
    StartTimer,
    TimeChanged,
    TimeChanges,
    TimeEntry,
)
from deskwire.errors import Conflict, Invalid, NotFound, StaleVersion
from deskwire.messaging.envelope import wrap
from deskwire.messaging.outbox import Outbox
from ticket_svc.handlers import invoicing

EUROS = Money(amount="95.00", currency="EUR")
SELLER = {"name": "Example IT", "address": "1 Example Street"}


async def client(desk: Desk, **fields: Any) -> int:
    values = {"name": "Acme", "rate": EUROS, "currency": "EUR"} | fields
    return (await desk.ask(CreateClient.model_validate(values))).id


async def agent(desk: Desk, name: str = "Ann", **fields: Any) -> int:
    return (await desk.ask(CreateAgent(name=name, email=f"{name}@example.com", **fields))).id


async def worked(desk: Desk, ticket_id: int, agent_id: int, seconds: int, **more: Any) -> TimeEntry:
    command = AddTime(
        ticket_id=ticket_id, agent_id=agent_id, seconds=seconds, actor=KEY, billable=True
    )
    return (await desk.ask(command.model_copy(update=more))).time


KEY = ACTOR.model_copy(
    update={"author": ACTOR.author.model_copy(update={"type": "system", "id": None})}
)


async def draft(desk: Desk, ticket_id: int, **more: Any) -> DraftedInvoice:
    return await desk.ask(InvoiceTicket(ticket_id=ticket_id, actor=KEY, **more))


async def issue(desk: Desk, id: int, **more: Any) -> Invoice:
    return await desk.ask(IssueInvoice(invoice_id=id, actor=KEY, **more))


async def void(desk: Desk, id: int, **more: Any) -> Invoice:
    return await desk.ask(VoidInvoice(invoice_id=id, actor=KEY, **more))


async def ticket(desk: Desk, id: int) -> Ticket:
    return await desk.ask(GetTicket(ticket_id=id))


async def close(desk: Desk, id: int) -> None:
    changes = TicketChanges(status="closed")
    await desk.ask(ChangeTicket(ticket_id=id, changes=changes, actor=KEY))


def sums(invoice: Invoice) -> tuple[str, str, str]:
    return invoice.subtotal.amount, invoice.tax.amount, invoice.total.amount


async def handled(outbox: Outbox, command: InvoiceTicket | InvoiceClient) -> DraftedInvoice:
    """In a transaction of its own."""
    async with outbox.transaction() as tx:
        if isinstance(command, InvoiceClient):
            return await invoicing.invoice_client(command, tx)
        return await invoicing.invoice_ticket(command, tx)


async def test_new_tickets_are_billable_as_the_settings_say(desk: Desk) -> None:
    id, other = await desk.client(), await client(desk, name="Other")
    assert not (await desk.open(id)).ticket.billable
    await desk.settings(tickets_billable=True)
    assert (await desk.open(id)).ticket.billable
    assert not (await desk.open(id, billable=False)).ticket.billable
    by_mail = await desk.mail("alice@client.test", subject="By mail")
    assert by_mail.ticket_id
    mailed = await ticket(desk, by_mail.ticket_id)
    assert mailed.billable
    changes = PolicyChanges(tickets_billable=False)
    await desk.ask(
        UpdateClientSettings(client_id=other, changes=changes, if_version=2, actor=ACTOR)
    )
    assert not (await desk.open(other, contact_id=None)).ticket.billable
    worked_on = (await desk.open(id, billable=False)).ticket
    await worked(desk, worked_on.id, await agent(desk), 600, billable=None)
    with pytest.raises(Conflict, match="left; time entries that are not billable: 1"):
        await draft(desk, worked_on.id)


async def test_from_time_to_an_issued_invoice(desk: Desk) -> None:
    of, ann = await client(desk, tax_id="DE1", net_terms=14, language="de"), await agent(desk)
    await desk.ask(
        CreateLocation(
            client_id=of, name="Head", address="2 Way", zip="10115", city="Berlin", primary=True
        )
    )
    await desk.settings(tax_rate="19", seller=SELLER, invoice_prefix="RE-")
    id = (await desk.open(of)).ticket.id
    first, second = await worked(desk, id, ann, 600), await worked(desk, id, ann, 1200)
    await worked(desk, id, ann, 999, billable=False)
    await desk.ask(StartTimer(ticket_id=id, agent_id=ann, billable=True, actor=KEY))

    drafted = await draft(desk, id)
    invoice = drafted.invoice
    assert (await desk.next(InvoiceDrafted)).invoice == invoice
    assert (invoice.reference, invoice.state, invoice.client) == (
        "RE-1",
        "draft",
        Named(id=of, name="Acme"),
    )
    (line,) = invoice.lines
    assert (line.ticket, line.description) == (Named(id=id, name="TCK-1"), "Printer")
    assert (line.seconds, line.quantity, line.rate) == (1800, "0.5000", EUROS)
    assert sums(invoice) == ("47.50", "9.03", "56.53")
    assert invoice.due - invoice.date == timedelta(14)
    assert invoice.buyer.address == "2 Way\n10115 Berlin"
    assert (invoice.buyer.tax_id, invoice.seller.name) == ("DE1", "Example IT")

    assert drafted.ticket is not None
    assert drafted.ticket.invoice_ids == (await ticket(desk, id)).invoice_ids == (invoice.id,)
    told = await desk.next(TicketChanged, where=lambda e: bool(e.ticket.invoice_ids))
    assert [(item.field, item.old, item.new) for item in told.history] == [
        ("invoice", None, {"id": invoice.id, "name": "RE-1"})
    ]
    for time in (first, second):
        event = await desk.next(TimeChanged, where=lambda e, id=time.id: (  # type: ignore[misc]  # a default
            e.time.id == id and e.time.invoice_id is not None))  # fmt: skip
        assert (event.time.invoice_id, event.time.version) == (invoice.id, time.version + 1)

    await desk.settings(seller=SELLER | {"payment": "IBAN"})
    with pytest.raises(StaleVersion):
        await issue(desk, invoice.id, if_version=7)
    issued = await issue(desk, invoice.id, if_version=1)
    assert (issued.state, issued.seller.payment, issued.version) == ("issued", "IBAN", 2)
    assert issued.issued_at is not None
    assert (await desk.next(InvoiceChanged)).invoice == issued
    with pytest.raises(Conflict, match="issued already"):
        await issue(desk, invoice.id)


async def test_nothing_is_billed_twice(desk: Desk) -> None:
    """By twenty transactions, eight of which run at the same time."""
    of, ann = await client(desk), await agent(desk)
    ids = [(await desk.open(of)).ticket.id for _ in range(3)]
    for id in ids:
        for seconds in (60, 600):
            await worked(desk, id, ann, seconds)
        await close(desk, id)
    now, day = datetime.now(UTC), timedelta(1)
    month = InvoiceClient(client_id=of, since=now - day, until=now + day, actor=KEY)
    each_ticket = [InvoiceTicket(ticket_id=id, actor=KEY) for id in ids]
    commands: list[InvoiceTicket | InvoiceClient] = [month, *each_ticket] * 5
    async with db.connect(desk.database_url) as database:
        outbox = Outbox(database, desk.broker, service="race")
        answers = await asyncio.gather(
            *(handled(outbox, each) for each in commands), return_exceptions=True
        )
    done = [each for each in answers if isinstance(each, DraftedInvoice)]
    refused = [each for each in answers if isinstance(each, Conflict)]
    assert len(done) + len(refused) == len(commands), answers
    assert all("nothing to invoice" in str(error) for error in refused)
    lines = [line for each in done for line in each.invoice.lines]
    assert sum(line.seconds for line in lines) == 3 * 660
    assert sorted(line.ticket.id for line in lines) == ids
    assert sorted(each.invoice.number for each in done) == list(range(1, len(done) + 1))
    with pytest.raises(asyncpg.UniqueViolationError, match="invoiced_time_once"):
        await desk.database.pool.execute("""
            INSERT INTO invoiced_time (line_id, time_entry_id, invoice_id)
            SELECT other.id, billed.time_entry_id, billed.invoice_id
            FROM invoiced_time billed JOIN invoice_lines other ON other.id <> line_id LIMIT 1
        """)


async def test_void_frees_the_time(desk: Desk) -> None:
    of, ann = await client(desk), await agent(desk)
    id = (await desk.open(of)).ticket.id
    time = await worked(desk, id, ann, 600)
    first = (await draft(desk, id)).invoice
    with pytest.raises(StaleVersion):
        await void(desk, first.id, if_version=9)
    gone = await void(desk, first.id, reason="Wrong rate.")
    assert (gone.state, gone.void_reason, sums(gone)) == ("void", "Wrong rate.", sums(first))
    assert gone.lines == first.lines
    assert (await ticket(desk, id)).invoice_ids == ()
    freed = await desk.next(TimeChanged, where=lambda e: e.time.version == time.version + 2)
    assert freed.time.invoice_id is None
    for command in (void, issue):
        with pytest.raises(Conflict, match="void already"):
            await command(desk, first.id)
    second = (await draft(desk, id, rate=Money(amount="10", currency="EUR"))).invoice
    assert (second.number, second.lines[0].amount.amount) == (2, "1.67")
    assert (await ticket(desk, id)).invoice_ids == (second.id,)


async def test_invoiced_time_stays_as_it_is(desk: Desk) -> None:
    of, ann = await client(desk), await agent(desk)
    source, target = [(await desk.open(of)).ticket.id for _ in range(2)]
    time = await worked(desk, source, ann, 600)
    invoice = (await draft(desk, source)).invoice

    async def refused(ticket_id: int) -> None:
        with pytest.raises(
            Conflict, match="on an invoice: make that void first, by POST /invoices/1/void"
        ):
            await desk.ask(
                ChangeTime(
                    ticket_id=ticket_id,
                    time_id=time.id,
                    changes=TimeChanges(seconds=1),
                    actor=KEY,
                )
            )
        with pytest.raises(Conflict, match="on an invoice"):
            await desk.ask(RemoveTime(ticket_id=ticket_id, time_id=time.id, actor=KEY))

    await refused(source)
    await desk.ask(MergeTicket(ticket_id=source, into=target, actor=KEY))
    await refused(target)
    assert [(await ticket(desk, id)).invoice_ids for id in (source, target)] == [(), (invoice.id,)]
    with pytest.raises(Conflict, match="nothing to invoice"):
        await draft(desk, source)
    await desk.ask(UnmergeTicket(ticket_id=source, actor=KEY))
    assert [(await ticket(desk, id)).invoice_ids for id in (source, target)] == [(invoice.id,), ()]

    others = (await desk.open(await client(desk, name="Other"))).ticket.id
    across = MergeTicket(ticket_id=source, into=others, across_clients=True, actor=KEY)
    with pytest.raises(Conflict, match="INV-1"):
        await desk.ask(across)
    await void(desk, invoice.id)
    await desk.ask(across)
    assert (await draft(desk, others)).invoice.client.name == "Other"
    with pytest.raises(Conflict, match="INV-2"):
        await desk.ask(UnmergeTicket(ticket_id=source, actor=KEY))


async def test_a_draft_grows_until_it_is_issued(desk: Desk) -> None:
    of, ann = await client(desk), await agent(desk)
    await desk.settings(seller=SELLER)
    ids = [(await desk.open(of)).ticket.id for _ in range(3)]
    for id in ids:
        await worked(desk, id, ann, 3600, note=f"On {id}.")
    first = (await draft(desk, ids[0])).invoice
    grown = (await draft(desk, ids[1], invoice_id=first.id, lines="entry")).invoice
    assert (grown.id, grown.number, grown.version) == (first.id, 1, 2)
    assert [line.description for line in grown.lines] == ["Printer", f"On {ids[1]}."]
    assert grown.lines[1].agent == Named(id=ann, name="Ann")
    assert sums(grown) == ("190.00", "0.00", "190.00")
    assert (await desk.next(InvoiceChanged)).invoice == grown

    other = (await desk.open(await client(desk, name="Other"))).ticket.id
    await worked(desk, other, ann, 60)
    for ticket_id, invoice_id in ((other, first.id), (ids[2], 99)):
        with pytest.raises(NotFound) as missing:
            await draft(desk, ticket_id, invoice_id=invoice_id)
        assert missing.value.field == "invoice_id"
    await issue(desk, first.id)
    with pytest.raises(Conflict) as late:
        await draft(desk, ids[2], invoice_id=first.id)
    assert late.value.field == "invoice_id"


async def test_what_cannot_be_invoiced(desk: Desk) -> None:
    of, ann = await client(desk, rate=None), await agent(desk)
    id = (await desk.open(of)).ticket.id
    for missing in (99, id):
        with pytest.raises(NotFound if missing == 99 else Conflict, match=r"nothing|no ticket"):
            await draft(desk, missing)
    await worked(desk, id, ann, 3600)
    with pytest.raises(Conflict, match="has a rate"):
        await draft(desk, id)
    for amount, currency in (("-1", "EUR"), ("0.123456789", "EUR"), ("1", "USD")):
        with pytest.raises(Invalid):
            await draft(desk, id, rate=Money(amount=amount, currency=currency))
    await desk.settings(default_rate={"amount": "80", "currency": "USD"})
    with pytest.raises(Conflict, match="USD"):
        await draft(desk, id)
    for wrong in ({"tax_rate": "-1"}, {"tax_rate": "1.123456789"}, {"tax_rate": "100.1"},
                  {"default_rate": {"amount": "-1", "currency": "EUR"}}):  # fmt: skip
        with pytest.raises(Invalid) as refused:
            await desk.settings(**wrong)
        assert refused.value.field in wrong
    await desk.settings(default_rate={"amount": "80", "currency": "EUR"})
    first = (await draft(desk, id)).invoice
    assert sums(first) == ("80.00", "0.00", "80.00")

    await worked(desk, id, ann, 3600)
    changes = ClientChanges(rate=Money(amount="90", currency="USD"), currency="USD")
    await desk.ask(ChangeClient(id=of, changes=changes))
    with pytest.raises(Conflict, match="EUR"):
        await draft(desk, id, invoice_id=first.id)
    nobodys = (await desk.open()).ticket.id
    await worked(desk, nobodys, ann, 60)
    with pytest.raises(Conflict, match="no client"):
        await draft(desk, nobodys)
    with pytest.raises(Conflict, match="seller"):
        await issue(desk, first.id)
    for command in (issue, void):
        with pytest.raises(NotFound):
            await command(desk, 99)


async def test_a_month_of_closed_tickets(desk: Desk) -> None:
    of = await client(desk, currency="JPY", rate=None, timezone="Asia/Tokyo")
    yen = [Money(amount=amount, currency="JPY") for amount in ("5000", "6000.50")]
    ann, bob = await agent(desk, rate=yen[0]), await agent(desk, "Bob", rate=yen[1])
    await desk.settings(tax_rate="10", time_rounding={"rule": "up", "minutes": 30})
    evening = datetime(2026, 3, 31, 20, tzinfo=UTC)
    ids = [(await desk.open(of)).ticket.id for _ in range(4)]
    for id in ids:
        await worked(desk, id, ann, 1801, started_at=evening)
    await worked(desk, ids[0], bob, 60, started_at=evening - timedelta(hours=9))
    for id, at in ((ids[0], "2026-03-01"), (ids[1], "2026-03-31 23:59:59"), (ids[2], "2026-04-01")):
        await close(desk, id)
        await desk.database.pool.execute(
            "UPDATE tickets SET closed_at = CAST($2 AS text)::timestamptz WHERE id = $1", id, at
        )
    month = [datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4)]
    drafted = await desk.ask(InvoiceClient(client_id=of, since=month[0], until=month[1], actor=KEY))
    invoice = drafted.invoice
    assert drafted.ticket is None
    assert [(line.ticket.id, line.quantity, line.amount.amount) for line in invoice.lines] == [
        (ids[0], "0.5000", "3000"),
        (ids[0], "1.0000", "5000"),
        (ids[1], "1.0000", "5000"),
    ]
    assert [line.worked_from.isoformat() for line in invoice.lines] == [
        "2026-03-31", "2026-04-01", "2026-04-01",
    ]  # fmt: skip
    assert sums(invoice) == ("13000", "1300", "14300")
    assert [(await ticket(desk, id)).invoice_ids for id in ids] == [(1,), (1,), (), ()]
    with pytest.raises(Conflict, match="nothing to invoice"):
        await desk.ask(InvoiceClient(client_id=of, since=month[0], until=month[1], actor=KEY))
    with pytest.raises(NotFound):
        await desk.ask(InvoiceClient(client_id=99, since=month[0], until=month[1], actor=KEY))
    assert Decimal(invoice.lines[0].rate.amount) == Decimal("6000.50")


async def test_invoices_are_told_anew(desk: Desk) -> None:
    of, ann = await client(desk), await agent(desk, rate=EUROS)
    id = (await desk.open(of)).ticket.id
    await worked(desk, id, ann, 600)
    invoice = (await draft(desk, id)).invoice
    heard = len(desk.heard)
    await desk.broker.publish(wrap(ReplayDocuments()))
    assert (await desk.next(InvoiceChanged, after=heard)).invoice == invoice
    time = await desk.next(TimeChanged, after=heard)
    assert time.time.invoice_id == invoice.id
