"""What ticket-svc does on which message."""

from functools import partial

from deskwire.contracts import people as people_contracts
from deskwire.contracts import settings as settings_contracts
from deskwire.contracts import tickets as contracts
from deskwire.contracts.mail import MailReceived
from deskwire.contracts.replay import ReplayDocuments
from deskwire.messaging.consumer import Handlers
from deskwire.messaging.replay import replaying
from ticket_svc.domain.threads import Signer
from ticket_svc.handlers import changes, entries, mail, merging, people, tickets
from ticket_svc.store.replay import KINDS


def handlers(signer: Signer) -> Handlers:
    return {
        MailReceived: partial(mail.receive_mail, signer),
        contracts.OpenTicket: partial(tickets.open_by_request, signer),
        contracts.OpenScheduledTicket: partial(tickets.open_scheduled, signer),
        contracts.AddEntry: partial(entries.add_by_request, signer),
        contracts.EditEntry: entries.edit_entry,
        contracts.RedactEntry: entries.redact_entry,
        contracts.ChangeTicket: partial(changes.change_ticket, signer),
        contracts.MergeTicket: partial(merging.merge_ticket, signer),
        contracts.UnmergeTicket: merging.unmerge_ticket,
        contracts.GetTicket: tickets.get_ticket,
        people_contracts.CreateClient: people.create_client,
        people_contracts.CreateContact: people.create_contact,
        people_contracts.CreateDomain: people.create_domain,
        people_contracts.CreateAgent: people.create_agent,
        settings_contracts.UpdateSettings: people.update_settings,
        ReplayDocuments: replaying(KINDS),
    }
