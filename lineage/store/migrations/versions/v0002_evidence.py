"""Checkpoints, and which entries a run and a dataset version rest on. Frozen: what comes later is another revision."""

from __future__ import annotations

import json
from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, PrimaryKeyConstraint, Text, text

from lineage.ledger import unpack

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
    _fill(op.get_bind())


# Which entries a run and a dataset version rest on, read from the entries. As the projection of this revision says it,
# in its own words: it must not change when the projection does.


def _fill(bind: Connection) -> None:
    runs = {bytes(key): id_ for key, id_ in bind.execute(text("SELECT key, run FROM run_key"))}
    first = {row[0]: row[1] for row in bind.execute(text("SELECT id, entry FROM run"))}
    nodes = text("SELECT node FROM content WHERE key = :key")
    again: list[dict[str, int]] = []
    spoken: dict[tuple[int, int], None] = {}
    for start, body in bind.execute(text("SELECT position, body FROM entry ORDER BY position")):
        for position, data in enumerate(unpack(bytes(body)), start):
            event = json.loads(data)
            key = _run_key(event)
            if key is None:
                continue
            if key and first[runs[key]] != position:
                again.append({"key": runs[key], "entry": position})
            alone = [event["dataset"]] if not key and event.get("dataset") else []
            named = [*(event.get("inputs") or ()), *(event.get("outputs") or ())] if key else []
            for dataset in (*alone, *(d for d in named if _content(d).get("members"))):
                found = bind.execute(nodes, {"key": _node_key(dataset)}).one()
                spoken[found[0], position] = None
    if again:
        bind.execute(text("INSERT INTO again VALUES (:key, :entry)"), again)
    if spoken:
        rows = [{"key": node, "entry": position} for node, position in spoken]
        bind.execute(text("INSERT INTO spoken VALUES (:key, :entry)"), rows)


def _run_key(event: dict[str, Any]) -> bytes | None:
    """Key of the run an event is of; empty for an event without one; None for what people and the gate say."""
    job, run = event.get("job") or {}, event.get("run")
    if job.get("namespace") == "lineagegate" and job.get("name") in ("decide", "grant", "removal", "correction"):
        return None
    if run is None:
        lineage = not event.get("dataset") and (event.get("inputs") or event.get("outputs"))
        return f"j{job['namespace']}/{job['name']}".encode() if lineage else b""
    name: str = run["runId"]
    if len(name) == 36 and name[8] == name[13] == name[18] == name[23] == "-":
        digits = _binary(name.replace("-", ""))
        if digits is not None and len(digits) == 16:
            return digits
    return b"r" + name.encode()


_TRIVIAL = (
    "d41d8cd98f00b204e9800998ecf8427e", "68b329da9893e34099c7d8ad5cb9c940", "99914b932bd37a50b983c5e7c90ae93b",
    "8a80554c91d9fca8acb82f023de02f11", "d751713988987e9331980363e24189ce", "58e0494c51d30eb3494f7c9198986bb9",
    "37a6259cc0c1dae299a7866489dff0bd", "d751713988987e9331980363e24189ce.dir",
)  # fmt: skip


_FORMS = ((b"\x01", "md5:", "", 36), (b"\x02", "md5:", ".dir", 40), (b"\x03", "sha256:", "", 71))


def _content(dataset: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (dataset.get("facets") or {}).get("lineage_content") or {}
    return found


def _node_key(dataset: dict[str, Any]) -> bytes:
    """Key of the node that a dataset reference names."""
    name, content = f"{dataset['namespace']}/{dataset['name']}", _content(dataset)
    if not content:
        return b"n" + name.encode()
    hash_: str = content["hash"]
    size = content.get("size")
    if hash_.removeprefix("md5:") in _TRIVIAL and hash_.startswith("md5:"):
        return f"n{name}#{hash_}".encode()
    if size is not None and size < 16 and not hash_.endswith(".dir"):
        return f"n{name}#{hash_}".encode()
    for form, prefix, suffix, length in _FORMS:
        if len(hash_) == length and hash_.startswith(prefix) and hash_.endswith(suffix):
            digits = _binary(hash_[len(prefix) : len(hash_) - len(suffix)])
            if digits is not None:
                return form + digits
    return b"c" + hash_.encode()


def _binary(digits: str) -> bytes | None:
    """Lower-case hexadecimal digits in binary; None for any other text."""
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        return None
    return value if value.hex() == digits else None
