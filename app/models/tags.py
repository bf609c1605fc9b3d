"""Tags: words that the whole team puts on todos."""

import unicodedata
from zlib import crc32

from flask_appbuilder import Model
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table
from sqlalchemy.orm import Mapped, mapped_column, query_expression, validates

from app.db import Timestamps

LONGEST_TAG = 50  # characters
COLOURS = ("grey", "red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown")

todo_tags = Table(
    "todo_tags",
    Model.metadata,
    Column("todo_id", Integer, ForeignKey("todos.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", Integer, ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True),
    # the todos that have a tag
    Index("ix_todo_tags_by_tag", "tag_id", "todo_id"),
)


def tag_key(name: str) -> str:
    """Return what two names have in common that differ in case, accents' encoding or blanks only."""
    return unicodedata.normalize("NFC", " ".join(name.split()).casefold())


def usual_colour(key: str) -> str:
    """Return the colour of a new tag: any, but the same for the same word."""
    return COLOURS[1:][crc32(key.encode()) % (len(COLOURS) - 1)]


class Tag(Timestamps, Model):
    """A word with a colour; no two are the same but for the case of their letters."""

    __tablename__ = "tags"
    __table_args__ = (
        CheckConstraint("length(trim(name)) > 0", name="ck_tags_name"),
        CheckConstraint(f"colour IN {COLOURS}", name="ck_tags_colour"),
        # the database's own idea of upper case is no use here: SQLite knows that of ASCII only
        Index("uq_tags_key", "key", unique=True),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_TAG), nullable=False)
    key: Mapped[str] = mapped_column(String(4 * LONGEST_TAG), nullable=False)
    colour: Mapped[str] = mapped_column(String(16), nullable=False)
    # how many todos have it; only where a list asks for it
    uses: Mapped[int | None] = query_expression()

    @validates("name")
    def _follow(self, _key: str, name: str) -> str:
        """Keep the key true to the name, and let a new tag have a colour."""
        self.key = tag_key(name)
        self.colour = self.colour or usual_colour(self.key)
        return name

    def __repr__(self) -> str:
        return self.name
