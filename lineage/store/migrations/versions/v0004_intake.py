"""Events from outside by their bytes, and names of one thing. Frozen: what comes later is another revision."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint

revision = "0004"
down_revision = "0003"


def number(name: str) -> Column[int]:
    """An integer column; SQLite's row ids want its own INTEGER."""
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Column(name, kind, autoincrement=False, nullable=False)


def upgrade() -> None:
    """Make the tables. Empty: until now nothing was taken from outside."""
    op.create_table(
        "same",
        number("node"),
        number("other"),
        PrimaryKeyConstraint("node", "other"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "received",
        Column("key", LargeBinary, nullable=False),
        number("entry"),
        PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
