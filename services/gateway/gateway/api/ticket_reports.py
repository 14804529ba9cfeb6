"""What became of tickets: open by age, first response, feedback, volume."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from gateway.api import answers
from gateway.api.auth import router, scope
from gateway.api.services import services
from gateway.api.time_reports import RangeQuery
from gateway.readmodel import reports
from gateway.readmodel.reports import AGES, Range

routes = router("/reports", "reports")


class TicketReportQuery(RangeQuery):
    """``agent_id``: whose the tickets are now."""

    def range(self) -> Range:
        self.check()
        return Range(self.since, self.until, self.timezone, self.agent_id, self.client_id)


class Age(BaseModel):
    """Of this many days and more, but fewer than ``below_days`` (null: without end)."""

    from_days: int
    below_days: int | None
    tickets: int


class OpenTickets(BaseModel):
    tickets: int
    unassigned: int
    by_age: list[Age]
    by_status: dict[str, int]


class FirstResponse(BaseModel):
    """Of the tickets that were opened in the range; seconds, null without any answer."""

    tickets: int
    answered: int
    mean_seconds: int | None
    median_seconds: int | None
    p90_seconds: int | None = Field(description="nine of ten answers were as fast or faster")


class FeedbackGiven(BaseModel):
    """Of the tickets that were closed in the range, whenever it was given."""

    closed: int
    good: int
    bad: int


class Volume(BaseModel):
    day: date
    opened: int
    closed: int


class TicketReport(BaseModel):
    """``open`` is of this moment, the rest is of the range."""

    open: OpenTickets
    first_response: FirstResponse
    feedback: FeedbackGiven
    volume: list[Volume]


@routes.get("/tickets", response_model=TicketReport)
@scope("tickets:read", everywhere=True)
async def report_tickets(
    request: Request, query: Annotated[TicketReportQuery, Query()]
) -> Response:
    """What is open now by age, how fast tickets got a first answer, what clients said of them,
    how many there were each day."""
    asked, database = query.range(), services(request).lists
    told = TicketReport(
        open=_open(await reports.still_open(database, asked)),
        first_response=_first_response(await reports.first_response(database, asked)),
        feedback=FeedbackGiven(**dict(await reports.feedback(database, asked))),
        volume=_volume(asked, await reports.volume(database, asked)),
    )
    return answers.tagged(request, told.model_dump_json())


def _open(rows: Sequence[asyncpg.Record]) -> OpenTickets:
    bounds = zip((0, *AGES), (*AGES, None), strict=True)
    statuses = sorted({row["status"] for row in rows})
    return OpenTickets(
        tickets=_sum(rows),
        unassigned=sum(row["unassigned"] for row in rows),
        by_age=[
            Age(from_days=start, below_days=end, tickets=_sum(rows, age=place))
            for place, (start, end) in enumerate(bounds)
        ],
        by_status={status: _sum(rows, status=status) for status in statuses},
    )


def _sum(rows: Sequence[asyncpg.Record], **of: Any) -> int:
    return sum(row["tickets"] for row in rows if all(row[n] == value for n, value in of.items()))


def _first_response(row: asyncpg.Record) -> FirstResponse:
    median, p90 = row["percentiles"] or (None, None)
    return FirstResponse(
        tickets=row["tickets"],
        answered=row["answered"],
        mean_seconds=None if row["mean"] is None else round(row["mean"]),
        median_seconds=median,
        p90_seconds=p90,
    )


def _volume(asked: Range, rows: dict[date, asyncpg.Record]) -> list[Volume]:
    """Each day of the range, also those without any."""
    zone = ZoneInfo(asked.timezone)
    day = asked.since.astimezone(zone).date()
    last = (asked.until - timedelta(microseconds=1)).astimezone(zone).date()
    days = [day + timedelta(days=past) for past in range((last - day).days + 1)]
    nothing = {"opened": 0, "closed": 0}
    return [Volume(day=each, **dict(nothing, **_counts(rows.get(each)))) for each in days]


def _counts(row: asyncpg.Record | None) -> dict[str, int]:
    return {} if row is None else {"opened": row["opened"], "closed": row["closed"]}
