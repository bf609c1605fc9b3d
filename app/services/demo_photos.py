"""What looks photographed in the demo - receipts, whiteboards, landscapes - and the files of all its pictures."""

import io
import itertools
import math
import time
from collections.abc import Callable
from random import Random
from typing import Any

from PIL import Image, ImageChops, ImageDraw

from app.services.demo_drawings import INK, PAPER, Color, Pen, chart, font, mixed, plan

SIZES = ((1600, 1000), (1280, 960), (1000, 1000), (1200, 800), (960, 720), (800, 600))
FORMATS: dict[str, tuple[str, str, dict[str, Any]]] = {
    # extension, type, options: quick to write, since nobody counts the bytes of these files
    "JPEG": ("jpg", "image/jpeg", {"quality": 82}),
    "PNG": ("png", "image/png", {"compress_level": 2}),
    "WEBP": ("webp", "image/webp", {"quality": 78, "method": 0}),
    # a fixed date, or the same picture would make another file each time
    "PDF": ("pdf", "application/pdf", {"creationDate": time.gmtime(0), "modDate": time.gmtime(0)}),
}
FINE = 2  # pictures are drawn so many times larger, which makes their edges smooth
TABLES = ((139, 104, 76), (92, 98, 108), (178, 150, 118), (70, 84, 78))
SHOPS = ("CORNER SHOP", "HARDWARE", "CAFÉ", "PAPER & INK", "GARDEN")
GOODS = ("Coffee", "Paper A4", "Light bulb", "Batteries", "Tea", "Pens", "Tape", "Soap", "Screws", "Biscuits")
IDEAS = ("Start", "Plan", "Ask", "Order", "Build", "Test", "Show", "Ship", "Learn", "Costs?", "Who?", "When?")
MARKERS = ((31, 78, 160), (190, 40, 45), (30, 125, 70), (50, 50, 56))
NOTES = ((255, 224, 102), (255, 173, 173), (160, 231, 160), (160, 214, 255))
SKIES = (
    # above, at the horizon, the nearest hills
    ((64, 120, 186), (222, 236, 244), (32, 66, 58)),
    ((70, 62, 122), (250, 176, 124), (40, 30, 60)),
    ((22, 38, 78), (120, 146, 186), (10, 22, 38)),
    ((238, 150, 96), (255, 226, 170), (112, 52, 60)),
    ((132, 178, 186), (240, 238, 220), (58, 84, 72)),
)


def picture(seed: str, kind: str, format_name: str) -> tuple[bytes, str, str]:
    """Return the bytes of a picture, its extension and its content type."""
    rng = Random(seed)  # noqa: S311, it draws pictures
    width, height = (side * FINE for side in rng.choice(SIZES))
    if kind == "receipt":
        width, height = min(width, height), max(width, height)
    large = Image.new("RGB", (width, height), PAPER)
    KINDS[kind](ImageDraw.Draw(large), rng, width, height)
    image = large.reduce(FINE)
    if kind in ("board", "receipt"):
        image = _shaded(image)
    extension, content_type, options = FORMATS[format_name]
    out = io.BytesIO()
    image.save(out, format_name, **options)
    return out.getvalue(), extension, content_type


def _shaded(image: Image.Image) -> Image.Image:
    """Darken the corners, as a lamp above the middle does."""
    light = ImageChops.invert(Image.radial_gradient("L")).point([min(255, 175 + value // 2) for value in range(256)])
    return ImageChops.multiply(image, light.resize(image.size).convert("RGB"))


def _receipt(pen: Pen, rng: Random, width: int, height: int) -> None:
    """Draw the slip of a shop on a table."""
    wood, unit = rng.choice(TABLES), width // 60
    for x in range(0, width, unit):
        pen.rectangle((x, 0, x + unit, height), mixed(wood, (0, 0, 0), rng.uniform(0, 0.08)))
    left, right, top, bottom = unit * 11, width - unit * 11, height // 16, height - height // 14
    pen.rectangle((left + unit, top + unit, right + unit, bottom + unit), mixed(wood, (0, 0, 0), 0.35))
    teeth = [(x, bottom + (x // unit % 2) * unit) for x in range(left, right, unit)]
    pen.polygon([(left, top), *teeth, (right, bottom), (right, top)], PAPER)
    pen.text((width / 2, height * 0.13), rng.choice(SHOPS), INK, font(unit * 4), anchor="mm")
    start, end, y, total = left + unit * 3, right - unit * 3, height * 0.21, 0
    for name in rng.sample(GOODS, rng.randint(4, 9)):
        cents = rng.randint(99, 4999)
        total += cents
        pen.text((start, y), name, INK, font(unit * 2.2), anchor="lm")
        pen.text((end, y), f"{cents / 100:.2f}", INK, font(unit * 2.2), anchor="rm")
        y += height * 0.05
    pen.line((start, y, end, y), INK, unit // 4)
    pen.text((start, y + height * 0.045), "TOTAL", INK, font(unit * 3), anchor="lm")
    pen.text((end, y + height * 0.045), f"{total / 100:.2f}", INK, font(unit * 3), anchor="rm")
    x = start + unit * 4
    while x < end - unit * 5:  # a bar code
        bar = rng.choice((2, 2, 4, 6)) * unit // 8
        pen.rectangle((x, height * 0.83, x + bar, height * 0.89), INK)
        x += bar + rng.choice((3, 4, 6)) * unit // 8


def _board(pen: Pen, rng: Random, width: int, height: int) -> None:
    """Draw a whiteboard with boxes, arrows and sticky notes."""
    columns, rows = rng.choice(((3, 2), (3, 3), (4, 3)))
    step_x, step_y = width // columns, height // rows
    unit = min(step_x, step_y) // 15
    pen.rectangle((0, 0, width, height), (236, 239, 241))
    pen.rectangle((0, 0, width, height), None, (150, 156, 164), unit)
    words = rng.sample(IDEAS, columns * rows)
    middles = [(step_x * x + step_x // 2, step_y * y + step_y // 2) for y in range(rows) for x in range(columns)]
    spots = [(x + rng.randint(-2, 2) * unit, y + rng.randint(-2, 2) * unit) for x, y in middles]
    for one, other in itertools.pairwise(spots):
        if rng.random() < 0.7:
            _stroke(pen, rng, [one, other], rng.choice(MARKERS), unit)
    for (x, y), word in zip(spots, words, strict=True):
        _idea(pen, rng, x, y, unit, word)


def _idea(pen: Pen, rng: Random, x: int, y: int, unit: int, word: str) -> None:
    """Draw one word in a box, in a circle or on a sticky note, with scribbles below."""
    color, half = rng.choice(MARKERS), unit * 4
    shape = rng.random()
    if shape < 0.4:
        pen.rectangle((x - half, y - half, x + half, y + half), rng.choice(NOTES))
        for line in range(2):
            at = y + unit * (1 + line * 1.4)
            _stroke(pen, rng, [(x - unit * 3, at), (x + unit * rng.randint(0, 3), at)], INK, unit // 2)
        pen.text((x, y - unit), word, INK, font(unit * 2), anchor="mm")
        return
    pen.ellipse((x - half * 1.2, y - half * 0.8, x + half * 1.2, y + half * 0.8), (236, 239, 241))
    if shape < 0.7:
        pen.ellipse((x - half * 1.2, y - half * 0.8, x + half * 1.2, y + half * 0.8), None, color, unit // 3)
    else:
        left, top, right, bottom = x - half * 1.2, y - half * 0.7, x + half * 1.2, y + half * 0.7
        pen.rectangle((left, top, right, bottom), (236, 239, 241))
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        _stroke(pen, rng, corners, color, unit)
    pen.text((x, y), word, color, font(unit * 2.2), anchor="mm")


def _stroke(pen: Pen, rng: Random, corners: list[tuple[float, float]], color: Color, unit: int) -> None:
    """Draw lines as a hand does."""
    points = []
    for (x1, y1), (x2, y2) in itertools.pairwise(corners):
        for step in range(9):
            shake_x, shake_y = rng.uniform(-0.12, 0.12) * unit, rng.uniform(-0.12, 0.12) * unit
            points.append((x1 + (x2 - x1) * step / 8 + shake_x, y1 + (y2 - y1) * step / 8 + shake_y))
    pen.line(points, color, max(3, unit // 3), "curve")


def _landscape(pen: Pen, rng: Random, width: int, height: int) -> None:
    """Draw hills behind hills under a sky with a sun or a moon."""
    above, horizon, near = rng.choice(SKIES)
    bands = 120
    for band in range(bands):
        top = height * band // bands
        pen.rectangle((0, top, width, top + height // bands + 1), mixed(above, horizon, min(1, band / bands * 1.5)))
    x, y, radius = width * rng.uniform(0.2, 0.8), height * rng.uniform(0.15, 0.4), height * rng.uniform(0.04, 0.09)
    for glow in range(6, -1, -1):
        sky = mixed(above, horizon, min(1, y / height * 1.5))
        pen.circle((x, y), radius * (1 + glow * 0.25), mixed((255, 248, 224), sky, glow / 7 * 0.6 + 0.38 * (glow > 0)))
    layers = rng.randint(4, 6)
    for layer in range(layers):
        depth = (layer + 1) / layers
        base = height * (0.42 + 0.42 * depth)
        waves = [(rng.uniform(0.6, 2) * 2**n, rng.uniform(0, 7), 0.13 / 1.9**n) for n in range(5)]
        rise = height * rng.uniform(0.6, 1.1) * (1.2 - depth * 0.5)
        ridge = [
            (at, base - rise * sum(math.sin(at / width * 6.3 * f + shift) * high for f, shift, high in waves))
            for at in range(0, width + 17, 16)
        ]
        pen.polygon([*ridge, (width + 16, height), (0, height)], mixed(horizon, near, depth**1.2))


KINDS: dict[str, Callable[[Pen, Random, int, int], None]] = {
    "chart": chart,
    "plan": plan,
    "receipt": _receipt,
    "board": _board,
    "landscape": _landscape,
}
