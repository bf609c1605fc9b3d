"""Thumbnails and previews of images, drawn anew so that nothing of the original but its pixels is left."""

import io
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from app.errors import Invalid
from app.models.attachments import PREVIEW, THUMBNAIL

SIZES = {PREVIEW: 1600, THUMBNAIL: 320}  # pixels of the longer side at most, the largest first
WEBP = {"quality": 80, "method": 2}  # half the time of Pillow's own method, and as small
# of each pixel of the largest image, when it is turned, has 16 bits or is half transparent: copies of four bytes each
BYTES_A_PIXEL = 16
ROOM = 32 << 20  # bytes besides, for the preview and its compression
MAPPED = Path("/proc/self/statm")  # how much address space the process has, in pages; Linux only

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit; ours is a setting, checked before anything is decoded


@contextmanager
def bounded(megapixels: int) -> Iterator[None]:
    """Let this process take the memory that an image of so many pixels needs within the block, and no more.

    Raises:
        Invalid: when something wanted more; where the system does not say what there is, nothing is limited.
    """
    Image.init()  # Pillow gives a format up for ever whose library does not fit into the limit
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if MAPPED.exists():
        present = int(MAPPED.read_text().split()[0]) * resource.getpagesize()
        most = present + megapixels * 1_000_000 * BYTES_A_PIXEL + ROOM
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    except MemoryError as error:
        raise Invalid("The image needs too much memory to be drawn.") from error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16 bits a pixel down to 8; Pillow would cut them off, and all would be white."""
    if not image.mode.startswith("I"):
        return image
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def draw(stream: BinaryIO, megapixels: int) -> dict[int, bytes]:
    """Return preview and thumbnail as WebP, turned as the camera was held, without EXIF or any other metadata.

    Raises:
        Invalid: when the image is damaged or larger than `megapixels`.
    """
    try:
        with Image.open(stream, formats=("JPEG", "PNG", "GIF", "WEBP")) as image:
            if image.width * image.height > megapixels * 1_000_000:
                raise Invalid("The image is too large to be drawn.")
            image.draft("RGB", (SIZES[PREVIEW], SIZES[PREVIEW]))  # lets the JPEG decoder skip most of the work
            turned = ImageOps.exif_transpose(_eight_bits(image))
            turned.thumbnail((SIZES[PREVIEW], SIZES[PREVIEW]))
            mode = "RGBA" if "A" in turned.getbands() or "transparency" in turned.info else "RGB"
            clean = Image.new(mode, turned.size)
            clean.paste(turned.convert(mode))
        return {variant: _webp(clean, size) for variant, size in SIZES.items()}
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise Invalid("The image is damaged and cannot be drawn.") from error


def _webp(image: Image.Image, size: int) -> bytes:
    """Shrink an image and return it as WebP."""
    image.thumbnail((size, size))
    out = io.BytesIO()
    image.save(out, "WEBP", **WEBP)
    return out.getvalue()
