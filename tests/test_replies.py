"""Answers by mail as mail programs write them: only the new words show, the rest is beside them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from launching import maildir
from whole import Whole, drop, mail, told, until, whole

from deskwire.testing import FreshDatabase

OLD = "Does it blink?"

GMAIL = f"""\
<div dir="ltr">Yes, <b>red</b>.</div><br><div class="gmail_quote">
<div dir="ltr" class="gmail_attr">On Fri, May 3, 2024 at 2:13 PM Ann &lt;
<a href="mailto:ann@example.com">ann@example.com</a>&gt; wrote:<br></div>
<blockquote class="gmail_quote" style="border-left:1px">{OLD}</blockquote>
</div>
"""

OUTLOOK = f"""\
<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style>p {{margin:0}}</style></head>
<body><div class="WordSection1"><p class="MsoNormal">Yes, <b>red</b>.<o:p></o:p></p>
<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p>
<b>Von:</b> Ann &lt;ann@example.com&gt; <br><b>Gesendet:</b> Freitag, 3. Mai 2024 14:13<br>
<b>An:</b> Alice<br><b>Betreff:</b> Drucker<o:p></o:p></p></div><p class="MsoNormal">{OLD}</p>
</div></body></html>
"""

APPLE = f"""\
<html><body style="overflow-wrap: break-word;">Yes, <b>red</b>.<br id="lineBreakAtBeginningOf"><div>
<br><blockquote type="cite"><div>Le 3 mai 2024 à 14:13, Ann &lt;ann@example.com&gt; a écrit :</div>
<br class="Apple-interchange-newline"><div>{OLD}</div></blockquote></div><br></body></html>
"""


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return maildir(tmp_path / "inbox")


@pytest.fixture
async def running(
    fresh_database: FreshDatabase, tmp_path: Path, inbox: Path
) -> AsyncIterator[Whole]:
    settings = told(f"memory://{uuid4()}", tmp_path, mailboxes=[f"maildir:{inbox}"])
    async with whole(fresh_database, settings) as running:
        yield running


async def test_only_the_new_words_are_shown(running: Whole, inbox: Path) -> None:
    for html in (GMAIL, OUTLOOK, APPLE):
        entry = await answered(running, inbox, "Yes, red.", html)
        assert entry["body"]["text"] == "Yes, red."
        assert "<b>red</b>" in entry["body"]["html"]
        assert OLD not in entry["body"]["html"]
        assert OLD in entry["body"]["quoted"]


async def test_a_plain_answer_with_a_signature(running: Whole, inbox: Path) -> None:
    text = f"Yes.\n\n-- \nAlice\n\nAm 03.05.24 um 14:13 schrieb Ann:\n> {OLD}\n"
    assert (await answered(running, inbox, text))["body"] == {
        "text": "Yes.",
        "html": None,
        "quoted": f"Am 03.05.24 um 14:13 schrieb Ann:\n> {OLD}",
        "signature": "-- \nAlice",
    }


async def test_a_quotation_too_large_for_a_message_is_there_too(
    running: Whole, inbox: Path
) -> None:
    quoted = "\n".join(["On 3 May 2024 at 14:13, Ann wrote:", *[f"> {OLD}"] * 8000])
    body = (await answered(running, inbox, f"Yes.\n\n{quoted}"))["body"]
    assert (body["text"], body["quoted"], body["signature"]) == ("Yes.", quoted, "")


@pytest.mark.parametrize("long", [False, True])
async def test_a_picture_within_a_mail_is_where_its_file_is(
    running: Whole, inbox: Path, *, long: bool
) -> None:
    """Also when the mail is too large for a message."""
    message = mail("Screen", "See below.")
    padding = "<p>It hums.</p>" * 8000 if long else ""
    html = f'<p>See <img src="cid:shot%401@client.test"> <img src="cid:lost"></p>{padding}'
    message.add_alternative(html, subtype="html")
    picture = b"\x89PNG\r\n\x1a\n" + b"x" * 100
    message.get_payload()[1].add_related(  # type: ignore[union-attr, index]  # a list of parts
        picture, "image", "png", cid="<shot@1@client.test>", disposition="inline"
    )
    drop(inbox, message.as_bytes())
    ticket = (await until(running.tickets))[0]
    entry = (await running.api("GET", f"/tickets/{ticket['id']}/entries")).json["data"][0]
    (file,) = entry["attachments"]
    assert (file["inline"], file["content_id"]) == (True, "shot@1@client.test")
    place = f"/api/v1/attachments/{file['id']}"
    assert f'<img src="{place}"> <img src="cid:lost">' in entry["body"]["html"]
    shown = await running.api("GET", place.removeprefix("/api/v1"))
    assert (shown.status, shown.body, shown.headers["content-type"]) == (200, picture, "image/png")
    if not long:
        assert place in ticket["body"]["html"]


async def answered(running: Whole, inbox: Path, text: str, html: str | None = None) -> Any:
    """The entry that a mail becomes, read by itself from a new ticket's timeline."""
    new = {"subject": "Printer", "body": OLD, "client_id": running.client_id}
    ticket = await running.created("/tickets", new)
    message = mail(f"Re: [{ticket['reference']}] Printer", text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    drop(inbox, message.as_bytes())

    async def entry() -> Any:
        entries = (await running.api("GET", f"/tickets/{ticket['id']}/entries")).json["data"]
        return next((entry for entry in entries if entry["via"] == "email"), None)

    return await until(entry)
