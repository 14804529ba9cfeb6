"""When there is a mail: what is so of an event."""

from deskwire.contracts.tickets import TicketDeadline, TicketMerged
from notify_svc.domain.mails import Told, actor, change, entry_of


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


def by_somebody(event: Told) -> bool:
    """Whose address is known: what a key calls itself may be the ticket's contact."""
    return bool(actor(event).email)


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


def goes_on(event: Told) -> bool:
    return not closes(event)


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
