"""What is too large is refused before it costs anything."""

import io
import struct
import zlib

import pytest

from app.errors import Invalid
from app.services import thumbnails, uploads
from tests.attachments.conftest import readable, stored, submit, upload
from tests.attachments.samples import animation, picture, png_chunk, png_header, text

MEGABYTE = 1 << 20


def padded(kind: str) -> bytes:
    """Return a valid image with five megabytes that are no part of the picture before or behind it."""
    junk, image = bytes(5 * MEGABYTE), picture(kind)
    if kind == "PNG":
        return png_header(10, 10, png_chunk(b"juNk", junk))
    if kind == "WEBP":
        body = image[8:] + b"JUNK" + struct.pack("<I", len(junk)) + junk
        return b"RIFF" + struct.pack("<I", len(body)) + body
    if kind == "JPEG":
        return image[:2] + b"".join(b"\xff\xef\xff\xff" + junk[:65533] for _ in range(80)) + image[2:]
    first = image.index(b",", 13)
    return image[:first] + b"\x21\xfe" + b"\xffccccc".ljust(256, b"c") * 20_000 + b"\x00" + image[first:]


class Counting(io.BytesIO):
    """A stream that knows how much was read of it."""

    taken = 0

    def read(self, size=-1):
        data = super().read(size)
        self.taken += len(data)
        return data


@pytest.mark.parametrize("door_path", ["/todos", "/admin/todos/add"])
def test_file_of_exactly_the_limit_is_kept_and_one_byte_more_is_not(login, make_app, door_path):
    client = login("max", make_app(MAX_UPLOAD_MB="1"))
    fits, exceeds = upload(text(MEGABYTE), "fits.txt"), upload(text(MEGABYTE + 1), "exceeds.txt")
    answer = submit(client, door_path, {"title": "Plants", "owner": "max", "attachments": [fits, exceeds]})
    assert answer.status_code == 400
    assert "exceeds.txt is larger than 1 MB." in readable(answer)
    assert [(file.name, file.size) for file in stored()] == [("fits.txt", MEGABYTE)]


@pytest.mark.parametrize(("door_path", "skin"), [("/todos", "css/site.css"), ("/admin/todos/add", "css/admin.css")])
def test_request_over_the_limit_is_answered_by_a_page(login, make_app, door_path, skin):
    client = login("max", make_app(MAX_UPLOAD_MB="1"))
    answer = submit(client, door_path, {"title": "Plants", "attachments": upload(text(7 * MEGABYTE), "huge.txt")})
    assert answer.status_code == 413
    assert "larger than this site accepts" in answer.text
    assert skin in answer.text
    assert stored() == []


def test_form_of_ten_thousand_parts_is_refused(login):
    parts = {f"part{number}": "x" for number in range(10_000)}
    answer = submit(login("alice"), "/todos", {"title": "Plants"} | parts)
    assert answer.status_code == 413


@pytest.mark.parametrize("side", [8100, 11_000, 50_000])
def test_image_of_too_many_pixels_is_refused(login, side):
    form = {"title": "Plants", "attachments": upload(png_header(side, side), "bomb.png")}
    answer = submit(login("alice"), "/todos", form)
    assert answer.status_code == 400
    assert "bomb.png has " in readable(answer)
    assert "64 million" in readable(answer)
    assert stored() == []


def test_compressed_text_within_an_image_is_not_unpacked(login):
    bomb = png_header(10, 10, png_chunk(b"zTXt", b"k\x00\x00" + zlib.compress(bytes(100 * MEGABYTE), 1)))
    answer = submit(login("alice"), "/todos", {"title": "Plants", "attachments": upload(bomb, "bomb.png")})
    assert answer.status_code == 302
    with pytest.raises(Invalid):
        thumbnails.draw(io.BytesIO(bomb), 64)


def test_animation_of_ten_thousand_frames_is_kept_without_drawing_them(login):
    form = {"title": "Plants", "attachments": upload(animation(10_000), "long.gif")}
    assert submit(login("alice"), "/todos", form).status_code == 302
    assert stored()[0].content_type == "image/gif"


@pytest.mark.parametrize("megapixels", [100, 200, 500])
def test_limit_of_pixels_can_be_raised(megapixels):
    side = int((megapixels * 1_000_000) ** 0.5)
    assert uploads.check(io.BytesIO(png_header(side, side)), uploads.NAMES, megapixels) == "image/png"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_checking_an_image_does_not_read_it_whole(kind):
    stream = Counting(padded(kind))
    assert uploads.check(stream, uploads.NAMES, 64) == f"image/{kind.lower()}"
    assert stream.taken <= MEGABYTE
