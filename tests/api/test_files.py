"""Files by the API: streamed in and out with the rights of their todo."""

import hashlib
import io

import pytest
from sqlalchemy import func, select

from app.extensions import db
from app.models import Attachment
from tests.api.conftest import check_problem
from tests.factories import PNG, create_attachment, create_job, create_todo

DATA = b"%PDF-1.4\n" + bytes(range(256)) * 3000  # more than two chunks


def put(ask, todo, data=PNG, query="&name=dot.png", kind="application/octet-stream", **headers):
    """Send the bytes of a file as they are."""
    path = f"/api/v1/attachments/?todo_id={todo.id}{query}"
    return ask.app.test_client().post(path, data=data, headers=ask.headers | headers, content_type=kind)


def test_file_comes_back_byte_by_byte_whole_and_in_ranges(program, cast):
    todo, ask = create_todo(cast.alice), program("alice")
    answer = put(ask, todo, DATA, "&name=../../paper.pdf")
    assert answer.status_code == 201
    facts = answer.json
    assert (facts["name"], facts["size"], facts["content_type"]) == ("paper.pdf", len(DATA), "application/pdf")
    assert facts["sha256"] == hashlib.sha256(DATA).hexdigest()
    path = f"/attachments/{facts['id']}"
    assert ask("GET", path).json == facts
    assert ask("GET", f"/todos/{todo.id}").json["attachments"] == [facts]
    whole = ask("GET", f"{path}/content")
    assert whole.data == DATA
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    part = ask("GET", f"{path}/content", Range="bytes=262100-262200")
    assert (part.status_code, part.data) == (206, DATA[262100:262201])
    assert ask("GET", f"{path}/content", If_None_Match=whole.headers["ETag"]).status_code == 304
    assert ask("GET", f"{path}/content", Range="bytes=9999999-").status_code == 416


def test_file_that_is_sent_again_with_its_key_is_kept_once(program, cast):
    todo, ask, key = create_todo(cast.alice), program("alice"), {"Idempotency-Key": "f1"}
    first, second = (put(ask, todo, **key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert (second.json, second.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert ask("GET", f"/todos/{todo.id}").json["attachments"] == [first.json]
    check_problem(put(ask, todo, PNG + b"more", **key), 422)
    check_problem(put(ask, todo, b"", **{"Idempotency-Key": "f2"}), 422)
    assert put(ask, todo, **{"Idempotency-Key": "f2"}).status_code == 201
    assert db.session.scalar(select(func.count()).select_from(Attachment)) == 2


def test_file_may_come_in_a_form(program, cast):
    todo, ask = create_todo(cast.alice), program("alice")
    answer = put(ask, todo, {"file": (io.BytesIO(PNG), "dot.png")}, "", "multipart/form-data")
    assert (answer.status_code, answer.json["name"], answer.json["content_type"]) == (201, "dot.png", "image/png")


def test_new_file_makes_what_others_read_stale(program, cast):
    todo, ask = create_todo(cast.alice), program("alice")
    seen = ask("GET", f"/todos/{todo.id}").headers["ETag"]
    assert put(ask, todo).status_code == 201
    check_problem(ask("PATCH", f"/todos/{todo.id}", {"title": "New"}, If_Match=seen), 412)


@pytest.mark.parametrize(
    ("data", "query", "kind", "status"),
    [
        (PNG, "", "application/octet-stream", 422),
        (PNG, "&name=", "application/octet-stream", 422),
        (PNG, "&name=a%00b", "application/octet-stream", 400),
        (PNG, "&name=x&todo_id=1", "application/octet-stream", 400),
        (PNG, "&name=x&more=1", "application/octet-stream", 400),
        (b"", "&name=empty.png", "application/octet-stream", 422),
        (b"<html><script>", "&name=dot.png", "application/octet-stream", 422),
        (b"MZ\x00\x01", "&name=a.exe", "application/octet-stream", 422),
        (PNG, "&name=x", "application/json", 415),
        (PNG, "&name=x", "image/png", 415),
        ({"other": "x"}, "", "multipart/form-data", 422),
        ({"file": "x"}, "", "multipart/form-data", 422),
    ],
)
def test_unusable_file_is_refused_and_leaves_nothing(program, cast, data, query, kind, status):
    todo = create_todo(cast.alice)
    check_problem(put(program("alice"), todo, data, query, kind), status)
    assert db.session.query(Attachment).count() == 0


FORM = "multipart/form-data; boundary=b"


def form(data):
    """Return a form with one file; the test client's own leaves a temporary file open."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    return head + data + b"\r\n--b--\r\n"


def test_file_over_the_limit_is_refused(program, cast, make_app):
    ask = program("alice", on=make_app(MAX_UPLOAD_MB="1"))
    todo, text = create_todo(cast.alice), b"x" * (1 << 20)
    assert put(ask, todo, text, "&name=a.txt").status_code == 201
    check_problem(put(ask, todo, text + b"x", "&name=a.txt"), 413)
    check_problem(put(ask, todo, form(text + b"x"), "", FORM), 422)
    check_problem(put(ask, todo, form(text * 2), "", FORM), 413)


def test_files_follow_the_row_rule(program, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    file = create_attachment(todo)
    for path in (f"/attachments/{file.id}", f"/attachments/{file.id}/content"):
        assert program("bob")("GET", path).status_code == 200
        check_problem(program("charlie")("GET", path), 404)
    check_problem(put(program("charlie"), todo), 404)
    check_problem(put(program("vera"), todo), 403)
    check_problem(put(program("alice", "read"), todo), 403)
    check_problem(program("charlie")("DELETE", f"/attachments/{file.id}"), 404)
    check_problem(program("vera")("DELETE", f"/attachments/{file.id}"), 403)
    assert program("bob")("DELETE", f"/attachments/{file.id}").status_code == 204
    check_problem(program("alice")("GET", f"/attachments/{file.id}"), 404)


def test_result_of_a_job_is_not_removed_by_itself(program, cast):
    file = create_attachment(job_id=create_job(cast.alice, "succeeded").id)
    ask = program("alice")
    assert ask("GET", f"/attachments/{file.id}/content").data == PNG
    check_problem(ask("DELETE", f"/attachments/{file.id}"), 403)
