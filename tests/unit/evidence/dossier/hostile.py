"""A case in which everybody who could choose a name chose one that is an attack on some format, or 2,000 characters."""

from __future__ import annotations

from typing import Any

import msgspec

from lineage.evidence.case import Case
from tests.unit.evidence.cases import YES

ATTACK = (
    "<script>alert(1)</script></style></title>]]>--><!-- &amp; \"'> onload=x {{7*7}} \u202egnp.exe\u200b\n\x1b[31m"
    "#set page(fill: red) #panic() $x$ *b* _i_ `c` @ref <label> // = \\ \\u{41} ${x} $(id) %s 中文 \U0001f600 ﷽ \xa0 \ud800"
)
"""Markup of HTML, SVG, CSS, typst and shells, invisible and turning characters, lines, controls, other scripts."""
LONG = "n" * 2000

_CHOSEN = frozenset(
    ["subject", "origin", "by", "project", "sentence", "more", "display", "name", "namespace", "model", "version", "aliases", "stage", "run", "reason", "declaredBy", "evidence", "artifact", "text", "approver", "reference", "state", "void", "claimedBy", "approvedBy", "checked", "result", "rule", "location", "remedy", "terms", "provider", "service", "channel", "licence", "jurisdiction", "frees", "unknown", "hint", "note", "keys", "commit", "host", "hosts", "libraries", "path", "notes", "faults", "run"]
)  # fmt: skip


def hostile(attack: str, case: Case = YES) -> Case:
    """A case with every chosen text turned into an attack; each stays different from the others."""

    def turn(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: turn(inner, name) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [turn(inner, key) for inner in value]
        return value + attack if isinstance(value, str) and key in _CHOSEN else value

    return msgspec.convert(turn(msgspec.to_builtins(case)), Case)
