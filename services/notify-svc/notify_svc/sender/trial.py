"""One mail by hand, as all others go: to see whether the server takes it and how it arrives."""

from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime

from deskwire import db
from deskwire.errors import Invalid, Unavailable
from deskwire.oauth import Tokens
from notify_svc.domain.attempts import Result, judge
from notify_svc.rendering.letter import CannotRender, Letter, Letterhead, render
from notify_svc.rendering.samples import samples
from notify_svc.sender.transport import open_server
from notify_svc.settings import Settings


async def send_sample(settings: Settings, to: str, name: str, language: str) -> str:
    """The server's answer. Raises `Unavailable` with its refusal, or why it was not reached."""
    letterhead = Letterhead.of(settings)
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
    result = await _send(settings, letterhead, letter)
    verdict = judge(result, age=0, ambiguous=0, uncertain_retry=0)
    if verdict.state != "sent":
        raise Unavailable(verdict.answer or "")
    return verdict.answer or ""


async def _send(settings: Settings, letterhead: Letterhead, letter: Letter) -> Result:
    """Only a server that wants OAuth 2 needs the database, where its refresh token is."""
    helo = letterhead.address.rpartition("@")[2]
    async with AsyncExitStack() as stack:
        tokens = None
        if "oauth=" in settings.smtp_url:
            database = await stack.enter_async_context(db.connect(settings.database_url, size=1))
            tokens = Tokens(settings.oauth, database)
        line = open_server(settings.smtp_url, helo=helo, tokens=tokens).line()
        result = await line.send(letter)
        await line.rest()
        return result
