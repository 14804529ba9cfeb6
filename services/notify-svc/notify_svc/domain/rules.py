"""Who gets which mail: one table. The first rule that names somebody is the one for them.

Nobody is told of what they did themselves, but a contact that their ticket is there. Internal
notes are for agents alone. Clients that hear nothing of new and closed tickets get replies.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deskwire.contracts.threads import MailThread
from deskwire.contracts.tickets import (
    TicketChanged,
    TicketChased,
    TicketDeadline,
    TicketMerged,
    TicketNoted,
    TicketOpened,
    TicketRated,
    TicketReplied,
)
from notify_svc.domain.agents import Agent, Agents
from notify_svc.domain.mails import (
    CLIENT_TEMPLATES,
    Mail,
    Template,
    Told,
    about,
    actor,
    message_id,
    notice,
    reached_by_mail,
)
from notify_svc.domain.shown import (
    Shown,
    answer,
    comment,
    entry,
    last_reply,
    nothing,
    opening,
    opening_unless_mailed,
    reason,
)
from notify_svc.domain.when import (
    begun,
    by_client,
    by_contact,
    by_somebody,
    client_hears,
    client_hears_status,
    closes,
    closes_source,
    goes_on,
    made_to_wait,
    mailed_by_agent,
    not_by_stranger,
    of_bounce,
    of_response,
    overdue,
    public,
    put_on_hold,
    reopens,
    unanswered,
    unverified,
    verified,
    waits_for_answer,
    went_badly,
)
from notify_svc.domain.whom import (
    Recipient,
    assigned_before,
    assignee,
    assignee_before,
    assignee_now,
    assignee_or_team,
    called,
    client_side,
    contact_to_confirm,
    mentioned_agents,
    responsible,
    source_assignee,
    source_side,
    team,
    watchers,
    writer,
)

When = Callable[[Told], bool]
Whom = Callable[[Told, Agents], list[Recipient]]
Shows = Callable[[Told], Shown]


@dataclass(frozen=True, slots=True)
class Rule:
    """``shows`` is what is in it; ``variant``: which of the mail's sentences fit;
    ``acknowledges``: who did it is told, too."""

    event: type[Told]
    when: tuple[When, ...]
    template: Template
    whom: Whom
    shows: Shows
    variant: str = ""
    acknowledges: bool = False

    @property
    def is_general(self) -> bool:
        """Whether clients and contacts can do without it; replies they get in any case."""
        return client_hears in self.when or client_hears_status in self.when


RULES = (
    # a ticket is there
    Rule(TicketOpened, (), "assigned", assignee, opening, variant="opened"),
    Rule(
        TicketOpened,
        (client_hears, by_contact),
        "ticket-created",
        contact_to_confirm,
        opening_unless_mailed,
        acknowledges=True,
    ),
    Rule(
        TicketOpened,
        (client_hears, not_by_stranger),
        "ticket-created",
        contact_to_confirm,
        opening,
        variant="opened",
    ),
    Rule(
        TicketOpened,
        (client_hears, not_by_stranger),
        "ticket-created",
        watchers,
        opening,
        variant="watcher",
    ),
    Rule(TicketOpened, (), "new-ticket", team, opening),
    # it is answered
    Rule(TicketReplied, (public, closes), "ticket-closed", client_side, answer, "replied"),
    Rule(TicketReplied, (public, waits_for_answer), "public-reply", client_side, answer, "waiting"),
    Rule(TicketReplied, (public, put_on_hold), "public-reply", client_side, answer, "hold"),
    Rule(TicketReplied, (public,), "public-reply", client_side, answer),
    Rule(TicketReplied, (by_client, by_somebody, goes_on), "public-reply", client_side, answer),
    Rule(TicketReplied, (by_client,), "public-reply", watchers, answer),
    Rule(TicketReplied, (by_client, reopens), "client-reply", assignee_or_team, entry, "reopened"),
    Rule(TicketReplied, (by_client,), "client-reply", assignee_or_team, entry),
    Rule(TicketReplied, (public,), "agent-reply", assignee, entry),
    Rule(TicketReplied, (closes, client_hears), "ticket-closed", client_side, nothing),
    # a note is written, perhaps by who thought that it goes to the client
    Rule(
        TicketNoted,
        (mailed_by_agent,),
        "undelivered",
        writer,
        entry,
        variant="noted",
        acknowledges=True,
    ),
    Rule(TicketNoted, (verified,), "mention", mentioned_agents, entry),
    Rule(TicketNoted, (unverified,), "client-reply", assignee_or_team, entry, "unverified"),
    Rule(TicketNoted, (of_bounce,), "note", assignee_or_team, entry),
    Rule(TicketNoted, (mailed_by_agent,), "note", assignee_or_team, entry),
    Rule(TicketNoted, (), "note", assignee, entry),
    Rule(TicketNoted, (closes, client_hears), "ticket-closed", client_side, nothing),
    # it is somebody else's, closed, or open again
    Rule(TicketChanged, (), "assigned", assignee_now, opening),
    Rule(TicketChanged, (), "unassigned", assignee_before, nothing),
    Rule(TicketChanged, (closes,), "closed", assignee, nothing),
    Rule(
        TicketChanged,
        (closes, client_hears, unanswered),
        "ticket-closed",
        client_side,
        nothing,
        variant="unanswered",
    ),
    Rule(TicketChanged, (closes, client_hears), "ticket-closed", client_side, nothing),
    Rule(TicketChanged, (reopens,), "reopened", assignee, nothing),
    # it has another status
    *(
        Rule(event, (client_hears_status, when), "status-changed", client_side, nothing, variant)
        for event in (TicketChanged, TicketNoted)
        for when, variant in (
            (reopens, ""),
            (begun, "working"),
            (put_on_hold, "hold"),
            (made_to_wait, "waiting"),
        )
    ),
    # its client does not answer
    Rule(TicketChased, (), "chaser", contact_to_confirm, last_reply),
    # it is due
    Rule(TicketDeadline, (overdue, of_response), "overdue", responsible, nothing, "response"),
    Rule(TicketDeadline, (overdue,), "overdue", responsible, nothing),
    Rule(TicketDeadline, (of_response,), "due-soon", responsible, nothing, "response"),
    Rule(TicketDeadline, (), "due-soon", responsible, nothing),
    # its contact says how it went
    Rule(TicketRated, (went_badly,), "feedback", assignee_or_team, comment, "bad"),
    Rule(TicketRated, (), "feedback", assignee_or_team, comment),
    # it goes on elsewhere
    Rule(TicketMerged, (closes_source, client_hears), "ticket-merged", source_side, nothing),
    Rule(TicketMerged, (), "merged", assignee, reason),
    Rule(TicketMerged, (), "merged", source_assignee, reason),
)


def mails(event: Told, agents: Agents) -> Iterator[Mail]:
    """``agents``: those that `asked_for` names, with their preferences."""
    thread = event.thread
    if thread is None:
        return
    told: set[str] = set()
    reached = reached_by_mail(event)
    by = actor(event)
    for rule in RULES:
        if not isinstance(event, rule.event) or not all(when(event) for when in rule.when):
            continue
        for recipient in rule.whom(event, agents):
            key = recipient.email.casefold()
            if key in told or (recipient.is_(by) and not rule.acknowledges):
                continue
            if recipient.contact_id and rule.is_general and not thread.contact_hears:
                continue
            told.add(key)
            if rule.template in CLIENT_TEMPLATES and key in reached:
                continue
            yield _mail(event, thread, rule, recipient, agents)


def asked_for(event: Told) -> tuple[list[int], list[str]]:
    """The ids and the handles of the agents who may have to be told."""
    if event.thread is None:
        return [], []
    persons = [event.ticket.assigned_to]
    if isinstance(event, TicketMerged):
        persons.append(event.source.assigned_to)
    ids = {person.id for person in persons if person}
    if mailed_by_agent(event) and (writer_id := actor(event).id):
        ids.add(writer_id)
    if before := assigned_before(event):
        ids.add(before)
    return sorted(ids), called(event)


def _mail(
    event: Told, thread: MailThread, rule: Rule, recipient: Recipient, agents: Agents
) -> Mail:
    shown = rule.shows(event)
    said = {
        "to_name": recipient.name,
        "variant": rule.variant,
        "body": shown.body,
        "files": shown.files,
        "quotes": shown.quotes,
        "watches": recipient.watches,
        "language": _language(rule.template, thread, agents.get(recipient.agent_id or 0)),
    }
    if rule.template in CLIENT_TEMPLATES and actor(event).type == "system":
        said["author"] = ""  # the desk: what an API key is called is no client's business
    if rule.template == "ticket-closed" and thread.feedback:
        said["asked"] = recipient.contact_id
    return Mail(
        about=about(event),
        template=rule.template,
        recipient=recipient.email,
        message_id=message_id(rule.template, event, thread),
        notice=notice(event, thread).model_copy(update=said),
        agent_id=recipient.agent_id,
    )


def _language(template: Template, thread: MailThread, agent: Agent | None) -> str:
    if template in CLIENT_TEMPLATES:
        return thread.language
    return (agent and agent.wants.language) or thread.team_language
