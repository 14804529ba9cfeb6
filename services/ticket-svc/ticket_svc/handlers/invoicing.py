"""Time is invoiced: drafted, added to a draft, issued, made void."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Literal

from deskwire.contracts import invoices as contracts
from deskwire.contracts.actors import Actor, Author
from deskwire.contracts.invoices import DraftedInvoice, Invoice, InvoiceMail, InvoiceReader
from deskwire.contracts.settings import Settings
from deskwire.contracts.threads import MailSender
from deskwire.contracts.tickets import Ticket, TicketChanged
from deskwire.contracts.timekeeping import TimeChanged
from deskwire.errors import Conflict, NotFound, check_version
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import invoicing as rules
from ticket_svc.domain.invoicing import Billing, Line, Terms
from ticket_svc.domain.threads import Signer, written_in
from ticket_svc.store import changes, documents, history, timekeeping
from ticket_svc.store import invoices as store
from ticket_svc.store.history import Change


async def invoice_ticket(command: contracts.InvoiceTicket, tx: Transaction) -> DraftedInvoice:
    """Of the ticket on which what is told of this one is shown."""
    draft = None
    if command.invoice_id is not None:
        draft = await _locked(command.invoice_id, tx, field="invoice_id")
    ticket = documents.ticket(await changes.lock_shown(tx, command.ticket_id))
    if ticket.client is None:
        raise Conflict(f"{ticket.reference} has no client to invoice")
    billing = await _billing(ticket.client.id, tx)
    if draft is not None:
        rules.check_addable(draft, billing.client.id, billing.currency)
    lines = await _lines([ticket.id], billing, billing.terms(command.lines, command.rate), tx)
    if not lines:
        raise Conflict(await _nothing_left(ticket, tx))
    invoice = await _drafted(draft, billing, lines, command.actor, tx)
    (after,) = await _tell(invoice, lines, command.actor, tx)
    return DraftedInvoice(invoice=invoice, ticket=after)


async def _nothing_left(ticket: Ticket, tx: Transaction) -> str:
    nothing = f"nothing to invoice: {ticket.reference} has no billable time left"
    others = await tx.fetch_value(store.NOT_BILLABLE, ticket_id=ticket.id)
    return f"{nothing}; time entries that are not billable: {others}" if others else nothing


async def invoice_client(command: contracts.InvoiceClient, tx: Transaction) -> DraftedInvoice:
    billing = await _billing(command.client_id, tx)
    of = {"client_id": command.client_id, "since": command.since, "until": command.until}

    async def closed() -> set[int]:
        return {row["id"] for row in await tx.fetch(store.CLOSED, **of)}

    lines = await _lines(await _lock_tickets(closed, tx), billing, billing.terms(command.lines), tx)
    if not lines:
        raise Conflict("nothing to invoice: no ticket closed in this time has billable time left")
    invoice = await _drafted(None, billing, lines, command.actor, tx)
    await _tell(invoice, lines, command.actor, tx)
    return DraftedInvoice(invoice=invoice)


async def issue_invoice(
    signer: Signer, command: contracts.IssueInvoice, tx: Transaction
) -> Invoice:
    draft = await _locked(command.invoice_id, tx, command.if_version)
    billing = await _billing(draft.client.id, tx)
    rules.check_issuable(draft, billing.settings.seller)
    mail = None
    if billing.settings.invoice_mails:
        mail = await _mail(signer.of_invoices, draft, billing, command.actor.author, tx)
    return await _renewed(draft.id, billing, "issued", tx, mail)


async def _mail(
    signer: Signer, draft: Invoice, billing: Billing, by: Author, tx: Transaction
) -> InvoiceMail | None:
    rows = await tx.fetch(store.READERS, client_id=draft.client.id)
    settings = billing.settings
    readers = [
        InvoiceReader(
            name=row["name"],
            email=row["email"],
            language=written_in(row["language"] or billing.language, settings.languages),
        )
        for row in rows
    ]
    if not readers:
        return None
    return InvoiceMail(
        to=tuple(readers),
        message_id=signer.message_id(draft.id),
        token=signer.token(draft.id),
        responsible=tuple(_responsible(by, settings)),
        sender=MailSender(name=settings.from_name, address=settings.from_address),
    )


def _responsible(by: Author, settings: Settings) -> Iterator[InvoiceReader]:
    """The agent who has issued it; the team where that was none."""
    language = settings.languages[0]
    if by.type == "agent" and by.email:
        yield InvoiceReader(name=by.name, email=by.email, language=language, agent_id=by.id)
        return
    for email in settings.new_ticket_addresses:
        yield InvoiceReader(name="", email=email, language=language)


async def void_invoice(command: contracts.VoidInvoice, tx: Transaction) -> Invoice:
    before = await _locked(command.invoice_id, tx, command.if_version)
    rules.check_voidable(before)
    freed = [row["id"] for row in await tx.fetch(store.FREE_TIME, invoice_id=before.id)]

    async def showing() -> set[int]:
        return {row["id"] for row in await tx.fetch(store.SHOWING, time_ids=freed)}

    ticket_ids = await _lock_tickets(showing, tx)
    await tx.execute(store.VOID, id=before.id, reason=command.reason or None)
    named = _named(before)
    told = [Change(id, "invoice", named, None) for id in sorted(ticket_ids)]
    await _retell(freed, told, command.actor, tx)
    return await _changed(before.id, "void", tx)


# --- what is there


async def _locked(
    id: int, tx: Transaction, if_version: int | None = None, field: str | None = None
) -> Invoice:
    await tx.execute(store.LOCK, id=id)
    row = await tx.fetch_one(store.GET, id=id)
    if row is None:
        raise NotFound(f"there is no invoice {id}", field=field)
    check_version(row["version"], if_version)
    return store.invoice(row)


async def _billing(client_id: int, tx: Transaction) -> Billing:
    row = await tx.fetch_one(store.BILLING, client_id=client_id)
    if row is None:
        raise NotFound(f"there is no client {client_id}", field="client_id")
    return store.billing(row)


async def _lock_tickets(wanted: Callable[[], Awaitable[set[int]]], tx: Transaction) -> set[int]:
    """Those that are wanted once they are locked: until that they may be others."""
    locked: set[int] = set()
    while not (found := await wanted()) <= locked:
        locked |= found
        await tx.execute(changes.LOCK, ids=sorted(locked))
    return found


async def _lines(
    ticket_ids: Collection[int], billing: Billing, terms: Terms, tx: Transaction
) -> list[Line]:
    rows = await tx.fetch(store.WORKED, ticket_ids=list(ticket_ids))
    return rules.draft_lines([store.worked(row, billing.timezone) for row in rows], terms)


# --- what becomes of it


async def _drafted(
    draft: Invoice | None, billing: Billing, lines: list[Line], by: Actor, tx: Transaction
) -> Invoice:
    """The draft with more lines, or a new one."""
    if draft is not None:
        rules.check_length(len(draft.lines) + len(lines))
        await store.add_lines(tx, draft.id, lines)
        return await _renewed(draft.id, billing, "draft", tx)
    rules.check_length(len(lines))
    on, due = billing.dates(datetime.now(UTC))
    id = await tx.fetch_value(
        store.INSERT,
        prefix=billing.settings.invoice_prefix,
        client_id=billing.client.id,
        date=on,
        due=due,
        currency=billing.currency,
        created_by=by.author.model_dump_json(),
        **store.party_values(billing),
    )
    await store.add_lines(tx, id, lines)
    invoice = store.invoice(await tx.fetch_row(store.GET, id=id))
    tx.emit(contracts.InvoiceDrafted(invoice=invoice))
    return invoice


async def _renewed(
    id: int,
    billing: Billing,
    state: contracts.InvoiceState,
    tx: Transaction,
    mail: InvoiceMail | None = None,
) -> Invoice:
    """With today's date, and the parties as they are now."""
    on, due = billing.dates(datetime.now(UTC))
    values = store.party_values(billing)
    await tx.execute(store.RENEW, id=id, state=state, date=on, due=due, **values)
    return await _changed(id, "issued" if state == "issued" else "added", tx, mail)


async def _changed(
    id: int,
    what: Literal["added", "issued", "void"],
    tx: Transaction,
    mail: InvoiceMail | None = None,
) -> Invoice:
    invoice = store.invoice(await tx.fetch_row(store.GET, id=id))
    tx.emit(contracts.InvoiceChanged(invoice=invoice, what=what, mail=mail))
    return invoice


async def _tell(
    invoice: Invoice, lines: Iterable[Line], by: Actor, tx: Transaction
) -> list[Ticket]:
    """That time and tickets are on it now."""
    time_ids = [id for line in lines for id in line.time_ids]
    ticket_ids = sorted({line.ticket.id for line in lines})
    told = [Change(id, "invoice", None, _named(invoice)) for id in ticket_ids]
    return await _retell(time_ids, told, by, tx)


async def _retell(
    time_ids: list[int], told: list[Change], by: Actor, tx: Transaction
) -> list[Ticket]:
    for row in await tx.fetch(store.RETELL_TIME, time_ids=time_ids):
        tx.emit(TimeChanged(time=timekeeping.time_entry(row)))
    items = {item.ticket_id: item for item in await history.remember(tx, by, told)}
    rows = await tx.fetch(store.RETELL_TICKETS, ids=list(items))
    tickets = [documents.ticket(row) for row in rows]
    for ticket in tickets:
        tx.emit(TicketChanged(ticket=ticket, history=(items[ticket.id],)))
    return tickets


def _named(invoice: Invoice) -> dict[str, int | str]:
    return {"id": invoice.id, "name": invoice.reference}
