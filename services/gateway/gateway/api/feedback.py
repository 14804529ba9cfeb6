"""How a ticket went, said by its contact on a page that the closing mail leads to."""

from collections.abc import Mapping
from typing import Any, get_args

import orjson
from fastapi import Request, Response

from deskwire.contracts.terms import Rating
from deskwire.contracts.ticket_commands import RateTicket
from deskwire.html import clean_text
from deskwire.links import FeedbackLink
from gateway.api import linked
from gateway.api.linked import Refused
from gateway.api.services import services
from gateway.linked.page import Page, spoken

LONGEST = 2000
"""Characters of a comment."""

RATINGS: tuple[Rating, ...] = get_args(Rating)


async def feedback(request: Request, link: FeedbackLink) -> Response:
    """Ask for it; or keep it, as often as it is changed."""
    row = await services(request).tickets.get(link.ticket_id, None)
    if row is None:
        raise Refused(404)
    ticket = orjson.loads(row["doc"])
    if request.method != "POST":
        said = ticket.get("feedback") or {}
        return _page(link, ticket, said | _chosen(request))
    said = await linked.form(request)
    rating, comment = said.get("rating"), _cleaned(said.get("comment", ""))
    wrong = "feedback_missing" if rating not in RATINGS else ""
    wrong = wrong or ("feedback_long" if len(comment) > LONGEST else "")
    if wrong:
        return _page(link, ticket, said, wrong, 422)
    command = RateTicket(
        ticket_id=link.ticket_id,
        contact_id=link.contact_id,
        rating=rating,
        comment=comment or None,
    )
    await linked.perform(request, command)
    return _page(link, ticket, said, "feedback_thanks")


def _cleaned(comment: str) -> str:
    """Forms have the line ends of mails (HTML, section 4.10.21.4)."""
    return clean_text(comment.replace("\r\n", "\n")).strip()


def _chosen(request: Request) -> dict[str, str]:
    """What the link says that was clicked."""
    rating = request.query_params.get("rating", "")
    return {"rating": rating} if rating in RATINGS else {}


def _page(
    link: FeedbackLink, ticket: Mapping[str, Any], said: Mapping[str, Any], told: str = "",
    status: int = 200,
) -> Response:  # fmt: skip
    values = {
        "reference": ticket["reference"],
        "subject": ticket["subject"],
        "rating": said.get("rating"),
        "comment": said.get("comment") or "",
        "longest": LONGEST,
    }
    page = Page("feedback", spoken(link.language), told, refused=status != 200, values=values)
    return linked.shown(page, status)


routes = [linked.route(FeedbackLink, feedback)]
