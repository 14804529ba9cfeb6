"""Who hears that a mail to the client's people does not arrive."""

from collections.abc import Iterator

from deskwire.contracts.mail import Body
from deskwire.contracts.notifications import Delivery
from notify_svc.domain.mails import CLIENT_TEMPLATES, Bill, Mail, Notice, Template, derived_id
from notify_svc.domain.whom import Recipient


def notices(mail: Mail, delivery: Delivery) -> Iterator[Mail]:
    """What is told of a mail to the client's people that does not arrive."""
    for recipient, template, said in _concerned(mail):
        failed = {"failed": mail.recipient, "answer": delivery.answer or ""}
        yield Mail(
            about=f"delivery:{delivery.id}",
            template=template,
            recipient=recipient.email,
            message_id=derived_id(f"undelivered.{delivery.id}", mail.message_id),
            notice=said.model_copy(update={"to_name": recipient.name, **failed}),
            agent_id=recipient.agent_id,
        )


def _concerned(mail: Mail) -> Iterator[tuple[Recipient, Template, Notice | Bill]]:
    """Whose matter it is: the ticket's agent, else the team; or those whom the invoice names."""
    notice = mail.notice
    if isinstance(notice, Notice) and mail.template in CLIENT_TEMPLATES:
        told = {"body": Body(text=""), "language": notice.team_language}
        for recipient in _answerable(notice):
            yield recipient, "undelivered", notice.model_copy(update=told)
    if isinstance(notice, Bill) and mail.template == "invoice":
        for reader in notice.responsible:
            recipient = Recipient(reader.email, reader.name, reader.agent_id)
            said = {"language": reader.language}
            yield recipient, "invoice-undelivered", notice.model_copy(update=said)


def _answerable(notice: Notice) -> list[Recipient]:
    agent = notice.assignee
    if agent and agent.email:
        return [Recipient(agent.email, agent.name, agent.id)]
    return [Recipient(email) for email in notice.team]
