"""Invoices as pages to print, and as a table for accounting."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from gateway_api import Api, Desk
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from test_invoices import EVER, INVOICES, SELLER, client, worked
from test_invoices import settings as change_settings

from deskwire.contracts.invoices import Invoice
from deskwire.contracts.money import Money
from gateway.invoicing.page import BODY, render
from gateway.invoicing.scripts import RightToLeft
from gateway.invoicing.words import _WORDS, wording

EXAMPLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "shared/tests/examples/invoice.drafted.v1.json").read_bytes()
)["invoice"]


def invoice(**fields: Any) -> Invoice:
    return Invoice.model_validate(EXAMPLE | {"state": "issued"} | fields)


def pages(document: bytes) -> list[str]:
    """Their texts, with plain blanks."""
    texts = (page.extract_text() for page in PdfReader(io.BytesIO(document)).pages)
    return [" ".join(text.split()) for text in texts]


# --- pages


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ["Invoice", "Mar 31, 2026", "1.50", "€95.00", "Tax 19% of €142.50", "€169.58"]),
        ("en-GB", ["Invoice", "31 Mar 2026", "Please pay €169.58 by 30 Apr 2026."]),
        ("de", ["Rechnung", "31.03.2026", "1,50", "95,00 €", "USt. 19 % auf 142,50 €", "27,08 €"]),
        ("de-CH", ["Rechnung", "EUR 169.58"]),
        ("fr", ["Facture", "31 mars 2026", "TVA 19 % sur 142,50 €", "Page 1 sur 1"]),
        ("es", ["Factura", "IVA 19 % sobre 142,50 €", "Le rogamos que abone 169,58 €"]),
        ("nl", ["Factuur", "€ 95,00", "Btw 19% over € 142,50", "Totaal"]),
        ("ja", ["Invoice", "Mar 31, 2026"]),
        ("tlh-piqd-x", ["Invoice", "€169.58"]),
    ],
)
def test_it_is_in_the_clients_language(language: str, told: list[str]) -> None:
    (text,) = pages(render(invoice(language=language)))
    named = ["INV-12", "TCK-42", "Printer offline", "Example IT", "2 Client Way", "IBAN DE00"]
    assert [each for each in told + named if each not in text] == [], text


def test_all_languages_say_the_same() -> None:
    assert list(_WORDS) == ["en", "de", "fr", "es", "nl"]
    for words in _WORDS.values():
        assert words.keys() == _WORDS["en"].keys()
        assert all(words.values())


@pytest.mark.parametrize(
    ("language", "amount", "currency", "shown"),
    [
        ("en", "1234567", "JPY", "¥1,234,567"),
        ("en", "1234.567", "KWD", "KWD 1,234.567"),
        ("de", "1234.50", "CHF", "1.234,50 CHF"),
        ("en-IN", "1234567.00", "EUR", "€12,34,567.00"),
        ("es-MX", "95.00", "INR", "INR 95.00"),
    ],
)
def test_money_is_written_as_the_language_does(
    language: str, amount: str, currency: str, shown: str
) -> None:
    found = wording(language).money(Money(amount=amount, currency=currency))
    assert found.replace("\xa0", " ") == shown


def test_a_sign_that_the_font_has_not_is_a_code() -> None:
    lines = [line | {"rate": {"amount": "95.00", "currency": "TRY"}} for line in EXAMPLE["lines"]]
    assert "95,00 TRY" in pages(render(invoice(language="de", lines=lines)))[0]


def test_what_is_no_invoice_says_so() -> None:
    for state, stamp in (("draft", "ENTWURF"), ("void", "STORNIERT")):
        assert stamp in pages(render(invoice(language="de", state=state)))[0]
    assert "überweisen" not in pages(render(invoice(language="de", state="void")))[0]


def test_without_tax_there_is_no_column_of_it() -> None:
    lines = [line | {"tax_rate": "0"} for line in EXAMPLE["lines"]]
    (text,) = pages(render(invoice(language="en", lines=lines)))
    assert "Subtotal" not in text
    assert "Tax " not in text.replace("Tax ID", "")


def test_each_rate_of_tax_is_told_by_itself() -> None:
    (line,) = EXAMPLE["lines"]
    half = line | {"tax_rate": "9.975", "tax": {"amount": "14.21", "currency": "EUR"}}
    (text,) = pages(render(invoice(language="en", lines=[line, half, half])))
    assert "Tax 9.975% of €285.00 €28.42 Tax 19% of €142.50 €27.08" in text


def test_a_long_one_goes_on_and_is_the_same_each_time() -> None:
    (line,) = EXAMPLE["lines"]
    lines = [line | {"id": n, "description": "x" * 100} for n in range(60)]
    document = render(invoice(language="en", lines=lines))
    assert document == render(invoice(language="en", lines=lines))
    texts = pages(document)
    assert len(texts) > 3
    for number, text in enumerate(texts, 1):
        assert f"Page {number} of {len(texts)}" in text
        assert "Rate per hour" in text
    assert "Total" in texts[-1]


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=100), st.text(max_size=100))
def test_no_text_is_too_strange(line: str, block: str) -> None:
    lines = [each | {"description": line} for each in EXAMPLE["lines"]]
    seller = {"name": line, "address": block, "contact": block, "payment": block}
    render(invoice(lines=lines, seller=seller, buyer={"name": line, "address": block}))


def test_what_is_too_long_for_a_page_is_cut() -> None:
    block, name = "x\n" * 250, "W" * 200
    seller = {"name": name, "address": block, "contact": block, "payment": block, "tax_id": name}
    buyer = {"name": name, "address": block, "tax_id": name}
    document = render(invoice(state="void", seller=seller, buyer=buyer, void_reason=block))
    assert 1 <= len(pages(document)) <= 3


HEBREW, ARABIC = 'שירותי מחשוב (Example) בע"מ', "شركة المثال ١٢"


def fonts(document: bytes) -> set[str]:
    """Of the first page, without the tag of their subset."""
    resources: Any = PdfReader(io.BytesIO(document)).pages[0]["/Resources"]
    names = (font.get_object()["/BaseFont"] for font in resources["/Font"].values())
    return {name.rpartition("+")[2].lstrip("/") for name in names}


def test_names_from_right_to_left_have_their_fonts() -> None:
    others = {"Heebo-Regular", "NotoSansArabic-Regular"}
    document = render(invoice(buyer={"name": HEBREW, "address": ARABIC}))
    assert "מחשוב" in pages(document)[0]
    assert others <= fonts(document)
    assert not others & fonts(render(invoice()))


def test_pictures_are_left_out_that_no_font_has() -> None:
    """They were boxes, of a font for Chinese, and wider than there was room for."""
    described = "\u2705\ufe0f Fire 🔥 in the 👩‍👩‍👧‍👦 room\u202e №1™"
    lines = [each | {"description": described} for each in EXAMPLE["lines"]]
    document = render(invoice(lines=lines, buyer={"name": "Exämple 🎉"}))
    text = pages(document)[0]
    assert "Fire in the room №1™" in text
    assert "Exämple " in text
    assert fonts(document) == fonts(render(invoice()))
    told = RightToLeft(f"\u202b{HEBREW}\u202c", BODY)
    told.wrap(500, 0)
    assert "".join(text for _, text in told.lines[0]) == 'מ"עב (Example) בושחמ יתוריש'


@pytest.mark.parametrize(
    ("name", "font"),
    [
        ("株式会社サンプル & Co", "HeiseiKakuGo-W5"),
        ("示例有限公司", "STSong-Light"),
        ("예시 주식회사", "HYGothic-Medium"),
    ],
)
def test_names_of_east_asia_are_in_fonts_of_the_reader(name: str, font: str) -> None:
    lines = [each | {"description": name * 20} for each in EXAMPLE["lines"]]
    document = render(invoice(lines=lines, buyer={"name": name, "address": "Acme"}))
    assert name in pages(document)[0]
    assert any(each.startswith(font) for each in fonts(document))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (HEBREW, 'מ"עב (Example) בושחמ יתוריש'),
        ("Ann Cohen · כהן", "Ann Cohen · ןהכ"),
        (ARABIC, "١٢ ﻝﺎﺜﻤﻟﺍ ﺔﻛﺮﺷ"),
    ],
)
def test_texts_from_right_to_left_are_in_the_order_in_which_they_are_seen(
    text: str, seen: str
) -> None:
    written = RightToLeft(text, BODY)
    written.wrap(500, 1000)
    assert ["".join(part for _, part in line) for line in written.lines] == [seen]


def test_a_line_from_right_to_left_is_as_wide_as_there_is_room() -> None:
    text = RightToLeft(" ".join([HEBREW] * 3 + ["מ" * 200, "end"]), BODY)
    _, height = text.wrap(150, 1000)
    assert height > 6 * BODY.leading
    assert max(map(text.width_of, text.lines)) <= 150
    words = "".join(part for line in text.lines for _, part in line)
    assert words.count("מ") == 200 + 6


def test_what_looks_like_markup_is_text() -> None:
    (text,) = pages(render(invoice(buyer={"name": '<b color="[x]">A & B</b><para>'})))
    assert '<b color="[x]">A & B</b><para>' in text


# --- over HTTP


async def two_invoices(desk: Desk) -> tuple[Api, list[str]]:
    """A key of the client, and the paths of an issued one and a draft of it."""
    await change_settings(desk, seller=SELLER, tax_rate="19")
    of = await client(desk.api, "=Acme", language="de")
    made = []
    for _ in range(2):
        ticket = await worked(desk.api, of, 600, 1200)
        invoice = await desk.api.made(f"{ticket}/invoice", {"lines": "entry"})
        made.append(f"{INVOICES}/{invoice['id']}")
    assert (await desk.api.call("POST", f"{made[0]}/issue", None, {})).status == 200
    return await desk.key("invoices:read", client_id=of), made


async def test_files_over_http(desk: Desk) -> None:
    bound, (issued, draft) = await two_invoices(desk)
    pdf = await bound.get(f"{issued}.pdf")
    assert (pdf.status, pdf.headers["Content-Type"]) == (200, "application/pdf"), pdf.body
    assert 'filename="INV-1.pdf"' in pdf.headers["Content-Disposition"]
    assert "Rechnung" in pages(pdf.body)[0]
    seen = {"If_None_Match": pdf.headers["ETag"]}
    assert (await bound.get(f"{issued}.pdf", **seen)).status == 304
    assert [(await api.get(f"{draft}.pdf")).status for api in (bound, desk.api)] == [404, 200]
    assert (await desk.api.get(f"{INVOICES}/99.pdf")).status == 404

    rows: list[dict[str, str]] = []
    for api, query, numbers in (
        (desk.api, "", ["INV-1", "INV-1", "INV-2", "INV-2"]),
        (desk.api, "?state=draft", ["INV-2", "INV-2"]),
        (desk.api, f"?to={EVER['from'][:10]}", []),
        (bound, "", ["INV-1", "INV-1"]),
    ):
        table = await api.get(f"{INVOICES}/export.csv{query}")
        assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(table.body.decode("utf-8-sig"))))
        assert [row["invoice"] for row in rows] == numbers
    assert (await desk.api.get(f"{INVOICES}/export.csv?limit=1")).status == 422
    first = rows[0]
    assert first["client"] == "'=Acme"
    told = [first[name] for name in ("hours", "rate", "amount", "tax_rate", "tax", "total")]
    assert told == ["0.3333", "95.00", "31.66", "19", "6.02", "37.68"]
