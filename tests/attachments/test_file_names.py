"""Names of files: stored without what could mislead, and given back as they were stored."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from app.services.uploads import clean_name
from tests.attachments.conftest import stored, submit, upload
from tests.factories import PNG, create_attachment, create_todo

NAMES = {
    "photo.png": "photo.png",
    "../../etc/passwd": "passwd",
    "C:\\Users\\me\\photo.png": "photo.png",
    "..\\..\\boot.ini": "boot.ini",
    "/": "unnamed",
    "  spaced name .png  ": "spaced name .png",
    "line\nbreak\r.png": "linebreak.png",
    "tab\there.png": "tabhere.png",
    "escape\x1b[31m\x7f.png": "escape[31m.png",
    "invoice\u202egnp.exe": "invoicegnp.exe",
    "isolate\u2066x\u2069.png": "isolatex.png",
    "a\"b;c\\'d.png": "'d.png",
    'quote" and; semicolon.png': 'quote" and; semicolon.png',
    "Grüße – 牛奶 😀.png": "Grüße – 牛奶 😀.png",
    "100% sure?.png": "100% sure?.png",
    "<img src=x onerror=alert(1)>.png": "<img src=x onerror=alert(1)>.png",
    "a" * 300 + ".png": "a" * 196 + ".png",
    "牛" * 300 + ".jpeg": "牛" * 195 + ".jpeg",
    "no-extension" * 30: ("no-extension" * 30)[:200],
    ".hidden": ".hidden",
}


def given_back(disposition: str) -> str:
    """Return the file name that a browser reads from a Content-Disposition (RFC 6266)."""
    _, options = parse_options_header(disposition)
    return options["filename"]


@pytest.mark.parametrize("name", NAMES)
def test_name_is_cleaned(name):
    assert clean_name(name) == NAMES[name]


@pytest.mark.parametrize("character", ["\x85", "\x9b", "\u2028"])
def test_name_has_no_control_characters_of_other_blocks(character):
    assert clean_name(f"in{character}voice.png") == "invoice.png"


def test_names_are_stored_clean_and_given_back(login, cast):
    client = login("alice")
    # what the client's multipart encoding changes by itself is left to the test above
    sent = [name for name in NAMES if not set(name) & set('\n\r"\\\x00')]
    form = {"title": "Plants", "attachments": [upload(PNG, name) for name in sent]}
    assert submit(client, "/todos", form).status_code == 302
    assert [file.name for file in stored()] == [NAMES[name] for name in sent]
    for file in stored():
        answer = client.get(f"/files/{file.id}?download")
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert given_back(answer.headers["Content-Disposition"]) == file.name


@pytest.mark.parametrize(
    "name", ['quote".png', "back\\slash.png", "semi; filename=evil.exe", "Grüße.png", "a%0d%0ab.png"]
)
def test_name_cannot_break_out_of_its_header(login, cast, name):
    file = create_attachment(create_todo(cast.alice), name=name)
    header = login("alice").get(f"/files/{file.id}?download").headers["Content-Disposition"]
    assert given_back(header) == name
    assert unquote(header).count("evil.exe") == name.count("evil.exe")


@given(st.text(max_size=400))
def test_clean_name_is_short_printable_and_clean_already(name):
    cleaned = clean_name(name)
    assert 0 < len(cleaned) <= 200
    assert not set(cleaned) & set("/\\\r\n\x00\u202e")
    assert clean_name(cleaned) == cleaned
