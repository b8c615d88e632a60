"""What a version's description says of the gate, and neutralising the names and reasons in it.

MLflow shows descriptions as markdown. What somebody chose to call a file or a rule must not become a link, an image or
a heading there, nor a line that reads as ours.
"""

from __future__ import annotations

import re

from lineage.errors import printable
from lineage.vocabulary import Decision

MARK = "**lineagegate**"
"""How each line of ours begins."""

_MOST = 500
_SPECIAL = re.compile(r"[\\`*_{}\[\]()>#+!|~:=-]|(?<=www)\.", re.IGNORECASE)
_ENTITIES = {"&": "&amp;", "<": "&lt;", "@": "&#64;"}  # what not every renderer takes behind a backslash


def described(text: str | None, decision: Decision, page: str = "") -> str:
    """A description with the line that leads to the explanation.

    Args:
        text: what is there; lines of ours, of a version that this one is a copy of, are left out.
        decision: what the line is about.
        page: address of the decision's page (`lineage.gate.Gate.page`); empty: there is none.
    """
    kept = "\n".join(line for line in (text or "").splitlines() if not line.startswith(MARK)).strip()
    return _with(kept, f"{MARK} {decision.outcome.value} · `lineagegate why {decision.id}`{_explained(page)}")


def recalled(text: str | None, decision: Decision, page: str = "") -> str:
    """A description with the sentence that its version was recalled, when, why and where that is explained.

    Said once for a decision, whatever the description says by now.
    """
    link = f"`lineagegate why {decision.id}`"
    before = (text or "").strip()
    if link in before:
        return before
    return _with(
        before, f"{MARK} recalled on {decision.time[:10]}: {plain(reason_of(decision))} · {link}{_explained(page)}"
    )


def reason_of(decision: Decision) -> str:
    """Why a decision refuses, one line."""
    said = decision.reason or next((finding.reason for finding in decision.findings), "") or decision.outcome.value
    return printable(said)[:_MOST]


def plain(text: str) -> str:
    """Text as markdown that shows it as it is: one line, no markup, no link, no HTML, nothing that cannot be seen."""
    escaped = _SPECIAL.sub(r"\\\g<0>", printable(text))
    return "".join(_ENTITIES.get(char, char) for char in escaped)


def _explained(page: str) -> str:
    return f" · [explained]({page})" if page else ""


def _with(text: str, line: str) -> str:
    return f"{text}\n\n{line}" if text else line
