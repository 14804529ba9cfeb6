"""The mails that we send, as others have them: our own ingest, and a browser as wide as a phone."""

import html
import json
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from test_docs_page import browse

from mail_ingest_svc.parse import parse
from mail_ingest_svc.parse.reply import Reply, read_reply
from notify_svc.domain.mails import CLIENT_TEMPLATES, Mail, Notice
from notify_svc.rendering.letter import Letterhead, render
from notify_svc.rendering.previews import previews
from notify_svc.rendering.samples import NOW, REPLY, TOKEN, samples
from notify_svc.rendering.wording import Wording

SUPPORT = "support@example.com"
HEAD = Letterhead("Example Support", SUPPORT, SUPPORT)
WORDING = Wording()
LANGUAGES = sorted(WORDING.languages)
MAILS = {f"{language}-{name}": mail for language in LANGUAGES for name, mail in samples(language)}
TO_CLIENTS = {name: mail for name, mail in MAILS.items() if mail.template in CLIENT_TEMPLATES}


def sent(mail: Mail) -> bytes:
    return render(mail, HEAD, delivery=1, created_at=NOW).content


@pytest.mark.parametrize("mail", MAILS.values(), ids=MAILS)
def test_our_mails_are_known_as_our_own_and_thread(mail: Mail) -> None:
    ours = parse(sent(mail), frozenset({SUPPORT}))
    assert ours.kind in ("loop", "own")
    assert ours.defects == ()
    assert f"<{ours.message_id}>" == mail.message_id
    if isinstance(mail.notice, Notice):  # of a ticket
        (answers_go_to,) = ours.reply_to
        assert answers_go_to.email == f"support+{TOKEN}@example.com"
        assert re.search(r"\[TCK-(12|9)\]", ours.subject)


@pytest.mark.parametrize("mail", TO_CLIENTS.values(), ids=TO_CLIENTS)
def test_what_is_written_above_our_line_is_the_answer(mail: Mail) -> None:
    """Quoted as a mail program does that says nothing of whom it quotes."""
    ours = message_from_bytes(sent(mail), policy=policy.default)
    answer = EmailMessage()
    answer["From"], answer["To"] = "ann@acme.example", ours["Reply-To"]
    answer["Subject"], answer["In-Reply-To"] = f"Re: {ours['Subject']}", ours["Message-ID"]
    text, page = (ours.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert page is not None
    answer.set_content(f"It works, thank you!\n\n{text.get_content()}")
    body = re.sub(r"(<body[^>]*>)", r"\1<div>It works, thank you!</div>", page.get_content())
    answer.add_alternative(body, subtype="html")
    reply = parse(answer.as_bytes(), frozenset({SUPPORT})).reply
    assert reply is not None
    assert reply.visible == "It works, thank you!"


ABOVE, BELOW = "It works, thank you!", "And the scanner?"
QUOTING = {name: mail for name, mail in TO_CLIENTS.items() if getattr(mail.notice, "quotes", None)}


@pytest.mark.parametrize("mail", QUOTING.values(), ids=QUOTING)
def test_what_we_quote_is_read_as_quoted(mail: Mail) -> None:
    """Where our line is gone; by whoever answers it above, below, or both."""
    text, page = bodies(mail)
    for seen in (read_reply(text), read_reply("", page)):
        assert REPLY.text in visible(seen)
        assert visible(seen).endswith("Example Support")
        assert "it blinks red" in seen.text.removeprefix(visible(seen))
    marked = "".join(f"> {line}".rstrip() + "\n" for line in text.splitlines())
    block = f'<blockquote type="cite">{page}</blockquote>'
    for answer, shown in (
        (f"{ABOVE}\n\nOn 3 May 2026, Carol wrote:\n{marked}", f"<p>{ABOVE}</p>{block}"),
        (f"{marked}\n{BELOW}\n", f"{block}<p>{BELOW}</p>"),
        (f"{ABOVE}\n\n{marked}\n{BELOW}\n", f"<p>{ABOVE}</p>{block}<p>{BELOW}</p>"),
    ):
        words = [word for word in (ABOVE, BELOW) if word in answer]
        assert visible(read_reply(answer)).split("\n\n") == words
        assert visible(read_reply("", shown)).split("\n\n") == words


def bodies(mail: Mail) -> tuple[str, str]:
    """Text and HTML without our line."""
    ours = message_from_bytes(sent(mail), policy=policy.default)
    text, page = (ours.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert page is not None
    without = re.sub(r"##-.*?-##", "", page.get_content())
    return text.get_content().replace("\r\n", "\n").partition("-##")[2], without


def visible(reply: Reply) -> str:
    parts = (reply.text[span.start : span.end] for span in reply.spans if span.kind == "visible")
    return "\n\n".join(part.strip() for part in parts)


SHEET = """<!DOCTYPE html><meta charset="utf-8"><title>mails</title>
<body style="margin: 16px; font-family: sans-serif; background: #888;"><script>
const told = %s, found = [], loaded = [];
for (const [name, page] of Object.entries(told)) {
  document.body.append(Object.assign(document.createElement("h2"), {innerText: name}));
  for (const scheme of ["light", "dark"])
    for (const width of [600, 360]) {
      const frame = document.createElement("iframe");
      frame.width = width;
      frame.style = `border: 0; margin-right: 8px; vertical-align: top; color-scheme: ${scheme};`;
      frame.srcdoc = page;
      loaded.push(new Promise(done => frame.onload = () => {
        const shown = frame.contentDocument, view = frame.contentWindow;
        const card = view.getComputedStyle(shown.querySelector(".card"));
        found.push([name, width, scheme, shown.documentElement.scrollWidth, card.backgroundColor,
                    card.color]);
        frame.height = shown.documentElement.scrollHeight;
        done();
      }));
      document.body.append(frame);
    }
}
Promise.all(loaded).then(() => document.title = JSON.stringify(found));
</script></body>"""
SHOWN = Path(__file__).parents[1] / "var" / "mails"
"""What the browser showed, to look at: a picture a language, and its mails as files."""


def luminance(colour: str) -> float:
    """Of WCAG 2.2, from ``rgb(33, 36, 40)``."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_mails_fit_a_phone_and_are_readable_at_night(language: str, tmp_path: Path) -> None:
    pages = {f"{name}: {said.subject}": said.html for name, said in previews(WORDING, language)}
    sheet = tmp_path / "sheet.html"
    sheet.write_text(SHEET % json.dumps(pages).replace("</", "<\\/"), encoding="utf-8")
    picture = _keep(language)
    flags = ("--hide-scrollbars", "--window-size=1990,18000", f"--screenshot={picture}")
    page, _ = await browse(sheet.as_uri(), tmp_path / "profile", *flags)
    found = json.loads(html.unescape(page.partition("<title>")[2].partition("</title>")[0]))
    assert len(found) == len(pages) * 4
    for name, width, scheme, wide, background, text in found:
        assert wide <= width, name
        assert (luminance(background) < 0.1) is (scheme == "dark"), name
        assert contrast(background, text) >= 7, name
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def _keep(language: str) -> Path:
    """The mails of a language; and where their picture goes."""
    folder = SHOWN / language
    folder.mkdir(parents=True, exist_ok=True)
    for name, mail in samples(language):
        (folder / f"{name}.eml").write_bytes(sent(mail))
    picture = SHOWN / f"{language}.png"
    picture.unlink(missing_ok=True)
    return picture
