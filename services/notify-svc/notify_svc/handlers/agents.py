"""The team's agents, and what they want to be told of."""

from deskwire.contracts.notifications import (
    AgentNotifications,
    AgentNotificationsChanged,
    SetAgentNotifications,
)
from deskwire.contracts.people import AgentChanged
from deskwire.contracts.replay import ReplayDocuments
from deskwire.errors import StaleVersion
from deskwire.messaging.outbox import Outbox, Transaction
from notify_svc.domain.agents import check
from notify_svc.store import agents


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


async def ask_for_agents(outbox: Outbox) -> None:
    """On the first start, have those told that were before."""
    async with outbox.transaction() as tx:
        if await tx.fetch_value(agents.NONE_KNOWN):
            tx.emit(ReplayDocuments(kind="agent"))
