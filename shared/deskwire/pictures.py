"""Pictures within a mail's HTML (RFC 2392), from where the API has its files."""

import re
from collections.abc import Iterable, Mapping
from html import unescape
from urllib.parse import unquote

from deskwire.contracts.mail import Body

URL = "/api/v1/attachments/{}"

_SHOWN = re.compile(r'(?<=\ssrc=")cid:([^"<>\s]{1,1000})(?=")', re.IGNORECASE)


def with_pictures(body: Body, files: Iterable[tuple[str | None, int]]) -> Body:
    """``files``: the Content-ID of each and its id. A picture that is no file stays as it is."""
    ids = {content_id: id for content_id, id in reversed([*files]) if content_id}
    if not ids or not body.html:
        return body
    return body.model_copy(update={"html": _SHOWN.sub(lambda cid: _url(cid, ids), body.html)})


def _url(cid: re.Match[str], ids: Mapping[str, int]) -> str:
    id = ids.get(unquote(unescape(cid[1])))
    return cid[0] if id is None else URL.format(id)
