"""One delivery for each recipient of each mail; what comes back; what is sent again."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import cast

from deskwire.contracts.invoices import InvoiceChanged
from deskwire.contracts.mail import MailBounced
from deskwire.contracts.notifications import (
    AgentEvent,
    Delivery,
    DeliveryChanged,
    RetryDelivery,
    SuppressionChanged,
)
from deskwire.html import clean_text
from deskwire.messaging.outbox import Transaction
from notify_svc.domain import rules
from notify_svc.domain.agents import Agent, Agents, Later, plan
from notify_svc.domain.attempts import never_arrives
from notify_svc.domain.mails import CLIENT_TEMPLATES, Mail, Notice, Told, bills, derived_id, digest
from notify_svc.domain.undelivered import notices
from notify_svc.store import agents, deliveries, digests, suppressions
from notify_svc.store.deliveries import Queued


async def queue_mails(event: Told, tx: Transaction) -> None:
    known = await agents.agents(tx, *rules.asked_for(event))
    for mail in rules.mails(event, known):
        await queue(mail, known, tx)


def queue_bills(event: InvoiceChanged, tx: Transaction) -> None:
    for mail in bills(event):
        _append(mail, None, tx)


async def queue_for_agents(mails: Sequence[Mail], tx: Transaction) -> None:
    """As they want them, in the language that they chose."""
    known = await agents.agents(tx, sorted({mail.agent_id for mail in mails if mail.agent_id}), [])
    for mail in mails:
        agent = known.get(mail.agent_id or 0)
        language = agent and agent.wants.language
        await queue(mail.saying(language=language) if language else mail, known, tx)


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
        message_id=clean_text(_message_id(mail)),
        context=mail.notice.model_dump_json(),
        not_before=not_before,
    )


def _message_id(mail: Mail) -> str:
    """One to the team is called as nobody can guess: who has another mail about it could say that
    it came back, and the team would get no more."""
    if mail.template in CLIENT_TEMPLATES or mail.template == "invoice":
        return mail.message_id
    return derived_id(secrets.token_hex(8), mail.message_id)


async def _add_to_digest(mail: Mail, agent: Agent, later: Later, tx: Transaction) -> None:
    """To the next one; to the one after it when that is on its way already."""
    event = cast(AgentEvent, mail.template)
    while later.digest and later.at:
        sheet = digest(mail, agent, later.digest, later.at, stamp=secrets.token_hex(10))
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


async def retry_delivery(command: RetryDelivery, tx: Transaction) -> Delivery:
    delivery = await deliveries.retry(tx, command.id)
    tx.emit(DeliveryChanged(delivery=delivery))
    return delivery


async def note_bounce(event: MailBounced, tx: Transaction) -> None:
    """Of a ticket's mail there is a note on the ticket; of an invoice's nobody but us tells."""
    back = await deliveries.bounced(tx, event)
    for _, delivery in back:
        tx.emit(DeliveryChanged(delivery=delivery))
    await suppress_addresses((delivery for _, delivery in back), tx)
    await tell_of_undelivered((each for each in back if each[0].template == "invoice"), tx)


async def tell_of_undelivered(
    undelivered: Iterable[tuple[Queued, Delivery]], tx: Transaction
) -> None:
    """Those whose matter it is that a mail did not arrive."""
    told = (mail for queued, delivery in undelivered for mail in _undelivered(queued, delivery))
    await queue_for_agents(list(told), tx)


def _undelivered(queued: Queued, delivery: Delivery) -> list[Mail]:
    """None also of a row that cannot be read, which is why it failed."""
    try:
        return list(notices(queued.mail, delivery))
    except ValueError:
        return []


async def suppress_addresses(undelivered: Iterable[Delivery], tx: Transaction) -> None:
    """The addresses that nothing will ever reach."""
    for delivery in undelivered:
        answer = delivery.answer or ""
        if never_arrives(answer):
            added = await suppressions.add(tx, delivery.recipient, answer, delivery.id)
            if added:
                tx.emit(SuppressionChanged(suppression=added))
