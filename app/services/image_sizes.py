"""Width and height of an image from its header: Pillow would read the whole file into memory for that."""

import struct
from typing import BinaryIO

# JPEG's frame headers: baseline, progressive and kin, but not DHT, JPG and DAC among them (ITU-T T.81, table B.1)
FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
STANDALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length


def image_size(stream: BinaryIO) -> tuple[int, int]:
    """Return the pixels across and down of a JPEG, PNG, GIF or WebP.

    Raises:
        ValueError: when the header is damaged.
        struct.error: when it ends too early.
    """
    head = stream.read(30)
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        size = struct.unpack(">II", head[16:24])
    elif head.startswith((b"GIF87a", b"GIF89a")):
        size = struct.unpack("<HH", head[6:10])
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        size = _webp(head)
    elif head.startswith(b"\xff\xd8"):
        stream.seek(2)
        size = _jpeg(stream)
    else:
        raise ValueError("not an image that we know")
    if not size[0] or not size[1]:
        raise ValueError("an image without pixels")
    return size[0], size[1]


def _webp(head: bytes) -> tuple[int, int]:
    """Read the first chunk of a WebP (RFC 9649): lossy, lossless or extended."""
    kind = head[12:16]
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and head[20] == 0x2F:
        (bits,) = struct.unpack("<I", head[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") for at in (24, 27))
        return width + 1, height + 1
    raise ValueError("not a WebP image")


def _jpeg(stream: BinaryIO) -> tuple[int, int]:
    """Walk over the segments of a JPEG to its frame header."""
    while True:
        if stream.read(1) != b"\xff":
            raise ValueError("no marker where one should be")
        marker = stream.read(1)
        while marker == b"\xff":  # fill bytes
            marker = stream.read(1)
        if not marker or marker[0] == 0xD9:
            raise ValueError("no frame header")
        if marker[0] in STANDALONE:
            continue
        (length,) = struct.unpack(">H", stream.read(2))
        if marker[0] in FRAMES:
            height, width = struct.unpack(">xHH", stream.read(5))
            return width, height
        if length < 2:
            raise ValueError("a segment without length")
        stream.seek(length - 2, 1)
