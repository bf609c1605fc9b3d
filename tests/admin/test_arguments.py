"""Arguments of the generated lists: capped or refused, never an error on our side, never shared between visitors."""

from threading import Barrier, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.extensions import db
from app.models import Todo
from tests.factories import create_todo

LISTS = {
    "/admin/todos/list/": "TodoAdmin",
    "/admin/users/list/": "UserAdmin",
    "/admin/jobs/list/": "JobAdmin",
    "/admin/roles/list/": "RoleAdmin",
    "/admin/permissions/list/": "PermissionAdmin",
}
REFUSED = (
    "psize_{0}=1000000000",
    "psize_{0}=101",
    "psize_{0}=0",
    "psize_{0}=-1",
    "psize_{0}=text",
    "psize_{0}=",
    "psize_{0}=1.5",
    "psize_Other=text",
    "page_{0}=text",
    "page_{0}=-1",
    "page_{0}=99999999999999999999",
    "page_{0}=",
    "page_=x",
    "_oc_{0}=unknown",
    "_oc_{0}=password&_od_{0}=asc",
    "_oc_{0}=owner.password&_od_{0}=asc",
    "_oc_{0}=__class__&_od_{0}=desc",
    "_oc_{0}=&_od_{0}=asc",
    "_scheme=javascript",
    "_external=1",
    "_anchor=x",
    "_method=POST",
)
# FAB looks for these names anywhere within the name of an argument
DISGUISED = (
    "xpage_{0}=text",
    "xpsize_{0}=text",
    "xpsize_{0}=1000000000",
    "x_oc_{0}=unknown&x_od_{0}=asc",
    "x_oc_{0}=unknown&_od_{0}=asc",
    "x_flt_9_title=a",
    "x_flt_9_name=a",
    "x_flt_9_username=a",
    "x_flt_9_id=1",
)
HARMLESS = (
    "page_{0}=0",
    "page_{0}=999999",
    "psize_{0}=100",
    "_od_{0}=sideways",
    "_flt_0_password=a",
    "_flt_0_unknown=a",
    "_flt_9_unknown=a",
    "_flt_x_title=a",
    "_flt_=a",
    "q=%25",
    "q=" + "x" * 5000,
    "endpoint=x",
    "values=x",
    "filename=x",
    "pk=x",
    "self=x",
    "name=x",
    "page_{0}=1&page_{0}=2",
)


def view_of(app: Any, path: str) -> Any:
    """Return the view of a list."""
    return next(view for view in app.appbuilder.baseviews if type(view).__name__ == LISTS[path])


@pytest.mark.parametrize("path", LISTS)
def test_impossible_arguments_are_refused(login, path):
    client = login("ada")
    found = {text: client.get(f"{path}?{text.format(LISTS[path])}").status_code for text in REFUSED}
    assert found == dict.fromkeys(REFUSED, 400)


@pytest.mark.parametrize("path", LISTS)
def test_disguised_arguments_do_no_harm(login, path):
    client = login("ada")
    found = {text: client.get(f"{path}?{text.format(LISTS[path])}").status_code for text in DISGUISED}
    assert set(found.values()) <= {200, 400}, found


@pytest.mark.parametrize("path", LISTS)
def test_odd_arguments_do_no_harm(login, path):
    client = login("ada")
    found = {text: client.get(f"{path}?{text.format(LISTS[path])}").status_code for text in HARMLESS}
    assert set(found.values()) <= {200, 400}, found


# one column of each type
COLUMNS = (
    ("/admin/todos/list/", "title"),
    ("/admin/todos/list/", "priority"),
    ("/admin/todos/list/", "due_on"),
    ("/admin/todos/list/", "complete"),
    ("/admin/todos/list/", "created_at"),
    ("/admin/users/list/", "active"),
    ("/admin/permissions/list/", "id"),
)


@pytest.mark.parametrize(("path", "column"), COLUMNS)
def test_any_value_of_any_filter_does_no_harm(app, login, cast, path, column):
    create_todo(cast.alice)
    client, wrong = login("ada"), {}
    offered = len(view_of(app, path)._filters.get_search_filters()[column])
    for index in range(offered):
        for value in ("", "9" * 30, "2030-01-01", "a%00b"):
            status = client.get(f"{path}?_flt_{index}_{column}={value}").status_code
            if status not in (200, 400):
                wrong[index, value[:10]] = status
    assert not wrong
    for index in range(offered, 10):
        assert client.get(f"{path}?_flt_{index}_{column}=a").status_code == 400


@pytest.mark.parametrize("path", LISTS)
def test_no_list_can_be_filtered_by_a_secret(app, path):
    searched = set(view_of(app, path)._filters.get_search_filters())
    assert not searched & {"password", "session_stamp", "locked_until", "notes", "args", "result", "user"}


def test_disguised_page_size_is_capped_too(login, cast):
    db.session.execute(Todo.__table__.insert(), [{"title": "T", "owner_id": cast.alice.id, "notes": ""}] * 120)
    db.session.commit()
    client = login("ada")
    for name in ("psize_TodoAdmin", "xpsize_TodoAdmin", "psize_psize_TodoAdmin"):
        assert client.get(f"/admin/todos/list/?{name}=1000").text.count('name="rowid"') <= 100


@pytest.mark.parametrize("path", LISTS)
def test_every_offered_order_works(app, login, cast, path):
    create_todo(cast.alice)
    view, client = view_of(app, path), login("ada")
    for column in view.order_columns:
        for direction in ("asc", "desc"):
            answer = client.get(f"{path}?_oc_{LISTS[path]}={column}&_od_{LISTS[path]}={direction}")
            assert answer.status_code == 200, column


@pytest.mark.parametrize("text", ["_scheme=javascript", "_external=1", "page_TodoAdmin=x", "_anchor=x", "xpage_y=z"])
def test_other_pages_of_a_view_refuse_damaged_arguments_too(login, cast, text):
    todo = create_todo(cast.alice)
    client = login("ada")
    for path in ("/admin/todos/add", f"/admin/todos/edit/{todo.id}", f"/admin/todos/show/{todo.id}"):
        assert client.get(f"{path}?{text}").status_code in (200, 400)
        assert "javascript:" not in client.get(f"{path}?{text}").text


def test_filter_narrows_the_list(login, cast):
    create_todo(cast.alice, "Wanted")
    create_todo(cast.alice, "Other")
    page = login("ada").get("/admin/todos/list/?_flt_0_title=Want").text
    assert "Wanted" in page
    assert "Other" not in page


def test_form_of_filters_needs_no_script(login, cast):
    create_todo(cast.alice, "Wanted", complete=True)
    create_todo(cast.alice, "Wanted too")
    client = login("ada")
    sent = "filter=1&q=want&how_title=0&what_title=Wan&how_complete=0&what_complete=y&how_due_on=1&what_due_on=&x=1"
    answer = client.get(f"/admin/todos/list/?{sent}&how_password=0&what_password=a&_oc_TodoAdmin=title")
    assert answer.status_code == 302
    found = {"q": "want", "_oc_TodoAdmin": "title", "_flt_0_title": "Wan", "_flt_0_complete": "y"}
    assert dict(parse_qsl(urlsplit(answer.location).query)) == found
    page = client.get(answer.location).text
    assert 'aria-label="Show Wanted"' in page
    assert 'aria-label="Show Wanted too"' not in page
    assert 'value="Wan"' in page


def test_filter_of_one_visit_is_forgotten_at_the_next(login, cast):
    create_todo(cast.alice, "Wanted")
    create_todo(cast.alice, "Other")
    client = login("ada")
    client.get("/admin/todos/list/?_flt_0_title=Want")
    assert "Other" in client.get("/admin/todos/list/").text


def test_visitors_at_the_same_time_do_not_see_each_others_filters(app, login, cast, monkeypatch):
    view = view_of(app, "/admin/todos/list/")
    titles = ("Apples", "Bananas")
    for title in titles:
        create_todo(cast.alice, title)
    # both have read their filters from the address before either uses them
    barrier, use_filters = Barrier(2, timeout=20), view._get_list_widget

    def wait_and_use_filters(*args: Any, **kwargs: Any) -> Any:
        barrier.wait()
        return use_filters(*args, **kwargs)

    monkeypatch.setattr(view, "_get_list_widget", wait_and_use_filters)
    pages: dict[str, str] = {}

    def visit(client: Any, title: str) -> None:
        pages[title] = client.get(f"/admin/todos/list/?_flt_0_title={title}").text

    for _ in range(3):
        clients = [login("ada"), login("max")]
        threads = [Thread(target=visit, args=pair) for pair in zip(clients, titles, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for title, other in (titles, titles[::-1]):
            assert f">{title}<" in pages[title].replace("\n", "").replace(" ", "")
            assert f">{other}<" not in pages[title].replace("\n", "").replace(" ", "")
