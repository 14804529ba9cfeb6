"""The instance's settings, and what clients have otherwise."""

from datetime import date, datetime
from typing import Literal, get_args

from pydantic import JsonValue

from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.base import Changes, Command, Document, Event
from deskwire.contracts.money import Money
from deskwire.contracts.terms import Source

UnknownSenders = Literal["ignore", "quarantine", "open"]
SenderAuthentication = Literal["any", "not-failed", "passed"]
"""Which mails count by what our mail server has found of their sender; others are quarantined."""


class MailboxSettings(Document):
    """What comes in by one mailbox, ``name`` as the ledger has it.

    ``parsing``: whether it becomes tickets. ``client_id``: whose contacts unknown senders become.
    ``assigned_to``: the agent of new tickets. ``address``, ``from_name``: where mails about tickets
    that came by it come from, and their answers go to; None: as for all others.
    """

    name: str
    parsing: bool = True
    client_id: int | None = None
    assigned_to: int | None = None
    address: str | None = None
    from_name: str | None = None


ToldStatus = Literal["open", "working", "hold", "auto-close"]
InvoiceLines = Literal["ticket", "entry"]


EVERY_SOURCE: tuple[Source, ...] = get_args(Source)


class AutoClose(Document):
    """Hours since a ticket got the status auto-close, until its client is reminded, and until it
    is closed. ``business_time``: hours of work. ``wait_hours``: so long it is on hold, with an
    answer that its client has not answered, until it gets the status by itself (None: never)."""

    enabled: bool = True
    chaser_hours: int = 48
    close_hours: int = 72
    business_time: bool = False
    wait_hours: int | None = None


class BusinessHours(Document):
    """When the team works, on the client's wall clock: ``09:00-12:30``, up to ``24:00``."""

    monday: tuple[str, ...] = ()
    tuesday: tuple[str, ...] = ()
    wednesday: tuple[str, ...] = ()
    thursday: tuple[str, ...] = ()
    friday: tuple[str, ...] = ()
    saturday: tuple[str, ...] = ()
    sunday: tuple[str, ...] = ()


class TimeRounding(Document):
    """What of the time of an invoice's line is billed: all of it, up to the next multiple of
    ``minutes``, or to the nearest one, of which a half is rounded down."""

    rule: Literal["exact", "up", "nearest"] = "exact"
    minutes: int = 15


class Seller(Document):
    """Who sends the invoices. ``contact`` is how to ask, ``payment`` how to pay: both, and the
    address, in as many lines as they have."""

    name: str = ""
    address: str | None = None
    tax_id: str | None = None
    contact: str | None = None
    payment: str | None = None


class Target(Document):
    """Minutes of work until the first response to a ticket, and until it is solved (None: any)."""

    first_response: int | None = None
    resolution: int | None = None


class Targets(Document):
    """By the ticket's priority."""

    low: Target = Target()
    medium: Target = Target()
    high: Target = Target()


WORKDAY = ("09:00-17:00",)
WORKDAYS = BusinessHours(
    monday=WORKDAY, tuesday=WORKDAY, wednesday=WORKDAY, thursday=WORKDAY, friday=WORKDAY
)


class InstanceSettings(Document):
    """What is the same for all clients.

    ``new_ticket_addresses``: the team list told of new tickets that came by one of
    ``new_ticket_sources``. ``languages``: those that
    mails are written in, the first one for who has none of them. ``timezone``: that of tickets
    without a client, and of the dates of invoices. ``default_rate``: for an hour, where neither the
    client nor the agent has one. ``payment_terms``: days, where the client has none of its own.
    ``tickets_per_sender``: so many new ones an hour come of one sender's mails, and five times as
    many answers, the others are quarantined; ``acknowledgements_per_sender``: of so many an hour a
    sender hears who is not authenticated.
    """

    ticket_prefix: str = "TCK-"
    email_parsing: bool = True
    unknown_senders: UnknownSenders = "ignore"
    mailboxes: tuple[MailboxSettings, ...] = ()
    tickets_per_sender: int = 20
    acknowledgements_per_sender: int = 3
    new_ticket_addresses: tuple[str, ...] = ()
    new_ticket_sources: tuple[Source, ...] = EVERY_SOURCE
    languages: tuple[str, ...] = ("en", "de", "fr", "es", "nl")
    timezone: str = "UTC"
    invoice_prefix: str = "INV-"
    seller: Seller = Seller()
    default_rate: Money | None = None
    payment_terms: int = 30


class PolicySettings(Document):
    """What can be otherwise for a client.

    ``client_notifications``: whether clients are told of new and of closed tickets. ``feedback``:
    whether the contact is asked how it went when a ticket is closed. ``status_notifications``: the
    other statuses of which they are told, if of closed ones. ``from_name``,
    ``from_address``: who mails come from (None: as notify-svc is told). ``reopen_days``: so long a
    client's answer opens a closed ticket again; after that it opens a new one. ``chaser_text``:
    what the reminder says (None: what its template says). ``tickets_billable``: new tickets that do
    not say otherwise. ``tax_rate``: percent of what is invoiced. ``invoice_lines``: one for each
    ticket, or for each time entry. ``invoice_mails``: the client's contacts for billing get each
    invoice that is issued.
    """

    client_notifications: bool = True
    feedback: bool = True
    status_notifications: tuple[ToldStatus, ...] = ("open", "hold", "auto-close")
    from_name: str | None = None
    from_address: str | None = None
    reopen_days: int = 14
    sender_authentication: SenderAuthentication = "not-failed"
    auto_close: AutoClose = AutoClose()
    chaser_text: str | None = None
    targets: Targets = Targets()
    business_hours: BusinessHours = WORKDAYS
    holidays: tuple[date, ...] = ()
    tickets_billable: bool = False
    tax_rate: str = "0"
    time_rounding: TimeRounding = TimeRounding()
    invoice_lines: InvoiceLines = "ticket"
    invoice_mails: bool = False

    def is_off(self, day: date) -> bool:
        """Whether it is a holiday, or a day without hours of work."""
        weekday = tuple(BusinessHours.model_fields)[day.weekday()]
        return day in self.holidays or not getattr(self.business_hours, weekday)


class Settings(PolicySettings, InstanceSettings):
    version: int = 1


class PolicyChanges(Changes):
    """What is to be otherwise; None takes it back."""

    client_notifications: bool | None = None
    feedback: bool | None = None
    status_notifications: tuple[ToldStatus, ...] | None = None
    from_name: str | None = None
    from_address: str | None = None
    reopen_days: int | None = None
    sender_authentication: SenderAuthentication | None = None
    auto_close: AutoClose | None = None
    chaser_text: str | None = None
    targets: Targets | None = None
    business_hours: BusinessHours | None = None
    holidays: tuple[date, ...] | None = None
    tickets_billable: bool | None = None
    tax_rate: str | None = None
    time_rounding: TimeRounding | None = None
    invoice_lines: InvoiceLines | None = None
    invoice_mails: bool | None = None


class SettingChanges(PolicyChanges):
    """None: back to the default."""

    ticket_prefix: str | None = None
    email_parsing: bool | None = None
    unknown_senders: UnknownSenders | None = None
    mailboxes: tuple[MailboxSettings, ...] | None = None
    tickets_per_sender: int | None = None
    acknowledgements_per_sender: int | None = None
    new_ticket_addresses: tuple[str, ...] | None = None
    new_ticket_sources: tuple[Source, ...] | None = None
    languages: tuple[str, ...] | None = None
    timezone: str | None = None
    invoice_prefix: str | None = None
    seller: Seller | None = None
    default_rate: Money | None = None
    payment_terms: int | None = None


class ClientSettings(Document):
    """What a client has otherwise: the fields that are set, none of them None.

    What is in force for the client depends on the instance's settings too; its version is the sum
    of both versions, which grows when either changes.
    """

    client_id: int
    overrides: PolicyChanges
    version: int = 0


class SettingHistoryItem(Document):
    """One setting that was changed: whose (None: the instance's), by whom, when, through what."""

    id: int
    client_id: int | None = None
    at: datetime
    by: Author
    through: Through
    field: str
    old: JsonValue = None
    new: JsonValue = None


# Commands. ``if_version`` is the version that the caller saw.


class UpdateSettings(Command[Settings], name="settings.update.v1"):
    changes: SettingChanges
    if_version: int
    actor: Actor


class UpdateClientSettings(Command[ClientSettings], name="client_settings.update.v1"):
    """``if_version``: of what is in force for the client, see `ClientSettings`."""

    client_id: int
    changes: PolicyChanges
    if_version: int
    actor: Actor


# Events.


class SettingsChanged(Event, name="settings.changed.v1"):
    settings: Settings
    history: tuple[SettingHistoryItem, ...] = ()

    @property
    def aggregate(self) -> str:
        return "settings"


class ClientSettingsChanged(Event, name="client_settings.changed.v1"):
    client_settings: ClientSettings
    history: tuple[SettingHistoryItem, ...] = ()

    @property
    def aggregate(self) -> str:
        return f"client:{self.client_settings.client_id}"


class SettingHistoryTold(Event, name="setting_history.told.v1"):
    """History that is told anew."""

    item: SettingHistoryItem

    @property
    def aggregate(self) -> str:
        return "settings"
