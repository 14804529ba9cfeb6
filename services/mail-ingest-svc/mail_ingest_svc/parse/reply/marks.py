"""What mail programs write into their HTML around a quotation or a signature."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from mail_ingest_svc.parse.reply.languages import KINDS_OF_LABEL, plain
from mail_ingest_svc.parse.reply.lines import Mark

_RENAMED = re.compile(r"^(?:x_|ecx)+")
"""Outlook and Hotmail put these before the names in a mail that they quote."""

_BY_NAME = {
    Mark.QUOTE: (
        "gmail_quote gmail_quote_container gmail_attr moz-cite-prefix yahoo_quoted "
        "protonmail_quote tutanota_quote zmail_extra OutlookMessageHeader OLK_SRC_BODY_SECTION "
        "messageReplySection ms-outlook-mobile-reference-message "
        "mail-editor-reference-message-container reply-intro hm_quote freebirdQuote iosymail "
        "ntes-mailmaster-quote qqmail_quote mailru-blockquote"
    ),
    Mark.CUT: "divRplyFwdMsg appendonsend stopSpelling zwchr isReplyContent isForwardContent",
    Mark.SIGNATURE: (
        "gmail_signature gmail_signature_prefix moz-signature AppleMailSignature Signature "
        "ms-outlook-mobile-signature protonmail_signature_block yahoo-signature "
        "ydp-signature mobile-signature signatureblock tutanota_signature "
        "lineBreakAtBeginningOfSignature lineBreakAtBeginningOfMessage "
    ),
}
"""By class, id, name or data attribute. ``CUT`` elements are followed by what they introduce."""

_MARK_OF: dict[str, Mark] = {
    name.casefold(): mark for mark, names in _BY_NAME.items() for name in names.split()
}
_BORDER_ABOVE = re.compile(
    r"border-top:\s*(?:solid|[\d.]+p[tx]\s+solid)|border-top-width", re.IGNORECASE
)
_NO_BORDER = re.compile(r"border:\s*(?:none|0)", re.IGNORECASE)


def mark_of(node: LexborNode) -> Mark | None:
    """What an element says of the text in it."""
    attributes = node.attributes
    if not attributes:
        return Mark.BLOCK if node.tag == "blockquote" else None
    if node.tag == "blockquote":
        return _of_blockquote(attributes)
    for name in _names(attributes):
        mark = _MARK_OF.get(_RENAMED.sub("", name).casefold())
        if mark is not None:
            return mark
    return Mark.CUT if _is_outlook_header(node, attributes.get("style") or "") else None


def _names(attributes: dict[str, str | None]) -> Iterator[str]:
    for key, value in attributes.items():
        if value and (key in {"class", "id", "name"} or key.startswith("data-")):
            yield from value[:500].split()
        if key == "data-signatureblock":
            yield "signatureblock"
        if value == "__DIVIDER__":
            yield "zwchr"


def _of_blockquote(attributes: dict[str, str | None]) -> Mark | None:
    """Those made with an editor's button, to quote or to indent, are the person's own."""
    names = {_RENAMED.sub("", name) for name in _names(attributes)}
    if (attributes.get("type") or "").casefold() == "cite" or "protonmail_quote" in names:
        return Mark.QUOTE
    if "gmail_quote" in names or _NO_BORDER.search(attributes.get("style") or ""):
        return None
    return Mark.BLOCK


def _is_outlook_header(node: LexborNode, style: str) -> bool:
    """The line that Outlook draws above "From: …"."""
    if node.tag != "div" or not _BORDER_ABOVE.search(style[:500]):
        return False
    label = plain(node.text(deep=True)).partition(":")[0]
    return KINDS_OF_LABEL.get(label.strip().casefold()) in {"from", "date"}
