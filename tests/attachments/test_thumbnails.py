"""Thumbnails and previews: the pixels of the original and nothing else of it."""

import io
import resource
import struct

import pytest
from PIL import Image, ImageChops

from app.errors import Invalid
from app.extensions import db
from app.models import Job
from app.models.attachments import PREVIEW, THUMBNAIL
from app.services import thumbnails
from app.tasks.attachments import draw_thumbnails
from app.tasks.runner import execute, submit_for
from tests.attachments.conftest import chunk_count, stored, submit, upload
from tests.attachments.samples import animation, picture, png_header
from tests.factories import create_attachment, create_todo

RED, BLUE, WHITE, BLACK = (255, 0, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
MODES = {
    "jpeg": (picture("JPEG", size=(400, 300)), RED, BLUE),
    "cmyk jpeg": (picture("JPEG", "CMYK", size=(400, 300)), RED, BLUE),
    "grey jpeg": (picture("JPEG", "L"), (76, 76, 76), (29, 29, 29)),
    "palette png": (picture("PNG", "P"), RED, BLUE),
    "palette gif": (picture("GIF", "P"), RED, BLUE),
    "grey and alpha png": (picture("PNG", "LA"), (76, 76, 76), (29, 29, 29)),
    "lossless webp": (picture("WEBP", lossless=True), RED, BLUE),
}
JPEG = picture("JPEG", size=(800, 600))
THREE = (("a.png", "image/png"), ("list.txt", "text/plain"), ("b.png", "image/png"))
DAMAGED = {
    "jpeg cut off": JPEG[: len(JPEG) // 3],
    "png cut off": picture("PNG", size=(800, 600))[:400],
    "gif cut off": picture("GIF", size=(300, 200))[:60],
    "webp cut off": picture("WEBP", size=(300, 200))[:150],
    "png with half of its pixels": png_header(300, 300),
}


def drawn(data: bytes, variant: int = THUMBNAIL) -> Image.Image:
    """Return the thumbnail of an image, or its preview."""
    small = Image.open(io.BytesIO(thumbnails.draw(io.BytesIO(data), 64)[variant]))
    small.load()
    return small


def sides(image: Image.Image) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the colours at the left and at the right edge."""
    middle = image.height // 2
    return image.convert("RGB").getpixel((1, middle)), image.convert("RGB").getpixel((image.width - 2, middle))


def is_near(colour: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Tell whether two colours differ by no more than compression does."""
    return all(abs(one - other) <= 24 for one, other in zip(colour, wanted, strict=True))


def save(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("case", MODES)
def test_thumbnail_has_the_colours_of_the_image(case):
    data, left, right = MODES[case]
    small = drawn(data)
    assert small.format == "WEBP"
    assert is_near(sides(small)[0], left)
    assert is_near(sides(small)[1], right)


def test_thumbnail_of_16_bit_greys_keeps_them_apart():
    row = struct.pack("<100H", *[20_000] * 50, *[50_000] * 50)
    image = Image.frombytes("I;16", (100, 50), row * 50)
    left, right = sides(drawn(save(image, "PNG")))
    assert is_near(left, (78, 78, 78))
    assert is_near(right, (195, 195, 195))


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((800, 600), (320, 240)), ((600, 800), (240, 320)), ((40, 30), (40, 30)), ((3000, 2), (320, 1))],
)
def test_thumbnail_fits_its_frame_and_is_never_enlarged(size, wanted):
    assert drawn(picture("PNG", size=size)).size == wanted


@pytest.mark.parametrize("size", [(2400, 900), (900, 2400), (1600, 20), (40, 30)])
def test_preview_fits_a_screen_and_is_never_enlarged(size):
    scale = min(1, 1600 / max(size))
    assert drawn(picture("JPEG", size=size), PREVIEW).size == tuple(round(side * scale) for side in size)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparency_stays(kind):
    image = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (20, 0, 40, 30))
    small = drawn(save(image, kind))
    assert small.mode == "RGBA"
    assert small.getpixel((2, 15))[3] == 0
    assert small.getpixel((37, 15))[3] == 255


def test_transparency_of_a_palette_stays():
    image = Image.new("P", (40, 30), 0)
    image.putpalette([0, 0, 0, 0, 0, 255])
    image.paste(1, (20, 0, 40, 30))
    small = drawn(save(image, "PNG", transparency=0))
    assert small.getpixel((2, 15))[3] == 0
    assert is_near(small.getpixel((37, 15))[:3], BLUE)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_first_frame_of_an_animation_is_drawn(kind):
    small = drawn(animation(5, kind))
    assert not getattr(small, "is_animated", False)
    assert is_near(sides(small)[0], RED)


@pytest.mark.parametrize("variant", [THUMBNAIL, PREVIEW])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_drawn_tells_nothing_about_the_photographer(kind, variant):
    exif = Image.Exif()
    exif[0x010F], exif[0x9003] = "SECRETCAMERA", "2026:11:22 10:00:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 17.0)})
    data = picture(kind, size=(400, 300), exif=exif, icc_profile=b"SECRETPROFILE", xmp=b"<x>SECRETXMP</x>")
    assert b"SECRETCAMERA" in data
    small = thumbnails.draw(io.BytesIO(data), 64)[variant]
    assert b"SECRET" not in small
    image = Image.open(io.BytesIO(small))
    assert not image.getexif()
    assert not {"exif", "xmp", "icc_profile"} & set(image.info)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_thumbnail_is_turned_as_the_camera_was_held(orientation):
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # what undoes each orientation, as transpose() numbers it
    image = Image.new("RGB", (60, 40), WHITE)
    image.paste("red", (0, 0, 30, 20))
    exif = Image.Exif()
    exif[0x0112] = orientation
    small = drawn(save(image, "JPEG", exif=exif, quality=95)).convert("RGB")
    upright = image.transpose(turns[orientation]) if orientation > 1 else image
    assert small.size == upright.size
    red = ImageChops.difference(small, upright).convert("L").resize((6, 6)).getextrema()
    assert red[1] < 60


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_image_is_refused_with_a_sentence(case):
    with pytest.raises(Invalid, match="damaged"):
        thumbnails.draw(io.BytesIO(DAMAGED[case]), 64)


def test_image_of_too_many_pixels_is_not_drawn():
    with pytest.raises(Invalid, match="too large"):
        thumbnails.draw(io.BytesIO(picture("PNG", size=(1100, 1000))), 1)


@pytest.mark.parametrize("side", [10_000, 50_000])
def test_image_of_very_many_pixels_is_not_decoded(side):
    with pytest.raises(Invalid):
        thumbnails.draw(io.BytesIO(png_header(side, side)), 64)


def test_drawing_gets_so_much_memory_and_no_more():
    before = resource.getrlimit(resource.RLIMIT_AS)
    large = io.BytesIO(picture("PNG", size=(4000, 3000)))  # 36 MB without its compression
    with thumbnails.bounded(12):
        assert thumbnails.draw(large, 12)
    with pytest.raises(Invalid, match="too much memory"), thumbnails.bounded(1):
        bytearray(512 << 20)  # in one piece: no hole that earlier tests left in the heap is as large
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_uploaded_image_gets_its_pictures_by_a_job_of_the_system(login):
    client = login("alice")
    files = [upload(picture("PNG", size=(2400, 1800)), "wide.png"), upload(b"Buy milk", "list.txt")]
    submit(client, "/todos", {"title": "Plants", "attachments": files})
    image, plain = stored()
    job = db.session.query(Job).one()
    assert (job.name, job.owner_id, job.args) == ("attachments.thumbnail", None, {"ids": [image.id]})
    assert f"/files/{image.id}/thumbnail" not in client.get("/todos").text
    execute(job.id)
    assert db.session.get(Job, job.id, populate_existing=True).status == "succeeded"
    assert f"/files/{image.id}/thumbnail" in client.get("/todos").text
    answer = client.get(f"/files/{image.id}/thumbnail")
    assert Image.open(io.BytesIO(answer.data)).size == (320, 240)
    assert client.get(f"/files/{plain.id}/thumbnail").status_code == 404
    assert f'href="/files/{image.id}/show"' in client.get("/todos").text
    page = client.get(f"/files/{image.id}/show").text
    assert f'<img src="/files/{image.id}/preview" alt="wide.png">' in page
    assert f'href="/files/{image.id}?download"' in page
    assert Image.open(io.BytesIO(client.get(f"/files/{image.id}/preview").data)).size == (1600, 1200)


def test_pages_of_images_lead_from_one_to_the_next(login, cast):
    todo = create_todo(cast.alice)
    first, _, second = (create_attachment(todo, name=name, kind=kind, thumbnail_size=1) for name, kind in THREE)
    client = login("alice")
    pages = [client.get(f"/files/{file.id}/show").text for file in (first, second)]
    assert [f'rel="next" href="/files/{second.id}/show"' in page for page in pages] == [True, False]
    assert [f'rel="prev" href="/files/{first.id}/show"' in page for page in pages] == [False, True]
    assert "2 of 2" in pages[1]
    # drawn before there were previews: it can be shown as it is
    assert f'<img src="/files/{second.id}" alt="b.png">' in pages[1]


def test_image_that_is_drawn_twice_is_stored_once(cast):
    file = create_attachment(create_todo(cast.alice), picture("PNG"))
    for _ in range(2):
        job = submit_for(None, draw_thumbnails, ids=[file.id])
        execute(job.id)
        assert db.session.get(Job, job.id, populate_existing=True).status == "succeeded"
    (file,) = stored()
    assert file.thumbnail_size > 0
    assert file.preview_size > 0
    assert chunk_count() == 3


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_image_fails_its_job_with_a_sentence_and_stays_a_file(login, cast, case):
    file = create_attachment(create_todo(cast.alice), DAMAGED[case], "damaged.jpg", "image/jpeg")
    job = submit_for(None, draw_thumbnails, ids=[file.id])
    execute(job.id)
    db.session.refresh(job)
    assert (job.status, job.error) == ("failed", "damaged.jpg: The image is damaged and cannot be drawn.")
    client = login("alice")
    page = client.get("/todos").text
    assert f'href="/files/{file.id}/show"' in page
    assert f"/files/{file.id}/thumbnail" not in page
    shown = client.get(f"/files/{file.id}/show")
    assert shown.status_code == 200
    assert "No preview" in shown.text
    assert f'src="/files/{file.id}' not in shown.text
    assert client.get(f"/files/{file.id}").data == DAMAGED[case]


@pytest.mark.parametrize("problem", ["damaged", "removed"])
def test_one_image_that_cannot_be_drawn_does_not_keep_the_others_from_it(cast, problem):
    todo = create_todo(cast.alice)
    first = create_attachment(todo, DAMAGED["jpeg cut off"], "damaged.jpg", "image/jpeg")
    good = create_attachment(todo, picture("PNG"))
    job = submit_for(None, draw_thumbnails, ids=[first.id, good.id])
    if problem == "removed":
        todo.attachments.remove(first)
        db.session.commit()
    execute(job.id)
    db.session.refresh(good)
    assert good.thumbnail_size
