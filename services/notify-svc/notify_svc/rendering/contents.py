"""What stands in a mail: subject, text and HTML. Texts of tickets are values, never templates."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from itertools import groupby
from typing import Any, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time, get_datetime_format
from babel.numbers import format_currency
from markupsafe import Markup

from deskwire.contracts.mail import DELIMITER_END, DELIMITER_START, Body
from deskwire.contracts.threads import LastMessage
from deskwire.html import clean_html, clean_text, html_of
from notify_svc.domain.mails import (
    CLIENT_TEMPLATES,
    Bill,
    Digest,
    DigestItem,
    Mail,
    Notice,
    Template,
)
from notify_svc.mime import one_line
from notify_svc.rendering.wording import Sentences, Wording

SHOWN_IN_DIGEST = 200
"""More than so many events of a digest are counted only."""

WRITTEN_TO_READER: frozenset[Template] = frozenset({"public-reply", "ticket-closed"})
"""Their text is the mail; in the others it is quoted."""

_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contents:
    language: str
    subject: str
    text: str
    html: str


def contents(
    mail: Mail,
    wording: Wording,
    *,
    sender_name: str,
    ticket_url: str | None,
    links: Mapping[str, Any],
) -> Contents:
    """Raises `NotSaid` or a `TemplateError` for what the templates do not have."""
    said = wording.of(mail.template, mail.notice.language)
    values: Values = {"sender_name": sender_name, "language": said.language, **links}
    if isinstance(mail.notice, Digest):
        values |= _of_digest(mail.notice, wording, ticket_url)
    elif isinstance(mail.notice, Bill):
        values |= _of_bill(mail.notice, said) | {"link": links["invoice"]}
    else:
        values |= _of_notice(mail, mail.notice, said, sender_name, ticket_url)
    subject = one_line(said.say("subject", values))
    values["title"] = subject
    text, html = partial(said.say, values=values), partial(said.say_html, values=values)
    return Contents(
        language=said.language,
        subject=subject,
        text=wording.filled(mail.template, "body.txt", values | {"say": text}),
        html=wording.filled(mail.template, "body.html.j2", values | {"say": html}),
    )


def _of_notice(
    mail: Mail, notice: Notice, said: Sentences, sender_name: str, ticket_url: str | None
) -> Values:
    client = one_line(notice.client)
    body = Body(text=notice.answer) if notice.answer else notice.body
    quoted = mail.template not in WRITTEN_TO_READER
    values: Values = {
        "variant": notice.variant,
        "reference": notice.reference,
        "into": notice.into,
        "subject": one_line(notice.subject),
        "client": client,
        "of_client": f"{client} - " if client else "",
        "contact": one_line(notice.contact),
        "author": one_line(notice.author) or sender_name,
        "assignee": one_line(notice.assignee.name) if notice.assignee else "",
        "to_name": _called(notice.to_name),
        "failed": one_line(notice.failed),
        "priority": said.find(notice.priority),
        "source": notice.source,
        "lead": clean_text(notice.lead).strip(),
        "closes_at": _day(notice.closes_at, notice.timezone, said.language),
        "due_at": _moment(notice.due_at, notice.timezone, said.language),
        "text": _text(body, quoted=quoted),
        "html": _html(body),
        "quoted": quoted,
        "files": ", ".join(one_line(file.name) for file in notice.files),
        "count": len(notice.files),
        "delimiter": "",
        "link": "",
    }
    if mail.template in CLIENT_TEMPLATES:
        delimiter = f"{DELIMITER_START} {said.find('delimiter')} {DELIMITER_END}"
        return values | {"delimiter": delimiter} | _quotation(notice, said.language, sender_name)
    values |= {"link": _link(notice, ticket_url)}
    facts = list(_facts(values, said))
    return values | {
        "facts": facts,
        "width": max(len(label) for label, _ in facts) + len(said.find("colon")) + 1,
    }


def _quotation(notice: Notice, language: str, sender_name: str) -> Values:
    """What is answered, and the line above it."""
    if (said := notice.quotes) is None:
        return {"quotation": ""}
    body = Body(text=said.text)
    return {
        "quotation": _text(body, quoted=True),
        "quotation_html": _html(body),
        "said_at": _moment(said.at, notice.timezone, language),
        "said_by": _name(said, sender_name),
    }


def _called(name: str) -> str:
    """Nobody is greeted by their address, which is the name of contacts that told no other."""
    return "" if "@" in name else one_line(name)


def _name(said: LastMessage, sender_name: str) -> str:
    """What an API key is called is no client's business."""
    by = said.author
    return sender_name if by.type == "system" else one_line(by.name or by.email or sender_name)


def _day(at: datetime | None, timezone: str, language: str) -> str:
    """On the wall calendar of the client: Tuesday, March 3, 2026."""
    if at is None:
        return ""
    return _on_calendar(at.astimezone(ZoneInfo(timezone)).date(), "full", language)


def _moment(at: datetime | None, timezone: str, language: str) -> str:
    """The same with its time and zone: Mar 3, 2026, 5:00 PM CET."""
    if at is None:
        return ""
    return _on_clock(at.replace(second=0, microsecond=0), timezone, language)


@lru_cache(maxsize=1000)
def _on_clock(minute: datetime, timezone: str, language: str) -> str:
    """Each of those who are told of an event is told the same one."""
    local = minute.astimezone(ZoneInfo(timezone))
    day = _on_calendar(local.date(), "medium", language)
    time = format_time(local, "short", locale=language)
    both = str(get_datetime_format("medium", locale=language)).format(time, day)
    return f"{both} {local:%Z}"


@lru_cache(maxsize=1000)
def _on_calendar(day: date, form: Literal["full", "medium"], language: str) -> str:
    """Many mails name the same few days, and Babel takes as long for one as a template does."""
    return format_date(day, form, locale=language)


def _facts(values: Values, said: Sentences) -> Iterator[tuple[str, str]]:
    """What agents see of the ticket, as far as it is known."""
    facts = values | {"contact": values["contact"] or values["author"], "ticket": values["link"]}
    known_anyway = said.template in ("new-ticket", "assigned")
    for name in ("client", "contact", "assignee", "priority", "files", "ticket"):
        if facts[name] and not (known_anyway and name == "assignee"):
            yield said.find(f"label_{name}"), facts[name]


def _link(notice: Notice, ticket_url: str | None) -> str:
    return ticket_url.replace("{id}", str(notice.ticket_id)) if ticket_url else ""


def _text(body: Body, *, quoted: bool) -> str:
    text = clean_text(body.text).strip()
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n")) if quoted and text else text


def _html(body: Body) -> Markup:
    """Cleaned here once more, whatever the ticket holds; pictures would need their attachments."""
    if not body.html:
        return Markup(html_of(clean_text(body.text).strip()))  # noqa: S704  # it escapes the text
    return Markup(clean_html(_IMAGE.sub("", body.html)))  # noqa: S704  # cleaned in this line


# --- invoices


def _of_bill(bill: Bill, said: Sentences) -> Values:
    """Whoever is responsible sees it as agents see tickets."""
    total = format_currency(Decimal(bill.total.amount), bill.total.currency, locale=said.language)
    client, label, answer = one_line(bill.client), said.find("label_client"), Body(text=bill.answer)
    return {
        "reference": bill.reference,
        "client": client,
        "to_name": one_line(bill.to_name),
        "total": total,
        "due": format_date(bill.due, "long", locale=said.language),
        "failed": one_line(bill.failed),
        "subject": total,
        "text": _text(answer, quoted=True),
        "html": _html(answer),
        "facts": [(label, client)],
        "width": len(label) + len(said.find("colon")) + 1,
        "delimiter": "",
    }


# --- digests


def _of_digest(digest: Digest, wording: Wording, ticket_url: str | None) -> Values:
    shown = sorted(digest.items[:SHOWN_IN_DIGEST], key=lambda item: item.notice.ticket_id)
    tickets = [
        _ticket(list(items), digest, wording, ticket_url)
        for _, items in groupby(shown, key=lambda item: item.notice.ticket_id)
    ]
    return {
        "count": len(digest.items),
        "left": len(digest.items) - len(shown),
        "tickets": tickets,
        "to_name": one_line(digest.to_name),
        "delimiter": "",
    }


def _ticket(
    items: Sequence[DigestItem], digest: Digest, wording: Wording, ticket_url: str | None
) -> Values:
    notice = items[-1].notice
    return {
        "reference": notice.into or notice.reference,
        "subject": one_line(notice.subject),
        "link": _link(notice, ticket_url),
        "lines": [_line(item, digest, wording) for item in items],
    }


def _line(item: DigestItem, digest: Digest, wording: Wording) -> Values:
    said = wording.of("digest", digest.language)
    notice = item.notice
    values = {
        "variant": notice.variant,
        "author": one_line(notice.author) or one_line(notice.contact) or "Deskwire",
        "reference": notice.reference,
        "into": notice.into,
        "failed": one_line(notice.failed),
    }
    at = item.at.astimezone(ZoneInfo(digest.timezone))
    return {
        "at": format_datetime(at, "EEE HH:mm", locale=said.language),
        "says": said.say(item.event, values),
    }
