"""Mails to look at before anybody gets them, and what is wrong with their templates."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from jinja2 import TemplateError

from deskwire.errors import SetupError
from notify_svc.rendering.contents import Contents, contents
from notify_svc.rendering.linking import MailLinks
from notify_svc.rendering.samples import NOW, samples
from notify_svc.rendering.wording import NotSaid, Wording

WIDTHS = (600, 360)
_PAGE = """<!DOCTYPE html>
<html lang="{language}"><meta charset="utf-8"><title>Mails</title>
<body style="margin: 16px; font-family: sans-serif; background: #888;">{shown}</body></html>
"""

LINKS = MailLinks.of("https://desk.example.com", "a key for previews alone")
SENDER, TICKET_URL = "Example Support", "https://desk.example.com/tickets/{id}"


def previews(wording: Wording, language: str) -> Iterator[tuple[str, Contents]]:
    """Every mail in a language, by name. Raises `SetupError` for the first that is none."""
    for name, mail in samples(language):
        try:
            yield (
                name,
                contents(
                    mail,
                    wording,
                    sender_name=SENDER,
                    ticket_url=TICKET_URL,
                    links=LINKS.in_mail(mail, NOW),
                ),
            )
        except (TemplateError, NotSaid, KeyError, TypeError, ValueError) as error:
            raise SetupError(f"mail {name} in {language}: {_explained(error)}") from error


def page(wording: Wording, language: str) -> str:
    """All of them on one page that is whole in itself."""
    shown = (
        f"<h2>{escape(said.subject)}</h2>"
        f'<iframe srcdoc="{escape(said.html)}" width="{WIDTHS[0]}" height="480" title="{name}" '
        f'loading="lazy" style="border: 0;"></iframe>\n<pre>{escape(said.text)}</pre>\n'
        for name, said in previews(wording, language)
    )
    return _PAGE.format(language=language, shown="\n".join(("", *shown)))


def write(wording: Wording, language: str, folder: Path) -> list[Path]:
    """Every mail as a page of its own, and one that shows them all, wide and narrow, by day and by
    night."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = []
    shown = []
    for name, said in previews(wording, language):
        pages.append(folder / f"{name}.html")
        pages[-1].write_text(said.html, encoding="utf-8")
        frames = "".join(
            f'<iframe src="{name}.html" width="{width}" height="480" title="{name}" '
            f'style="border: 0; color-scheme: {scheme};"></iframe> '
            for scheme in ("light", "dark")
            for width in WIDTHS
        )
        shown.append(f"<h2>{escape(said.subject)}</h2>{frames}<pre>{escape(said.text)}</pre>")
    index = folder / "index.html"
    index.write_text(_PAGE.format(language=language, shown="".join(shown)), encoding="utf-8")
    return [index, *pages]


def check(wording: Wording) -> int:
    """How many mails were tried. Raises `SetupError` for the first that cannot be written."""
    return sum(1 for language in wording.languages for _ in previews(wording, language))


def _explained(error: Exception) -> str:
    place = getattr(error, "filename", None)
    line = getattr(error, "lineno", None)
    said = str(error) or type(error).__name__
    return f"{place}, line {line}: {said}" if place else said
