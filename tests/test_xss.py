"""What people type is shown as text, wherever it comes up."""

import io
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import delete

from app.db import transaction
from app.extensions import db
from app.models import Attachment, Comment, Job, Tag, Todo, User
from tests.factories import HASH

PAYLOADS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    "` onclick=alert(1) `",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "javascript:alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</option></select><img src=x onerror=alert(1)>",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script>",
    "{{ 7 * 191 }}{% raw %}<b>",
    "${7*191}<b onclick=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\\x3cscript\\x3ealert(1)\\u003c/script\\u003e",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "<base href=//evil.example><meta http-equiv=refresh content=0>",
    "<x\u2028onclick=alert(1)>",
    "100% %d %(name)s {0} {name}",
]
HARMLESS = [f"harmless text {number}" for number in range(len(PAYLOADS))]
URL_ATTRIBUTES = {"href", "src", "action", "formaction", "xlink:href", "data", "poster"}
PAGES = [
    *("/todos", "/todos?scope=all", "/todos?show=done", "/todos/{todo}", "/users", "/users/{user}", "/profile"),
    *("/jobs", "/jobs?scope=all", "/jobs/{job}"),
    *("/admin/todos/list/", "/admin/todos/show/{todo}", "/admin/todos/edit/{todo}", "/selection/assign?id={todo}"),
    *("/admin/users/list/", "/admin/users/show/{user}", "/admin/users/edit/{user}", "/admin/users/password/{user}"),
    *("/admin/users/add", "/admin/roles/list/", "/admin/roles/show/{role}", "/admin/roles/edit/{role}"),
    *("/admin/jobs/list/", "/admin/jobs/show/{job}"),
    *("/comments/{comment}", "/admin/tags/list/", "/admin/tags/edit/{tag}"),
]
QUERIES = [
    *("/todos?tag={}", "/admin/tags/list/?q={}", "/tags/lookup?q={}"),
    *("/todos?q={}", "/todos?scope={0}&show={0}&q={0}", "/users?q={}", "/login/?next={}"),
    *("/admin/todos/list/?q={}", "/admin/todos/list/?_flt_0_title={}", "/admin/todos/list/?_flt_3_title={}"),
    *("/admin/users/list/?q={}", "/admin/users/list/?_flt_0_username={}", "/admin/roles/list/?_flt_0_name={}"),
    *("/admin/permissions/list/?q={}", "/admin/jobs/list/?_flt_0_name={}", "/admin/todos/list/?_od_TodoAdmin={}"),
    *("/admin/todos/list/?page_TodoAdmin={}", "/admin/todos/list/?_oc_TodoAdmin={}", "/admin/todos/list/?x={}"),
    *("/admin/todos/add?_flt_0_title={}", "/nowhere/{}", "/admin/nowhere/{}", "/files/{}"),
]
LONG_TAG = "x" * 51 + "{}"  # refused whatever follows
# each change of a todo adds one to its history, so a page has more of them after each
EVENT = re.compile(r'<li class="event">.*?</li>', re.DOTALL)
IN_EVENT = {"li", "p", "b", "span", "time", "details", "summary"}
STRINGS = re.compile(r'"(?:[^"\\\n]|\\.)*"')


class Structure(HTMLParser):
    """What a browser makes of a page: its elements with the names of their attributes, its links, its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *sorted(name for name, _ in attrs if name not in ("selected", "checked"))))
        self.links += [value or "" for name, value in attrs if name in URL_ATTRIBUTES]
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts.append(data)


def check(harmless: str, page: str) -> None:
    """Compare with the same page around harmless text: it has the same elements, and its links lead nowhere else."""
    found = Structure(page)
    assert Structure(EVENT.sub("", page)).elements == Structure(EVENT.sub("", harmless)).elements
    assert {element[0] for event in EVENT.findall(page) for element in Structure(event).elements} <= IN_EVENT
    assert not [link for link in found.links if re.match(r"\s*(?!https?:)[a-z]+:", link, re.IGNORECASE)]
    assert not [link for link in found.links if re.match(r"\s*(https?:)?[/\\]{2}", link)]
    assert not [script for script in found.scripts if "alert(1)" in STRINGS.sub("", script)]


def packed(texts: list[str], size: int) -> list[str]:
    """Return the texts one behind the other, in pieces of at most `size` characters."""
    pieces = [""]
    for text in texts:
        if len(pieces[-1]) + len(text) > size:
            pieces.append("")
        pieces[-1] += text
    return pieces


def fill(owner: User, count: int) -> dict[str, list[Any]]:
    """Add so many rows of everything that people write into."""
    kinds = ("user", "todo", "job", "role", "file", "tag", "comment")
    found: dict[str, list[Any]] = {kind: [] for kind in kinds}
    for number in range(count):
        role, job = Role(name=f"role {number:02}"), Job(name="x", owner=owner, status="failed", error="x", args={})
        facts = {
            "first_name": "x",
            "last_name": "x",
            "email": f"{number}@example.org",
            "password": HASH,
            "active": True,
        }
        person = User(username=f"p{number:02}", roles=[role], **facts)
        todos = [Todo(title="x", notes="x", owner=owner, assignees=[person], complete=done) for done in (False, True)]
        file = {"name": "x", "content_type": "image/png", "size": 1, "sha256": "0"}
        files = [Attachment(todo=todos[0], **file), Attachment(todo=todos[0], thumbnail_size=1, **file)]
        job.attachments = [Attachment(**file)]
        tag = Tag(name=f"tag {number:02}")
        todos[0].tags = [tag]
        comment = Comment(todo=todos[0], author=owner, body="x", mentions=[person])
        rows: dict[str, list[Any]] = {"tag": [tag], "comment": [comment], "user": [person], "todo": todos}
        rows |= {"job": [job], "role": [role], "file": [*files, *job.attachments]}
        for kind, added in rows.items():
            found[kind] += added
    with transaction() as session:
        session.add_all(row for rows in found.values() for row in rows)
    return found


def write(found: dict[str, list[Any]], owner: User, texts: list[str]) -> None:
    """Put the texts into the rows, each into every kind of field."""
    short, long = [text[:60] for text in texts], packed(texts, 200)
    owner.first_name, owner.last_name = short[0], short[1]
    for number, person in enumerate(found["user"]):
        person.first_name, person.last_name = short[number * 2 % len(short)], short[(number * 2 + 1) % len(short)]
        person.username, person.email = f"p{number:02}{short[number * 2 % len(short)]}", f"{number}{short[number]}@x"
        found["tag"][number].name = f"{number:02}{short[number * 2 % len(short)]}"[:50]
        found["tag"][number].colour = "red"
        found["comment"][number].body = f"@{person.username} " + "".join(texts)
        found["role"][number].name = f"{number:02}{short[number * 2 % len(short)]}"
    for kind in ("todo", "job", "file"):
        for number, row in enumerate(found[kind]):
            text = long[(number // 2 if kind == "todo" else number) % len(long)]
            if kind == "todo":
                row.title, row.notes = text, "".join(texts)
            elif kind == "job":
                row.error = row.name = text[:64]
                row.error = text
            else:
                row.name = text
    db.session.commit()


@pytest.mark.parametrize("path", PAGES)
def test_stored_text_stays_text(login, cast, path):
    found = fill(cast.ada, len(PAYLOADS) // 2)
    kind = re.search(r"{(\w+)}", path)
    chosen = found[kind[1]] if kind else found["job"][:1]
    if kind and kind[1] == "todo":
        chosen = chosen[::2]  # the open ones, which look alike
    write(found, cast.ada, HARMLESS)
    client = login("ada")
    paths = [path.format(**{kind[1]: row.id}) if kind else path for row in chosen]
    harmless = client.get(paths[0]).text
    write(found, cast.ada, PAYLOADS)
    for each in paths:
        answer = client.get(each)
        assert answer.status_code == 200
        check(harmless, answer.text)


@pytest.mark.parametrize("path", QUERIES)
def test_text_of_an_address_stays_text(login, app, path):
    client = app.test_client() if path.startswith("/login") else login("ada")
    harmless = client.get(path.format("harmless"))
    for text in packed(PAYLOADS, 200):
        answer = client.get(path.format(quote(text, safe="")))
        assert answer.status_code == harmless.status_code
        check(harmless.text, answer.text)


FORMS = {
    "added": ("/todos", {"title": "{}"}),
    "unknown people": (
        "/todos",
        {"title": "{}", "notes": "{}", "assignees": "{}", "due_on": "{}", "priority": "{}", "tag_names": LONG_TAG},
    ),
    "unknown people in the admin": (
        "/admin/todos/add",
        {"title": "{}", "notes": "{}", "assignees": "{}", "owner": "{}", "tag_names": LONG_TAG},
    ),
    "search": ("/todos?q={0}&scope={0}", {"title": ""}),
    "tag": ("/admin/tags/add", {"name": LONG_TAG, "colour": "{}"}),
    "profile": ("/profile", {"first_name": "{}", "last_name": "{}", "email": "{}", "time_zone": "{}"}),
    "new person": ("/admin/users/add", {"first_name": "{}", "email": "{}", "roles": "{}"}),
    "role": ("/admin/roles/add", {"name": "{}", "permissions": "{}"}),
    "action": ("/todos/chosen", {"action": "{}", "id": "{}"}),
    "action in the admin": ("/admin/todos/action_post", {"action": "{}", "rowid": "{}"}),
}


@pytest.mark.parametrize("case", FORMS)
def test_text_that_comes_back_with_a_form_stays_text(login, case):
    path, fields = FORMS[case]
    client = login("ada")

    def answer_to(text: str) -> str:
        """Send the form with the text in all its fields, and return the page that follows."""
        form = {name: value.format(text) for name, value in fields.items()}
        page = client.send(path.format(quote(text, safe="")), form, follow_redirects=True).text
        db.session.execute(delete(Todo))
        db.session.commit()
        return page

    harmless = answer_to("harmless")
    for text in packed(PAYLOADS, 64):
        check(harmless, answer_to(text))


@pytest.mark.parametrize("path", ["/todos", "/admin/todos/add"])
def test_name_of_a_refused_file_stays_text(login, path):
    client = login("ada")

    def answer_to(name: str) -> str:
        """Send a file of this name that has to be refused."""
        form = {"title": "Plants", "owner": "ada", "attachments": (io.BytesIO(b"\x00"), name)}
        return client.send(path, form).text

    harmless = answer_to("harmless")
    for text in PAYLOADS:
        check(harmless, answer_to(text.replace('"', "'")))


@pytest.mark.parametrize("name", ["username", "next"])
def test_text_of_a_failed_login_stays_text(app, name):
    client = app.test_client()
    form = {"username": "nobody", "password": "wrong"}
    harmless = client.send("/login/", form | {name: "harmless"}).text
    for text in packed(PAYLOADS, 320):
        check(harmless, client.send("/login/", form | {name: text}).text)


@pytest.mark.parametrize("path", ["/users/lookup?q=p0", "/api/v1/todos/", "/api/v1/todos/{todo}"])
def test_json_is_never_taken_for_a_page(login, cast, path):
    found = fill(cast.ada, len(PAYLOADS) // 2)
    write(found, cast.ada, PAYLOADS)
    answer = login("ada").get(path.format(todo=found["todo"][0].id))
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert PAYLOADS[0] in str(answer.get_json())


@pytest.mark.parametrize("path", ["/api/v1/{}", "/api/v1/todos/{}", "/api/v1/todos/?q={}", "/users/lookup?q={}"])
def test_problem_is_never_taken_for_a_page(login, path):
    for text in PAYLOADS:
        answer = login("ada").get(path.format(quote(text, safe="")))
        assert answer.mimetype in ("application/json", "application/problem+json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
