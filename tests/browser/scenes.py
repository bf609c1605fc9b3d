"""Every page, full of the same words, for tests that visit them all."""

from datetime import timedelta
from typing import Any

from app.db import transaction, utcnow
from app.models.attachments import PREVIEW, THUMBNAIL
from app.services import attachments
from app.services.users import today
from tests.browser.sites import Site, find
from tests.factories import PNG, create_attachment, create_comment, create_filter, create_job, create_tag, create_todo

ANONYMOUS_PAGES = ("login/", "register")
USER_PAGES = (
    "todos",
    "todos?show=done",
    "todos?q=zebra",
    "todos?show=overdue&tag=home",
    "filters",
    "comments/{comment}",
    "selection/assign?id={todo}&id={shared}",
    "selection/export?all=1",
    "selection/tag?all=1",
    "todos/{todo}",
    "files/{file}/show",
    "todos/{shared}",
    "todos/import",
    "todos/import/{looked}",
    "users",
    "users?q=zebra",
    "users/{person}",
    "jobs",
    "jobs/{job}",
    "profile",
    "nowhere",
)
ADMIN_PAGES = (
    "todos",
    "todos?scope=all",
    "users/{person}",
    "jobs?scope=all",
    "admin/todos/list/",
    "admin/todos/list/?_flt_0_title=W",
    "admin/todos/add",
    "admin/todos/edit/{todo}",
    "admin/todos/show/{todo}",
    "admin/tags/list/",
    "admin/tags/edit/{tag}",
    "admin/tags/merge?id={tag}&id={other}",
    "admin/users/list/",
    "admin/users/add",
    "admin/users/edit/{person}",
    "admin/users/show/{person}",
    "admin/users/password/{person}",
    "admin/roles/list/",
    "admin/roles/add",
    "admin/roles/edit/1",
    "admin/roles/show/1",
    "admin/permissions/list/",
    "admin/jobs/list/",
    "admin/jobs/show/{job}",
    "admin/jobs/overview",
    "admin/nowhere",
    "swagger/v1",
)


def preview(text: str) -> dict[str, Any]:
    """What a look at a file with such texts found."""
    row = {"number": 2, "title": text, "notes": text * 2, "complete": True, "priority": "high", "due_on": "2030-05-01"}
    row |= {"owner": text[:60], "assignees": text[:60], "tags": [text[:40]], "outcome": "there", "problems": []}
    wrong = row | {"number": 3, "complete": False, "outcome": "error", "problems": [text]}
    facts = {"format": "CSV, UTF-8", "rows": 3, "columns": [text], "mapping": {"title": text}, "new": 1, "there": 1}
    return facts | {
        "error": 1,
        "first": [row, wrong],
        "reasons": [{"row": 3, "column": text, "value": text[:50], "reason": text}],
    }


def build(site: Site, text: str, name: str, file_name: str) -> dict[str, list[str]]:
    """Add people of this name with todos, files and jobs that carry the text; return what a member and an admin see."""
    names = {"first_name": name, "last_name": name}
    member, admin = site.add_person("Member", **names), site.add_person("Admin", **names)
    with site.app.app_context():
        alice, ada = find(member), find(admin)
        day = today(alice)
        rich = {"notes": text * 3, "assignees": [alice, ada]}
        todo = create_todo(alice, text, due_on=day - timedelta(3), priority=0, **rich)
        shared = create_todo(ada, text, due_on=day, priority=1, **rich)
        create_todo(alice, text, due_on=day + timedelta(90), priority=3)
        create_todo(alice, text, complete=True, assignees=[ada])
        for owned in (todo, shared):
            image = create_attachment(owned, name=file_name)
            for variant in (THUMBNAIL, PREVIEW):
                attachments.save_picture(image.id, variant, PNG)
            create_attachment(owned, name=file_name, kind="text/plain")
        job = create_job(alice, "failed", error=text)
        create_job(ada, "failed", error=text)
        looked = create_job(alice, "succeeded", "todos.check_import", args={"sha256": "", "mapping": None})
        looked.args = looked.args | {"file": create_attachment(job_id=looked.id, uploaded_by_id=alice.id).id}
        looked.result = preview(text)
        with transaction():
            pass
        tags = [create_tag(f"{text[:40]} {ada.id}", todo, shared), create_tag(f"{text[:40]} {ada.id} more", todo)]
        comment = create_comment(
            todo, alice, f"@{ada.username} {text}\nhttps://www.example.org/{text.split()[0]}", mentions=[ada]
        )
        create_comment(todo, ada, text * 3, edited_at=utcnow())
        create_filter(alice, text[:50])
        ids = {
            "tag": tags[0].id,
            "other": tags[1].id,
            "comment": comment.id,
            "todo": todo.id,
            "shared": shared.id,
            "person": alice.id,
            "job": job.id,
            "file": image.id,
            "looked": looked.id,
        }
    return {
        member: [page.format(**ids) for page in USER_PAGES],
        admin: [page.format(**ids) for page in ADMIN_PAGES],
    }
