"""Whom a mail of an event is for."""

import re
from dataclasses import dataclass

from deskwire.contracts.actors import Author
from deskwire.contracts.tickets import Ticket, TicketMerged, TicketNoted
from notify_svc.domain.agents import Agent, Agents, mentioned
from notify_svc.domain.mails import Told, actor, change, team_of

_ROBOT = re.compile(r"(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recipient:
    """``contact_id``: as the ticket's contact; ``watches``: as one who watches it."""

    email: str
    name: str = ""
    agent_id: int | None = None
    contact_id: int | None = None
    watches: bool = False

    def is_(self, author: Author) -> bool:
        if author.type == "agent" and author.id is not None and author.id == self.agent_id:
            return True
        return (author.email or "").casefold() == self.email.casefold()


def contact(event: Told, _agents: Agents) -> list[Recipient]:
    return _contact(event.ticket)


def contact_to_confirm(event: Told, agents: Agents) -> list[Recipient]:
    return [one for one in contact(event, agents) if not _ROBOT.match(one.email)]


def watchers(event: Told, _agents: Agents) -> list[Recipient]:
    return _watchers(event.ticket)


def client_side(event: Told, _agents: Agents) -> list[Recipient]:
    return [*_contact(event.ticket), *_watchers(event.ticket)]


def source_side(event: Told, _agents: Agents) -> list[Recipient]:
    if not isinstance(event, TicketMerged):
        return []
    return [*_contact(event.source), *_watchers(event.source)]


def team(event: Told, _agents: Agents) -> list[Recipient]:
    return [Recipient(email) for email in team_of(event)]


def responsible(event: Told, agents: Agents) -> list[Recipient]:
    return [*assignee(event, agents), *team(event, agents)]


def assignee(event: Told, agents: Agents) -> list[Recipient]:
    return _assignee(event.ticket, agents)


def assignee_or_team(event: Told, agents: Agents) -> list[Recipient]:
    """What a client writes is read by somebody."""
    return assignee(event, agents) or team(event, agents)


def writer(event: Told, agents: Agents) -> list[Recipient]:
    agent = agents.get(actor(event).id or 0)
    return _agent(agent) if agent else []


def assignee_now(event: Told, agents: Agents) -> list[Recipient]:
    return assignee(event, agents) if change(event, "assigned_to") else []


def assignee_before(event: Told, agents: Agents) -> list[Recipient]:
    before = agents.get(assigned_before(event) or 0)
    return _agent(before) if before else []


def source_assignee(event: Told, agents: Agents) -> list[Recipient]:
    return _assignee(event.source, agents) if isinstance(event, TicketMerged) else []


def mentioned_agents(event: Told, agents: Agents) -> list[Recipient]:
    names = set(called(event))
    found = [agent for agent in agents.values() if names.intersection(agent.handles)]
    return [recipient for agent in found for recipient in _agent(agent)]


def _contact(ticket: Ticket) -> list[Recipient]:
    person = ticket.contact
    if person is None or not person.email:
        return []
    return [Recipient(person.email, person.name, contact_id=person.id)]


def _watchers(ticket: Ticket) -> list[Recipient]:
    return [Recipient(email, watches=True) for email in ticket.watchers]


def _assignee(ticket: Ticket, agents: Agents) -> list[Recipient]:
    """As the team's list has it; as the ticket does while that is not known here."""
    person = ticket.assigned_to
    if person is None:
        return []
    if agent := agents.get(person.id):
        return _agent(agent)
    return [Recipient(person.email, person.name, person.id)] if person.email else []


def _agent(agent: Agent) -> list[Recipient]:
    return [] if agent.archived else [Recipient(agent.email, agent.name, agent.id)]


def assigned_before(event: Told) -> int | None:
    item = change(event, "assigned_to")
    before = item.old.get("id") if item and isinstance(item.old, dict) else None
    return before if isinstance(before, int) else None


def called(event: Told) -> list[str]:
    return mentioned(event.entry.body) if isinstance(event, TicketNoted) else []
