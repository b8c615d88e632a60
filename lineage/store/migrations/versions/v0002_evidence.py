"""Checkpoints, and which entries a run and a dataset version rest on. Frozen: what comes later is another revision."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, Text

revision = "0002"
down_revision = "0001"


def number(name: str) -> Column[int]:
    """An integer column; SQLite's row ids want its own INTEGER."""
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Column(name, kind, autoincrement=False, nullable=False)


def upgrade() -> None:
    """Make the tables."""
    for name, key in (("again", "run"), ("spoken", "node")):
        op.create_table(name, number(key), number("entry"), PrimaryKeyConstraint(key, "entry"), sqlite_with_rowid=False)
    op.create_table(
        "checkpoint",
        number("position"),
        number("recorded"),
        Column("note", Text, nullable=False),
        Column("timestamp", LargeBinary, nullable=False),
        PrimaryKeyConstraint("position"),
    )
