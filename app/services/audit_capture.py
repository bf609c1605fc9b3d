"""How changes get into the audit trail: SQLAlchemy tells of every flush and every statement, whoever caused it.

Changes are collected while a transaction runs and written as one INSERT at its end, so that a row which changed twice
leaves one entry and a rollback leaves none.
"""

from collections.abc import Collection
from typing import Any

from flask_appbuilder import Model
from sqlalchemy import ARRAY, BindParameter, Integer, Table, any_, event, inspect, literal, select
from sqlalchemy.orm import Mapper, object_session

from app.db import hold
from app.extensions import db
from app.services.audit_rules import AUDITED, LINKS, Links, Rows
from app.services.audit_write import Change, collect, discard, write


def install() -> None:
    """Listen to the session and to the models of the audited tables; once, however many applications there are."""
    if event.contains(db.session, "before_commit", write):
        return
    event.listen(db.session, "before_commit", write)
    event.listen(db.session, "after_soft_rollback", discard)
    event.listen(db.session, "do_orm_execute", on_statement)
    for mapper in Model.registry.mappers:
        name = getattr(mapper.local_table, "name", "")
        if name not in AUDITED and name not in LINKS:
            continue
        watched = AUDITED[name].watched if name in AUDITED else (LINKS[name].key, LINKS[name].value)
        for column in watched:
            if column in mapper.column_attrs:
                # SQLAlchemy forgets what a value replaces unless somebody wants to know
                event.listen(mapper.attrs[column].class_attribute, "set", _ignore, active_history=True)
        event.listen(mapper, "after_insert", on_insert)
        event.listen(mapper, "after_update", on_update)
        event.listen(mapper, "after_delete", on_delete)


def _ignore(*_: Any) -> None:
    """Listen, and do nothing."""


def on_insert(mapper: Mapper[Any], _connection: Any, target: Any) -> None:
    """Note a row that a flush added."""
    _note(mapper, target, "created")


def on_update(mapper: Mapper[Any], _connection: Any, target: Any) -> None:
    """Note what a flush changed of a row and of its collections."""
    _note(mapper, target, "changed")


def on_delete(mapper: Mapper[Any], _connection: Any, target: Any) -> None:
    """Note a row that a flush deleted."""
    _note(mapper, target, "deleted")


def _note(mapper: Mapper[Any], target: Any, what: str) -> None:
    """Collect the change of one object."""
    table, session = str(mapper.local_table.name), object_session(target)  # type: ignore[attr-defined]
    state = inspect(target)
    if table in LINKS:
        _note_link(session, LINKS[table], state, what)
    if table not in AUDITED:
        return
    rule, row = AUDITED[table], state.dict
    before, after = {}, {}
    for name in rule.watched:
        old, new = _history(state, name)
        if what == "deleted":
            before[name] = new
        elif what == "created" or old != new:
            before[name], after[name] = old if what == "changed" else None, new
    pk = mapper.primary_key_from_instance(target)[0]
    change = Change(table, pk, what, before, after, {name: row.get(name) for name in rule.facts})
    for relation in mapper.relationships if what != "deleted" else ():
        links = LINKS.get(getattr(relation.secondary, "name", ""))
        if links is not None and links.parent == table:
            history = state.attrs[relation.key].history
            change.links[links.field] = (list(history.deleted or ()), list(history.added or ()))
    collect(session, change)


def _history(state: Any, name: str) -> tuple[Any, Any]:
    """Return the value of a column before and after a flush."""
    history = state.attrs[name].history
    now = state.dict.get(name)
    return (history.deleted[0] if history.deleted else None if history.added else now), now


def _note_link(session: Any, links: Links, state: Any, what: str) -> None:
    """Collect what an object that belongs to another row says about that row's collection."""
    (old_key, key), (old_value, value) = _history(state, links.key), _history(state, links.value)
    if what == "deleted":
        old_key, old_value, key = key, value, None
    elif what == "created":
        old_key = None
    if (old_key, old_value) == (key, value):
        return
    if old_key is not None:
        collect(session, Change(links.parent, old_key, "changed", links={links.field: ([old_value], [])}))
    if key is not None:
        collect(session, Change(links.parent, key, "changed", links={links.field: ([], [value])}))


def on_statement(state: Any) -> Any:
    """Note what a set-based statement changes: one SELECT tells the rows and their values before."""
    statement = state.statement
    if not (state.is_insert or state.is_update or state.is_delete):
        return None
    table = db.metadata.tables[statement.table.name]
    if table.name not in AUDITED and table.name not in LINKS:
        return None
    if state.is_insert:
        return _inserted(state, table)
    new = _new_values(statement) if state.is_update else {}
    for rule in (AUDITED.get(table.name), LINKS.get(table.name)):
        if rule is not None and (state.is_delete or _is_watched(rule, new)):
            _touched(state, table, rule, new)
    return None


def _names(rule: Rows | Links) -> dict[str, None]:
    """Return the columns that matter, each once."""
    names = (*rule.watched, *rule.facts) if isinstance(rule, Rows) else (rule.key, rule.value)
    return dict.fromkeys(names)


def _is_watched(rule: Rows | Links, new: Collection[str]) -> bool:
    """Tell whether a statement sets a column that matters."""
    names = (*rule.watched, rule.version) if isinstance(rule, Rows) else _names(rule)
    return any(name in new for name in names)


def _new_values(statement: Any) -> dict[str, Any]:
    """Return column name -> value or expression of an UPDATE."""
    if not statement._values:
        raise TypeError("An UPDATE of an audited table names its values by keyword or dictionary.")
    return {getattr(key, "key", key): value for key, value in statement._values.items()}


def _touched(state: Any, table: Table, rule: Rows | Links, new: dict[str, Any]) -> None:
    """Read the rows that a statement is going to change or delete, and lock them."""
    session, statement = state.session, state.statement
    session.flush()
    connection = session.connection()
    pk = next(iter(table.primary_key))
    names = _names(rule)
    computed = {name: value for name, value in new.items() if name in names and not isinstance(value, BindParameter)}
    old_and_new = [table.c[name].label(f"old_{name}") for name in names]
    old_and_new += [value.label(f"new_{name}") for name, value in computed.items()]
    rows = select(pk.label("pk"), *old_and_new).with_for_update(of=table)
    if statement.whereclause is not None:
        rows = rows.where(statement.whereclause)
    hold(session)  # the SELECT alone would not keep other writers away
    found = connection.execute(rows, state.parameters or {}).mappings().all()
    for row in found:
        old = {name: row[f"old_{name}"] for name in names}
        after = old | {name: row.get(f"new_{name}", getattr(new[name], "value", None)) for name in names if name in new}
        _note_row(session, table.name, rule, row["pk"], old, after if new else None)
    if new and connection.dialect.name == "postgresql":
        # rows that fit since the SELECT stay out
        ids = literal([row["pk"] for row in found], ARRAY(Integer))
        state.statement = statement.where(pk == any_(ids))


def _note_row(session: Any, table: str, rule: Rows | Links, pk: Any, old: Any, new: Any) -> None:
    """Collect the change of one row of a statement; `new` is None when it is deleted."""
    if isinstance(rule, Links):
        pairs = [(old[rule.key], [old[rule.value]], []), (new[rule.key], [], [new[rule.value]])] if new else []
        for key, removed, added in pairs or [(old[rule.key], [old[rule.value]], [])]:
            if key is not None and old != new:
                collect(session, Change(rule.parent, key, "changed", links={rule.field: (removed, added)}))
        return
    facts = {name: (new or old)[name] for name in rule.facts}
    changed = {name for name in rule.watched if new is None or new[name] != old[name]}
    before = {name: old[name] for name in changed}
    after = {name: new[name] for name in changed} if new else {}
    collect(session, Change(table, pk, "changed" if new else "deleted", before, after, facts))


def _inserted(state: Any, table: Table) -> Any:
    """Run an INSERT that returns what matters of its rows as well, and note them."""
    session, statement = state.session, state.statement
    rules: list[Rows | Links] = [rule for rule in (AUDITED.get(table.name), LINKS.get(table.name)) if rule is not None]
    if isinstance(rules[0], Links) and _is_plain(state):
        for row in state.parameters if isinstance(state.parameters, list) else [state.parameters]:
            _note_new(session, table, rules[0], row)
        return None
    names = dict.fromkeys(name for rule in rules for name in _names(rule))
    pk = next(iter(table.primary_key))
    asked = len(statement.exported_columns)
    more = [pk.label("new_pk"), *(table.c[name].label(f"new_{name}") for name in names)]
    kept = state.invoke_statement(statement.returning(*more)).freeze()
    for row in kept().mappings():
        for rule in rules:
            _note_new(session, table, rule, {name: row[f"new_{name}"] for name in names}, row["new_pk"])
    return kept().columns(*range(asked)) if asked else kept()


def _is_plain(state: Any) -> bool:
    """Tell whether an INSERT adds exactly the rows of its parameters."""
    statement = state.statement
    special = statement._values or statement._multi_values or statement.select is not None
    return bool(state.parameters) and not special and statement._post_values_clause is None


def _note_new(session: Any, table: Table, rule: Rows | Links, row: Any, pk: Any = None) -> None:
    """Collect a row that a statement added."""
    if isinstance(rule, Rows):
        values = {name: row[name] for name in rule.watched}
        collect(session, Change(table.name, pk, "created", {}, values, {name: row[name] for name in rule.facts}))
    elif row[rule.key] is not None:
        collect(session, Change(rule.parent, row[rule.key], "changed", links={rule.field: ([], [row[rule.value]])}))
