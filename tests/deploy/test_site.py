"""The site as visitors meet it: through a proxy that ends TLS and hands on the prefix."""

import io
import os
import re
import sys
import time
from datetime import UTC, datetime

import pytest
from PIL import Image

from tests.deploy.conftest import answers
from tests.deploy.containers import PREFIX, Visitor, wait_until

EVIL = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Prefix": "/evil",
    "X-Script-Name": "/evil",
    "Script_Name": "/evil",
    "Script-Name": "/evil",
    "Forwarded": "for=203.0.113.9;host=evil.example;proto=http",
}


@pytest.fixture(scope="module")
def admin(site):
    return site.visitor()


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(out, "JPEG")
    return out.getvalue()


def test_every_container_is_locked_up(site):
    for name in ("web1", "worker", "beat"):
        container = site.containers[name]
        assert container.run("id", "-u").strip() == "10001"
        status = container.run("cat", "/proc/1/status")
        assert re.search(r"CapEff:\s0+\n", status)
        assert re.search(r"NoNewPrivs:\s1\n", status)
        for path in ("/app/x", "/venv/x", "/home/x", "/var/x"):
            assert "Read-only" in container.run("sh", "-c", f"touch {path} 2>&1; true")


def test_first_process_is_the_server_itself(site):
    assert "tools.container\0web" in site.containers["web1"].run("cat", "/proc/1/cmdline")  # which gunicorn runs in
    assert "celery" in site.containers["worker"].run("cat", "/proc/1/cmdline")
    assert "celery" in site.containers["beat"].run("cat", "/proc/1/cmdline")


def test_new_web_server_says_how_soon_it_is_ready(site, capsys):
    """The seconds are told and not judged: machines differ, and do other things meanwhile."""
    took, worked, probe = [], [], Visitor(f"http://127.0.0.1:5003{PREFIX}")
    for _ in range(3):
        web = site.start("web3", "web", PORT="5003")
        wait_until(lambda: answers(probe, "/health/ready"), "it is ready")
        took.append(time.time() - int(web.state("StartedAt.UnixMilli")) / 1000)
        user, system = web.run("cat", "/proc/1/stat").rsplit(")", 1)[1].split()[11:13]
        worked.append((int(user) + int(system)) / os.sysconf("SC_CLK_TCK"))
        assert web.stop() == 0
    with capsys.disabled():
        sys.stdout.write(f" [ready after {min(took):.1f} to {max(took):.1f} s, {min(worked):.1f} s of a processor] ")


def test_secrets_are_in_files_and_not_in_the_environment(site):
    secret = (site.folder / "secrets" / "SECRET_KEY").read_text()
    assert secret not in site.containers["web1"].run("env")


def test_health_is_told_inside_the_prefix_and_to_the_containers_own_check(site, admin, image):
    assert admin.get("/health").json() == {"status": "alive"}
    assert admin.get("/health/ready").json()["status"] == "ready"
    [_, *command] = image["Healthcheck"]["Test"]
    site.containers["web1"].run(*command)


def test_outside_of_the_prefix_is_nothing(site):
    visitor = site.visitor(signed_in=False)
    for path in ("/", "/login/", "/todo-flask-mvcx/login/"):
        assert visitor.get(f"https://localhost:8443{path}").status_code == 404


def test_plain_http_is_sent_to_https(site):
    answer = site.visitor(signed_in=False).get(f"http://localhost:8080{PREFIX}/login/", allow_redirects=False)
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"https://localhost:8443{PREFIX}/login/"


def test_login_sets_a_cookie_for_https_and_the_prefix_only(site):
    answer = site.visitor(signed_in=False).get("/login/")
    cookie = answer.headers["Set-Cookie"]
    assert {"Secure", "HttpOnly", f"Path={PREFIX}"} <= set(cookie.split("; "))
    assert "Strict-Transport-Security" in answer.headers


def test_stranger_is_sent_to_the_login_and_back(site):
    visitor = site.visitor(signed_in=False)
    answer = visitor.get("/jobs")
    assert answer.url.startswith(f"https://localhost:8443{PREFIX}/login/?next=")
    username, password = site.admin
    path = answer.url.removeprefix(visitor.url)
    assert visitor.submit(path, {"username": username, "password": password}).url == f"{visitor.url}/jobs"


def test_links_and_files_of_a_page_are_inside(admin):
    page = admin.get("/todos")
    links = set(re.findall(r'\b(?:href|src|action)="(/[^"]*)"', page.text))
    assert [link for link in links if not link.startswith(f"{PREFIX}/")] == []
    static = sorted(link for link in links if "/static/" in link)
    assert len(static) > 1
    for link in static:
        answer = admin.get(f"https://localhost:8443{link}")
        assert (answer.status_code, "immutable" in answer.headers["Cache-Control"] or "max-age" in
                answer.headers["Cache-Control"]) == (200, True)  # fmt: skip


def test_todo_with_a_picture_is_kept_and_given_back(site, admin):
    title = f"Photograph the shelf {datetime.now(UTC).timestamp()}"
    admin.get("/todos")
    files = {"attachments": ("shelf.jpg", picture(), "image/jpeg")}
    answer = admin.submit("/todos", {"title": title, "notes": "", "due_on": "", "priority": "2"}, files=files)
    assert answer.status_code == 200
    assert title in answer.text
    [(todo_id, file_id)] = site.sql(
        "SELECT t.id, a.id FROM todos t JOIN attachments a ON a.todo_id = t.id WHERE title = %s", title
    )
    page = admin.get(f"/todos/{todo_id}")
    assert f"{PREFIX}/files/{file_id}" in page.text
    assert admin.get(f"/files/{file_id}").content == picture()
    # a job of the worker draws it
    thumbnail = wait_until(lambda: drawn(admin, file_id), "the thumbnail is drawn")
    assert Image.open(io.BytesIO(thumbnail)).format in ("WEBP", "JPEG", "PNG")


def drawn(visitor: Visitor, file_id: int) -> bytes:
    answer = visitor.get(f"/files/{file_id}/thumbnail")
    return answer.content if answer.status_code == 200 and answer.headers["Content-Type"].startswith("image/") else b""


def test_export_runs_as_a_job_and_is_downloaded(admin):
    admin.get("/todos")
    admin.submit("/todos", {"title": "Exported through the proxy", "notes": "", "due_on": "", "priority": "2"})
    page = admin.submit("/selection/export?all=1", {"kind": "csv"})
    assert "/jobs/" in page.url
    wait_until(lambda: admin.get(f"{page.url}/state").json()["status"] == "succeeded", "the export succeeds")
    done = admin.get(page.url)
    path = re.search(rf'"{PREFIX}(/(?:jobs|files)/\d+[^"]*)"[^>]*>[^<]*(?:<[^>]*>)*[^<]*Download', done.text)
    assert path, done.text
    csv = admin.get(path[1])
    assert csv.headers["Content-Disposition"].startswith("attachment")
    assert "Exported through the proxy" in csv.content.decode("utf-8-sig")


def test_forged_headers_change_nothing(site):
    visitor = site.visitor(signed_in=False)
    answer = visitor.get("/jobs", headers=EVIL, allow_redirects=False)
    location = answer.headers["Location"]
    assert location.startswith((f"{PREFIX}/login/", f"https://localhost:8443{PREFIX}/login/"))
    page = visitor.get("/login/", headers=EVIL)
    assert page.status_code == 200
    assert "evil" not in page.text + str(page.headers)
    assert "203.0.113.9" not in site.containers["web1"].logs() + site.containers["web2"].logs()


def test_unknown_host_is_refused(site):
    assert site.visitor(signed_in=False).get("/login/", headers={"Host": "evil.example"}).status_code == 400


def test_request_id_of_the_proxy_is_in_the_log(site):
    answer = site.visitor(signed_in=False).get("/login/")
    mark = answer.headers["X-Request-ID"]
    wait_until(lambda: mark in site.containers["web1"].logs() + site.containers["web2"].logs(), "the id is logged")


def test_upload_that_is_too_large_is_refused_by_the_proxy(admin):
    files = {"attachments": ("big.txt", b"x" * (103 << 20), "text/plain")}
    assert admin.submit("/todos", {"title": "Too large"}, files=files).status_code == 413
