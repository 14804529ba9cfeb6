"""What became of a mail closes its ledger row; what people decide about it opens it again."""

from deskwire.contracts.actors import Actor
from deskwire.contracts.mail import (
    AcceptMail,
    DiscardMail,
    HandInMail,
    InboundMail,
    MailHandled,
    RetryMail,
)
from deskwire.contracts.replay import ReplayDocuments
from deskwire.errors import Conflict, NotFound
from deskwire.messaging.handling import Handlers
from deskwire.messaging.outbox import Transaction
from deskwire.messaging.replay import replaying
from mail_ingest_svc.domain import DISCARDED, may_be_decided
from mail_ingest_svc.store import decisions
from mail_ingest_svc.store.documents import changed, inbound
from mail_ingest_svc.store.ledger import HANDLED


async def close_mail(handled: MailHandled, tx: Transaction) -> None:
    tx.append_and_tell(
        HANDLED,
        changed,
        id=handled.mail_id,
        state=handled.outcome,
        reason=handled.reason,
        ticket_id=handled.ticket_id,
        entry_id=handled.entry_id,
    )


async def hand_in(command: HandInMail, tx: Transaction) -> InboundMail:
    """The same again changes nothing."""
    if mail := await add_mail(command, tx):
        return mail
    known = {"mailbox": command.mailbox, "uid": command.uid}
    return inbound(await tx.fetch_row(decisions.HANDED_IN, **known))


async def add_mail(command: HandInMail, tx: Transaction) -> InboundMail | None:
    """A row that is read from the blobs in its turn; None when it is there already."""
    row = await tx.fetch_one(decisions.HAND_IN, **command.model_dump())
    if row is None:
        return None
    event = changed(row)
    tx.emit(event)
    return event.mail


async def retry_mail(command: RetryMail, tx: Transaction) -> InboundMail:
    await _undecided(command.mail_id, tx)
    return await _take_up(command.mail_id, command.actor, tx, accepted=False, client_id=None)


async def accept_mail(command: AcceptMail, tx: Transaction) -> InboundMail:
    await _undecided(command.mail_id, tx)
    return await _take_up(
        command.mail_id, command.actor, tx, accepted=True, client_id=command.client_id
    )


async def discard_mail(command: DiscardMail, tx: Transaction) -> InboundMail:
    """One that was discarded before stays so."""
    mail = await _undecided(command.mail_id, tx, with_content=False)
    if mail.state == "ignored" and mail.reason.startswith(DISCARDED):
        return mail
    by = command.actor.author.model_dump_json()
    event = changed(await tx.fetch_row(decisions.DISCARD, id=mail.id, decided_by=by))
    tx.emit(event)
    return event.mail


async def _undecided(mail_id: int, tx: Transaction, *, with_content: bool = True) -> InboundMail:
    """The mail, locked. Raises `Conflict` unless there is something to decide about it."""
    row = await tx.fetch_one(decisions.LOCK, id=mail_id)
    if row is None:
        raise NotFound(f"there is no mail {mail_id}")
    mail = inbound(row)
    if not may_be_decided(mail.state):
        raise Conflict(f"the mail's state is {mail.state}: there is nothing to decide")
    if with_content and mail.raw_deleted_at is not None:
        raise Conflict(f"the mail itself was deleted on {mail.raw_deleted_at:%Y-%m-%d}, in time")
    if with_content and mail.raw_id is None:
        raise Conflict("nothing was kept of it: move it back into its folder on the mail server")
    return mail


async def _take_up(
    mail_id: int, actor: Actor, tx: Transaction, *, accepted: bool, client_id: int | None
) -> InboundMail:
    """It is read anew from the blobs, in its turn."""
    event = changed(
        await tx.fetch_row(
            decisions.TAKE_UP,
            id=mail_id,
            accepted=accepted,
            client_id=client_id,
            decided_by=actor.author.model_dump_json(),
        )
    )
    tx.emit(event)
    return event.mail


HANDLERS: Handlers = {
    MailHandled: close_mail,
    HandInMail: hand_in,
    RetryMail: retry_mail,
    AcceptMail: accept_mail,
    DiscardMail: discard_mail,
    ReplayDocuments: replaying(decisions.KINDS),
}
