"""What an event means for mails: when there is one, to whom, and with which text."""

import re
from dataclasses import dataclass, replace

from deskwire.contracts.mail import Body
from deskwire.contracts.people import Author
from deskwire.contracts.tickets import (
    LastMessage,
    StoredFile,
    Ticket,
    TicketChased,
    TicketDeadline,
    TicketMerged,
    TicketNoted,
    TicketReplied,
)
from notify_svc.domain.agents import Agent, Agents, mentioned
from notify_svc.domain.mails import Told, actor, change, entry_of, team_of

_ROBOT = re.compile(r"(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply)\b", re.IGNORECASE)

NO_TEXT = Body(text="")


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


# --- when


def client_hears(event: Told) -> bool:
    return event.notify_client


def by_contact(event: Told) -> bool:
    return actor(event).type == "contact"


def not_by_stranger(event: Told) -> bool:
    """Else anybody could have mails sent to whom they like."""
    return actor(event).type != "unknown"


def public(event: Told) -> bool:
    return (entry := entry_of(event)) is not None and entry.kind == "public"


def by_client(event: Told) -> bool:
    return (entry := entry_of(event)) is not None and entry.kind == "client" and entry.verified


def unverified(event: Told) -> bool:
    return (entry := entry_of(event)) is not None and not entry.verified


def verified(event: Told) -> bool:
    return not unverified(event)


def of_bounce(event: Told) -> bool:
    """A mail of ours came back."""
    return actor(event).type == "system" and _mailed(event)


def mailed_by_agent(event: Told) -> bool:
    return actor(event).type == "agent" and _mailed(event)


def closes(event: Told) -> bool:
    return _status(event)[1] == "closed"


def reopens(event: Told) -> bool:
    before, after = _status(event)
    return before == "closed" and after != "closed"


def waits_for_answer(event: Told) -> bool:
    """And is closed without one."""
    return event.ticket.status == "auto-close" and event.ticket.auto_close is not None


def client_hears_status(event: Told) -> bool:
    thread, status = event.thread, _status(event)[1]
    return event.notify_client and thread is not None and status in thread.statuses


def begun(event: Told) -> bool:
    return _status(event)[1] == "working"


def put_on_hold(event: Told) -> bool:
    return _status(event)[1] == "hold"


def made_to_wait(event: Told) -> bool:
    """By somebody: of what comes by itself the reminder is enough."""
    return waits_for_answer(event) and not _by_itself(event)


def unanswered(event: Told) -> bool:
    """It was waited for an answer long enough."""
    return _status(event)[0] == "auto-close" and _by_itself(event)


def overdue(event: Told) -> bool:
    return isinstance(event, TicketDeadline) and event.breached


def of_response(event: Told) -> bool:
    return isinstance(event, TicketDeadline) and event.deadline == "first_response"


def went_badly(event: Told) -> bool:
    return (said := event.ticket.feedback) is not None and said.rating == "bad"


def closes_source(event: Told) -> bool:
    return isinstance(event, TicketMerged) and event.closed


def _mailed(event: Told) -> bool:
    return (entry := entry_of(event)) is not None and entry.via == "email"


def _by_itself(event: Told) -> bool:
    return all(item.through.type == "system" for item in event.history)


def _status(event: Told) -> tuple[object, object]:
    item = change(event, "status")
    return (item.old, item.new) if item else (None, None)


# --- whom


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


# --- what is in it


@dataclass(frozen=True, slots=True)
class Shown:
    """The text in a mail, its files, and what is quoted below."""

    body: Body = NO_TEXT
    files: tuple[StoredFile, ...] = ()
    quotes: LastMessage | None = None


def nothing(_event: Told) -> Shown:
    return Shown()


def opening(event: Told) -> Shown:
    added = entry_of(event)
    files = added.attachments if added and added.opening else ()
    return Shown(event.ticket.body, files)


def opening_unless_mailed(event: Told) -> Shown:
    """Who has just written it knows it."""
    return nothing(event) if event.ticket.source == "email" else opening(event)


def entry(event: Told) -> Shown:
    added = entry_of(event)
    return Shown(added.body, added.attachments) if added else Shown()


def answer(event: Told) -> Shown:
    """The entry above what was said before it, as one answers by mail."""
    said = event.answers if isinstance(event, TicketReplied) else None
    return replace(entry(event), quotes=said)


def last_reply(event: Told) -> Shown:
    said = isinstance(event, TicketChased) and event.entry
    return Shown(said.body) if said else Shown()


def comment(event: Told) -> Shown:
    said = event.ticket.feedback
    return Shown(Body(text=said.comment or "")) if said else Shown()


def reason(event: Told) -> Shown:
    return Shown(Body(text=event.reason)) if isinstance(event, TicketMerged) else Shown()


# --- both


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
