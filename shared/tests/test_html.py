"""HTML from outside: what is kept of it, how it reads as text, and that none of it takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskwire.html import BLOCKED_IMAGE, clean_html, clean_text, html_of, looks_like_html, text_of

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("html", "cleaned"),
    [
        ("<p onclick='x' style='y' class='z' id='i'>a</p>", "<p>a</p>"),
        ("a<script>alert(1)</script><style>p{}</style>b", "ab"),
        ('<a href="javascript:x">a</a>', '<a rel="noopener noreferrer">a</a>'),
        (
            '<a href="https://a.b/">a</a>',
            '<a href="https://a.b/" rel="noopener noreferrer">a</a>',
        ),
        (
            '<img src="https://t.example/x.gif" alt="logo">',
            f'<img src="{BLOCKED_IMAGE}" alt="logo">',
        ),
        ('<img src="//t.example/x.gif">', f'<img src="{BLOCKED_IMAGE}">'),
        ('<img src="cid:1@x">', '<img src="cid:1@x">'),
        ("<form><input name=a>b</form>", "b"),
        ("<b>a\0\x07", "<b>a</b>"),
    ],
)
def test_only_harmless_markup_is_kept(html: str, cleaned: str) -> None:
    assert clean_html(html) == cleaned


def test_large_markup_keeps_its_structure_and_loses_the_same() -> None:
    html = "<ul class=x>" + "<li><b>a</b> &lt; 1" * 200 + '</ul><img src="http://x/y" alt=z>'
    picture = f'<img src="{BLOCKED_IMAGE}" alt="z">'
    assert clean_html(html) == "<ul>" + "<li><b>a</b> &lt; 1</li>" * 200 + "</ul>" + picture


def test_hidden_end_tags_do_not_hide_the_depth() -> None:
    cleaned = clean_html("<div><!--</div>-->x" * 5000)
    assert cleaned.count("<div>") == 256
    assert cleaned.count("x") == 5000


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<br>b", "a\nb"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("<div>a<br></div><div>b</div>", "a\nb"),
        ("<ul><li>a</li><li><p>b</p></li></ul>c", "- a\n- b\n\nc"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>", "a b\nc"),
        ("  a\n  b&nbsp;&nbsp;c &lt;d&gt; ", "a b c <d>"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ('see <a href="https://a.b">the site</a>', "see the site"),
        ("<head><title>t</title></head><style>p{}</style><!-- c -->a", "a"),
        ('<img alt="logo"> a', "logo a"),
        ("", ""),
    ],
)
def test_text_reads_like_the_page(html: str, text: str) -> None:
    assert text_of(html) == text


def test_html_that_is_too_large_is_kept_as_text() -> None:
    html = "<p>begin</p>" + "<b>x</b>" * (MIB // 4) + "<p>end &amp; more</p><script>no</script>"
    text = text_of(html)
    assert text.startswith("begin x")
    assert text.endswith("end & more")
    assert clean_html(html).startswith("<p>begin x")


def test_pictures_inside_the_html_do_not_count_as_its_size() -> None:
    html = f'<p>a</p><img src="data:image/png;base64,{"A" * 2 * MIB}" alt="b"><p>c</p>'
    assert clean_html(html) == f'<p>a</p><img src="{BLOCKED_IMAGE}" alt="b"><p>c</p>'


@pytest.mark.parametrize(
    "unit",
    ["<div>", "<p><b a=1>", "<", "<!--", '<a "', "<script>", "<table><tr><td>", "<li>", "<br>",
     "<div><!--</div>-->", "<a><div>", "<b><i><p></b></i>", "&amp", "<svg><style>", "<a ", "\0<b>",
     "a", " ", "a=", "/", "-", "'", "&", "&&a"],
)  # fmt: skip
@pytest.mark.parametrize("begun", ["", "<br>" * 101 + "<a", "<br>" * 101 + "<style"])
def test_no_mebibyte_takes_long(begun: str, unit: str) -> None:
    html = begun + unit * ((MIB - len(begun)) // len(unit))
    began = time.perf_counter()
    clean_html(html)
    text_of(html)
    assert time.perf_counter() - began < 10


@given(st.text(st.characters(exclude_categories=[])) | st.text("<>/!-abdiv \"'=&;\n\0"))
def test_any_text_gives_clean_text(s: str) -> None:
    for result in (clean_html(s), text_of(s), clean_text(s), html_of(clean_text(s))):
        result.encode()
        assert "\0" not in result


def test_clean_text_keeps_what_people_write() -> None:
    assert clean_text("Grüße 👋\tx\r\n") == "Grüße 👋\tx\r\n"
    assert clean_text("a\0b\x1bc\x7f\ud800d") == "abcd"


@pytest.mark.parametrize(
    ("s", "is_html"),
    [
        ("<p>a", True),
        ("a<BR/>b", True),
        ('<div class="x">', True),
        ("<!DOCTYPE html>", True),
        ("a < b and b > c", False),
        ("jane <jane@example.org>", False),
        ("List<String> x", False),
    ],
)
def test_html_is_told_from_text(s: str, is_html: bool) -> None:
    assert looks_like_html(s) is is_html
