"""What was worked: seconds by ticket, agent, client or day."""

import re
from datetime import timedelta
from operator import itemgetter
from typing import Annotated, Any

import asyncpg
import orjson
from fastapi import Query, Request, Response
from pydantic import AfterValidator, BaseModel, Field

from deskwire.errors import Invalid
from gateway.api.auth import router, scope
from gateway.api.errors import Malformed
from gateway.api.fields import Moment, time_zone
from gateway.api.pages import Id, Parameters, Several
from gateway.api.services import services
from gateway.api.spreadsheets import Columns, CsvStream, streamed, table
from gateway.readmodel import timekeeping
from gateway.readmodel.lists import Page, Place
from gateway.readmodel.timekeeping import GroupBy, Report

routes = router("/reports", "reports")

_SUMS = ("seconds", "billable_seconds", "entries")

LONGEST = timedelta(days=366)

AT_ONCE = 10_000
"""Groups of a table that are read at once: each time all that counts is summed up."""

COLUMNS: Columns = {name: itemgetter(name) for name in ("id", "name", *_SUMS)}
TABLE = table(",".join(COLUMNS), "1,Bob,5400,3600,2")

_CURSOR = re.compile(r"[0-9]{1,16}")


class RangeQuery(Parameters):
    """``from`` is in the range, ``to`` is not."""

    since: Moment = Field(alias="from")
    until: Moment = Field(alias="to", description="at most 366 days later")
    timezone: Annotated[str, AfterValidator(time_zone)] = Field("UTC", description="of the days")
    client_id: Several[Id] | None = None
    agent_id: Several[Id] | None = None

    def check(self) -> None:
        if not timedelta(0) < self.until - self.since <= LONGEST:
            raise Invalid("must be after `from`, by 366 days at most", field="to")


class TimeSelection(RangeQuery):
    """What counts is when the work began."""

    group_by: GroupBy
    billable: bool | None = None
    invoiced: bool | None = Field(None, description="on an invoice that is not void")

    def report(self) -> Report:
        self.check()
        return Report(
            group_by=self.group_by,
            since=self.since,
            until=self.until,
            timezone=self.timezone,
            agent_ids=self.agent_id,
            client_ids=self.client_id,
            billable=self.billable,
            invoiced=self.invoiced,
        )


class TimeQuery(TimeSelection):
    limit: int = Field(200, ge=1, le=1000)
    cursor: str | None = Field(None, description="`next_cursor` of the page before")

    def after(self) -> int:
        """The key of the last group seen; none is below 0."""
        if self.cursor is None:
            return -1
        if not _CURSOR.fullmatch(self.cursor):
            raise Malformed("the cursor is not one of ours", field="cursor")
        return int(self.cursor)


class Sum(BaseModel):
    """``entries``: how many time entries it is of."""

    seconds: int
    billable_seconds: int
    entries: int


class Group(Sum):
    """``id`` is that of the ticket, agent or client, null for time of none; ``name`` is the
    ticket's reference, the name, the day."""

    id: int | None
    name: str | None


class TimeReport(BaseModel):
    """``sum`` is that of all groups, those of other pages too."""

    data: list[Group]
    next_cursor: str | None
    sum: Sum


@routes.get("/time", response_model=TimeReport)
@scope("tickets:read", everywhere=True)
async def report_time(request: Request, query: Annotated[TimeQuery, Query()]) -> Response:
    """What was worked in a range, summed up. Timers that run are not in it."""
    asked, limit = query.report(), query.limit
    rows = await timekeeping.report(
        services(request).lists, asked, after=query.after(), limit=limit + 1
    )
    groups = [row for row in rows if row["key"] is not None]
    more, shown = len(groups) > limit, groups[:limit]
    told = {
        "data": [_group(row, asked.group_by) for row in shown],
        "next_cursor": str(shown[-1]["key"]) if more else None,
        "sum": _sum(rows[0], "all_"),
    }
    return Response(orjson.dumps(told), media_type="application/json")


@routes.get("/time.csv", status_code=200, response_class=CsvStream, responses=TABLE)
@scope("tickets:read", everywhere=True)
async def export_time(request: Request, query: Annotated[TimeSelection, Query()]) -> Response:
    """The same as CSV, all of it: id, name, seconds, billable_seconds, entries."""
    asked, database = query.report(), services(request).lists

    async def page(_limit: int, after: Place | None) -> Page:
        rows = await timekeeping.report(
            database, asked, after=after.id if after else -1, limit=AT_ONCE
        )
        groups = [row for row in rows if row["key"] is not None]
        docs = [{"doc": orjson.dumps(_group(row, asked.group_by))} for row in groups]
        last = groups[-1]["key"] if len(groups) == AT_ONCE else None
        return Page(docs, None if last is None else Place(last, last))

    return await streamed("time.csv", COLUMNS, page, lambda doc: [orjson.loads(doc)])


def _group(row: asyncpg.Record, group_by: GroupBy) -> dict[str, Any]:
    """Of none is 0 among the keys; a day is the number of it."""
    of = None if group_by == "day" else row["key"] or None
    return {"id": of, "name": row["name"]} | _sum(row)


def _sum(row: asyncpg.Record, prefix: str = "") -> dict[str, int]:
    return {name: row[f"{prefix}{name}"] for name in _SUMS}
