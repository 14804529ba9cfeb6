"""One mail by hand, as all others go: to see whether the server takes it and how it arrives."""

from dataclasses import replace
from datetime import UTC, datetime

from deskwire.errors import Invalid, Unavailable
from notify_svc.domain.attempts import Refused, Sent
from notify_svc.mail import CannotRender, Letterhead, render
from notify_svc.samples import samples
from notify_svc.sender.transport import open_server
from notify_svc.settings import Settings


async def send_sample(settings: Settings, to: str, name: str, language: str) -> str:
    """The server's answer. Raises `Unavailable` with its refusal, or why it was not reached."""
    letterhead = Letterhead.of(settings)
    line = open_server(settings.smtp_url, helo=letterhead.address.rpartition("@")[2]).line()
    known = dict(samples(language))
    if name not in known:
        raise Invalid(f"there is no mail {name}: choose among {', '.join(known)}")
    now = datetime.now(UTC)
    stamp = f"<test.{int(now.timestamp() * 1000)}.{known[name].message_id[1:]}"
    mail = replace(known[name], recipient=to, message_id=stamp)
    try:
        letter = render(mail, letterhead, delivery=0, created_at=now)
    except CannotRender as error:
        raise Invalid(str(error)) from error
    result = await line.send(letter)
    await line.rest()
    if isinstance(result, Sent):
        return result.answer
    told = f"{result.code} {result.answer}" if isinstance(result, Refused) else ""
    raise Unavailable(told or getattr(result, "reason", ""))
