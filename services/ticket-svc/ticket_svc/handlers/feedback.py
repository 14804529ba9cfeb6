"""A contact says how a ticket went."""

from datetime import UTC, datetime

from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.ticket_commands import RateTicket
from deskwire.contracts.tickets import Feedback, Ticket, TicketRated
from deskwire.errors import NotFound
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain.threads import Signer
from ticket_svc.handlers.tickets import opening_thread
from ticket_svc.store import changes, documents, history, people
from ticket_svc.store.history import Change
from ticket_svc.store.settings import team


async def rate_ticket(signer: Signer, command: RateTicket, tx: Transaction) -> Ticket:
    """Also of one that is merged, or open again: it is what was asked about."""
    row = (await changes.lock(tx, [command.ticket_id])).get(command.ticket_id)
    contact = await tx.fetch_one(people.CONTACT, contact_id=command.contact_id)
    if row is None or contact is None or contact["client_id"] != row["client_id"]:
        raise NotFound(f"there is no ticket {command.ticket_id} of this contact")
    before = documents.ticket(row)
    said = {"rating": command.rating, "comment": command.comment}
    if before.feedback and before.feedback.model_dump(include=set(said)) == said:
        return before
    by = Author(type="contact", id=contact["id"], name=contact["name"], email=contact["email"])
    feedback = Feedback(**said, by=by, at=datetime.now(UTC))
    values = {"feedback": feedback.model_dump_json()}
    after = documents.ticket(await changes.update(tx, before.id, values))
    old = before.feedback and before.feedback.model_dump(include=set(said))
    told = [Change(after.id, "feedback", old, said)]
    actor = Actor(author=by, through=Through(type="link"))
    tx.emit(
        TicketRated(
            ticket=after,
            history=await history.remember(tx, actor, told),
            thread=await opening_thread(signer, row, tx),
            team=team(row),
        )
    )
    return after
