"""By which headers, subjects and addresses machines are known: data, an entry a habit of the field.

The words are asked in the languages that mail systems and mail programs speak.
"""

import re
from re import Pattern

from mail_ingest_svc.parse.headers import Headers

Rules = tuple[tuple[str, Pattern[bytes]], ...]


def _rules(*rules: tuple[str, bytes]) -> Rules:
    flags = re.IGNORECASE | re.ASCII
    return tuple((name, re.compile(pattern, flags)) for name, pattern in rules)


def _subject(*beginnings: str) -> Pattern[str]:
    return re.compile(rf"\s*(?:{'|'.join(beginnings)})", re.IGNORECASE)


AUTO_REPLY = _rules(
    ("Auto-Submitted", rb"auto-replied\b"),
    ("X-Autoreply", rb"(?!no\b)\S"),
    ("X-Autorespond", rb"(?!no\b)\S"),
    ("X-Autoresponder", rb"\S"),
    ("X-Apple-Action", rb"VACATION"),
    ("X-Mail-Autoreply", rb"\S"),
    ("Precedence", rb"auto[_-]reply\b"),
)
LISTS = _rules(
    ("List-Id", rb"\S"),
    ("List-Unsubscribe", rb"\S"),
    ("List-Post", rb"(?!no\b)\S"),
    ("Precedence", rb"(?:bulk|list|junk)\b"),
)
AUTOMATIC = _rules(
    ("Auto-Submitted", rb"(?!no\b)\S"),
    ("X-Auto-Response-Suppress", rb"(?:.*[\s,;])?(?:all|oof|autoreply)\b"),
    ("Return-Path", rb"<\s*>"),
    ("Content-Type", rb"multipart/report\b"),
)
LOOPS = _rules(
    ("X-Loop", rb"\S"),
    ("X-MS-Exchange-Inbox-Rules-Loop-Detected", rb"\S"),
)
MAILTO = re.compile(rb"<mailto:([^<>?\s]{1,320})", re.IGNORECASE)
OWN_MARK = "X-Deskwire-Loop"

# A mail system speaks: these words say of which failure. Of other senders they mean nothing.
MAIL_SYSTEM = re.compile(
    r"(?:mailer[-_]?daemon|post_?master|mail(?:er)?[-_.](?:delivery|system|daemon)|mdaemon"
    r"|delivery-?status|bounces?)\b",
    re.IGNORECASE,
)
FROM_MAIL_SYSTEM = _rules(
    ("From", rb"\s*(?:\"?mailer-daemon\"?\s*)?<\s*>\s*$"),
    ("From", rb"[\"'\s]*(?:mail delivery (?:sub)?system|mailer-daemon|system administrator)\b"),
    ("Return-Path", rb"<\s*(?:mailer-daemon)?>"),
)
ROBOT = re.compile(
    r"(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?)(?:[+=-][^@]*)?@", re.IGNORECASE
)

BOUNCE_SUBJECT = _subject(
    r"undeliver(?:able|ed)",
    r"(?:mail )?delivery (?:status notification|has failed|fail|error|notification)",
    r"mail (?:fail|error|system|status)",
    r".{0,80}mail delivery failed",
    r"failure notice",
    r"fail(?:ed|ure) (?:delivery|notice)",
    r"failed mail",
    r"return(?:ed|ing) (?:mail|message)",
    r"non[- ]?delivery|not delivered|could not (?:be )?deliver",
    r"mail failure",
    r"message (?:could not be|not) delivered|message (?:delayed|delivery failure)",
    r"warning: (?:message|could not send)",
    r"there was an error sending your mail",
    r"mail system error",
    r"unzustellbar|zustellung fehlgeschlagen|unzustellbare nachricht",
    r"non remis|[ée]chec de (?:la )?(?:remise|distribution)|message non d[ée]livr[ée]",
    r"no se puede entregar|no entregado|devuelto|error de entrega",
    r"non recapitabile|mancato recapito|messaggio non recapitato",
    r"n[ãa]o (?:é )?(?:entreg|poss[íi]vel entregar)|falha na entrega",
    r"onbestelbaar|niet bezorgd|kan niet worden afgeleverd",
    r"kan inte levereras|kan ikke leveres|meddelelsen kunne ikke|ei voitu toimittaa",
    r"nie (?:dostarczono|można dostarczyć)|niedostarczona|nedoručiteln",
    r"недоставленн|ваше сообщение не доставлено|не доставлено",
    r"teslim edilemedi|אינו ניתן למסירה|تعذر (?:ال)?تسليم",
    r"配信不能|メールエラー通知|配信できません|无法投递|退信|系统退信|전송 실패|반송",
)
AUTO_REPLY_SUBJECT = _subject(
    r"(?:re: )?auto(?:matic|mated)?[- ]?(?:reply|response|answer)",
    r"(?:re: )?(?:out[- ]of[- ](?:the )?office|ooo:|(?:on )?vacation|away from)",
    r"automatische antwort|abwesenheit|abwesend|ich bin nicht im b[üu]ro",
    r"r[ée]ponse automatique|absence du bureau|message d.absence|absent",
    r"respuesta autom[áa]tica|fuera de la oficina",
    r"risposta automatica|fuori sede|fuori ufficio",
    r"resposta autom[áa]tica|aus[êe]ncia tempor[áa]ria",
    r"automatisch antwoord|afwezig",
    r"autosvar|automatisk svar|automatiskt svar|frav[æa]r|frånvaro|poissa",
    r"automaattinen vastaus|autom(?:atyczna|atick[áa]) odpov?(?:iedź|ěď)|nieobecno",
    r"автоответ|автоматический ответ|автоматична відповідь|otomatik yan",
    r"תשובה אוטומטית|رد تلقائي|自動応答|自动回复|自動回覆|자동 회신",
)
# Of a mail that answers none these beginnings may be a person's: "Out of office does not work".
AUTO_REPLY_SUBJECT_ALONE = re.compile(
    rf"(?:{AUTO_REPLY_SUBJECT.pattern})"
    r"[a-zà-žа-я]*(?: (?:auto[- ]?reply|assistant|message|notice|notification|reply))?"
    r"\s*(?:$|[\d:\uff1a;,\u2013\u2014|(\[]|- "
    r"|(?:re|aw|until|till|bis|vom|jusqu|hasta|fino|até|tot)\b)",
    re.IGNORECASE,
)
RECEIPT_SUBJECT = _subject(
    r"read:|read receipt|return receipt|gelesen:|lesebest[äa]tigung",
    r"lu ?:|accus[ée] de (?:r[ée]ception|lecture)|le[íi]do:|letto:|lida:|gelezen:|l[äæ]st:",
    r"prečteno:|przeczytano:|прочитано:|已读|開封済み:",
)
# What a bounce says in its own words, whoever sent it.
FAILED = re.compile(
    r"(?:could not|cannot|can't|couldn't|was not|wasn't able to|unable to|failed to|has not been"
    r"|did not|not be)[^.\n]{0,40}(?:deliver|reach)|delivery[^.\n]{0,60}(?:failed|delayed|error)"
    r"|undeliverable|permanent (?:fatal )?error|delivery (?:problems|errors)|returned to sender"
    r"|mail delivery|invalid user address|had (?:fatal|permanent) errors",
    re.IGNORECASE,
)


def first_sign(headers: Headers, rules: Rules) -> str | None:
    """The name of the first header that says so."""
    for name, rule in rules:
        if any(rule.match(value[:1000]) for value in headers.all(name.lower())):
            return name
    return None
