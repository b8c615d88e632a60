"""Tokens of a server, and jobs by name. Frozen: what comes later is another revision."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, Text

revision = "0003"
down_revision = "0002"


def number(name: str) -> Column[int]:
    """An integer column; SQLite's row ids want its own INTEGER."""
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Column(name, kind, autoincrement=False, nullable=False)


def words(name: str) -> Column[str]:
    """A text column."""
    return Column(name, Text, nullable=False)


def upgrade() -> None:
    """Make the tables. Jobs are read from the entries when somebody first looks."""
    op.create_table(
        "token",
        words("id"),
        words("name"),
        Column("secret", LargeBinary, nullable=False),
        words("role"),
        words("namespaces"),
        number("made"),
        words("made_by"),
        number("expires"),
        number("revoked"),
        PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job",
        number("id"),
        words("namespace"),
        words("name"),
        number("first"),
        number("last"),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("job_name", "job", ["namespace", "name"], unique=True)
    op.create_table(
        "job_run",
        number("job"),
        number("entry"),
        number("run"),
        PrimaryKeyConstraint("job", "entry"),
        sqlite_with_rowid=False,
    )
    op.create_index("job_run_run", "job_run", ["run", "job"], unique=False)
