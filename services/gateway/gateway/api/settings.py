"""The instance's settings: one document, changed only by who has seen it."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.settings import (
    InvoiceLines,
    SenderAuthentication,
    SettingChanges,
    SettingHistoryItem,
    Settings,
    ToldStatus,
    UnknownSenders,
    UpdateSettings,
)
from deskwire.contracts.terms import Source
from gateway.api import answers, pages
from gateway.api.auth import caller, router, scope
from gateway.api.commands import write_record
from gateway.api.fields import (
    A_YEAR,
    Address,
    Addresses,
    Day,
    Hours,
    Id,
    Language,
    Line,
    Name,
    Rate,
    RequestBody,
    Shape,
    Text,
)
from gateway.api.pages import Page, Paging
from gateway.api.preconditions import version_seen
from gateway.api.records import require
from gateway.readmodel.lists import SETTING_HISTORY_LIST, among
from gateway.readmodel.records import SETTINGS_ID

routes = router("/settings", "settings")

Intervals = Annotated[
    tuple[Annotated[str, Field(max_length=11, examples=["09:00-17:00"])], ...],
    Field(max_length=10),
]
Prefix = Annotated[
    str,
    Field(max_length=20),
    Shape(
        r"^[A-Za-z]([A-Za-z0-9._-]*[A-Za-z._-])?$",
        "letters, digits, `.`, `_` and `-`, of which the first is a letter and the last no digit",
    ),
]
Percent = Annotated[
    str,
    Shape(
        r"^([0-9]{1,2}(\.[0-9]{1,3})?|100)$",
        "a decimal number up to 100 with three digits behind the point at most, as in `19`",
    ),
]


class AutoCloseHours(RequestBody):
    """Both count from when the ticket got the status auto-close; in `business_time` hours of work
    alone. A ticket that is on hold for `wait_hours` with an answer that its client has not
    answered gets the status by itself; null: never. Hours that are changed count from the next
    time on; what has the status already is reminded and closed as its `auto_close` says."""

    enabled: bool = Field(
        default=True,
        description="false: nobody is reminded and nothing is closed, neither what waits already; "
        "with true again all that has the status begins to wait anew",
    )
    chaser_hours: Hours = 48
    close_hours: int = Field(72, strict=True, ge=2, le=A_YEAR)
    business_time: bool = False
    wait_hours: Hours | None = None


Minutes = Annotated[int, Field(strict=True, ge=1, le=A_YEAR * 60)]


class TargetTimes(RequestBody):
    """In minutes of work; null: none."""

    first_response: Minutes | None = None
    resolution: Minutes | None = None


class PriorityTargets(RequestBody):
    """Until the first response to a ticket and until it is solved, by its priority. The team and
    the ticket's agent are warned when three quarters are over, and told when it is missed. A change
    counts for new tickets, and for open ones that have a deadline."""

    low: TargetTimes = TargetTimes()
    medium: TargetTimes = TargetTimes()
    high: TargetTimes = TargetTimes()


class WeekHours(RequestBody):
    """On the client's wall clock. A day that is left out is free."""

    monday: Intervals = ()
    tuesday: Intervals = ()
    wednesday: Intervals = ()
    thursday: Intervals = ()
    friday: Intervals = ()
    saturday: Intervals = ()
    sunday: Intervals = ()


class Rounding(RequestBody):
    """Of the time of an invoice's line: `up` to the next multiple of the minutes, or to the
    `nearest` one, of which a half is rounded down (ITFlow: `nearest` 15)."""

    rule: Literal["exact", "up", "nearest"] = "exact"
    minutes: int = Field(15, strict=True, ge=1, le=24 * 60)


class SellerDetails(RequestBody):
    """Who sends the invoices. The address, `contact` (how to ask) and `payment` (how to pay) may
    have several lines."""

    name: Name
    address: Annotated[Text, Field(max_length=500)] | None = None
    tax_id: Line | None = None
    contact: Annotated[Text, Field(max_length=500)] | None = None
    payment: Annotated[Text, Field(max_length=500)] | None = None


class MailboxRules(RequestBody):
    """For what comes by the mailbox that `GET /mail/inbound` calls `name`: whether it becomes
    tickets, whose contacts unknown senders become, to whom new tickets are assigned; and the
    `address` and name that mails about these tickets come from, and that answers go to."""

    name: Line
    parsing: bool = True
    client_id: Id | None = None
    assigned_to: Id | None = None
    address: Annotated[Address, Field(max_length=254)] | None = None
    from_name: Name | None = None


class PolicyChange(RequestBody):
    """What is left out stays as it is; null takes it back."""

    client_notifications: bool | None = Field(
        None,
        description="of new, closed, merged tickets, to clients whose `notifications` are on",
    )
    feedback: bool | None = Field(None, description="contacts are asked for it by the closing mail")
    status_notifications: Annotated[tuple[ToldStatus, ...], Field(max_length=20)] | None = Field(
        None, description="the other statuses of which they are told"
    )
    from_name: Name | None = Field(None, description="who mails come from")
    from_address: Annotated[Address, Field(max_length=254)] | None = None
    reopen_days: int | None = Field(
        None,
        strict=True,
        ge=0,
        le=3650,
        description="so long an answer opens a closed ticket again, then it opens a new one",
    )
    sender_authentication: SenderAuthentication | None = Field(
        None, description="which mails count, by what our mail server has found of their sender"
    )
    auto_close: AutoCloseHours | None = None
    chaser_text: Annotated[Text, Field(max_length=5000)] | None = None
    targets: PriorityTargets | None = None
    business_hours: WeekHours | None = None
    holidays: Annotated[tuple[Day, ...], Field(max_length=500)] | None = None
    tickets_billable: bool | None = Field(
        None, description="whether new tickets are, by mail too, that do not say otherwise"
    )
    tax_rate: Percent | None = Field(None, description="percent of what is invoiced")
    time_rounding: Rounding | None = None
    invoice_mails: bool | None = Field(
        None, description="contacts for billing get each invoice that is issued by mail"
    )
    invoice_lines: InvoiceLines | None = Field(
        None, description="one for each; those of entries show the client their notes"
    )


class SettingsChange(PolicyChange):
    """What is left out stays as it is; null is the default again."""

    ticket_prefix: Prefix | None = Field(None, description="of new tickets")
    email_parsing: bool | None = Field(None, description="whether mails become tickets and replies")
    unknown_senders: UnknownSenders | None = None
    mailboxes: Annotated[tuple[MailboxRules, ...], Field(max_length=200)] | None = None
    tickets_per_sender: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=100_000,
        description="in an hour, and five answers for each; more mails are quarantined",
    )
    acknowledgements_per_sender: int | None = Field(
        None, strict=True, ge=0, le=100_000, description="in an hour, if not authenticated"
    )
    new_ticket_addresses: Addresses | None = Field(None, description="told of new tickets")
    new_ticket_sources: Annotated[tuple[Source, ...], Field(max_length=20)] | None = Field(
        None, description="of those that came by one of these"
    )
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=50)] | None = None
    timezone: Annotated[str, Field(max_length=100, examples=["Europe/Berlin"])] | None = None
    invoice_prefix: Prefix | None = Field(None, description="of new invoices")
    seller: SellerDetails | None = None
    default_rate: Rate | None = Field(
        None, description="where neither the client nor the agent has one"
    )
    payment_terms: int | None = Field(
        None, strict=True, ge=0, le=3650, description="days, where the client has no `net_terms`"
    )


class SettingHistoryQuery(Paging):
    client_id: pages.Several[pages.Id] | None = Field(None, description="what these have otherwise")


@routes.get("", response_model=Settings)
@scope("settings:read", everywhere=True)
async def read_settings(request: Request) -> Response:
    """The settings; their ETag is what a change must name."""
    row = await require(request, "settings", SETTINGS_ID)
    return answers.found(request, row, Settings.model_validate_json(row["doc"]).model_dump_json())


@routes.patch("", response_model=Settings)
@scope("settings:write", everywhere=True)
async def change_settings(request: Request, change: SettingsChange) -> Response:
    """Change settings. `If-Match` is required: 428 without it, 412 when they have changed since."""
    by = caller(request)
    for mailbox in change.mailboxes or ():
        for kind, id in (("client", mailbox.client_id), ("agent", mailbox.assigned_to)):
            if id is not None:
                await require(request, kind, id, field="mailboxes")
    command = UpdateSettings(
        changes=SettingChanges(**change.model_dump(exclude_unset=True)),
        if_version=version_seen(request),
        actor=by.actor,
    )
    return await write_record(request, command)


@routes.get("/history", response_model=Page[SettingHistoryItem])
@scope("settings:read", everywhere=True)
async def list_setting_history(
    request: Request, query: Annotated[SettingHistoryQuery, Query()]
) -> Response:
    """Who changed which setting, the instance's or what clients have otherwise, from which value to
    which, when and through what; oldest first."""
    filters = [among("client_id", query.client_id)] if query.client_id else []
    return await pages.listed(request, SETTING_HISTORY_LIST, query, sort="id", filters=filters)
