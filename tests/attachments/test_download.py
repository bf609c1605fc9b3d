"""Files come back byte for byte, whole or in ranges, and no browser runs or shares them."""

import hashlib
import io

import pytest
from sqlalchemy import delete

from app.extensions import db
from app.models import Attachment
from app.models.attachments import PREVIEW, THUMBNAIL
from app.services import attachments
from tests.attachments.conftest import stored, submit, upload
from tests.attachments.samples import CHUNK, picture, text
from tests.conftest import count_queries
from tests.factories import PNG, create_attachment, create_todo

SIZE = 3 * CHUNK + 7
DATA = text(SIZE)
RANGES = {
    "bytes=0-0": (0, 1),
    "bytes=0-99": (0, 100),
    f"bytes={CHUNK - 5}-{CHUNK + 4}": (CHUNK - 5, CHUNK + 5),
    f"bytes={CHUNK}-{2 * CHUNK - 1}": (CHUNK, 2 * CHUNK),
    "bytes=-9": (SIZE - 9, SIZE),
    f"bytes={2 * CHUNK + 1}-": (2 * CHUNK + 1, SIZE),
    f"bytes=10-{SIZE * 2}": (10, SIZE),
    f"bytes={SIZE - 1}-{SIZE - 1}": (SIZE - 1, SIZE),
}


def path_of(owner, data=DATA, name="long.txt", kind="text/plain"):
    """Store a file of a todo and return its address."""
    file = attachments.stage(owner, io.BytesIO(data), name, kind)
    file.todo = create_todo(owner)
    db.session.commit()
    return f"/files/{file.id}"


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, SIZE])
def test_bytes_in_are_bytes_out(login, size):
    client, data = login("alice"), text(size)
    assert submit(client, "/todos", {"title": "Plants", "attachments": upload(data, "a.txt")}).status_code == 302
    (file,) = stored()
    answer = client.get(f"/files/{file.id}")
    assert hashlib.sha256(answer.data).hexdigest() == hashlib.sha256(data).hexdigest() == file.sha256
    assert answer.content_length == size == file.size


def test_head_tells_what_get_sends_without_reading_the_bytes(login, cast):
    client, path = login("alice"), path_of(cast.alice)
    with count_queries() as statements:
        head = client.head(path)
    assert not [statement for statement in statements if "attachment_chunks" in statement]
    whole = client.get(path)
    assert (head.status_code, head.data) == (200, b"")
    varying = {"Date", "X-Request-ID"}
    assert {k: v for k, v in head.headers if k not in varying} == {k: v for k, v in whole.headers if k not in varying}


@pytest.mark.parametrize("wanted", RANGES)
def test_range_is_answered_exactly(login, cast, wanted):
    client, path = login("alice"), path_of(cast.alice)
    answer = client.get(path, headers={"Range": wanted})
    start, end = RANGES[wanted]
    assert answer.status_code == 206
    assert answer.data == DATA[start:end]
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.content_length == end - start


def test_range_reads_no_chunk_but_its_own(login, cast):
    client, path = login("alice"), path_of(cast.alice)
    with count_queries() as statements:
        answer = client.get(path, headers={"Range": f"bytes={2 * CHUNK + 3}-{2 * CHUNK + 9}"})
    assert answer.data == DATA[2 * CHUNK + 3 : 2 * CHUNK + 10]
    assert len([statement for statement in statements if "attachment_chunks" in statement]) == 1


def test_range_behind_the_end_is_refused_with_the_size(login, cast):
    answer = login("alice").get(path_of(cast.alice), headers={"Range": f"bytes={SIZE}-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(("current", "status"), [(True, 206), (False, 200)])
def test_range_is_answered_only_if_the_file_is_still_the_same(login, cast, current, status):
    client, path = login("alice"), path_of(cast.alice)
    tag = client.head(path).headers["ETag"] if current else '"another"'
    answer = client.get(path, headers={"Range": "bytes=0-9", "If-Range": tag})
    assert answer.status_code == status
    assert answer.data == (DATA[:10] if current else DATA)


def test_file_that_the_browser_has_is_not_sent_again(login, cast):
    client, path = login("alice"), path_of(cast.alice)
    tag = client.get(path).headers["ETag"]
    with count_queries() as statements:
        answer = client.get(path, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == tag
    assert not [statement for statement in statements if "attachment_chunks" in statement]
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


def test_file_that_the_browser_has_is_not_confirmed_once_the_right_is_lost(login, cast):
    todo = create_todo(cast.charlie, assignees=[cast.alice])
    file, client = create_attachment(todo), login("alice")
    tag = client.get(f"/files/{file.id}").headers["ETag"]
    todo.assignees = []
    db.session.commit()
    assert client.get(f"/files/{file.id}", headers={"If-None-Match": tag}).status_code == 404


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("image/png", "inline"),
        ("image/jpeg", "inline"),
        ("image/gif", "inline"),
        ("image/webp", "inline"),
        ("image/svg+xml", "attachment"),
        ("image/bmp", "attachment"),
        ("text/html", "attachment"),
        ("text/plain", "attachment"),
        ("text/xml", "attachment"),
        ("text/csv", "attachment"),
        ("application/pdf", "attachment"),
        ("application/xhtml+xml", "attachment"),
    ],
)
def test_only_harmless_pictures_open_in_the_browser(login, cast, kind, wanted):
    file = create_attachment(create_todo(cast.alice), PNG, "x", kind)
    client = login("alice")
    answer = client.get(f"/files/{file.id}")
    assert answer.headers["Content-Disposition"].split(";")[0] == wanted
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy
    assert client.get(f"/files/{file.id}?download").headers["Content-Disposition"].startswith("attachment")


def test_files_are_kept_by_the_reader_alone(login, cast):
    client, path = login("alice"), path_of(cast.alice)
    for headers in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": client.head(path).headers["ETag"]}):
        caching = client.get(path, headers=headers).headers["Cache-Control"]
        assert "private" in caching
        assert "no-cache" in caching
        assert "public" not in caching


@pytest.mark.parametrize(("name", "variant"), [("thumbnail", THUMBNAIL), ("preview", PREVIEW)])
def test_what_was_drawn_is_served_like_a_picture(login, cast, name, variant):
    file = create_attachment(create_todo(cast.alice), name="dot.png")
    drawn = picture("WEBP") + bytes(2 * CHUNK)
    attachments.save_picture(file.id, variant, drawn)
    client = login("alice")
    answer = client.get(f"/files/{file.id}/{name}")
    assert (answer.data, answer.mimetype) == (drawn, "image/webp")
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert answer.headers["ETag"] != client.head(f"/files/{file.id}").headers["ETag"]
    assert client.get(f"/files/{file.id}/{name}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/files/{}", "/files/{}/thumbnail", "/files/{}/preview", "/files/{}/show"])
def test_file_of_an_invisible_todo_is_not_found(login, cast, path):
    file = create_attachment(create_todo(cast.charlie))
    for variant in (THUMBNAIL, PREVIEW):
        attachments.save_picture(file.id, variant, PNG)
    assert login("charlie").get(path.format(file.id)).status_code == 200
    assert login("alice").get(path.format(file.id)).status_code == 404


@pytest.mark.parametrize("name", ["thumbnail", "preview"])
def test_image_that_was_not_drawn_has_no_pictures(login, cast, name):
    file = create_attachment(create_todo(cast.alice))
    assert login("alice").get(f"/files/{file.id}/{name}").status_code == 404


def test_deletion_during_a_download_breaks_it_off(login, cast):
    path = path_of(cast.alice)
    answer = login("alice").get(path, buffered=False)
    parts = answer.iter_encoded()
    assert DATA.startswith(next(parts))
    db.session.execute(delete(Attachment))
    db.session.commit()
    with pytest.raises(OSError, match="deleted while it was read"):
        list(parts)
    answer.close()
