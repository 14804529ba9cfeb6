"""Mails as people write them: plain and HTML, signed, some with files, some that answer others."""

import random
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP

SENDERS = 200
WITH_HTML = 0.7
WITH_FILE = 0.15
ANSWERING = 0.2

TALK = """the a our printer server screen mail office user login password network since monday
morning again not works error message shows please look into this could you help we cannot open
file invoice folder backup after update restart laptop phone new colleague needs access account
meeting room projector still slow connection drops every hour second floor thank you"""
WORDS = TALK.split()

DATE = "Tue, 06 Jan 2026 10:00:00 +0000"
ATTRIBUTION = "On Tue, 6 Jan 2026 at 09:00, Support wrote:"
SIGNATURE = "\n\nKind regards\n{name}\n\n-- \n{name}\nExample Client Ltd\nPhone +44 20 7946 0000\n"
STYLE = "<style>p { margin: 0 0 1em } .q { color: #555 } td { padding: 2px 8px }</style>"
PAGE = (
    '<html><head><meta charset="utf-8">{style}</head><body style="font-family: Calibri">'
    "{paragraphs}<table><tr><td><b>{name}</b></td><td>Example Client Ltd</td></tr></table>"
    "{quote}</body></html>"
)
QUOTE = '<div class="gmail_quote">{attribution}<blockquote type="cite">{text}</blockquote></div>'


def mails(count: int, run: str) -> Iterator[bytes]:
    """The same ones for the same ``run``, which makes senders and Message-IDs its own."""
    chance = random.Random(run)
    written: dict[int, EmailMessage] = {}
    for number in range(count):
        sender = number % SENDERS
        answered = written.get(sender) if chance.random() < ANSWERING else None
        mail = _mail(chance, f"Sender{sender} {run}", f"{number}.{run}@client.test", answered)
        written.setdefault(sender, mail)
        yield mail.as_bytes(policy=SMTP)


def _mail(
    chance: random.Random, name: str, message_id: str, answered: EmailMessage | None
) -> EmailMessage:
    mail = EmailMessage()
    mail["Received"] = "from mail.client.test by mx.example.com with ESMTPS id 4F2; " + DATE
    mail["From"] = f"{name} <{name.lower().replace(' ', '.')}@client.test>"
    mail["To"] = "Support <support@example.com>"
    mail["Date"] = DATE
    mail["Message-ID"] = f"<{message_id}>"
    mail["Subject"] = _sentence(chance, 6)
    mail["MIME-Version"] = "1.0"
    if answered is not None:
        mail.replace_header("Subject", f"Re: {answered['Subject']}")
        mail["In-Reply-To"] = mail["References"] = answered["Message-ID"]
    _write(mail, chance, name, answered)
    return mail


def _write(
    mail: EmailMessage, chance: random.Random, name: str, answered: EmailMessage | None
) -> None:
    paragraphs = [_sentence(chance, 30) for _ in range(chance.randint(1, 6))]
    quoted = [_sentence(chance, 30) for _ in range(4)] if answered is not None else []
    text = "\n\n".join(paragraphs) + SIGNATURE.format(name=name)
    if quoted:
        text += f"\n{ATTRIBUTION}\n" + "".join(f"> {line}\n" for line in quoted)
    mail.set_content(text)
    if chance.random() < WITH_HTML:
        quote = QUOTE.format(attribution=ATTRIBUTION, text=_html(quoted)) if quoted else ""
        page = PAGE.format(style=STYLE, paragraphs=_html(paragraphs), name=name, quote=quote)
        mail.add_alternative(page, subtype="html")
    if chance.random() < WITH_FILE:
        content = b"%PDF-1.4\n" + chance.randbytes(chance.randint(5_000, 100_000))
        mail.add_attachment(content, "application", "pdf", filename="report.pdf")


def _html(paragraphs: list[str]) -> str:
    return "".join(f'<p class="q">{text} &nbsp;</p>' for text in paragraphs)


def _sentence(chance: random.Random, length: int) -> str:
    return " ".join(chance.choices(WORDS, k=length)).capitalize() + "."
