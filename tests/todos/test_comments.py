"""Comments: who may write, change and read them, whom they mention, and how they are shown."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.db import transaction, utcnow
from app.extensions import db
from app.models import Comment, Notification, Todo
from app.services import comments
from tests.factories import create_comment, create_todo, create_user

OLD = timedelta(minutes=15, seconds=1)


@pytest.fixture
def todo(cast) -> Todo:
    """Alice's, shared with Bob."""
    return create_todo(cast.alice, "Paint", assignees=[cast.bob])


def bodies() -> list[str]:
    db.session.expire_all()
    return list(db.session.scalars(select(Comment.body).where(Comment.deleted_at.is_(None)).order_by(Comment.id)))


def say(client, todo: Todo, body: str, **kwargs):
    return client.send(f"/todos/{todo.id}/comments", {"body": body}, **kwargs)


@pytest.mark.parametrize(("name", "status"), [("alice", 302), ("bob", 302), ("max", 302), ("ada", 302)])
def test_whoever_sees_a_todo_may_comment(login, todo, name, status):
    answer = say(login(name), todo, " Which\r\ncolour? ")
    assert answer.status_code == status
    assert f"/todos/{todo.id}#comment-" in answer.location
    assert bodies() == ["Which\ncolour?"]


def test_text_on_a_todo_that_was_deleted_meanwhile_can_be_copied(login, todo):
    client = login("alice")
    client.send(f"/todos/{todo.id}/delete")
    answer = say(client, todo, "Which <b> colour?")
    assert answer.status_code == 404
    assert "Which &lt;b&gt; colour?" in answer.text
    assert "for you to copy" in answer.text
    assert bodies() == []


@pytest.mark.parametrize(("name", "status"), [("charlie", 404), ("vera", 403)])
def test_strangers_and_viewers_may_not_comment(login, todo, name, status):
    assert say(login(name), todo, "Hello").status_code == status
    assert bodies() == []


def test_viewer_reads_comments_and_gets_no_field(login, cast, todo):
    create_comment(todo, cast.alice, "Which colour?")
    page = login("vera").get(f"/todos/{todo.id}").text
    assert "Which colour?" in page
    assert 'name="body"' not in page


def test_nobody_comments_on_a_todo_in_the_trash(login, cast, todo):
    comment = create_comment(todo, cast.alice)
    with transaction():
        todo.deleted_at = utcnow()
    client = login("alice")
    assert say(client, todo, "Hello").status_code == 404
    assert client.send(f"/comments/{comment.id}", {"body": "Changed", "version": 1}).status_code == 404
    assert client.send(f"/comments/{comment.id}/delete").status_code == 404


@pytest.mark.parametrize("body", ["", "  \n ", "x" * 5001, "a\x00b"])
def test_refused_text_comes_back_with_the_reason(login, todo, body):
    answer = say(login("alice"), todo, body)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert body.strip()[:100].replace("\x00", "\ufffd") in answer.text.replace("\x00", "\ufffd")
    assert bodies() == []


def test_five_thousand_characters_are_enough(login, todo):
    assert say(login("alice"), todo, "ä" * 5000).status_code == 302


def test_author_changes_and_deletes_for_15_minutes_and_nobody_else_ever(login, cast, todo):
    comment = create_comment(todo, cast.bob, "First")
    for name, status in (("alice", 403), ("ada", 403), ("charlie", 404), ("bob", 302)):
        form = {"body": f"By {name}", "version": comment.version}
        assert login(name).send(f"/comments/{comment.id}", form).status_code == status
        db.session.expire_all()
    assert bodies() == ["By bob"]
    assert comment.edited_at is not None
    with transaction():
        comment.created_at = utcnow() - OLD
    client = login("bob")
    assert f"/comments/{comment.id}" not in client.get(f"/todos/{todo.id}").text
    assert client.send(f"/comments/{comment.id}", {"body": "Late", "version": 2}).status_code == 403
    assert client.send(f"/comments/{comment.id}/delete").status_code == 403
    assert bodies() == ["By bob"]


def test_author_who_does_not_see_the_todo_any_more_cannot_reach_the_comment(login, cast, todo):
    comment = create_comment(todo, cast.bob)
    with transaction():
        todo.assignees = []
    assert login("bob").get(f"/comments/{comment.id}").status_code == 404
    assert login("bob").send(f"/comments/{comment.id}/delete").status_code == 404


def test_deleted_comment_is_gone_and_comes_back(login, cast, todo):
    comment = create_comment(todo, cast.alice, "Which colour?")
    client = login("alice")
    answer = client.send(f"/comments/{comment.id}/delete", follow_redirects=True)
    assert "Which colour?" not in answer.text
    assert "Undo" in answer.text
    assert client.send(f"/comments/{comment.id + 100}/restore").status_code == 404
    assert login("bob").send(f"/comments/{comment.id}/restore").status_code == 403
    client.send(f"/comments/{comment.id}/restore")
    assert bodies() == ["Which colour?"]


def test_deleted_comments_are_purged_in_time(app, cast, todo):
    for days in (None, 29, 31):
        create_comment(todo, cast.alice, deleted_at=days and utcnow() - timedelta(days))
    assert comments.purge_deleted(30) == 1
    assert len(db.session.scalars(select(Comment)).all()) == 2


def test_second_window_is_refused_and_keeps_what_was_typed(login, cast, todo):
    comment = create_comment(todo, cast.alice, "First")
    client = login("alice")
    client.send(f"/comments/{comment.id}", {"body": "Second", "version": 1})
    answer = client.send(f"/comments/{comment.id}", {"body": "Third", "version": 1})
    assert answer.status_code == 409
    assert "Second" in answer.text
    assert "Third</textarea>" in answer.text.replace("\r", "").replace("\n", "")
    assert 'value="2"' in answer.text
    assert bodies() == ["Second"]


def test_other_fields_are_not_taken_from_the_form(login, cast, todo):
    other = create_todo(cast.charlie)
    form = {"body": "Mine", "author_id": cast.bob.id, "todo_id": other.id, "created_at": "2000-01-01", "id": 7}
    login("alice").send(f"/todos/{todo.id}/comments", form)
    comment = db.session.scalar(select(Comment))
    assert (comment.author_id, comment.todo_id) == (cast.alice.id, todo.id)
    assert utcnow() - comment.created_at < timedelta(minutes=5)


def test_mentions_are_those_who_may_see_the_todo(login, cast, todo):
    create_user("nina.", "Member")
    gone = create_user("gone", "Admin")
    gone.active = False
    with transaction():
        todo.assignees = [*todo.assignees]
    text = "@bob, (@ADA) @charlie @gone @nobody mail@alice @vera. see https://x.example/@max and @bob again"
    say(login("alice"), todo, text)
    comment = db.session.scalar(select(Comment))
    assert [user.username for user in comment.mentions] == ["ada", "bob", "vera"]
    page = login("bob").get(f"/todos/{todo.id}").text
    assert f'href="/users/{cast.bob.id}">@bob</a>,' in page
    assert f'href="/users/{cast.ada.id}">@ADA</a>)' in page
    assert f'href="/users/{cast.vera.id}">@vera</a>.' in page
    assert f"/users/{cast.charlie.id}" not in page
    assert 'href="https://x.example/@max" rel="nofollow noopener"' in page


def test_mention_that_reaches_nobody_is_said_to_the_writer(login, cast, todo):
    client, warning = login("alice"), "Nobody sees this todo by the name of"
    say(client, todo, "@bob, mail@home.example")
    comment = db.session.scalar(select(Comment))
    assert warning not in client.get(f"/todos/{todo.id}").text
    client.send(f"/comments/{comment.id}", {"body": "@bob and @charlie, @nobody.", "version": 1})
    assert f"{warning} @charlie, @nobody." in client.get(f"/todos/{todo.id}").text


def test_mentioned_people_are_told_once_and_never_by_themselves(login, cast, todo):
    client = login("alice")
    say(client, todo, "@bob and @alice")
    comment = db.session.scalar(select(Comment))
    client.send(f"/comments/{comment.id}", {"body": "@bob and @ada", "version": 1})
    told = db.session.execute(select(Notification.user_id, Notification.kind).order_by(Notification.id)).all()
    assert told == [(cast.bob.id, "mentioned"), (cast.ada.id, "mentioned")]
    db.session.expire_all()
    assert {user.username for user in comment.mentions} == {"ada", "bob"}


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("see https://a.example/x?a=1&b=2.", '<a href="https://a.example/x?a=1&amp;b=2" rel="nofollow noopener">'),
        ("www.example.org", '<a href="https://www.example.org" rel="nofollow noopener">'),
        ("mailto:ann@example.org", '<a href="mailto:ann@example.org"'),
        ("javascript:alert(1)", ">javascript:alert(1)<"),
        ("data:text/html,x ftp://a.example", ">data:text/html,x ftp://a.example<"),
        ('https://a.example/"onmouseover="x', "https://a.example/&#34;onmouseover=&#34;x"),
        ("<b>bold</b> & more", ">&lt;b&gt;bold&lt;/b&gt; &amp; more<"),
        ("two\nlines", ">two\nlines<"),
    ],
)
def test_links_are_safe_and_everything_else_is_text(login, cast, todo, text, html):
    create_comment(todo, cast.alice, text)
    page = login("alice").get(f"/todos/{todo.id}").text
    assert html in page
    assert 'href="javascript' not in page
    assert 'href="data' not in page
    assert 'href="ftp' not in page


def test_long_discussions_have_pages_without_gap_or_repetition(login, cast, todo):
    import re

    for number in range(65):
        create_comment(todo, cast.alice, f"Said {number:02}.")
    client, path, seen = login("bob"), f"/todos/{todo.id}", []
    while path:
        page = client.get(path).text
        seen = re.findall(r">Said (\d+)\.", page) + seen
        earlier = re.search(r'href="([^"#]+)#timeline">Earlier', page)
        path = earlier[1] if earlier else None
    assert seen == [f"{number:02}" for number in range(65)]


def test_comment_of_somebody_who_was_removed_stays_readable(login, cast, todo):
    author = create_user("temp")
    create_comment(todo, author, "I was here")
    with transaction() as session:
        session.delete(author)
    page = login("alice").get(f"/todos/{todo.id}").text
    assert "I was here" in page
    assert "Somebody who left" in page
