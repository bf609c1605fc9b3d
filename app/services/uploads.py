"""What a file really is, found in its content and never in its name."""

import codecs
import re
import struct
from collections.abc import Collection
from typing import BinaryIO

import filetype

from app.errors import Invalid
from app.services.image_sizes import image_size

HEAD = 8192  # bytes that are enough to recognise a type
NAMES = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WebP",
    "application/pdf": "PDF",
    "text/plain": "plain text",
}
# bytes that no text has: everything below space but tab, line feed, form feed and carriage return
BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
MARKUP = re.compile(rb"^\W*<\s*(!doctype|!--|\?xml|html|head|body|script|svg|iframe|mime)", re.IGNORECASE)


def clean_name(name: str) -> str:
    """Return a file name without folders and control characters, at most 200 characters, extension kept."""
    name = re.sub(
        r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", "", name.replace("\\", "/").rsplit("/", 1)[-1]
    ).strip()
    stem, dot, extension = name.rpartition(".")
    if len(name) > 200 and dot and len(extension) < 20:
        return stem[: 199 - len(extension)] + dot + extension
    return name[:200] or "unnamed"


def check_bytes(stream: BinaryIO, limit: int) -> None:
    """Refuse a file of more than `limit` MiB; the stream is rewound.

    Raises:
        Invalid: with the end of a sentence that begins with the file's name.
    """
    size = stream.seek(0, 2)
    stream.seek(0)
    if size > limit << 20:
        raise Invalid(f"is larger than {limit} MB")


def check(stream: BinaryIO, allowed: Collection[str], megapixels: int) -> str:
    """Return the type of the content; the stream is rewound.

    Args:
        stream: the file, seekable.
        allowed: the types that may be attached.
        megapixels: images with more pixels are refused before anything is decoded.

    Raises:
        Invalid: when the content is of no accepted type, empty, or too large to be drawn.
    """
    head = stream.read(HEAD)
    stream.seek(0)
    if not head:
        raise Invalid("is empty")
    found = _type_of(head)
    if found not in allowed:
        raise Invalid(f"is not an accepted type ({', '.join(NAMES[name] for name in allowed)})")
    if found.startswith("image/"):
        _check_image(stream, megapixels)
    return found


def _type_of(head: bytes) -> str:
    """Name the type that the first bytes show, "" if it is none of ours."""
    guess = filetype.guess(head)
    if guess and guess.mime in NAMES:
        return str(guess.mime)
    if BINARY.search(head) or MARKUP.search(head.lstrip(b"\xef\xbb\xbf")):
        return ""
    try:
        # a character may be cut in two where the head ends, but not where the file ends
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD)
    except UnicodeDecodeError:
        return ""
    return "text/plain"


def _check_image(stream: BinaryIO, megapixels: int) -> None:
    """Read the image's size from its header; nothing is decoded, so a decompression bomb costs nothing.

    Raises:
        Invalid: when the header is damaged or the image too large.
    """
    try:
        width, height = image_size(stream)
    except (ValueError, struct.error) as error:
        raise Invalid("is damaged: its header cannot be read") from error
    finally:
        stream.seek(0)
    if width * height > megapixels * 1_000_000:
        raise Invalid(f"has {width} × {height} pixels, more than {megapixels} million")
