"""What a person wrote in a mail, told from what was quoted; nothing is ever taken away."""

from dataclasses import replace

from mail_ingest_svc.parse.reply.languages import FORWARD_PREFIXES
from mail_ingest_svc.parse.reply.model import Reply, Span
from mail_ingest_svc.parse.reply.text import read_text
from mail_ingest_svc.parse.reply.tree import read_html

__all__ = ["Reply", "Span", "read_reply"]


def read_reply(text: str, html: str | None = None, *, subject: str = "") -> Reply:
    """Reads a mail's text and its HTML as it came, which need not be harmless.

    The spans are those of the plain text, where there is one in which as much was found as in the
    HTML. ``subject`` tells forwards, of which the mail that they bring is content.
    """
    forward = subject.partition(":")[0].strip().casefold() in FORWARD_PREFIXES
    if html is None:
        return read_text(text, forward=forward)
    from_html = read_html(html, forward=forward)
    if not text.strip():
        return from_html
    from_text = read_text(text, forward=forward)
    if from_html.quoted and not from_text.quoted and from_html.text:
        return from_html
    return replace(from_text, html=from_html.html)
