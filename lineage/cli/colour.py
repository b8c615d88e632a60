"""Colour for terminals: the words of a verdict and the names of fields, found in the plain text by pattern."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.text import Text

_STYLES = (
    (r"\A[^\n]*\b(refused|cannot be decided|failed|breaks the policy)\b[^\n]*", "bold red"),
    (r"\A[^\n]*\ballowed by lineagegate, with a warning", "bold yellow"),
    (r"\A[^\n]*\ballowed by lineagegate(?=\n)", "bold green"),
    (r"(?m)^  (source|path|rule|warning|terms|training|remedy|grant|decision|more|cause|hint|sources)(?= )", "dim"),
    (r"(?m)^ *[├└]─", "dim"),
    (r"lineagegate (declare|why|sync|grant|init|check|status|doctor|audit|policy)\b[^\n]*$", "cyan"),
)


def paint(text: str, stream: TextIO) -> None:
    """Print a text in colour, unwrapped."""
    styled = Text(text)
    for pattern, style in _STYLES:
        styled.highlight_regex(pattern, style)
    Console(file=stream, highlight=False, soft_wrap=True, force_terminal=True).print(styled)
