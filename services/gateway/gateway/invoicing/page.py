"""An invoice as PDF, to print or to send: A4, in the client's language, the same bytes each time.

The font has the letters of Latin, Greek and Cyrillic; `scripts` has those of others.
"""

import io
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from itertools import groupby
from textwrap import shorten
from typing import Any
from unicodedata import normalize

import ttf_opensans
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from deskwire.contracts.invoices import Invoice, InvoiceLine
from deskwire.contracts.money import Money
from gateway.invoicing.scripts import RightToLeft, in_fonts, is_right_to_left, register
from gateway.invoicing.words import Wording, wording

FONT, BOLD = "OpenSans", "OpenSans-Bold"
LETTERS = register(FONT, str(ttf_opensans.OPENSANS_REGULAR.path))
register(BOLD, str(ttf_opensans.OPENSANS_BOLD.path))

WIDTH, HEIGHT = A4
MARGIN = 20 * mm
INNER = WIDTH - 2 * MARGIN
FOOT = 28 * mm

MOST_LINES, FOOT_CHARACTERS = 12, 450
"""Of an address and the like: more would not fit on a page."""

INK, GREY, PALE, LINE = (HexColor(f"#{c}") for c in ("1f2933", "616e7c", "f2f4f7", "cbd2d9"))
STAMP = Color(0.75, 0.1, 0.1, alpha=0.13)

BODY = ParagraphStyle("body", fontName=FONT, fontSize=9, leading=12.5, textColor=INK)
SMALL = ParagraphStyle("small", BODY, fontSize=7.5, leading=10, textColor=GREY)
LABEL = ParagraphStyle("label", SMALL, leading=BODY.leading)
SMALL_RIGHT = ParagraphStyle("small right", SMALL, alignment=TA_RIGHT)
STRONG = ParagraphStyle("strong", BODY, fontName=BOLD)
RIGHT = ParagraphStyle("right", BODY, alignment=TA_RIGHT)
TITLE = ParagraphStyle("title", STRONG, fontSize=20, leading=24, alignment=TA_RIGHT)
SELLER = ParagraphStyle("seller", STRONG, fontSize=14, leading=18)

_PICTURES = re.compile(
    "[\u20e3\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\ufe00-\ufe0f"
    "\U0001f000-\U0001faff\U000e0000-\U000e01ef]\u200d?"
)
"""Emoji and their like, and what joins them."""

Style = Sequence[tuple[Any, ...]]

PLAIN: Style = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 0),
    ("TOPPADDING", (0, 0), (-1, -1), 1),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
]
TEXTS: Style = [
    ("FONT", (0, 0), (-1, -1), FONT, BODY.fontSize, BODY.leading),
    ("TEXTCOLOR", (0, 0), (-1, -1), INK),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("TOPPADDING", (0, 0), (-1, -1), 4),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
    ("LEFTPADDING", (0, 0), (-1, -1), 4),
    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
]
RULED: Style = [
    *TEXTS,
    ("FONTNAME", (0, 0), (-1, 0), BOLD),
    ("BACKGROUND", (0, 0), (-1, 0), PALE),
    ("LINEBELOW", (0, 0), (-1, -1), 0.5, LINE),
    ("ALIGN", (2, 0), (-1, -1), "RIGHT"),
]
SUMMED: Style = [
    *TEXTS,
    ("ALIGN", (2, 0), (-1, -1), "RIGHT"),
    ("TOPPADDING", (0, 0), (-1, -2), 1),
    ("BOTTOMPADDING", (0, 0), (-1, -2), 1),
    ("FONTNAME", (0, -1), (-1, -1), BOLD),
    ("LINEABOVE", (1, -1), (-1, -1), 1, INK),
]


def render(invoice: Invoice) -> bytes:
    """Only one at a time: ReportLab parses with an object that its threads would share."""
    words, file = wording(invoice.language), io.BytesIO()
    document = BaseDocTemplate(
        file,
        pagesize=A4,
        title=f"{words.say('invoice')} {invoice.reference}",
        author=invoice.seller.name,
        lang=str(words.locale).replace("_", "-"),
        invariant=1,
    )
    frame = Frame(MARGIN, FOOT, INNER, HEIGHT - FOOT - MARGIN, 0, 0, 0, 0)
    document.addPageTemplates(PageTemplate(frames=[frame]))
    story = [
        *_head(invoice, words),
        _lines(invoice, words),
        Spacer(0, 4 * mm),
        KeepTogether([_sums(invoice, words), *_payment(invoice, words)]),
    ]
    document.build(story, canvasmaker=partial(_Pages, invoice, words))
    return file.getvalue()


class _Pages(Canvas):
    """Draws what is on every page when it is known how many there are."""

    def __init__(self, invoice: Invoice, words: Wording, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._invoice, self._words = invoice, words
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802  # ReportLab's name
        self._pages.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]  # the stubs leave it out

    def save(self) -> None:
        for number, page in enumerate(self._pages, 1):
            self.__dict__.update(page)
            self._stamp()
            self._foot(number)
            super().showPage()
        super().save()

    def _stamp(self) -> None:
        if self._invoice.state == "issued":
            return
        self.saveState()
        self.setFillColor(STAMP)
        self.setFont(BOLD, 96)
        self.translate(WIDTH / 2, HEIGHT / 2)
        self.rotate(45)
        self.drawCentredString(0, -30, self._words.say(self._invoice.state).upper())
        self.restoreState()

    def _foot(self, number: int) -> None:
        seller = self._invoice.seller
        tax_id = seller.tax_id and f"{self._words.say('tax_id')} {seller.tax_id}"
        told = (seller.name, seller.address, seller.contact, tax_id)
        text = " · ".join(" · ".join(each.splitlines()) for each in told if each)
        text = shorten(text, FOOT_CHARACTERS, placeholder=" …")
        pages = self._words.say("page", page=str(number), pages=str(len(self._pages)))
        row = [_p(text, SMALL), _p(pages, SMALL_RIGHT)]
        foot = Table([row], [INNER - 30 * mm, 30 * mm], style=PLAIN)
        _, height = foot.wrap(INNER, FOOT)
        self.setStrokeColor(LINE)
        self.line(MARGIN, FOOT - 6 * mm, WIDTH - MARGIN, FOOT - 6 * mm)
        foot.drawOn(self, MARGIN, FOOT - 8 * mm - height)


# --- from the top to the bottom


def _head(invoice: Invoice, words: Wording) -> list[Flowable]:
    seller, buyer = invoice.seller, invoice.buyer
    about = {
        "number": invoice.reference,
        "date": words.day(invoice.date),
        "due": words.day(invoice.due),
        "your_tax_id": buyer.tax_id or "",
    }
    rows = [[_p(words.say(n), LABEL), _p(v, RIGHT)] for n, v in about.items() if v]
    sender = [_p(seller.name, SELLER), *_block(seller.address, SMALL)]
    recipient = [_p(buyer.name, STRONG), *_block(buyer.address, BODY)]
    halves = [INNER - 70 * mm, 70 * mm]
    return [
        Table([[sender, _p(words.say("invoice"), TITLE)]], halves, style=PLAIN),
        Spacer(0, 14 * mm),
        Table([[recipient, Table(rows, [34 * mm, 36 * mm], style=PLAIN)]], halves, style=PLAIN),
        Spacer(0, 12 * mm),
    ]


def _lines(invoice: Invoice, words: Wording) -> Table:
    """With a column of the tax only when there is any."""
    taxed = _is_taxed(invoice)
    names = ["ticket", "description", "hours", "rate", *(["tax"] if taxed else []), "amount"]
    widths = [20 * mm, 0, 16 * mm, 26 * mm, *([15 * mm] if taxed else []), 28 * mm]
    widths[1] = INNER - sum(widths)
    rows = [_row(line, words, taxed=taxed) for line in invoice.lines]
    head = [words.say(name) for name in names]
    return Table([head, *rows], widths, style=RULED, repeatRows=1)


def _row(line: InvoiceLine, words: Wording, *, taxed: bool) -> list[Any]:
    when = words.days(line.worked_from, line.worked_to)
    who = f"{line.agent.name} · {when}" if line.agent else when
    return [
        _p(line.ticket.name, BODY),
        [_p(line.description, BODY), _p(who, SMALL)],
        words.hours(line.quantity),
        _money(line.rate, words),
        *([words.percent(line.tax_rate)] if taxed else []),
        _money(line.amount, words),
    ]


def _sums(invoice: Invoice, words: Wording) -> Table:
    sums = [(words.say("total"), invoice.total)]
    if _is_taxed(invoice):
        sums = [(words.say("subtotal"), invoice.subtotal), *_taxes(invoice, words), *sums]
    rows = [["", name, _money(amount, words)] for name, amount in sums]
    return Table(rows, [INNER - 92 * mm, 56 * mm, 36 * mm], style=SUMMED)


def _taxes(invoice: Invoice, words: Wording) -> Sequence[tuple[str, Money]]:
    """Each rate with the sum that it is of."""
    rate = _by_rate
    found = []
    for number, lines in groupby(sorted(invoice.lines, key=rate), key=rate):
        of = list(lines)
        base, tax = (_summed([getattr(line, n) for line in of]) for n in ("amount", "tax"))
        said = {"rate": words.percent(f"{number:f}"), "amount": _money(base, words)}
        found.append((words.say("tax_at", **said), tax))
    return found


def _payment(invoice: Invoice, words: Wording) -> list[Flowable]:
    if invoice.state == "void":
        return [Spacer(0, 8 * mm), *_block(invoice.void_reason, BODY)]
    asked = {"amount": _money(invoice.total, words), "date": words.day(invoice.due)}
    story: list[Flowable] = [Spacer(0, 10 * mm), _p(words.say("pay", **asked), BODY)]
    if invoice.seller.payment:
        story += [Spacer(0, 3 * mm), _p(words.say("pay_into"), SMALL)]
        story += _block(invoice.seller.payment, BODY)
    return story


# --- what it is made of


def _is_taxed(invoice: Invoice) -> bool:
    return any(_by_rate(line) for line in invoice.lines)


def _by_rate(line: InvoiceLine) -> Decimal:
    return Decimal(line.tax_rate)


def _summed(amounts: Sequence[Money]) -> Money:
    total = sum((Decimal(each.amount) for each in amounts), Decimal())
    return Money(amount=f"{total:f}", currency=amounts[0].currency)


def _money(money: Money, words: Wording) -> str:
    """With the sign of the currency, if the font has it."""
    text = words.money(money)
    return text if _drawable(text) else words.money(money, by_code=True)


def _drawable(text: str) -> bool:
    return all(ord(letter) in LETTERS for letter in _plain(text))


def _plain(text: str) -> str:
    """In letters that the font has, as far as there are such: it has no narrow blanks, and of
    pictures those alone."""
    narrow = normalize("NFC", text).replace("\u202f", "\xa0").replace("\u2009", " ")
    return _PICTURES.sub(lambda found: found[0] if ord(found[0][0]) in LETTERS else "", narrow)


def _block(text: str | None, style: ParagraphStyle) -> list[Flowable]:
    return [_p(line, style) for line in (text or "").splitlines()[:MOST_LINES]]


def _p(text: str, style: ParagraphStyle) -> Flowable:
    plain = _plain(text)
    if is_right_to_left(plain):
        return RightToLeft(plain, style)
    return Paragraph(in_fonts(plain, style.fontName), style)
