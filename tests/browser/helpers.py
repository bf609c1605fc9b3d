"""What several tests do in the browser, and files to do it with."""

import base64
import io
import re

from PIL import ExifTags, Image
from playwright.sync_api import Locator, Page, expect

from tests.factories import PASSWORD

MAKE_TRANSFER = """(files) => {
  const transfer = new DataTransfer();
  for (const [name, type, data] of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  return transfer;
}"""


def camera_photo() -> bytes:
    """Return a JPEG of 4000 by 3000 pixels to be turned by 90°, with a position in its EXIF data."""
    grain = Image.effect_noise((1000, 750), 60).resize((4000, 3000))
    light = Image.linear_gradient("L").resize((4000, 3000))
    picture = Image.merge("RGB", (light, grain, light.rotate(180)))
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Camera", 6
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLatitude] = "N", (52.0, 31.0, 12.0)
    place[ExifTags.GPS.GPSLongitudeRef], place[ExifTags.GPS.GPSLongitude] = "E", (13.0, 24.0, 36.0)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88, exif=exif)
    return out.getvalue()


def png(size: int = 40) -> bytes:
    """Return a small picture."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize((size, size)).save(out, "PNG")
    return out.getvalue()


def sign_in(page: Page, username: str) -> None:
    """Begin a session as somebody, without drawing the form, and look at their todos."""
    page.context.clear_cookies()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.request.get("login/").text())
    form = {"csrf_token": token[1], "username": username, "password": PASSWORD}
    answer = page.request.post("login/", form=form, max_redirects=0)
    assert answer.status == 302, answer.text()
    page.goto("todos")


def log_in(page: Page, username: str, password: str = PASSWORD) -> None:
    """Begin a session through the form."""
    page.goto("login/")
    page.get_by_label("Username or email").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1, name="My todos")).to_be_visible()


def log_out(page: Page) -> None:
    """Log out through the menu."""
    page.locator(".topbar-user summary").click()
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Log in")).to_be_visible()


def drop(area: Locator, *files: tuple[str, str, bytes]) -> None:
    """Drag files (name, type, content) over an element and drop them there, as the browser's events tell it."""
    coded = [(name, kind, base64.b64encode(data).decode()) for name, kind, data in files]
    transfer = area.page.evaluate_handle(MAKE_TRANSFER, coded)
    for event in ("dragenter", "dragover", "drop"):
        area.dispatch_event(event, {"dataTransfer": transfer})


def tab_to(target: Locator, presses: int = 80) -> None:
    """Move the focus by the Tab key alone."""
    for _ in range(presses):
        if target.evaluate("(element) => element === document.activeElement"):
            return
        target.page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not lead to {target}")


def todo(page: Page, title: str) -> Locator:
    """Return the row of a todo in the list."""
    return page.locator("[data-todo]").filter(has=page.get_by_role("link", name=title, exact=True))


def wait_for_thumbnail(page: Page, picture: Locator) -> None:
    """Reload until the worker has drawn a picture."""
    for _ in range(60):
        if picture.count():
            break
        page.wait_for_timeout(300)
        page.reload()
    expect(picture).to_be_visible()


def offered(page: Page) -> Locator:
    """Return the people that a search-as-you-type field offers."""
    return page.get_by_role("listbox").get_by_role("option")


def choose_person(field: Locator, name: str) -> None:
    """Type a part of a name, and take the first one offered."""
    field.press_sequentially(name)
    expect(offered(field.page).first).to_contain_text(name)
    field.press("Enter")
    expect(field.page.locator(".chip").last).to_contain_text(name)
