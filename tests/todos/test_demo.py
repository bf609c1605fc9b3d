"""The demo's tags and talk, without its pictures, which take a while."""

from random import Random

from sqlalchemy import func, select

from app.db import transaction
from app.extensions import db
from app.models import Comment, SavedFilter, Tag, Todo, todo_tags
from app.services import demo_talk
from app.services.demo_words import TAGS
from tests.factories import create_tag, create_todo


def test_demo_tags_todos_and_lets_their_people_talk_about_them(login, cast):
    own = create_tag("Finance", colour="pink")  # somebody's own stays as it is
    todos = [create_todo(cast.ada, f"Todo {number}", priority=number % 4) for number in range(20)]
    rows = [{"owner_id": one.owner_id, "priority": one.priority, "created_at": one.created_at} for one in todos]
    ids = [one.id for one in todos]
    for _ in range(2):
        with transaction() as session:
            demo_talk.discuss(session, Random(1), [(ids[0], rows[0], [cast.bob.id])], cast.ada.id)
    with transaction() as session:
        demo_talk.add(session, Random(1), ids, rows, ["chart", "plan", "receipt", "board", "landscape"] * 4)
    assert set(db.session.scalars(select(Tag.key))) == set(TAGS)
    assert db.session.get(Tag, own.id).colour == "pink"
    urgent = select(func.count()).select_from(todo_tags).join(Tag).where(Tag.key == "urgent")
    assert db.session.scalar(urgent) == len([one for one in todos if one.priority == 0])
    assert set(db.session.scalars(select(SavedFilter.name))) == set(demo_talk.FILTERS)
    assert set(db.session.scalars(select(Comment.author_id))) <= {cast.ada.id, cast.bob.id}
    client = login("ada")
    for query in db.session.scalars(select(SavedFilter.query)):
        assert client.get(f"/todos?{query}").status_code == 200
    first = db.session.scalar(select(Comment).order_by(Comment.id))
    assert f'id="comment-{first.id}"' in client.get(f"/todos/{ids[0]}").text
    assert db.session.scalar(select(func.count()).select_from(Todo)) == 20
