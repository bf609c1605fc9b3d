"""Charts and floor plans for the demo, and the colours and letters of all its pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from PIL import ImageDraw, ImageFont

Color = tuple[int, int, int]
Box = tuple[int, int, int, int]
Pen = ImageDraw.ImageDraw
INK, GREY, LABEL, PAPER = (45, 48, 56), (214, 218, 224), (118, 124, 136), (253, 253, 251)
PALETTES: tuple[tuple[Color, ...], ...] = (
    ((38, 70, 83), (42, 157, 143), (233, 196, 106), (244, 162, 97), (231, 111, 81)),
    ((29, 53, 87), (69, 123, 157), (168, 218, 220), (230, 57, 70), (244, 211, 94)),
    ((61, 52, 139), (118, 120, 237), (247, 184, 1), (241, 135, 1), (243, 91, 4)),
    ((27, 67, 50), (64, 145, 108), (149, 213, 178), (255, 183, 3), (188, 108, 37)),
    ((53, 80, 112), (109, 89, 122), (181, 101, 118), (229, 107, 111), (234, 172, 139)),
)
CHART_TITLES = ("Sales by region", "Costs by team", "Energy use", "Tickets per week", "Visitors", "Parcels sent")
SERIES = ("North", "South", "East", "West", "Online", "Shops")
ROOMS = ("Office", "Kitchen", "Archive", "Meeting", "Hall", "Lab", "Store", "Lounge", "Studio", "Bath")


@cache
def font(size: float) -> Any:
    """Return the font that comes with Pillow."""
    return ImageFont.load_default(round(size))


def mixed(one: Color, other: Color, share: float) -> Color:
    """Return a colour between two."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def chart(pen: Pen, rng: Random, width: int, height: int) -> None:
    """Draw a title, a legend and bars, lines or a ring."""
    unit = min(width, height) // 20
    colors = rng.choice(PALETTES)[: rng.randint(2, 4)]
    pen.text((unit, unit), rng.choice(CHART_TITLES), INK, font(unit * 1.4))
    pen.text((unit, unit * 2.8), rng.choice(("in thousands", "per month", "in per cent")), LABEL, font(unit * 0.8))
    for index, (name, color) in enumerate(zip(rng.sample(SERIES, len(colors)), colors, strict=True)):
        left, top = unit + index * unit * 4.6, height - unit * 1.8
        pen.rounded_rectangle((left, top, left + unit * 0.8, top + unit * 0.8), unit // 5, color)
        pen.text((left + unit * 1.2, top + unit * 0.4), name, INK, font(unit * 0.8), anchor="lm")
    box = (round(unit * 2.5), unit * 5, width - unit, height - unit * 3)
    rng.choice((_bars, _bars, _lines, _ring))(pen, rng, box, colors, unit)


def _grid(pen: Pen, box: Box, unit: int) -> None:
    """Draw the horizontal lines of a chart."""
    left, top, right, bottom = box
    for step in range(6):
        y = bottom - (bottom - top) * step // 5
        pen.line((left, y, right, y), GREY, max(2, unit // 20))
        pen.text((left - unit // 3, y), str(step * 20), LABEL, font(unit * 0.7), anchor="rm")


def _bars(pen: Pen, rng: Random, box: Box, colors: Sequence[Color], unit: int) -> None:
    """Draw groups of bars."""
    _grid(pen, box, unit)
    left, top, right, bottom = box
    groups = rng.randint(4, 9)
    step = (right - left) / groups
    bar = step * 0.75 / len(colors)
    for group in range(groups):
        for index, color in enumerate(colors):
            x = left + step * (group + 0.14) + bar * index
            y = bottom - (bottom - top) * rng.uniform(0.15, 0.95)
            pen.rectangle((x, y, x + bar * 0.9, bottom), color)


def _lines(pen: Pen, rng: Random, box: Box, colors: Sequence[Color], unit: int) -> None:
    """Draw one line for each series, the first one above a tinted area."""
    _grid(pen, box, unit)
    left, top, right, bottom = box
    for index, color in enumerate(colors):
        value, points = rng.uniform(0.2, 0.7), []
        for step in range(13):
            value = min(0.97, max(0.05, value + rng.uniform(-0.12, 0.15)))
            points.append((left + (right - left) * step / 12, bottom - (bottom - top) * value))
        if index == 0:
            pen.polygon([*points, (right, bottom), (left, bottom)], mixed(PAPER, color, 0.2))
        pen.line(points, color, unit // 6, "curve")
        for point in points:
            pen.circle(point, unit // 5, color)


def _ring(pen: Pen, rng: Random, box: Box, colors: Sequence[Color], unit: int) -> None:
    """Draw a ring of shares around their sum."""
    left, top, right, bottom = box
    radius, x, y = (bottom - top) // 2, (left + right) // 2, (top + bottom) // 2
    weights = [rng.uniform(1, 4) for _ in colors]
    start = -90.0
    for weight, color in zip(weights, colors, strict=True):
        share = weight / sum(weights)
        pen.pieslice((x - radius, y - radius, x + radius, y + radius), start, start + 360 * share, color)
        middle = math.radians(start + 180 * share)
        spot = (x + math.cos(middle) * radius * 0.78, y + math.sin(middle) * radius * 0.78)
        pen.text(spot, f"{share:.0%}", INK if sum(color) > 420 else PAPER, font(unit), anchor="mm")
        start += 360 * share
    pen.circle((x, y), radius * 0.56, PAPER)
    pen.text((x, y), f"{rng.randint(2, 90) * 100:,}", INK, font(unit * 2), anchor="mm")


@dataclass
class _Sheet:
    """A floor plan under way."""

    pen: Pen
    rng: Random
    unit: int
    paper: Color
    ink: Color
    tint: Sequence[Color]
    names: list[str]


def plan(pen: Pen, rng: Random, width: int, height: int) -> None:
    """Draw a floor plan, on white or on blue paper."""
    paper, ink = rng.choice(((PAPER, INK), (PAPER, INK), ((30, 74, 128), (228, 238, 248))))
    unit = min(width, height) // 40
    pen.rectangle((0, 0, width, height), paper)
    sheet = _Sheet(pen, rng, unit, paper, ink, rng.choice(PALETTES), rng.sample(ROOMS, len(ROOMS)))
    outer = (unit * 3, unit * 3, width - unit * 3, height - unit * 3)
    _rooms(sheet, outer, 3)
    pen.rectangle(outer, None, ink, unit)
    for x in range(unit * 6, width - unit * 9, unit * 9):  # windows
        for y in (unit * 3, height - unit * 4):
            pen.rectangle((x, y, x + unit * 4, y + unit), paper, ink, unit // 5)
    pen.text((width - unit * 3, height - unit * 1.4), "1 : 100", ink, font(unit * 1.4), anchor="rm")


def _rooms(sheet: _Sheet, box: Box, depth: int) -> None:
    """Divide a space by walls until it is a room, then name it."""
    left, top, right, bottom = box
    wide, high, unit = right - left, bottom - top, sheet.unit
    if depth == 0 or max(wide, high) < unit * 16:
        sheet.pen.rectangle(box, mixed(sheet.paper, sheet.rng.choice(sheet.tint), 0.16))
        middle = ((left + right) / 2, (top + bottom) / 2)
        size = f"\n{wide * high / unit**2 / 8:.1f} sqm"
        sheet.pen.text(middle, sheet.names.pop() + size, sheet.ink, font(unit * 1.6), anchor="mm", align="center")
        return
    share = sheet.rng.uniform(0.38, 0.62)
    if wide > high:
        x = round(left + wide * share)
        halves, wall = ((left, top, x, bottom), (x, top, right, bottom)), (x, top, x, bottom)
    else:
        y = round(top + high * share)
        halves, wall = ((left, top, right, y), (left, y, right, bottom)), (left, y, right, y)
    for half in halves:
        _rooms(sheet, half, depth - 1)
    _wall(sheet, wall)


def _wall(sheet: _Sheet, wall: Box) -> None:
    """Draw a wall with an open door near its beginning."""
    left, top, right, _bottom = wall
    unit = sheet.unit
    upright = left == right
    sheet.pen.line(wall, sheet.ink, unit // 2)
    near, far = unit * 2, unit * 5
    hinge = (left, top + far) if upright else (left + far, top)
    gap = (left, top + near, left, top + far) if upright else (left + near, top, left + far, top)
    sheet.pen.line(gap, sheet.paper, unit // 2 + 2)
    around = (hinge[0] - unit * 3, hinge[1] - unit * 3, hinge[0] + unit * 3, hinge[1] + unit * 3)
    sheet.pen.arc(around, 180, 270, sheet.ink, max(2, unit // 8))
    leaf = (hinge[0] - unit * 3, hinge[1]) if upright else (hinge[0], hinge[1] - unit * 3)
    sheet.pen.line((*hinge, *leaf), sheet.ink, max(2, unit // 6))
