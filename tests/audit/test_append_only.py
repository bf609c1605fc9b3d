"""The database itself keeps the trail: only the purge of old entries gets through, and no commit leaves it open."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from app.db import utcnow
from app.extensions import db
from app.models import AuditEntry, AuditPurge
from app.services import audit_purge
from tests.factories import create_todo


def count() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(AuditEntry))


@pytest.fixture
def trail(cast):
    """Three entries of three years, beside those of the cast."""
    ages = [{"at": utcnow() - timedelta(days=days), "kind": "data", "action": "changed"} for days in (1000, 400, 1)]
    db.session.connection().execute(insert(AuditEntry), [age | {"changes": {}} for age in ages])
    db.session.commit()
    return count()


@pytest.mark.parametrize(
    "statement",
    [update(AuditEntry).values(action="forged"), delete(AuditEntry), text("UPDATE audit_entries SET label = 'x'")],
)
def test_database_refuses_changes_and_deletions(trail, statement):
    with pytest.raises(DatabaseError, match="append-only"):
        db.session.connection().execute(statement)
    assert count() == trail


def test_database_refuses_to_truncate(trail, database):
    if database == "sqlite":
        return  # has no TRUNCATE
    with pytest.raises(DatabaseError, match=r"append-only|cannot truncate"):
        db.session.connection().execute(text("TRUNCATE audit_entries CASCADE"))
    assert count() == trail


def test_purge_deletes_what_is_too_old_and_says_so(trail):
    assert audit_purge.purge(365) == 2
    assert count() == trail - 2 + 1
    last = db.session.scalar(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))
    assert (last.action, last.changes["entries"]) == ("purged", [2, 0])
    assert audit_purge.purge(365) == 0
    assert count() == trail - 1


def test_purge_goes_on_until_nothing_old_is_left(trail, monkeypatch):
    monkeypatch.setattr(audit_purge, "PURGE_SIZE", 1)
    assert audit_purge.purge(365) == 2


def test_opened_trail_gives_nothing_newer_away(trail):
    audit_purge.open_for_purge(db.session, utcnow() - timedelta(days=365))
    with pytest.raises(DatabaseError, match="append-only"):
        db.session.connection().execute(delete(AuditEntry))
    assert count() == trail


def test_no_commit_leaves_the_trail_open(trail):
    db.session.connection().execute(insert(AuditPurge).values(before=utcnow(), never=0))
    with pytest.raises(IntegrityError):
        db.session.commit()
    assert count() == trail
    assert db.session.scalar(select(AuditPurge)) is None


def test_entries_outlive_what_they_are_about(cast):
    todo = create_todo(cast.alice)
    db.session.delete(todo)
    db.session.commit()
    actions = db.session.scalars(select(AuditEntry.action).filter_by(todo_id=todo.id).order_by(AuditEntry.id)).all()
    assert actions == ["created", "purged"]
