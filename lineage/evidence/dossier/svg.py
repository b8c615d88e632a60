"""A drawing of paths as SVG: black lines on nothing, so that it reads the same on paper, on a screen and in the dark.

Shapes tell kinds apart, never colour: a double frame is a source, a thick one the model, a dashed line leads to an
evaluation alone. Every name is in full in a ``<title>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lineage.errors import printable
from lineage.evidence.case import CaseStep
from lineage.evidence.dossier.metrics import FONT, width
from lineage.evidence.dossier.picture import NAME, NOTE, Drawing, Item, Stroke, place

FAMILY = f"'{FONT}', 'Times New Roman', Tinos, 'Liberation Serif', Times, serif"


def svg(paths: Sequence[Sequence[CaseStep]], title: str, description: str) -> tuple[str, Drawing]:
    """Some paths as one picture.

    Args:
        paths: each the source first, the model last.
        title: what the picture shows.
        description: the same in words, for whoever does not see it.

    Returns:
        An ``<svg>`` element that can stand in HTML and, by itself, in a file; and what was drawn.
    """
    drawing = place(paths)
    wide, tall = _n(drawing.width), _n(drawing.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall}" viewBox="0 0 {wide} {tall}" '
        f'role="img" aria-labelledby="picture-title picture-description" font-family="{FAMILY}" fill="none" '
        'stroke="currentColor" stroke-width="1">',
        f'<title id="picture-title">{_text(title)}</title>',
        f'<desc id="picture-description">{_text(description)}</desc>',
        *(_line(stroke) for stroke in drawing.strokes),
        *(_item(item) for item in drawing.items),
        "</svg>",
    ]
    return "\n".join(parts), drawing


def legend(drawing: Drawing) -> str:
    """What its shapes mean."""
    dashed = " Dashed line: read for evaluation alone." if any(stroke.dashed for stroke in drawing.strokes) else ""
    return f"Double frame: a source. Thick frame: what was asked about.{dashed}"


def _line(stroke: Stroke) -> str:
    (x1, y1), (x2, y2) = stroke.start, stroke.end
    foot = y2 - 6 if stroke.arrow else y2
    bend = (y1 + foot) / 2
    dashes = ' stroke-dasharray="5 3"' if stroke.dashed else ""
    line = f'<path d="M{_n(x1)} {_n(y1)}C{_n(x1)} {_n(bend)} {_n(x2)} {_n(bend)} {_n(x2)} {_n(foot)}"{dashes}/>'
    if not stroke.arrow:
        return line
    head = f"M{_n(x2)} {_n(y2)}L{_n(x2 - 3.5)} {_n(y2 - 7)}H{_n(x2 + 3.5)}Z"
    return f'{line}<path d="{head}" fill="currentColor" stroke="none"/>'


def _item(item: Item) -> str:
    left = item.x - item.width / 2
    if item.kind == "label":
        return f"<g><title>{_text(item.full)}</title>{_words(item.lines[0], item.x, item.y + 11, NOTE)}</g>"
    stroke = ' stroke-width="2.5"' if item.kind == "model" else ""
    frame = _frame(left, item.y, item.width, item.height, stroke)
    if item.kind == "source":
        frame += _frame(left + 3, item.y + 3, item.width - 6, item.height - 6, "")
    name, note = item.lines
    return (
        f"<g><title>{_text(item.full)}</title>{frame}"
        f"{_words(name, item.x, item.y + 20, NAME)}{_words(note, item.x, item.y + 35, NOTE)}</g>"
    )


def _frame(x: float, y: float, wide: float, tall: float, stroke: str) -> str:
    return f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="{_n(tall)}" rx="2"{stroke}/>'


def _words(text: str, x: float, y: float, size: float) -> str:
    """Text around a middle, as wide as it was measured in whatever font."""
    wide = width(text, size)
    if not wide:
        return ""
    return (
        f'<text x="{_n(x - wide / 2)}" y="{_n(y)}" font-size="{_n(size)}" textLength="{_n(wide)}" '
        f'lengthAdjust="spacingAndGlyphs" fill="currentColor" stroke="none">{_text(text)}</text>'
    )


def _text(text: str) -> str:
    return escape(printable(text))


def _n(value: float) -> str:
    """A number of the drawing, in tenths."""
    return f"{round(value, 1) + 0.0:g}"
