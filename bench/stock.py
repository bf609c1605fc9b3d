"""A todo list in stock Flask-AppBuilder, as its documentation builds one: the peer that compare.py measures."""

from datetime import UTC, datetime

from flask import Flask
from flask_appbuilder import AppBuilder, Model, ModelView
from flask_appbuilder.models.sqla.base import SQLA
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import Boolean, Column, Date, DateTime, ForeignKey, Integer, String, Text, insert
from sqlalchemy.orm import relationship


def create_app(uri: str, rows: int, people: int) -> Flask:
    """Return the application over a new database with so many todos and people; admin's name and password are "ada"."""
    app = Flask("stock")
    app.config.update(SECRET_KEY="k" * 32, SQLALCHEMY_DATABASE_URI=uri, WTF_CSRF_ENABLED=False)
    db = SQLA()

    class Task(Model):
        __tablename__ = "tasks"
        id = Column(Integer, primary_key=True)
        title = Column(String(200), nullable=False, index=True)
        notes = Column(Text, default="")
        priority = Column(Integer, default=2)
        due_on = Column(Date)
        complete = Column(Boolean, default=False)
        created_at = Column(DateTime, default=lambda: datetime.now(UTC))
        owner_id = Column(Integer, ForeignKey("ab_user.id"), nullable=False)
        owner = relationship("User")

    class TaskView(ModelView):
        datamodel = SQLAInterface(Task)
        list_columns = ["title", "owner", "priority", "due_on", "complete"]
        search_columns = ["title", "priority", "due_on", "complete"]
        edit_columns = ["title", "notes", "priority", "due_on", "complete", "owner"]
        base_order = ("id", "desc")

    db.init_app(app)
    with app.app_context():
        builder = AppBuilder(app, db.session)
        builder.add_view(TaskView, "Tasks")
        admin = builder.sm.find_role("Admin")
        for number in range(people):
            name = "ada" if number == 0 else f"p{number:04}"
            builder.sm.add_user(name, "P", str(number), f"{name}@example.org", admin, hashed_password=HASH)
        tasks = [{"title": f"Todo number {i}", "owner_id": 1 + i % people} for i in range(rows)]
        db.session.execute(insert(Task), tasks)
        db.session.commit()
    return app


HASH = "pbkdf2:sha256:1$a$45d9f5f9d6ac1bdd0be1a4c0a1e0d7a5c8b4f9fd5e1d3a1b4fca9b4c1a7c3f4e"
