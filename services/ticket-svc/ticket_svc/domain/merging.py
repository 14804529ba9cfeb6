"""Merging: which ticket may be merged into which, and what the target takes over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deskwire.contracts.ticket_commands import MergeTicket
from deskwire.contracts.tickets import Ticket
from deskwire.errors import Conflict, Invalid
from ticket_svc.domain.life import check_unmerged


@dataclass(frozen=True, slots=True)
class Joined:
    """What came to a target by a merge, and is taken from it again when that is undone."""

    watchers: tuple[str, ...]
    asset_ids: tuple[int, ...]

    def without(self, gone: "Joined") -> "Joined":
        return Joined(
            tuple(w for w in self.watchers if w not in gone.watchers),
            tuple(a for a in self.asset_ids if a not in gone.asset_ids),
        )

    def common(self, other: "Joined") -> "Joined":
        return self.without(self.without(other))


def check_merge(source: Ticket, target: Ticket, command: MergeTicket) -> None:
    """Raises what speaks against it. A chain can come of it, a circle never: no ticket can be
    merged into one that is merged itself."""
    if source.id == target.id:
        raise Invalid("a ticket cannot be merged into itself", field="into")
    check_unmerged(source)
    if target.merged_into is not None:
        landing = f"{target.reference} is merged into the ticket {target.merged_into}"
        raise Conflict(f"{landing}: merge into that one", field="into")
    if target.status == "closed":
        raise Conflict(f"{target.reference} is closed: reopen it first", field="into")
    if source.client != target.client and not command.across_clients:
        raise Conflict("the tickets are of different clients", field="across_clients")


def joining(source: Ticket, target: Ticket) -> Joined:
    """The source's contact, watchers and assets, as far as the target has not got them."""
    contact = target.contact.email if target.contact else None
    known = {email.casefold() for email in (*target.watchers, contact or "")}
    people = [*source.watchers]
    if source.contact and source.contact.email:
        people.insert(0, source.contact.email)
    assets = {asset.id for asset in target.assets}
    return Joined(
        watchers=tuple(_each_once(email for email in people if email.casefold() not in known)),
        asset_ids=tuple(asset.id for asset in source.assets if asset.id not in assets),
    )


def leaving(joined: Joined, further: Sequence[Joined]) -> list[Joined]:
    """What each ticket on the way to where all is shown gives back: the direct target all that
    the merge brought it, each one beyond only what its own merge brought along of that."""
    gone = [joined]
    for hop in further:
        gone.append(gone[-1].common(hop))
    return gone


def _each_once(emails: Iterable[str]) -> Iterable[str]:
    first: dict[str, str] = {}
    for email in emails:
        first.setdefault(email.casefold(), email)
    return first.values()
