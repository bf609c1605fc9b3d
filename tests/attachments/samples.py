"""Files of every kind, made when the tests run."""

import io
import struct
import zlib
from functools import cache
from typing import Any

from PIL import Image

CHUNK = 256 * 1024
PDF = b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
HTML = b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
EXE = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00" + bytes(64) + b"PE\x00\x00"


def picture(kind: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    """Return an image whose left half is red and right half blue, as far as the mode has colours."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    out = io.BytesIO()
    image.convert(mode).save(out, kind, **options)
    return out.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width: int, height: int, *chunks: bytes) -> bytes:
    """Return a PNG file that promises so many pixels and has hardly any data."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(b"\x00" * 100))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + png_chunk(b"IEND", b"")


@cache
def animation(frames: int, kind: str = "GIF") -> bytes:
    """Return an animated image whose first frame is red and whose others are green."""
    images = [Image.new("RGB", (30, 20), "red")] + [
        Image.new("RGB", (30, 20), (0, 255 - i % 50, 0)) for i in range(frames - 1)
    ]
    out = io.BytesIO()
    images[0].save(out, kind, save_all=True, append_images=images[1:], duration=50)
    return out.getvalue()


def text(size: int) -> bytes:
    """Return so many bytes of text, different in each chunk."""
    line = b"".join(b"%07d\n" % number for number in range(size // 8 + 1))
    return line[:size]
