"""Files that were too large for a mail, for whoever got the mail."""

from fastapi import Request, Response

from deskwire.links import FileLink
from gateway.api import linked
from gateway.api.attachments import served
from gateway.api.linked import Refused
from gateway.api.services import services
from gateway.readmodel import reading


async def fetch(request: Request, link: FileLink) -> Response:
    """As long as an entry that clients see has it."""
    at = services(request)
    file = await reading.file(at.database, link.file_id, None, internal=False)
    if file is None:
        raise Refused(404)
    return await served(request, file)


routes = [linked.route(FileLink, fetch, ["GET"])]
