"""When runs and their events happened, for looking at. Frozen: what comes later is another revision."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, text

revision = "0006"
down_revision = "0005"


def number(name: str) -> Column[int]:
    """An integer column; SQLite's row ids want its own INTEGER."""
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Column(name, kind, autoincrement=False, nullable=False)


def upgrade() -> None:
    """Make the tables. They are read from the entries, from the first one on, when somebody next looks."""
    op.drop_table("job_run")
    op.create_table(
        "job_run",
        number("job"),
        number("happened"),
        number("entry"),
        number("run"),
        PrimaryKeyConstraint("job", "happened", "entry"),
        sqlite_with_rowid=False,
    )
    op.create_index("job_run_run", "job_run", ["run", "job"], unique=False)
    op.create_table(
        "run_event",
        number("happened"),
        number("entry"),
        number("type"),
        PrimaryKeyConstraint("happened", "entry"),
        sqlite_with_rowid=False,
    )
    op.execute(text("DELETE FROM state WHERE key = 'jobs/read'"))
