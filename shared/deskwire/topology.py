"""Every queue of the system: who listens to what."""

from dataclasses import dataclass
from functools import lru_cache

from deskwire.contracts import (
    attachments,
    invoices,
    mail,
    notifications,
    people,
    replay,
    schedules,
    settings,
    ticket_commands,
    tickets,
    timekeeping,
    webhooks,
)
from deskwire.contracts.base import Message

EVENTS_EXCHANGE = "deskwire.events"
REQUESTS_EXCHANGE = "deskwire.requests"
DEAD_EXCHANGE = "deskwire.dead"


@dataclass(frozen=True)
class Queue:
    """A queue and what it takes.

    A work queue is durable, replicated and retried. A ``requests`` queue is answered, never
    retried: its messages expire with their caller's deadline.
    """

    name: str
    messages: tuple[type[Message], ...]
    requests: bool = False

    @property
    def exchange(self) -> str:
        return REQUESTS_EXCHANGE if self.requests else EVENTS_EXCHANGE


TICKET_SVC = Queue(
    "ticket-svc",
    (
        mail.MailReceived,
        ticket_commands.OpenScheduledTicket,
        ticket_commands.WakeTicket,
        tickets.RecountDeadlines,
        people.RecordRenamed,
        replay.ReplayDocuments,
    ),
)
TICKET_REQUESTS = Queue(
    "ticket.requests",
    (
        ticket_commands.OpenTicket,
        ticket_commands.AddEntry,
        ticket_commands.EditEntry,
        ticket_commands.RedactEntry,
        ticket_commands.ChangeTicket,
        ticket_commands.MergeTicket,
        ticket_commands.UnmergeTicket,
        ticket_commands.RateTicket,
        ticket_commands.StopWatching,
        ticket_commands.GetTicket,
        attachments.KeepUpload,
        timekeeping.AddTime,
        timekeeping.ChangeTime,
        timekeeping.RemoveTime,
        timekeeping.StartTimer,
        timekeeping.StopTimer,
        invoices.InvoiceTicket,
        invoices.InvoiceClient,
        invoices.IssueInvoice,
        invoices.VoidInvoice,
        people.CreateClient,
        people.CreateContact,
        people.CreateDomain,
        people.CreateAgent,
        people.CreateAsset,
        people.CreateLocation,
        people.ChangeClient,
        people.ChangeContact,
        people.ChangeDomain,
        people.ChangeAgent,
        people.ChangeAsset,
        people.ChangeLocation,
        settings.UpdateSettings,
        settings.UpdateClientSettings,
    ),
    requests=True,
)
MAIL_INGEST_SVC = Queue("mail-ingest-svc", (mail.MailHandled, replay.ReplayDocuments))
MAIL_INGEST_REQUESTS = Queue(
    "mail-ingest.requests",
    (mail.HandInMail, mail.RetryMail, mail.AcceptMail, mail.DiscardMail),
    requests=True,
)
NOTIFY_SVC = Queue(
    "notify-svc",
    (
        tickets.TicketOpened,
        tickets.TicketReplied,
        tickets.TicketNoted,
        tickets.TicketChanged,
        tickets.TicketChased,
        tickets.TicketDeadline,
        tickets.TicketMerged,
        tickets.TicketRated,
        invoices.InvoiceDrafted,
        invoices.InvoiceChanged,
        people.AgentChanged,
        mail.MailBounced,
        replay.ReplayDocuments,
    ),
)
NOTIFY_REQUESTS = Queue(
    "notify.requests",
    (
        notifications.SetAgentNotifications,
        notifications.StopDigest,
        notifications.RetryDelivery,
        notifications.AddSuppression,
        notifications.RemoveSuppression,
        webhooks.CreateWebhook,
        webhooks.ChangeWebhook,
        webhooks.ReplayWebhook,
    ),
    requests=True,
)
SCHEDULER_SVC = Queue(
    "scheduler-svc",
    (
        schedules.SetAlarm,
        settings.SettingsChanged,
        settings.ClientSettingsChanged,
        people.ClientChanged,
        replay.ReplayDocuments,
    ),
)
SCHEDULER_REQUESTS = Queue(
    "scheduler.requests",
    (
        schedules.CreateSchedule,
        schedules.ChangeSchedule,
        schedules.RunSchedule,
        schedules.PreviewSchedule,
    ),
    requests=True,
)
GATEWAY = Queue(
    "gateway",
    (
        tickets.TicketOpened,
        tickets.TicketReplied,
        tickets.TicketNoted,
        tickets.TicketChanged,
        tickets.TicketChased,
        tickets.TicketDeadline,
        tickets.TicketMerged,
        tickets.TicketRated,
        tickets.EntryChanged,
        tickets.HistoryTold,
        timekeeping.TimeChanged,
        invoices.InvoiceDrafted,
        invoices.InvoiceChanged,
        people.ClientChanged,
        people.ContactChanged,
        people.DomainChanged,
        people.AgentChanged,
        people.AssetChanged,
        people.LocationChanged,
        settings.SettingsChanged,
        settings.ClientSettingsChanged,
        settings.SettingHistoryTold,
        schedules.ScheduleChanged,
        notifications.DeliveryChanged,
        mail.InboundChanged,
        notifications.AgentNotificationsChanged,
        notifications.SuppressionChanged,
        webhooks.WebhookChanged,
    ),
)

QUEUES = (
    TICKET_SVC,
    TICKET_REQUESTS,
    MAIL_INGEST_SVC,
    MAIL_INGEST_REQUESTS,
    NOTIFY_SVC,
    NOTIFY_REQUESTS,
    SCHEDULER_SVC,
    SCHEDULER_REQUESTS,
    GATEWAY,
)


@lru_cache(maxsize=1000)
def listeners(message_type: str, *, requests: bool) -> tuple[Queue, ...]:
    """The queues that take a message of this wire name."""
    return tuple(
        queue
        for queue in QUEUES
        if queue.requests == requests and any(m.wire_name == message_type for m in queue.messages)
    )
