"""What notify-svc does on which message: one delivery for each recipient of each mail."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

from deskwire.contracts.mail import MailBounced
from deskwire.contracts.notifications import (
    AddSuppression,
    AgentEvent,
    AgentNotifications,
    AgentNotificationsChanged,
    Delivery,
    DeliveryChanged,
    RemoveSuppression,
    RetryDelivery,
    SetAgentNotifications,
    Suppression,
    SuppressionChanged,
)
from deskwire.contracts.people import AgentChanged
from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.tickets import (
    TicketChanged,
    TicketChased,
    TicketDeadline,
    TicketMerged,
    TicketNoted,
    TicketOpened,
    TicketReplied,
)
from deskwire.errors import Conflict, NotFound, StaleVersion
from deskwire.html import clean_text
from deskwire.messaging.consumer import Handlers
from deskwire.messaging.outbox import Outbox, Transaction
from deskwire.messaging.replay import replaying
from notify_svc.domain import rules
from notify_svc.domain.agents import Agent, Agents, Later, check, plan
from notify_svc.domain.attempts import never_arrives
from notify_svc.domain.mails import Mail, Notice, Told, digest
from notify_svc.store import KINDS, agents, deliveries, digests, suppressions


async def queue_mails(event: Told, tx: Transaction) -> None:
    known = await agents.agents(tx, *rules.asked_for(event))
    for mail in rules.mails(event, known):
        await queue(mail, known, tx)


async def queue_for_agents(mails: Iterable[Mail], tx: Transaction) -> None:
    """As they want them."""
    for mail in mails:
        known = await agents.agents(tx, [mail.agent_id] if mail.agent_id else [], [])
        await queue(mail, known, tx)


async def queue(mail: Mail, known: Agents, tx: Transaction) -> None:
    """Now, or when the agent that it is for wants it, or not at all."""
    agent = known.get(mail.agent_id or 0)
    if agent is None:
        _append(mail, None, tx)
        return
    event, now = cast(AgentEvent, mail.template), datetime.now(UTC)
    later = plan(agent.wants, event, now)
    if later and later.digest:
        await _add_to_digest(mail, agent, later, tx)
    elif later:
        _append(mail, later.at, tx)


def _append(mail: Mail, not_before: datetime | None, tx: Transaction) -> None:
    tx.append(
        deliveries.QUEUE,
        about=mail.about,
        ticket_id=mail.notice.ticket_id if isinstance(mail.notice, Notice) else None,
        template=mail.template,
        recipient=clean_text(mail.recipient),
        message_id=clean_text(mail.message_id),
        context=mail.notice.model_dump_json(),
        not_before=not_before,
    )


async def _add_to_digest(mail: Mail, agent: Agent, later: Later, tx: Transaction) -> None:
    """To the next one; to the one after it when that is on its way already."""
    event = cast(AgentEvent, mail.template)
    while later.digest and later.at:
        sheet = digest(mail, agent, later.digest, later.at)
        delivery_id = await tx.fetch_value(
            digests.OPEN,
            about=sheet.about,
            recipient=clean_text(sheet.recipient),
            message_id=clean_text(sheet.message_id),
            context=sheet.notice.model_dump_json(),
            due_at=later.at,
        )
        if delivery_id is not None:
            values = {"event": event, "context": mail.notice.model_dump_json()}
            await tx.execute(digests.ADD, delivery_id=delivery_id, **values)
            return
        later = plan(agent.wants, event, later.at) or later


async def keep_agent(event: AgentChanged, tx: Transaction) -> None:
    await tx.execute(agents.KEEP, **agents.row_of(event.agent))


async def set_notifications(command: SetAgentNotifications, tx: Transaction) -> AgentNotifications:
    """Also of an agent who is not known here yet."""
    wants = command.notifications
    check(wants)
    row = await tx.fetch_one(
        agents.KEEP_PREFERENCES,
        agent_id=wants.agent_id,
        doc=wants.model_dump_json(exclude={"version"}),
        if_version=command.if_version,
    )
    if row is None:
        raise StaleVersion
    kept = agents.preferences(row)
    tx.emit(AgentNotificationsChanged(notifications=kept))
    return kept


async def retry_delivery(command: RetryDelivery, tx: Transaction) -> Delivery:
    delivery = await deliveries.retry(tx, command.id)
    tx.emit(DeliveryChanged(delivery=delivery))
    return delivery


async def note_bounce(event: MailBounced, tx: Transaction) -> None:
    back = await deliveries.bounced(tx, event)
    for delivery in back:
        tx.emit(DeliveryChanged(delivery=delivery))
    await suppress_addresses(back, tx)


async def suppress_addresses(undelivered: Iterable[Delivery], tx: Transaction) -> None:
    """The addresses that nothing will ever reach."""
    for delivery in undelivered:
        answer = delivery.answer or ""
        if never_arrives(answer):
            added = await suppressions.add(tx, delivery.recipient, answer, delivery.id)
            if added:
                tx.emit(SuppressionChanged(suppression=added))


async def add_suppression(command: AddSuppression, tx: Transaction) -> Suppression:
    added = await suppressions.add(tx, clean_text(command.email), clean_text(command.reason))
    if added is None:
        raise Conflict("this address is suppressed already", field="email")
    tx.emit(SuppressionChanged(suppression=added))
    return added


async def remove_suppression(command: RemoveSuppression, tx: Transaction) -> Suppression:
    removed = await suppressions.remove(tx, command.id)
    if removed is None:
        raise NotFound(f"there is no suppression {command.id}")
    tx.emit(SuppressionChanged(suppression=removed))
    return removed


async def ask_for_agents(outbox: Outbox) -> None:
    """On the first start, have those told that were before."""
    async with outbox.transaction() as tx:
        if await tx.fetch_value(agents.NONE_KNOWN):
            tx.emit(ReplayDocuments(kind="agent"))


HANDLERS: Handlers = {
    TicketOpened: queue_mails,
    TicketReplied: queue_mails,
    TicketNoted: queue_mails,
    TicketChanged: queue_mails,
    TicketChased: queue_mails,
    TicketDeadline: queue_mails,
    TicketMerged: queue_mails,
    AgentChanged: keep_agent,
    MailBounced: note_bounce,
    SetAgentNotifications: set_notifications,
    RetryDelivery: retry_delivery,
    AddSuppression: add_suppression,
    RemoveSuppression: remove_suppression,
    ReplayDocuments: replaying(KINDS),
}
