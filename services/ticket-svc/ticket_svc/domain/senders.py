"""Who sent a mail, as far as the client's registrations tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from deskwire.contracts.actors import Author
from deskwire.contracts.mail import Address, MailReceived
from deskwire.contracts.settings import SenderAuthentication, UnknownSenders
from deskwire.errors import Invalid

SUBJECT_CHARACTERS = 500
MOST_COPIED = 20
ANSWERS_PER_TICKET = 5
"""So many times the new tickets of a sender in an hour are its answers."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A registered contact, or a stranger who comes from a domain of a client (``rank`` 1) or by
    its mailbox (2)."""

    client_id: int
    contact_id: int | None
    archived: bool = False
    client_archived: bool = False
    rank: int = 0
    name: str | None = None


def opening(known: Sequence[Sender]) -> Sender | str:
    """For whom a mail opens a ticket, or why it opens none. Contacts come before domains, the
    oldest first, and these before mailboxes; whoever was archived is no stranger of the same
    client."""
    if not known:
        return "unknown sender"
    gone = {sender.client_id for sender in known if sender.archived}
    live = [s for s in known if not s.archived and not s.client_archived]
    able = [s for s in live if s.contact_id is not None or s.client_id not in gone]
    if able:
        return min(able, key=lambda s: (s.contact_id is None, s.rank, s.contact_id or 0))
    return "archived contact" if gone else "archived client"


def accepted(known: Sequence[Sender], client_id: int | None) -> Sender | None:
    """For whom an accepted mail opens a ticket: the client that was named, else as `opening`."""
    if client_id is None:
        found = opening(known)
        return found if isinstance(found, Sender) else None
    contacts = [s for s in known if s.client_id == client_id and not s.archived and s.contact_id]
    return contacts[0] if contacts else Sender(client_id, None)


def stranger(sender: Address | None) -> Author:
    if sender is None:
        return Author(type="unknown", name="unknown sender")
    return Author(type="unknown", name=contact_name(sender), email=sender.email)


def taking_part(
    known: Sequence[Sender], client_id: int | None, contact_id: int | None
) -> Sender | None:
    """As whom a sender takes part in a ticket: its contact, also when that is archived, or another
    contact of its client."""
    contacts = [s for s in known if s.contact_id is not None and s.client_id == client_id]
    own = [s for s in contacts if s.contact_id == contact_id]
    return next(iter(own + [s for s in contacts if not s.archived]), None)


def colleague(known: Sequence[Sender], client_id: int | None) -> Sender | None:
    """Who is to become a contact of a ticket's client, by whose domain the sender writes."""
    found = opening([sender for sender in known if sender.client_id == client_id])
    if isinstance(found, Sender) and found.contact_id is None and found.rank == 1:
        return found
    return None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a sender has opened and answered within the hour."""

    tickets: int = 0
    answers: int = 0


@dataclass(frozen=True, slots=True)
class MailPolicy:
    """What is in force for a mail. ``authentication``: what each client that its sender may be of
    asks of it, or the instance. ``spent`` was what came before it. ``own``: the addresses that we
    write from by the settings."""

    parsing: bool
    unknown_senders: UnknownSenders
    authentication: frozenset[SenderAuthentication]
    tickets: int
    acknowledgements: int
    assigned_to: int | None
    spent: Spent
    own: frozenset[str] = frozenset()

    @property
    def answers(self) -> int:
        return ANSWERS_PER_TICKET * self.tickets


def doubt(mail: MailReceived, policy: MailPolicy) -> str | None:
    """Why somebody is to look at the mail before it counts for anything."""
    if mail.authentication == "fail" and policy.authentication & {"not-failed", "passed"}:
        return "the domain of the sender does not vouch for it"
    if mail.authentication != "pass" and "passed" in policy.authentication:
        return "the sender is not authenticated"
    return None


def copied(mail: MailReceived, our_domain: str, own: frozenset[str]) -> tuple[str, ...]:
    """Who hears of the ticket from now on: the Cc, without our own addresses. Where nobody vouches
    for the sender it adds nobody, for a forged mail would bring its writer in."""
    if mail.authentication != "pass":
        return ()
    found = {email_key(each.email): each.email for each in mail.cc if is_address(each.email)}
    others = (
        email
        for key, email in found.items()
        if domain_of(key) != domain_key(our_domain)
        and key not in own
        and not mail.mailbox.lower().startswith(f"{key}@")
    )
    return tuple(others)[:MOST_COPIED]


def usable(sender: Address | None) -> Address | None:
    return sender if sender is not None and is_address(sender.email) else None


def refusal(mail: MailReceived) -> str:
    """Why no ticket comes of a mail without a usable sender, or of a machine's."""
    if usable(mail.sender) is None:
        return "no usable sender"
    kind = "automatic mail" if mail.kind in {"person", "automatic"} else mail.kind
    return f"{kind}: {mail.automatic}"


def is_address(email: str) -> bool:
    """Enough of RFC 5321 to match by: something at something, without white space."""
    local, at, domain = email.strip().rpartition("@")
    return bool(at and local and domain) and not any(c.isspace() for c in email.strip())


def email_key(email: str) -> str:
    """Addresses are matched by this: domain in its A-label form, all in lower case (RFC 5890)."""
    if not is_address(email):
        raise Invalid("this is not an e-mail address", field="email")
    local, _, domain = email.strip().rpartition("@")
    return f"{folded(local)}@{domain_key(domain)}"


def folded(local: str) -> str:
    """In lower case; but no letter becomes one of ASCII that was none, as the Kelvin sign would."""
    return "".join(c if not c.isascii() and c.lower()[0].isascii() else c.lower() for c in local)


def domain_key(domain: str) -> str:
    name = domain.strip().rstrip(".").lower()
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return name


def domain_of(key: str) -> str:
    return key.rpartition("@")[2]


def contact_name(sender: Address, known: Sender | None = None) -> str:
    """As the mail says; of a mail that says none as the contact is called."""
    return sender.name.strip()[:200] or (known and known.name) or sender.email


def subject_of(mail: MailReceived) -> str:
    return mail.subject.strip()[:SUBJECT_CHARACTERS] or "(no subject)"
