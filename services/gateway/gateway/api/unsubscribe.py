"""No more mails: for who watches a ticket, and for agents of their digests.

Mail programs that know RFC 8058 send the POST themselves, with a body of their own.
"""

from typing import cast

from fastapi import Request, Response

from deskwire.contracts.notifications import StopDigest, Telling
from deskwire.contracts.ticket_commands import StopWatching
from deskwire.links import PURPOSES, AnyLink, DigestLink, WatcherLink
from gateway.api import linked
from gateway.linked.page import Page, said, spoken


async def stop_watching(request: Request, link: WatcherLink) -> Response:
    if request.method == "POST":
        command = StopWatching(ticket_id=link.ticket_id, email=link.email)
        await linked.perform(request, command)
    return _page(request, link, reference=link.reference)


async def stop_digest(request: Request, link: DigestLink) -> Response:
    if request.method == "POST":
        command = StopDigest(agent_id=link.agent_id, every=cast(Telling, link.every))
        await linked.perform(request, command)
    return _page(request, link)


def _page(request: Request, link: AnyLink, **values: str) -> Response:
    language, purpose = spoken(link.language), PURPOSES[type(link)]
    words = {name: said(language, f"{purpose}_{name}", **values) for name in ("ask", "more")}
    told = f"{purpose}_done" if request.method == "POST" else ""
    return linked.shown(Page("stop", language, told, values=words))


routes = [linked.route(WatcherLink, stop_watching), linked.route(DigestLink, stop_digest)]
