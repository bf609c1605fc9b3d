"""Who may see and change which todos: one expression for each question, used by every door."""

from sqlalchemy import ColumnElement, and_, false, or_, select, true, union

from app.models.tags import Tag, tag_key, todo_tags
from app.models.todos import Todo, todo_assignees
from app.models.users import User
from app.services.permissions import can, holders


def of_person(user_id: int) -> ColumnElement[bool]:
    """Select the todos that a person owns or is assigned to.

    A union inside IN lets both databases use an index for each half; OR makes them read the whole table.
    """
    owned = select(Todo.id).where(Todo.owner_id == user_id)
    assigned = select(todo_assignees.c.todo_id).where(todo_assignees.c.user_id == user_id)
    return Todo.id.in_(union(owned, assigned))


def visible_to(viewer: User) -> ColumnElement[bool]:
    """Select the todos that the viewer may see."""
    return and_(Todo.deleted_at.is_(None), known_to(viewer))


def known_to(viewer: User) -> ColumnElement[bool]:
    """Select the todos that the viewer may see, or could see until they were deleted."""
    return _of(viewer, "can_see_all", of_person(viewer.id))


def readers_of(todo_id: int) -> ColumnElement[bool]:
    """Select the people who may see a todo: `visible_to`, asked from the other side."""
    owner = select(Todo.owner_id).where(Todo.id == todo_id)
    assigned = select(todo_assignees.c.user_id).where(todo_assignees.c.todo_id == todo_id)
    return and_(User.active.is_(True), or_(User.id.in_(union(owner, assigned)), holders("can_see_all", "Todo")))


def changeable_by(viewer: User) -> ColumnElement[bool]:
    """Select the todos that the viewer may edit and complete."""
    if not can(viewer, "can_edit", "Todo"):
        return false()
    return and_(Todo.deleted_at.is_(None), _of(viewer, "can_change_all", of_person(viewer.id)))


def deletable_by(viewer: User) -> ColumnElement[bool]:
    """Select the todos that the viewer may delete and share."""
    if not can(viewer, "can_delete", "Todo"):
        return false()
    return _of(viewer, "can_change_all", Todo.owner_id == viewer.id)


def _of(viewer: User, permission: str, own: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return no condition for those who may do it with all todos, else the narrower one."""
    return true() if can(viewer, permission, "Todo") else own


def may_change(viewer: User, todo: Todo) -> bool:
    """Tell whether `changeable_by` selects this todo, without a statement."""
    mine = todo.owner_id == viewer.id or any(user.id == viewer.id for user in todo.assignees)
    return can(viewer, "can_edit", "Todo") and (mine or can(viewer, "can_change_all", "Todo"))


def may_delete(viewer: User, todo: Todo) -> bool:
    """Tell whether `deletable_by` selects this todo, without a statement."""
    return can(viewer, "can_delete", "Todo") and (todo.owner_id == viewer.id or can(viewer, "can_change_all", "Todo"))


def tagged(name: str) -> ColumnElement[bool]:
    """Select the todos that have a tag of this name."""
    return Todo.id.in_(select(todo_tags.c.todo_id).join(Tag).where(Tag.key == tag_key(name)))
