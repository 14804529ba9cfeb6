"""What a person wrote: which part of a mail's text it is, and of its HTML."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail_ingest_svc.parse.reply import Reply, read_reply

WROTE = "On Fri, May 3, 2024 at 2:13 PM Ann Example <ann@example.com> wrote:"
HEADERS = "From: Ann Example <ann@example.com>\nSent: 3 May 2024\nTo: Support\nSubject: Printer"


def told_apart(reply: Reply) -> tuple[str, str, str]:
    return reply.visible, reply.quoted, reply.signature


def test_the_spans_are_the_whole_text() -> None:
    text = f"Yes.\n\n-- \nBob\n\n{WROTE}\n> Does it blink?\n\nAnd now?\n"
    reply = read_reply(text)
    assert "".join(text[span.start : span.end] for span in reply.spans) == text
    assert [span.kind for span in reply.spans] == ["visible", "signature", "quoted", "visible"]
    assert told_apart(reply) == (
        "Yes.\n\nAnd now?",
        f"{WROTE}\n> Does it blink?",
        "-- \nBob".rstrip(),
    )


def test_a_mail_without_a_quotation_is_all_visible() -> None:
    text = "Hello,\n\nthe printer blinks.\n\n* On 3 May it did not.\n* To: nobody\n"
    assert told_apart(read_reply(text)) == (text.strip(), "", "")
    assert told_apart(read_reply("")) == ("", "", "")


def test_answers_between_quotations_stay() -> None:
    text = f"{WROTE}\n> Does it blink?\nYes, red.\n\n> Since when?\n>> Ann\n\nYesterday.\n\n> Ann\n"
    assert read_reply(text).visible == "Yes, red.\n\nYesterday."


def test_an_answer_below_the_quotation_stays() -> None:
    assert read_reply(f"{WROTE}\n\n> Does it blink?\n\nYes.").visible == "Yes."


@pytest.mark.parametrize(
    "text",
    [
        f"{WROTE}\n\nDoes it blink?",
        f"\n{HEADERS}\n\nDoes it blink?",
        "> Does it blink?\n>\n> Ann",
        "-- \nAnn\nExample Ltd",
        "##- Please write above this line -##\nDoes it blink?",
    ],
)
def test_when_nothing_would_be_left_all_is_shown(text: str) -> None:
    reply = read_reply(text)
    assert told_apart(reply) == (text.strip("\n"), "", "")
    assert reply.shown_all


def test_a_signature_that_is_nearly_all_of_it_is_shown() -> None:
    text = f"Ok\n\n-- \n{'A line that may as well be what was meant.' * 3}"
    reply = read_reply(f"{text}\n\n{WROTE}\n> Does it blink?")
    assert (reply.visible, reply.shown_all) == (text, True)


def test_a_short_answer_to_a_long_mail_is_not_lost_in_it() -> None:
    reply = read_reply(f"👍\n\n{WROTE}\n\n{'It blinks. ' * 500}")
    assert (reply.visible, reply.shown_all) == ("👍", False)


@pytest.mark.parametrize(
    "line",
    [
        "##- Please type your reply above this line -##",
        "Is it on? ##- Please type your reply above this line -##",
        "> ##- Bitte antworten Sie über dieser Linie -##",
        "-----Original Message-----",
        "---- On Wed, 24 Feb 2021 14:02:50 +0530 ann@example.com wrote ----",
        "Sent from Example Phone <ann@example.com> wrote:",
    ],
)
def test_lines_that_end_what_was_written(line: str) -> None:
    assert read_reply(f"Yes.\n{line}\nDoes it blink?").visible == "Yes."


@pytest.mark.parametrize(
    "text",
    [
        "Please create for ann@example.com by 12.05.2024:\n\n- a mailbox\n- a phone",
        "In our meeting of 12.05.2024 you wrote:\n\nthe printer blinks.",
        "From: Paris\nTo: London\nDate: 3 May\n\nPlease book.",
        "A form was sent:\n\nFrom: Ann <ann@example.com>\nSubject: Printer\nMessage: it blinks",
        "Date: Wednesday\nTime: 7 : 00am\nAddress: 130 Fox St",
        "Visit us\n>>> >>> http://www.example.com <<<\nnow",
        "On the printer you wrote about:\nit blinks",
        "------ Enter Feedback Below ------\n\nIt blinks.",
        "Sent from my desk, which is easier than by telephone.",
        "Two things -- the printer, and\n-- the screen\n-- the mouse",
        "Regards\n\nto your question of yesterday: how do I print?",
        "From: the printer\nIt says PC LOAD LETTER.",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert read_reply(text).visible == text


def test_a_line_that_a_program_broke_is_quoted_with_its_first_half() -> None:
    broken = (
        "> The printer in the second room on the left blinks since we moved it\nyesterday\n> Ann"
    )
    assert read_reply(f"Ok.\n\n{WROTE}\n{broken}").visible == "Ok."


def test_a_forward_by_its_subject_is_content() -> None:
    text = f"Please have a look.\n\n{HEADERS}\n\nIt blinks."
    assert read_reply(text, subject="WG: Printer").visible == text
    assert read_reply(text, subject="Re: Fwd: Printer").visible == "Please have a look."


@pytest.mark.parametrize("line", [HEADERS, f"---------- Forwarded message ---------\n{HEADERS}"])
@pytest.mark.parametrize("signature", ["Kind regards,\nBob", "-- \nBob"])
def test_the_signature_above_a_forwarded_mail_ends_there(line: str, signature: str) -> None:
    reply = read_reply(f"See below.\n\n{signature}\n\n{line}\n\nIt blinks.", subject="Fwd: Printer")
    assert told_apart(reply) == (f"See below.\n\n{line}\n\nIt blinks.", "", signature)


@pytest.mark.parametrize(
    "closing", ["Kind regards,\nBob", "Mit freundlichen Grüßen\n\nBob\nExample"]
)
def test_a_closing_begins_the_signature(closing: str) -> None:
    assert told_apart(read_reply(f"It blinks again.\n\n{closing}")) == (
        "It blinks again.",
        "",
        closing,
    )


def test_lines_drawn_between_points_begin_no_signature() -> None:
    text = "Three points:\n\n---\nIt blinks\n---\nIt hums\n---\nBob"
    assert told_apart(read_reply(text)) == (text.removesuffix("\n---\nBob"), "", "---\nBob")


# --- HTML

QUOTATIONS = {
    "Gmail": f'<div class="gmail_quote"><div class="gmail_attr">{WROTE}<br></div>'
    '<blockquote class="gmail_quote" style="border-left:1px">Old <img src="cid:old"></blockquote>'
    "</div>",
    "Gmail of 2014": '<div class="gmail_extra"><br><div class="gmail_quote">On 3 May 2024 Ann'
    ' wrote:<blockquote class="gmail_quote">Old</blockquote></div><br></div>',
    "Outlook": '<div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3pt 0 0 0">'
    "<p><b>From:</b> Ann &lt;a@example.com&gt; <br><b>Sent:</b> Friday<br><b>To:</b> B<br>"
    "<b>Subject:</b> X</p></div></div><p>Old</p><table><tr><td></td></tr></table>",
    "Outlook on the web": '<div id="appendonsend"></div><hr style="width:98%" tabindex="-1">'
    '<div id="divRplyFwdMsg"><b>Von:</b> Ann<br></div><div>Old</div>',
    "Outlook on the web, quoted": '<hr><div id="x_divRplyFwdMsg">Pošiljatelj: Ann</div><p>Old</p>',
    "Outlook for Mac": '<span id="OLK_SRC_BODY_SECTION"><div>From: Ann</div><div>Old</div></span>',
    "Apple Mail": '<div><br><blockquote type="cite"><div>On 3 May 2024, at 14:13, Ann '
    "&lt;a@example.com&gt; wrote:</div><br><div>Old</div></blockquote></div><br>",
    "Thunderbird": '<div class="moz-cite-prefix">Am 03.05.24 um 14:13 schrieb Ann:<br></div>'
    '<blockquote type="cite" cite="mid:x@example.com"><p>Old</p></blockquote>',
    "Yahoo": '<div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Friday, Ann wrote:'
    "</div>Old</div>",
    "Proton": '<div class="protonmail_quote">Il venerdì 3 maggio Ann ha scritto:<blockquote '
    'class="protonmail_quote" type="cite">Old</blockquote></div>',
    "Zimbra": '<hr id="zwchr" data-marker="__DIVIDER__"><div data-marker="__HEADERS__"><b>From:'
    ' </b>"Ann"<br></div><div data-marker="__QUOTED_TEXT__">Old</div>',
    "Hotmail": '<div><hr id="stopSpelling">Date: Fri, 3 May 2024<br>To: x@example.com<br>Old</div>',
    "Yandex": '<div>03.05.2024, 14:13, "Ann" &lt;a@example.com&gt;:</div>'
    "<blockquote>Old</blockquote>",
    "Mail.ru": "Fri, 3 May 2024 14:13 от Ann &lt;a@example.com&gt;:<br>"
    "<blockquote>Old</blockquote>",
    "no marks at all": f"<p>{WROTE.replace('<', '&lt;')}</p><p>Old</p>",
    "our delimiter": "<div>##- Please write above this line -##</div><p>Old</p>",
}


@pytest.mark.parametrize("quotation", QUOTATIONS.values(), ids=QUOTATIONS)
def test_quotations_are_taken_out_of_html(quotation: str) -> None:
    html = f'<html><body><p>It <b>works</b>.<img src="cid:new"></p>{quotation}</body></html>'
    reply = read_reply("", html)
    assert reply.visible == "It works."
    assert "Old" in reply.quoted
    assert reply.html is not None
    assert reply.html.replace(" ", "") == '<p>It<b>works</b>.<imgsrc="cid:new"></p>'


@pytest.mark.parametrize("line", ["##- Please write above this line -##", "-- Original Message --"])
def test_html_answers_between_quotations_stay(line: str) -> None:
    html = (
        f'<blockquote type="cite"><p>{line}</p><p>Does it blink?</p></blockquote><p>Yes.</p>'
        '<blockquote type="cite">Since when?</blockquote><p>May.</p>'
    )
    assert read_reply("", html).visible == "Yes.\n\nMay."
    assert read_reply("", html).html == "<p>Yes.</p><p>May.</p>"


def test_signatures_in_html_are_found() -> None:
    html = (
        '<div>Yes.</div><div class="gmail_signature">Bob<br><img src="cid:logo"></div>'
        f'<div class="gmail_quote">{WROTE}<blockquote>Old</blockquote></div>'
    )
    reply = read_reply("", html)
    assert (reply.visible, reply.signature, reply.html) == ("Yes.", "Bob", "<div>Yes.</div>")


def test_html_of_a_forward_is_content() -> None:
    html = (
        '<p>FYI</p><div class="gmail_quote">---------- Forwarded message ---------<br>'
        "From: Ann &lt;a@example.com&gt;<br>Date: 3 May<br><br>It blinks.</div>"
    )
    assert "It blinks." in read_reply("", html).visible


def test_html_quotations_made_with_a_button_are_content() -> None:
    html = '<p>They say</p><blockquote class="gmail_quote">not us</blockquote><p>Who then?</p>'
    assert read_reply("", html).visible == "They say\n\nnot us\n\nWho then?"


def test_html_in_lines_of_preformatted_text_is_cut_within() -> None:
    reply = read_reply("", f"<pre>Yes.\n\n{WROTE.replace('<', '&lt;')}\n&gt; Old\n</pre>")
    assert (reply.visible, reply.html) == ("Yes.", "<pre>Yes.\n\n</pre>")


def test_visible_html_is_harmless() -> None:
    html = f'<p onclick="x()">Yes<script>x()</script></p><div class="gmail_quote">{WROTE}</div>'
    assert read_reply("", html).html == "<p>Yes</p>"


def test_the_plain_text_is_kept_where_it_tells_as_much() -> None:
    html = f'<p>Yes: <a href="x">here</a></p><div class="gmail_quote">{WROTE}<p>Old</p></div>'
    plain = read_reply(f"Yes: here (http://example.com)\n\n{WROTE}\n> Old", html)
    assert (plain.visible, "Old" in (plain.html or "")) == ("Yes: here (http://example.com)", False)
    assert read_reply("Yes: here\nOld", html).visible == "Yes: here"


# --- never raises, never takes long


@given(st.text(st.sampled_from(" \n\r\t>-_:@<x3On wrote,.：年\u200f"), max_size=300))
@settings(deadline=None, max_examples=300)
def test_no_part_of_any_text_is_lost(text: str) -> None:
    reply = read_reply(text)
    assert "".join(text[span.start : span.end] for span in reply.spans) == text
    assert bool(reply.visible.strip()) == bool(text.strip())


@given(
    st.lists(
        st.sampled_from(
            [
                "<div class=gmail_quote>",
                "</div>",
                "<blockquote>",
                "</blockquote>",
                "<p>",
                "a\n",
                "<hr>",
                "<blockquote type=cite>",
                "<img src=cid:x>",
                "-- <br>",
                WROTE,
                "<div id=divRplyFwdMsg>",
                "<div class=moz-signature>",
                "<br>",
                "&#1;&#5;",
                "<pre>\n\nx\n",
                "> q<br>",
                "</table>",
            ]
        ),
        max_size=30,
    )
)
@settings(deadline=None, max_examples=300)
def test_no_part_of_any_html_is_lost(pieces: list[str]) -> None:
    reply = read_reply("", "".join(pieces))
    assert "".join(reply.text[span.start : span.end] for span in reply.spans) == reply.text
    assert bool(reply.visible.strip()) == bool(reply.text.strip())


MEGABYTES = {
    "lines": "a line of text\n",
    "empty lines": "\n",
    "arrows": ">",
    "quoted lines": ">\n",
    "colons": "x:\n",
    "headers": "From: a Sent: b To: c Date: d\n",
    "half attributions": "On On On On 3 On wrote\n",
    "glued": f"{'a On ' * 30} wrote:\n> x\n",
    "dashes": "--\n",
    "rules": "---- x ----\n",
    "closings": "Regards,\nq?\n",
    "spaces": " ",
}


@pytest.mark.parametrize("unit", MEGABYTES.values(), ids=MEGABYTES)
def test_a_megabyte_takes_less_than_a_second(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    reply = read_reply(text)
    assert time.process_time() - started < 1
    assert reply.spans[-1].end == len(text)
