"""Every mail that there is, with made-up people: to look at, and to try templates on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from deskwire.contracts.actors import Author, Person
from deskwire.contracts.entries import StoredFile
from deskwire.contracts.mail import Body
from deskwire.contracts.money import Money
from deskwire.contracts.notifications import AgentEvent
from deskwire.contracts.threads import LastMessage
from notify_svc.domain.mails import (
    CLIENT_TEMPLATES,
    Bill,
    Digest,
    DigestItem,
    Mail,
    Notice,
    Template,
)
from notify_svc.domain.rules import RULES

TOKEN = "e2-abcdefgh23456722"  # noqa: S105  # a made-up one, of no use to anybody
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
REPLY = Body(
    text="The toner arrives tomorrow.\n\nCould you try the other tray until then?",
    html="<p>The toner arrives tomorrow.</p><p>Could you try the <b>other tray</b> until then?</p>",
)
OPENING = Body(text="Hi,\n\nsince this morning it blinks red and prints nothing.\n\nAnn")
ANSWERED = LastMessage(
    author=Author(type="contact", id=7, name="Ann Baker"),
    at=NOW - timedelta(hours=1),
    text=OPENING.text,
)
BAD = Body(text="Nobody told me that you would come a day later.")
TEXTS: dict[Template, Body] = {
    **dict.fromkeys(("public-reply", "chaser", "agent-reply"), REPLY),
    "client-reply": Body(text="The other tray works, thank you!"),
    "note": Body(text="Toner ordered, number 4711."),
    "undelivered": Body(text="It is on its way."),
    "mention": Body(text="@bob can you take this one?"),
    "merged": Body(text="The same fault"),
    "feedback": Body(text="Quick and friendly, thank you!"),
    **dict.fromkeys(("ticket-created", "new-ticket", "assigned"), OPENING),
}
FAILED = {"failed": "ann@acme.example", "answer": "550 5.1.1 unknown user"}


def samples(language: str) -> Iterator[tuple[str, Mail]]:
    """By name: the mail's, and its variant's."""
    kinds = dict.fromkeys((rule.template, rule.variant) for rule in RULES)
    for template, variant in (*kinds, ("undelivered", "")):
        yield (
            f"{template}-{variant}".rstrip("-"),
            _mail(template, _notice(template, variant, language)),
        )
    large = StoredFile(id=7, name="floor plan.pdf", size=30_000_000, type="x/y", blob_id="")
    with_file = _notice("public-reply", "", language).model_copy(update={"files": (large,)})
    yield "public-reply-large-file", _mail("public-reply", with_file)
    yield "invoice", _mail("invoice", _bill(language))
    yield "invoice-undelivered", _mail("invoice-undelivered", _bill(language, **FAILED))
    yield "digest", _mail("digest", _digest(language))


def _mail(template: Template, said: Notice | Digest | Bill) -> Mail:
    to = "ann@acme.example" if template in CLIENT_TEMPLATES else "bob@example.com"
    return Mail("sample", template, to, f"<{template}.{TOKEN}@example.com>", said)


def _notice(template: Template, variant: str, language: str) -> Notice:
    text = BAD if variant == "bad" else TEXTS.get(template, Body(text=""))
    values: dict[str, Any] = FAILED if (template, variant) == ("undelivered", "") else {}
    if template == "public-reply" or variant == "replied":
        values = {"quotes": ANSWERED}
    return Notice(
        ticket_id=12,
        reference="TCK-12",
        subject="Printer on the second floor is offline",
        client="Acme Bakery",
        contact="Ann Baker",
        assignee=Person(id=2, name="Bob", email="bob@example.com"),
        priority="high",
        source="api",
        author="Ann Baker" if template in ("client-reply", "new-ticket", "feedback") else "Carol",
        to_name="Ann Baker",
        into="TCK-9" if template in ("merged", "ticket-merged") else "",
        closes_at=NOW + timedelta(days=2),
        due_at=NOW + timedelta(hours=2) if template in ("due-soon", "overdue") else None,
        watches=variant == "watcher",
        asked=7 if template == "ticket-closed" else None,
        variant=variant,
        language=language,
        body=REPLY if variant == "replied" else text,
        token=TOKEN,
        **values,
    )


def _bill(language: str, **values: str) -> Bill:
    return Bill(
        invoice_id=7,
        reference="INV-7",
        client="Acme Bakery",
        total=Money(amount="1190.00", currency="EUR"),
        due=(NOW + timedelta(days=30)).date(),
        to_name="Ann Baker",
        language=language,
        **values,
    )


def _digest(language: str) -> Digest:
    events: tuple[AgentEvent, ...] = get_args(AgentEvent)
    items = tuple(
        DigestItem(
            event=event,
            at=NOW + timedelta(minutes=7 * number),
            notice=_notice(event, "", language).model_copy(
                update={"ticket_id": 12 + number % 3, "reference": f"TCK-{12 + number % 3}"}
            ),
        )
        for number, event in enumerate(events)
    )
    return Digest(agent_id=2, to_name="Bob", every="daily", language=language, items=items)
