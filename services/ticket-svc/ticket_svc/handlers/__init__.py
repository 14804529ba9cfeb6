"""What ticket-svc does on which message."""

from collections.abc import Collection, Sequence
from functools import partial
from itertools import groupby
from typing import Literal

from deskwire.contracts import attachments as attachment_contracts
from deskwire.contracts import invoices as invoice_contracts
from deskwire.contracts import people as people_contracts
from deskwire.contracts import settings as settings_contracts
from deskwire.contracts import ticket_commands as commands
from deskwire.contracts import tickets as contracts
from deskwire.contracts import timekeeping as time_contracts
from deskwire.contracts.base import Message
from deskwire.contracts.mail import MailReceived
from deskwire.contracts.replay import ReplayDocuments
from deskwire.messaging.handling import Handlers
from deskwire.messaging.replay import replaying
from ticket_svc.domain.threads import Signer
from ticket_svc.handlers import (
    alarms,
    attachments,
    changes,
    clock,
    entries,
    feedback,
    invoicing,
    mail,
    merging,
    records,
    settings,
    tickets,
    timekeeping,
)
from ticket_svc.store.records import AGENT, ASSET, CLIENT, CONTACT, DOMAIN, LOCATION
from ticket_svc.store.replay import KINDS


def rounds(batch: Sequence[Message]) -> list[list[int]]:
    """What opens tickets at once; then by ticket, at once what is done by one statement and comes
    in a row, and each of the others. So batches lock the tickets' numbers before tickets, and these
    in the order of their ids: else they would wait for each other.
    """
    mails = {message.message_id for message in batch if isinstance(message, MailReceived)}
    kinds = [_kind(message, mails) for message in batch]
    opening = [place for place, kind in enumerate(kinds) if kind == "opens"]
    rest = [place for place, kind in enumerate(kinds) if kind != "opens"]
    rest.sort(key=lambda place: (_ticket_of(batch[place]), kinds[place] != "adds"))
    found = [opening] if opening else []
    for kind, run in groupby(rest, key=kinds.__getitem__):
        places = list(run)
        found += [places] if kind == "adds" else [[place] for place in places]
    return found


def _kind(message: Message, mails: Collection[str | None]) -> Literal["opens", "adds", "other"]:
    match message:
        case commands.OpenTicket() | commands.OpenScheduledTicket():
            return "opens"
        case MailReceived() if mail.is_free(message, mails):
            return "adds" if mail.names_something(message) else "opens"
        case commands.AddEntry() if entries.is_note(message):
            return "adds"
    return "other"


def _ticket_of(message: Message) -> int:
    return getattr(message, "ticket_id", None) or 0


def handlers(signer: Signer) -> Handlers:
    return {
        MailReceived: partial(mail.receive_mail, signer),
        commands.OpenTicket: partial(tickets.open_by_request, signer),
        contracts.RecountDeadlines: clock.recount_deadlines,
        commands.WakeTicket: partial(alarms.wake_ticket, signer),
        commands.OpenScheduledTicket: partial(tickets.open_scheduled, signer),
        commands.AddEntry: partial(entries.add_by_request, signer),
        commands.EditEntry: entries.edit_entry,
        commands.RedactEntry: entries.redact_entry,
        commands.ChangeTicket: partial(changes.change_ticket, signer),
        commands.MergeTicket: partial(merging.merge_ticket, signer),
        commands.UnmergeTicket: merging.unmerge_ticket,
        commands.RateTicket: partial(feedback.rate_ticket, signer),
        commands.StopWatching: changes.stop_watching,
        commands.GetTicket: tickets.get_ticket,
        attachment_contracts.KeepUpload: attachments.keep_upload,
        people_contracts.CreateClient: partial(records.create, CLIENT),
        people_contracts.CreateContact: partial(records.create, CONTACT),
        people_contracts.CreateDomain: partial(records.create, DOMAIN),
        people_contracts.CreateAgent: partial(records.create, AGENT),
        people_contracts.CreateAsset: partial(records.create, ASSET),
        people_contracts.CreateLocation: partial(records.create, LOCATION),
        people_contracts.ChangeClient: partial(records.change, CLIENT),
        people_contracts.ChangeContact: partial(records.change, CONTACT),
        people_contracts.ChangeDomain: partial(records.change, DOMAIN),
        people_contracts.ChangeAgent: partial(records.change, AGENT),
        people_contracts.ChangeAsset: partial(records.change, ASSET),
        people_contracts.ChangeLocation: partial(records.change, LOCATION),
        people_contracts.RecordRenamed: records.tell_new_name,
        time_contracts.AddTime: timekeeping.add_time,
        time_contracts.ChangeTime: timekeeping.change_time,
        time_contracts.RemoveTime: timekeeping.remove_time,
        time_contracts.StartTimer: timekeeping.start_timer,
        time_contracts.StopTimer: timekeeping.stop_timer,
        invoice_contracts.InvoiceTicket: invoicing.invoice_ticket,
        invoice_contracts.InvoiceClient: invoicing.invoice_client,
        invoice_contracts.IssueInvoice: partial(invoicing.issue_invoice, signer),
        invoice_contracts.VoidInvoice: invoicing.void_invoice,
        settings_contracts.UpdateSettings: settings.update_settings,
        settings_contracts.UpdateClientSettings: settings.update_client_settings,
        ReplayDocuments: replaying(KINDS),
    }
