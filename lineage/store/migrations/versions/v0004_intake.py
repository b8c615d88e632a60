"""Events that came from outside, by their bytes. Frozen: what comes later is another revision."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table. Empty: until now nothing was taken from outside."""
    op.create_table(
        "received",
        Column("key", LargeBinary, nullable=False),
        Column("entry", BigInteger().with_variant(Integer(), "sqlite"), autoincrement=False, nullable=False),
        PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
