"""The team's agents, and what they want to be told of."""

from deskwire.contracts.notifications import (
    AgentNotifications,
    AgentNotificationsChanged,
    DeliveryChanged,
    SetAgentNotifications,
    StopDigest,
)
from deskwire.contracts.people import AgentChanged
from deskwire.contracts.replay import ReplayDocuments
from deskwire.errors import StaleVersion
from deskwire.messaging.outbox import Outbox, Transaction
from notify_svc.domain.agents import check
from notify_svc.store import agents, deliveries, digests


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


async def stop_digest(command: StopDigest, tx: Transaction) -> AgentNotifications:
    row = await tx.fetch_one(agents.LOCK_PREFERENCES, agent_id=command.agent_id)
    if row is None:
        return AgentNotifications(agent_id=command.agent_id)
    wants = agents.preferences(row)
    stopped = {event: "off" for event, telling in wants.events.items() if telling == command.every}
    for waiting in await tx.fetch(
        digests.STOP, prefix=f"digest:{command.agent_id}:", every=command.every
    ):
        tx.emit(DeliveryChanged(delivery=deliveries.document(waiting)))
    if not stopped:
        return wants
    after = wants.model_copy(update={"events": {**wants.events, **stopped}})
    return await set_notifications(SetAgentNotifications(notifications=after), tx)


async def ask_for_agents(outbox: Outbox) -> None:
    """On the first start, have those told that were before."""
    async with outbox.transaction() as tx:
        if await tx.fetch_value(agents.NONE_KNOWN):
            tx.emit(ReplayDocuments(kind="agent"))
