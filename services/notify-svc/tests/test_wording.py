"""What mails say, in every language, and what an operator may say instead."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from notify_desk import desk_of, settings

from deskwire.errors import SetupError
from notify_svc.rendering.contents import Contents, contents
from notify_svc.rendering.previews import LINKS, check, previews, write
from notify_svc.rendering.samples import NOW, samples
from notify_svc.rendering.wording import PACKAGE, Wording

OURS = Wording()
LANGUAGES = sorted(OURS.languages)


def flat(catalogue: Mapping[str, Any], place: str = "") -> dict[str, str]:
    """Each sentence by its place; plural forms are one."""
    found: dict[str, str] = {}
    for key, value in catalogue.items():
        if isinstance(value, str):
            found[place + key] = value
        elif "other" in value:
            found[place + key] = value["other"]
        else:
            found |= flat(value, f"{place}{key}.")
    return found


def said(wording: Wording, name: str, language: str = "en") -> Contents:
    return dict(previews(wording, language))[name]


def test_the_languages_are_those_that_are_promised() -> None:
    assert LANGUAGES == ["de", "en", "es", "fr", "nl"]
    assert {path.stem for path in (PACKAGE / "languages").iterdir()} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_all_of_it_with_the_same_values(language: str) -> None:
    english, other = flat(OURS.languages["en"]), flat(OURS.languages[language])
    assert set(other) == set(english)
    for place, sentence in english.items():
        assert set(re.findall(r"{\w+}", other[place])) == set(re.findall(r"{\w+}", sentence)), place


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plural_has_the_forms_of_its_language(language: str) -> None:
    forms = set(Locale.parse(language).plural_form.tags) | {"other"}
    digest = OURS.languages[language]["digest"]
    plurals = [value for value in digest.values() if isinstance(value, dict)]
    assert len(plurals) == 3
    for plural in plurals:
        assert set(plural) == forms - {"many"}  # of millions, which no digest has


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mail_can_be_written(language: str) -> None:
    found = dict(previews(OURS, language))
    assert len(found) > 20
    for name, mail in found.items():
        for text in (mail.subject, mail.text, mail.html):
            assert not re.search(r"{\w*}|\bNone\b", text.partition("</style>")[2] or text), name
        assert f'<html lang="{language}">' in mail.html
        assert "\n\n\n" not in mail.text, name
        assert mail.text == mail.text.strip() + "\n", name


@pytest.mark.parametrize(
    ("language", "expected"),
    [("de", "de"), ("DE", "de"), ("de-AT", "de"), ("pt", "en"), ("", "en"), ("../en", "en")],
)
def test_the_nearest_language_is_taken(language: str, expected: str) -> None:
    assert said(OURS, "closed", language).language == expected


def test_a_colon_is_set_as_the_language_sets_it() -> None:
    english, french = said(OURS, "closed"), said(OURS, "closed", "fr")
    assert "\nClient:      Acme" in english.text
    assert "\nClient :      Acme" in french.text
    assert ">Client :</span>" in french.html
    assert "\nOui : https://" in said(OURS, "ticket-closed", "fr").text


def override(folder: Path, **files: str) -> Wording:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_TOML", ".toml").replace("_J2", ".html.j2")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Wording(folder)


def test_a_sentence_can_be_said_otherwise(tmp_path: Path) -> None:
    ours = '[ticket-closed]\nlead = "{reference} & done."\n'
    wording = override(tmp_path, languages__en_TOML=ours)
    found = said(wording, "ticket-closed")
    assert "\nTCK-12 & done.\n" in found.text
    assert "TCK-12 &amp; done." in found.html
    assert found.subject == said(OURS, "ticket-closed").subject
    assert said(wording, "ticket-closed", "de") == said(OURS, "ticket-closed", "de")


def test_a_language_can_be_added_bit_by_bit(tmp_path: Path) -> None:
    wording = override(tmp_path, languages__pl_TOML='hello = "Dzień dobry {to_name},"\n')
    found = said(wording, "ticket-created", "pl")
    assert found.language == "pl"
    assert "Dzień dobry Ann Baker,\n\nThank you" in found.text
    assert check(wording) > check(OURS)


def test_one_mail_can_have_a_template_of_its_own(tmp_path: Path) -> None:
    wording = override(tmp_path, templates__note__body_J2="<p>{{ author }}: {{ text }}</p>")
    assert said(wording, "note").html == "<p>Carol: &gt; Toner ordered, number 4711.</p>"
    assert said(wording, "mention").html == said(OURS, "mention").html


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"languages__en_TOML": "[note]\nlead = "}, r"en\.toml: Invalid value"),
        ({"languages__en_TOML": '[note]\nlead = "{nobody}"'}, r"mail note .*no \{nobody\}"),
        ({"languages__en_TOML": '[note]\nlead = "{}"'}, r"mail note .*no \{\}"),
        ({"languages__english_TOML": ""}, r"english\.toml"),
        ({"languages__en_TOML": "[note]\nlead = 3"}, r"mail note in en"),
        ({"templates__note__body_J2": "{% if %}"}, r"mail note .*body\.html\.j2, line 1"),
        ({"templates__note__body_J2": "{{ nobody }}"}, r"mail note .*'nobody' is undefined"),
        ({"templates__note__body_J2": "{{ html.__class__.__mro__ }}"}, r"mail note .*unsafe"),
        ({"templates__layout_J2": "{% endblock %}"}, r"layout\.html\.j2, line 1"),
    ],
)
async def test_what_is_wrong_is_told_at_the_start_in_one_line(
    files: dict[str, str], says: str, tmp_path: Path
) -> None:
    with pytest.raises(SetupError, match=says) as refusal:
        check(override(tmp_path, **files))
    assert "\n" not in str(refusal.value)
    with pytest.raises(SetupError, match=says):
        async with desk_of(settings("postgresql://nobody@127.0.0.1:1/x", "", templates=tmp_path)):
            pass


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="nowhere"):
        Wording(tmp_path / "nowhere")


def test_previews_are_pages_to_look_at(tmp_path: Path) -> None:
    index, *pages = write(OURS, "nl", tmp_path / "new")
    assert all(page.name in index.read_text() for page in pages)
    assert all("<html" in page.read_text() for page in pages)


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("public-reply", "The toner arrives tomorrow."),
        ("ticket-closed", "Hello Ann Baker, Your ticket"),
    ],
)
def test_what_lists_of_mails_show_below_the_subject_is_what_it_is_about(
    name: str, begins: str
) -> None:
    """Programs take the first text, hidden or not: that would be our line to reply above."""
    shown = re.sub(r"<[^>]*>", "", said(OURS, name).html.partition("<body")[2].partition(">")[2])
    assert shown.strip().startswith(begins), shown[:200]


def test_nobody_is_greeted_by_their_address() -> None:
    """It is the name of a contact that was made of a mail without one."""
    mail = dict(samples("en"))["public-reply"].saying(to_name="scanner@client.test")
    links = LINKS.in_mail(mail, NOW)
    made = contents(mail, OURS, sender_name="Support", ticket_url=None, links=links)
    assert "\nHello,\n" in made.text
    assert "scanner@" not in made.text + made.html
