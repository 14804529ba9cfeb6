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
FONT = "font-size:11.0pt;font-family:'Calibri',sans-serif;color:#1F497D"
RULE = "{{margin:0cm; margin-bottom:.0001pt; {font}; mso-fareast-language:EN-US}}"
SELECTORS = ("p.MsoNormal, li.MsoNormal, div.MsoNormal", "a:link, span.MsoHyperlink", "span.E17")
STYLE = "".join(f"<style><!-- {each} {RULE.format(font=FONT)} --></style>" for each in SELECTORS)
PARAGRAPH = '<p class="MsoNormal"><span lang="EN-GB" style="{font}">{text}<o:p></o:p></span></p>'
CARD = (
    '<table border="0" cellspacing="0" style="border-collapse:collapse">'
    '<tr><td style="padding:0 5.4pt"><b style="{font}">{name}</b></td></tr>'
    '<tr><td style="padding:0 5.4pt"><span style="{font}">Example Client Ltd</span></td></tr>'
    '<tr><td style="padding:0 5.4pt"><a href="https://client.test/" style="{font}">client.test</a>'
    "</td></tr></table>"
)
QUOTE = (
    '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
    '<div class="gmail_quote">{attribution}<blockquote type="cite">{text}</blockquote></div></div>'
)
PAGE = (
    '<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta charset="utf-8">{style}'
    '</head><body lang="EN-GB" link="#0563C1"><div class="WordSection1">{text}{card}</div>{quote}'
    "</body></html>"
)


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
        mail.add_alternative(_page(name, paragraphs, quoted), subtype="html")
    if chance.random() < WITH_FILE:
        content = b"%PDF-1.4\n" + chance.randbytes(chance.randint(5_000, 100_000))
        mail.add_attachment(content, "application", "pdf", filename="report.pdf")


def _page(name: str, paragraphs: list[str], quoted: list[str]) -> str:
    """As Outlook writes it."""
    card = CARD.format(name=name, font=FONT)
    quote = QUOTE.format(attribution=ATTRIBUTION, text=_html(quoted) + card) if quoted else ""
    return PAGE.format(style=STYLE, text=_html(paragraphs), card=card, quote=quote)


def _html(paragraphs: list[str]) -> str:
    return "".join(PARAGRAPH.format(font=FONT, text=text) for text in paragraphs)


def _sentence(chance: random.Random, length: int) -> str:
    return " ".join(chance.choices(WORDS, k=length)).capitalize() + "."
