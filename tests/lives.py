"""The rules of tickets, as one would tell them: what the API has to agree with.

Nothing here is taken from ticket-svc. Times are left out, but for whether they are there.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain


class Refused(Exception):
    """The status with which the API has to refuse."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Entry:
    id: int
    origin: int
    kind: str
    text: str
    opening: bool = False
    seconds: int = 0
    billable: bool = False
    invoice: "Invoice | None" = None
    own: bool = True
    edited: bool = False
    redacted: bool = False


@dataclass(eq=False)
class Invoice:
    id: int
    client: int
    void: bool = False


@dataclass
class Merge:
    source: int
    target: int
    status: str
    joined: list[str]


@dataclass
class Ticket:
    id: int
    client: int
    contact: str | None
    subject: str
    status: str = "open"
    priority: str = "low"
    category: str | None = None
    billable: bool = False
    agent: int | None = None
    tags: list[str] = field(default_factory=list)
    watchers: list[str] = field(default_factory=list)
    merged_into: int | None = None
    answered: bool = False
    last_reply: str | None = None
    version: int = 1


@dataclass
class Desk:
    """All tickets, what is shown on each, and the merges that hold, oldest first."""

    tickets: dict[int, Ticket] = field(default_factory=dict)
    shown: dict[int, list[Entry]] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)

    def open(self, ticket: Ticket, entry: Entry) -> None:
        self.tickets[ticket.id] = ticket
        self.shown[ticket.id] = [entry]

    def landing(self, id: int) -> Ticket:
        """Where all that is for a ticket is shown."""
        return self.tickets[self.tickets[id].merged_into or id]

    # --- entries

    def reply(
        self, id: int, entry: Entry, status: str | None = None, cc: Sequence[str] = ()
    ) -> Ticket:
        ticket = self.landing(id)
        self.check_reply(id, status)
        if status is None and entry.kind == "client" and ticket.status in RESTING:
            status = "open"
        ticket.status = status or ticket.status
        if entry.kind != "internal":
            ticket.last_reply = entry.kind
        ticket.answered |= entry.kind == "public"
        ticket.watchers += [who for who in dict.fromkeys(cc) if who not in ticket.watchers]
        ticket.version += 1
        entry.origin = ticket.id
        entry.billable = ticket.billable
        self.shown[ticket.id].append(entry)
        return ticket

    def check_reply(self, id: int, status: str | None) -> None:
        if self.landing(id).status == "closed" and status in ("hold", "auto-close"):
            raise Refused(409)

    def edit(self, id: int, entry: Entry, text: str) -> None:
        self._there(id, entry)
        if entry.kind != "internal" or not entry.own:
            raise Refused(403)
        if entry.redacted:
            raise Refused(409)
        entry.text, entry.edited = text, True
        self._touched(id, entry)

    def redact(self, id: int, entry: Entry) -> None:
        self._there(id, entry)
        if not entry.redacted:
            entry.text, entry.redacted = "", True
            self._touched(id, entry)

    def _there(self, id: int, entry: Entry) -> None:
        if entry not in self.shown[self.landing(id).id]:
            raise Refused(404)

    def _touched(self, id: int, entry: Entry) -> None:
        """The ticket on which it is shown, and the one that it opened: that shows its text too."""
        changed = {self.landing(id).id, *([entry.origin] if entry.opening else ())}
        for each in changed:
            self.tickets[each].version += 1

    # --- changes

    def change(self, id: int, version: int | None = None, **values: object) -> Ticket:
        ticket = self.tickets[id]
        if ticket.merged_into is not None:
            raise Refused(409)
        if version not in (None, ticket.version):
            raise Refused(412)
        changed = {name: v for name, v in values.items() if getattr(ticket, name) != v}
        if ticket.status == "closed" and changed.get("status") in ("hold", "auto-close"):
            raise Refused(409)
        for name, value in changed.items():
            setattr(ticket, name, value)
        ticket.version += bool(changed)
        return ticket

    # --- invoices

    def invoice(self, id: int, invoice_id: int) -> None:
        """What was worked, is billable and on no invoice yet, wherever it is shown."""
        ticket = self.landing(id)
        entries = [entry for entry in self.shown[ticket.id] if entry.seconds and entry.billable]
        left = [entry for entry in entries if entry.invoice is None]
        if not left:
            raise Refused(409)
        self.invoices.append(Invoice(invoice_id, ticket.client))
        for entry in left:
            entry.invoice = self.invoices[-1]
        ticket.version += 1

    def void(self, invoice: Invoice) -> None:
        if invoice.void:
            raise Refused(409)
        invoice.void = True
        for id, entries in self.shown.items():
            freed = [entry for entry in entries if entry.invoice is invoice]
            for entry in freed:
                entry.invoice = None
            self.tickets[id].version += bool(freed)

    def _check_invoiced(self, origins: set[int], before: Ticket, now: Ticket) -> None:
        """What was billed to a client stays on tickets of that client."""
        for entry in self.shown[before.id]:
            if entry.origin in origins and entry.invoice and entry.invoice.client != now.client:
                raise Refused(409)

    # --- merging

    def merge(self, source_id: int, target_id: int, *, across: bool = False) -> None:
        source, target = self.tickets[source_id], self.tickets[target_id]
        if source is target:
            raise Refused(422)
        refused = source.merged_into or target.merged_into or target.status == "closed"
        if refused or (source.client != target.client and not across):
            raise Refused(409)
        self._check_invoiced({source.id, *self.below(source.id)}, source, target)
        joined = self._joining(source, target)
        self.merges.append(Merge(source.id, target.id, source.status, joined))
        target.watchers += joined
        self._move({source.id, *self.below(source.id)}, source, target)
        source.status = "closed"
        source.version += 1
        target.version += 1

    def unmerge(self, id: int) -> tuple[int, int]:
        """The source that is back, and the target that has lost it."""
        merge = next(self._merges_of(id), None)
        if merge is None:
            raise Refused(409)
        source, hops = self.tickets[merge.source], list(self._onward(merge.source))
        root = self.tickets[hops[-1].target]
        self._check_invoiced({source.id, *self.below(source.id)}, root, source)
        self.merges.remove(merge)
        self._move({source.id, *self.below(source.id)}, root, source)
        source.status, source.merged_into = merge.status, None
        source.version += 1
        leaving = list(merge.joined)
        for hop in hops:
            leaving = [who for who in leaving if who in hop.joined]
            hop.joined = [who for who in hop.joined if who not in leaving]
            passed = self.tickets[hop.target]
            passed.watchers = [who for who in passed.watchers if who not in leaving]
            passed.version += 1
        return source.id, root.id

    def below(self, id: int) -> set[int]:
        direct = {merge.source for merge in self.merges if merge.target == id}
        return direct.union(*map(self.below, direct))

    def _merges_of(self, id: int) -> Iterator[Merge]:
        """Its own merge, else those into it, the last one first."""
        own = (merge for merge in self.merges if merge.source == id)
        return chain(own, (merge for merge in reversed(self.merges) if merge.target == id))

    def _onward(self, id: int) -> Iterator[Merge]:
        for merge in self.merges:
            if merge.source == id:
                yield merge
                yield from self._onward(merge.target)

    def _joining(self, source: Ticket, target: Ticket) -> list[str]:
        people = ([source.contact] if source.contact else []) + source.watchers
        there = {*target.watchers, target.contact}
        return [who for who in dict.fromkeys(people) if who not in there]

    def _move(self, origins: set[int], before: Ticket, now: Ticket) -> None:
        """Show on another ticket what came for these; those further down land there too."""
        moved = [entry for entry in self.shown[before.id] if entry.origin in origins]
        self.shown[before.id] = [e for e in self.shown[before.id] if e not in moved]
        self.shown[now.id] = sorted([*self.shown[now.id], *moved], key=lambda entry: entry.id)
        for ticket in (before, now):
            ticket.last_reply = last_reply(self.shown[ticket.id])
            if self.shown[ticket.id]:
                ticket.answered = is_answered(ticket, self.shown[ticket.id])
        for id in origins - {now.id}:
            self.tickets[id].merged_into = now.id
            self.tickets[id].version += id not in (before.id, now.id)


RESTING = ("hold", "auto-close", "closed")
"""A client's answer opens the ticket again."""


def is_answered(ticket: Ticket, entries: Iterable[Entry]) -> bool:
    """Since it was opened."""
    opening = next(entry for entry in entries if entry.opening and entry.origin == ticket.id)
    answers = (entry for entry in entries if entry.kind == "public" and not entry.opening)
    return any(entry.id > opening.id for entry in answers)


def last_reply(entries: Iterable[Entry]) -> str | None:
    replies = [entry.kind for entry in entries if entry.kind != "internal" and not entry.opening]
    return replies[-1] if replies else None
