"""The rules, in their order: the first that knows decides."""

from collections.abc import Callable
from dataclasses import dataclass

from deskwire.contracts.mail import Address, MailKind, Undelivered
from mail_ingest_svc.parse.headers import Headers
from mail_ingest_svc.parse.kind import signs
from mail_ingest_svc.parse.kind.bounce import returned_id, undelivered
from mail_ingest_svc.parse.kind.signs import first_sign
from mail_ingest_svc.parse.kind.sns import read_sns
from mail_ingest_svc.parse.tree import Part


@dataclass(frozen=True, slots=True)
class Evidence:
    """``own``: the addresses that Deskwire itself writes from, in lower case."""

    headers: Headers
    parts: tuple[Part, ...]
    sender: Address | None
    to: tuple[Address, ...]
    subject: str
    text: str
    own: frozenset[str] = frozenset()

    def part(self, *types: str) -> Part | None:
        return next((part for part in self.parts if part.type in types), None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason`` names the header, part or words; ``original_id`` the mail that a bounce is of."""

    kind: MailKind
    reason: str = ""
    undelivered: tuple[Undelivered, ...] = ()
    original_id: str | None = None


def classify(mail: Evidence) -> Verdict:
    verdicts = (rule(mail) for rule in _RULES)
    return next((verdict for verdict in verdicts if verdict), Verdict("person"))


def _ours_again(mail: Evidence) -> Verdict | None:
    marks = {mark.decode("ascii", "ignore").lower() for mark in mail.headers.all("x-deskwire-loop")}
    if marks & mail.own or (marks and not mail.own):
        return Verdict("loop", signs.OWN_MARK)
    return None


def _own(mail: Evidence) -> Verdict | None:
    if mail.sender and mail.sender.email.lower() in mail.own:
        return Verdict("own", "From")
    return None


def _feedback(mail: Evidence) -> Verdict | None:
    part = mail.part("message/feedback-report")
    if part:
        return Verdict("feedback", part.type, original_id=returned_id(mail.parts, ""))
    if mail.headers.get("x-apple-unsubscribe"):
        return Verdict("feedback", "X-Apple-Unsubscribe")
    return None


def _receipt(mail: Evidence) -> Verdict | None:
    part = mail.part("message/disposition-notification")
    if part:
        return Verdict("receipt", part.type, original_id=returned_id(mail.parts, ""))
    if signs.RECEIPT_SUBJECT.match(mail.subject) and first_sign(mail.headers, signs.AUTOMATIC):
        return Verdict("receipt", "Subject")
    return None


def _notification(mail: Evidence) -> Verdict | None:
    """Amazon's mail service tells of bounces and complaints by a mail of JSON."""
    notice = read_sns(mail.text) if mail.text.startswith("{") else None
    if notice is None:
        return None
    kind: MailKind = "feedback" if notice.complaint else "bounce"
    return Verdict(kind, "notificationType", notice.undelivered, notice.original_id)


def _bounce(mail: Evidence) -> Verdict | None:
    reason = _bounce_sign(mail)
    if reason is None:
        return None
    failed = undelivered(mail.headers, mail.parts, mail.to, mail.text)
    return Verdict("bounce", reason, failed, returned_id(mail.parts, mail.text))


def _bounce_sign(mail: Evidence) -> str | None:
    part = mail.part("message/delivery-status", "message/global-delivery-status")
    if part:
        return part.type
    if mail.headers.get("x-failed-recipients"):
        return "X-Failed-Recipients"
    report = mail.headers.get("content-type").lower()
    if b"multipart/report" in report and b"delivery-status" in report:
        return "Content-Type"
    tells = signs.BOUNCE_SUBJECT.match(mail.subject)
    if _from_mail_system(mail):
        return "Subject" if tells else "From" if signs.FAILED.search(mail.text, 0, 4000) else None
    robot = mail.sender and signs.ROBOT.match(mail.sender.email)
    return "Subject" if tells and robot else None


def _from_mail_system(mail: Evidence) -> bool:
    if first_sign(mail.headers, signs.FROM_MAIL_SYSTEM):
        return True
    sender = mail.headers.text("from") if mail.sender is None else mail.sender.email
    return signs.MAIL_SYSTEM.match(sender) is not None


def _auto_reply(mail: Evidence) -> Verdict | None:
    by_header = _by_header("auto-reply", mail, signs.AUTO_REPLY)
    return by_header or (Verdict("auto-reply", "Subject") if _told_away(mail) else None)


def _told_away(mail: Evidence) -> bool:
    answers = mail.headers.get("in-reply-to") or mail.headers.get("references")
    told = signs.AUTO_REPLY_SUBJECT if answers else signs.AUTO_REPLY_SUBJECT_ALONE
    return told.match(mail.subject) is not None


def _loop(mail: Evidence) -> Verdict | None:
    return _by_header("loop", mail, signs.LOOPS)


def _list(mail: Evidence) -> Verdict | None:
    return None if _by_our_list(mail) else _by_header("list", mail, signs.LISTS)


def _by_our_list(mail: Evidence) -> bool:
    """Our own address may be a group, such as Google's, that brings each mail as a list would."""
    posted = signs.MAILTO.findall(b" ".join(mail.headers.all("list-post")))
    return any(address.decode("ascii", "ignore").lower() in mail.own for address in posted)


def _automatic(mail: Evidence) -> Verdict | None:
    if mail.sender and signs.ROBOT.match(mail.sender.email):
        return Verdict("automatic", "From")
    return _by_header("automatic", mail, signs.AUTOMATIC)


def _by_header(kind: MailKind, mail: Evidence, rules: signs.Rules) -> Verdict | None:
    name = first_sign(mail.headers, rules)
    return Verdict(kind, name) if name else None


_RULES: tuple[Callable[[Evidence], Verdict | None], ...] = (
    _ours_again,
    _own,
    _feedback,
    _receipt,
    _notification,
    _bounce,
    _auto_reply,
    _loop,
    _list,
    _automatic,
)
