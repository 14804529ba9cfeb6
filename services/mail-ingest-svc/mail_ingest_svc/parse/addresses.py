"""Reads address headers (RFC 5322 section 3.4) in one pass, and says when they are ambiguous.

The structure is read before encoded words are, so that no decoded comma or bracket can add an
address, and a mailbox that two readers could read differently is not one that may be trusted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from deskwire.contracts.mail import Address
from mail_ingest_svc.parse.charsets import decode
from mail_ingest_svc.parse.headers import MAX_STRUCTURED
from mail_ingest_svc.parse.words import decode_words, one_line

MAX_ADDRESSES = 100
MAX_EMAIL = 320
MAX_NAME = 200

_MARK = re.compile(r'\\.|[<>(),:;"]|[^\\<>(),:;"]+|.', re.DOTALL)
_EMAIL = re.compile(r'(?:"[^"<>\r\n]{1,64}"|[^\s@<>()\[\],;:"]{1,64})@(?:[^\s@<>(),;:"\\]{1,255})')


@dataclass(frozen=True, slots=True)
class Mailbox:
    """What stood between two commas; ``clear`` when it can be read in one way only."""

    address: Address
    clear: bool


@dataclass(slots=True)
class _Draft:
    phrase: list[str] = field(default_factory=list)
    comment: list[str] = field(default_factory=list)
    angle: list[str] | None = None
    odd: bool = False

    def is_empty(self) -> bool:
        return self.angle is None and not "".join(self.phrase).strip()


class _Scanner:
    """A state per bracket instead of a call per bracket: depth costs nothing."""

    def __init__(self) -> None:
        self.draft = _Draft()
        self.quoted = False
        self.comments = 0
        self.in_angle = False
        self.done: list[_Draft] = []

    def take(self, mark: str) -> None:
        if self.quoted:
            self._take_quoted(mark)
        elif self.comments or mark == "(":
            self._take_comment(mark)
        elif self.in_angle:
            self._take_angle(mark)
        else:
            self._take_plain(mark)

    def flush(self) -> None:
        self.done.append(self.draft)
        self.draft = _Draft()

    def _put(self, text: str) -> None:
        target = self.draft.angle if self.in_angle else self.draft.phrase
        if target is not None:
            target.append(text)

    def _take_quoted(self, mark: str) -> None:
        if mark == '"':
            self.quoted = False
        self._put(mark)

    def _take_comment(self, mark: str) -> None:
        self.comments += {"(": 1, ")": -1}.get(mark, 0)
        self.draft.comment.append(mark)

    def _take_angle(self, mark: str) -> None:
        if mark == ">":
            self.in_angle = False
            return
        self.draft.odd |= mark == "<"
        self.quoted = mark == '"'
        self._put(mark)

    def _take_plain(self, mark: str) -> None:
        match mark:
            case "<":
                self.draft.odd |= self.draft.angle is not None
                self.draft.angle = []
                self.in_angle = True
            case "," | ";":
                self.flush()
            case ":" if "@" not in "".join(self.draft.phrase[-20:]):
                self.draft = _Draft()
            case ">" | ")":
                self.draft.odd = True
            case _:
                self.quoted = mark == '"'
                self._put(mark)


def read_mailboxes(raw: bytes) -> list[Mailbox]:
    """Every mailbox with an address, groups opened, at most `MAX_ADDRESSES`."""
    text = decode(raw[:MAX_STRUCTURED])
    drafts = _drafts(text)
    return [m for m in _mailboxes(drafts) if m is not None][:MAX_ADDRESSES]


def read_addresses(raw: bytes) -> tuple[Address, ...]:
    return tuple(mailbox.address for mailbox in read_mailboxes(raw))


def read_sender(fields: list[bytes]) -> tuple[Address | None, str | None]:
    """The one author there is, else None and what is wrong with the From."""
    mailboxes = [mailbox for raw in fields[:10] for mailbox in read_mailboxes(raw)]
    match mailboxes:
        case []:
            return None, "from-missing"
        case [Mailbox(address, clear=True)]:
            return address, None
    return None, "from-ambiguous"


def _drafts(text: str) -> list[_Draft]:
    scanner = _scanned(text)
    if scanner.quoted or scanner.comments:
        # Something was never closed: what opened it was a character like any other.
        scanner = _scanned(text.replace('"', " ") if scanner.quoted else text.replace("(", " "))
        scanner.draft.odd |= scanner.quoted or scanner.comments > 0
    scanner.flush()
    return scanner.done


def _scanned(text: str) -> _Scanner:
    scanner = _Scanner()
    for mark in _MARK.findall(text):
        scanner.take(mark)
    return scanner


def _mailboxes(drafts: list[_Draft]) -> Iterator[Mailbox | None]:
    before = ""
    for draft in drafts[: MAX_ADDRESSES * 4]:
        phrase = "".join(draft.phrase).strip()
        if draft.angle is None and "@" not in phrase:
            # ``Doe, Jane <jane@x>``: the comma stood in a name.
            before = f"{before}{phrase}, " if phrase else before
            continue
        yield _mailbox(draft, before + phrase if draft.angle is not None else phrase)
        before = ""


def _mailbox(draft: _Draft, phrase: str) -> Mailbox | None:
    comment = "".join(draft.comment).strip("() ")
    if draft.angle is None:
        return _checked("".join(phrase.split()), comment, clear=not draft.odd, name_claim="")
    route = "".join("".join(draft.angle).split())
    email = route.rpartition(":")[2] if route.startswith("@") else route
    unquoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", phrase)
    claim = unquoted if "@" in unquoted else ""
    return _checked(email, phrase or comment, clear=not draft.odd, name_claim=claim)


def _checked(email: str, name: str, *, clear: bool, name_claim: str) -> Mailbox | None:
    email = one_line(email)
    if len(email) > MAX_EMAIL or not _EMAIL.fullmatch(email):
        return None
    # An address as an unquoted name is what some readers take for the sender.
    same = not name_claim or name_claim.strip().lower() == email.lower()
    return Mailbox(Address(name=_name(name), email=email), clear=clear and same)


def _name(phrase: str) -> str:
    bare = re.sub(r'"((?:[^"\\]|\\.)*)"', r"\1", phrase)
    return decode_words(re.sub(r"\\(.)", r"\1", bare).encode("utf-8", "ignore"))[:MAX_NAME]
