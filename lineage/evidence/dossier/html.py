"""The dossier as one HTML file: no script, nothing fetched, the same on screen, on paper and to a screen reader.

Every text from the case goes through `_text`; the policy in the head forbids scripts and requests even so.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files

from lineage.errors import printable
from lineage.evidence.case import Case
from lineage.evidence.dossier import words
from lineage.evidence.dossier.blocks import (
    Cell,
    Code,
    Facts,
    Heading,
    Line,
    Paragraph,
    Picture,
    Points,
    Section,
    Table,
)
from lineage.evidence.dossier.outline import outline

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
SHORT = 80
"""Characters of the subject in the head of a printed page."""


def html(case: Case) -> str:
    """The dossier of a case, a whole HTML document."""
    said = outline(case)
    style = files(__package__).joinpath("dossier.css").read_text(encoding="utf-8")
    head, foot = _css(said.subject), _css(said.running)
    page = f'@page {{ @top-left {{ content: "{head}"; }} @bottom-left {{ content: "{foot}"; }} }}'
    contents = "".join(f'<li><a href="#{s.id}">{_text(s.title)}</a></li>' for s in said.sections)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{_text(said.title)}: {_text(said.subject)}</title>",
            f"<style>\n{style}{page}\n</style>",
            "</head>",
            "<body>",
            "<header>",
            f'<p class="kind">{_text(said.title)}</p>',
            f"<h1><bdi>{_text(said.subject)}</bdi></h1>",
            "</header>",
            "<main>",
            '<section class="answer" aria-labelledby="answer">',
            '<h2 id="answer">The question and the answer</h2>',
            f'<p class="question">{_text(said.question)}</p>',
            f'<p class="word {said.tone}">{_text(said.word)}</p>',
            f'<p class="sentence">{_text(said.answer)}</p>',
            *(f"<p>{_text(sentence)}</p>" for sentence in said.more),
            _facts(said.facts),
            "</section>",
            f'<nav aria-labelledby="contents"><h2 id="contents">Contents</h2><ol>{contents}</ol></nav>',
            *(_section(number, section) for number, section in enumerate(said.sections, start=1)),
            "</main>",
            "<footer>",
            f"<p>{_text(said.title)} of <bdi>{_text(said.subject)}</bdi>, {_text(said.running)}. Made by "
            f"{words.program()} from the recorded case alone; the same case gives the same document.</p>",
            "</footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _section(number: int, section: Section) -> str:
    out = [
        f'<section aria-labelledby="{section.id}">',
        f'<h2 id="{section.id}"><span class="number">{number}</span> {_text(section.title)}</h2>',
    ]
    for block in section.blocks:
        if isinstance(block, Heading):
            out.append(f"<h3>{_text(block.text)}</h3>")
        elif isinstance(block, Paragraph):
            out.append(f'<p class="note">{_text(block.text)}</p>' if block.note else f"<p>{_text(block.text)}</p>")
        elif isinstance(block, Points):
            out.append(f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in block.items)}</ul>")
        elif isinstance(block, Facts):
            out.append(_facts(block))
        elif isinstance(block, Table):
            out.append(_table(block))
        elif isinstance(block, Picture):
            out.append(_picture(block))
        else:
            out.append(_code(block))
    return "\n".join([*out, "</section>"])


def _facts(block: Facts) -> str:
    rows = "".join(f"<div><dt>{_text(term)}</dt><dd>{_cell(cell)}</dd></div>" for term, cell in block.rows)
    return f"<dl>{rows}</dl>"


def _table(block: Table) -> str:
    whole = sum(column.width for column in block.columns)
    widths = "".join(f'<col style="width:{column.width * 100 / whole:.4g}%">' for column in block.columns)
    head = "".join(f'<th scope="col"{_side(column.right)}>{_text(column.title)}</th>' for column in block.columns)
    body = []
    for row in block.rows:
        cells = []
        for index, (column, cell) in enumerate(zip(block.columns, row, strict=True)):
            name = "th" if index == 0 else "td"
            scope = ' scope="row"' if index == 0 else ""
            cells.append(f"<{name}{scope}{_side(column.right)}>{_cell(cell)}</{name}>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    # what may scroll must be reached with the keyboard and say what it is
    return (
        f'<div class="table" role="region" aria-label="{_text(block.caption)}" tabindex="0"><table>'
        f"<caption>{_text(block.caption)}</caption><colgroup>{widths}</colgroup>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _side(right: bool) -> str:
    return ' class="right"' if right else ""


def _cell(cell: Cell) -> str:
    lines = "".join(_line(line) for line in cell.lines)
    if cell.part is None:
        return lines
    return f'{lines}<span class="bar" aria-hidden="true"><span style="width:{cell.part * 100:.4g}%"></span></span>'


def _line(line: Line) -> str:
    classes = " ".join(name for name, on in (("code", line.code), ("faint", line.faint)) if on)
    return f'<span class="line{" " + classes if classes else ""}"><bdi>{_text(line.text)}</bdi></span>'


def _picture(block: Picture) -> str:
    return (
        f'<figure><div class="drawing" style="--natural:{block.width:g}px" role="region" '
        f'aria-label="Drawing of the paths" tabindex="0">{block.svg}</div>'
        f"<figcaption>{_text(block.caption)}</figcaption></figure>"
    )


def _code(block: Code) -> str:
    return f"<pre><code>{chr(10).join(map(_text, block.lines))}</code></pre>"


def _text(text: str) -> str:
    return escape(printable(text))


def _css(text: str) -> str:
    """Text inside a CSS string in a ``<style>`` element: all but letters, digits and blanks as escapes."""
    text = printable(text)
    text = text if len(text) <= SHORT else f"{text[: SHORT // 2]}…{text[-SHORT // 2 :]}"
    return "".join(
        char if char.isascii() and (char.isalnum() or char == " ") else f"\\{ord(char):06x}" for char in text
    )
