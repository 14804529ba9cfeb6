"""What ticket-svc does on which message."""

from functools import partial

from deskwire.contracts import tickets as contracts
from deskwire.contracts.mail import MailReceived
from deskwire.contracts.replay import ReplayDocuments
from deskwire.messaging.consumer import Handlers
from deskwire.messaging.replay import replaying
from ticket_svc.domain.threads import Signer
from ticket_svc.handlers import mail, people, tickets
from ticket_svc.store.replay import KINDS


def handlers(signer: Signer) -> Handlers:
    return {
        MailReceived: partial(mail.receive_mail, signer),
        contracts.OpenTicket: partial(tickets.open_by_request, signer),
        contracts.OpenScheduledTicket: partial(tickets.open_scheduled, signer),
        contracts.AddEntry: partial(tickets.add_by_request, signer),
        contracts.GetTicket: tickets.get_ticket,
        contracts.CreateClient: people.create_client,
        contracts.CreateContact: people.create_contact,
        contracts.CreateDomain: people.create_domain,
        contracts.CreateAgent: people.create_agent,
        contracts.UpdateSettings: people.update_settings,
        ReplayDocuments: replaying(KINDS),
    }
