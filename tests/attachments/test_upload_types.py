"""What a file is, is found in its content; its name and declared type decide nothing."""

import hashlib
import struct

import pytest

from tests.attachments.conftest import readable, stored, submit, upload
from tests.attachments.samples import EXE, HTML, PDF, SVG, animation, picture
from tests.factories import PNG

CUT = "a" * 8191 + "é and more"  # the 8192 bytes that are looked at end within a character
TIFF, ICO, EPS = (
    b"II*\x00" + bytes(100),
    b"\x00\x00\x01\x00\x01\x00" + bytes(100),
    b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(9),
)
ACCEPTED = {
    "png": ("dot.png", PNG, "image/png"),
    "png in capitals": ("DOT.PNG", PNG, "image/png"),
    "png named txt": ("dot.txt", PNG, "image/png"),
    "png without extension": ("dot", PNG, "image/png"),
    "png with two extensions": ("dot.png.exe", PNG, "image/png"),
    "png with a page behind it": ("dot.html", PNG + HTML, "image/png"),
    "jpeg": ("photo.jpg", picture("JPEG"), "image/jpeg"),
    "webp": ("photo.webp", picture("WEBP"), "image/webp"),
    "animated gif": ("moving.gif", animation(5), "image/gif"),
    "gif with a script": ("script.gif", picture("GIF", comment=b"<script>alert(1)</script>"), "image/gif"),
    "pdf with a script": ("paper.pdf", PDF, "application/pdf"),
    "text": ("notes.txt", b"Buy milk\n", "text/plain"),
    "text named png": ("notes.png", b"Buy milk\n", "text/plain"),
    "text in UTF-8": ("notes.txt", "Grüße, 牛奶 😀\n".encode(), "text/plain"),
    "text with a byte order mark": ("notes.txt", "Grüße".encode("utf-8-sig"), "text/plain"),
    "text cut within a character": ("long.txt", CUT.encode(), "text/plain"),
    "text with angle brackets": ("love.txt", b"<3 you, a < b, <dinner at eight>\n", "text/plain"),
    "text that begins as bitmaps do": ("health.txt", b"BMI 23.4, body fat 20 %\n", "text/plain"),
    "web archive": ("page.mhtml", b"MIME-Version: 1.0\nContent-Type: multipart/related\n\n" + HTML, "text/plain"),
}
WRONG_TYPE = "is not an accepted type"
REFUSED = {
    "page named png": ("dot.png", HTML, WRONG_TYPE),
    "page": ("page.html", HTML, WRONG_TYPE),
    "page behind blanks": ("page.txt", b"\n\t  \n" + HTML, WRONG_TYPE),
    "page behind a byte order mark": ("page.txt", b"\xef\xbb\xbf" + HTML, WRONG_TYPE),
    "page behind a comment": ("page.txt", b"<!-- x -->" + HTML, WRONG_TYPE),
    "page without doctype": ("page.txt", b"<HTML\n><script>alert(1)</script>", WRONG_TYPE),
    "page in UTF-16": ("page.txt", HTML.decode().encode("utf-16"), WRONG_TYPE),
    "svg": ("drawing.svg", SVG, WRONG_TYPE),
    "svg named png": ("drawing.png", b'<?xml version="1.0"?>' + SVG, WRONG_TYPE),
    "xml": ("data.xml", b'<?xml version="1.0"?><x/>', WRONG_TYPE),
    "program named png": ("setup.png", EXE, WRONG_TYPE),
    "zip named docx": ("letter.docx", b"PK\x03\x04" + bytes(60), WRONG_TYPE),
    "tiff named jpg": ("photo.jpg", TIFF, WRONG_TYPE),
    "icon named png": ("photo.png", ICO, WRONG_TYPE),
    "eps named png": ("photo.png", EPS, WRONG_TYPE),
    "text with a zero byte": ("notes.txt", b"Buy\x00milk", WRONG_TYPE),
    "text in Latin-1": ("notes.txt", "Grüße aus dem Süden".encode("latin-1"), WRONG_TYPE),
    "short text in Latin-1": ("notes.txt", "Café".encode("latin-1"), WRONG_TYPE),
    "text in UTF-16": ("notes.txt", "Buy milk".encode("utf-16"), WRONG_TYPE),
    "empty": ("empty.png", b"", "is empty"),
    "png of nothing but its signature": ("dot.png", PNG[:8], "is damaged"),
    "png with a damaged header": ("dot.png", PNG[:12] + b"JUNK" + PNG[16:], "is damaged"),
    "jpeg with a damaged header": ("dot.jpg", b"\xff\xd8\xff\xe0" + b"junk" * 20, "is damaged"),
    "gif cut in its header": ("dot.gif", picture("GIF")[:9], "is damaged"),
    "webp with a damaged header": ("dot.webp", b"RIFF" + struct.pack("<I", 40) + b"WEBPVP8 " + b"j" * 32, "is damaged"),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted_file_has_the_type_of_its_content_and_cannot_run(login, case):
    name, data, kind = ACCEPTED[case]
    client = login("alice")
    assert submit(client, "/todos", {"title": "Plants", "attachments": upload(data, name)}).status_code == 302
    (file,) = stored()
    assert (file.name, file.content_type, file.size) == (name, kind, len(data))
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    answer = client.get(f"/files/{file.id}")
    assert answer.data == data
    assert answer.mimetype == kind
    wanted = "inline" if kind.startswith("image/") else "attachment"
    assert answer.headers["Content-Disposition"].startswith(wanted)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")


@pytest.mark.parametrize("case", REFUSED)
def test_refused_file_is_named_with_the_reason_and_the_text_is_kept(login, case):
    name, data, reason = REFUSED[case]
    form = {"title": "What I typed", "notes": "More of it", "attachments": upload(data, name)}
    answer = submit(login("alice"), "/todos", form)
    assert answer.status_code == 400
    page = readable(answer)
    assert f"{name} {reason}" in page
    assert "What I typed" in page
    assert "More of it" in page
    assert stored() == []


def test_all_accepted_kinds_pass_both_forms(door):
    files = [(data, name) for case, (name, data, _) in ACCEPTED.items() if "bitmaps" not in case]
    assert door.add(*files).status_code == 302
    assert [(file.name, file.todo.title) for file in stored()] == [(name, "Plants") for _, name in files]


def test_every_refused_file_is_named_by_both_forms(door):
    answer = door.add(*((data, name) for name, data, _ in REFUSED.values() if data != b"Caf\xe9"), notes="What I typed")
    assert answer.status_code == 400
    page = readable(answer)
    assert all(f"{name} {reason}" in page for name, _, reason in REFUSED.values())
    assert "What I typed" in page
    assert stored() == []
