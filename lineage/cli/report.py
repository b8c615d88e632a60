"""``lineagegate report``."""

from __future__ import annotations

import click

from lineage.cli.output import write
from lineage.cli.settings import Settings, times, verb
from lineage.errors import UsageError
from lineage.evidence.case import Case

SUFFIXES = (".html", ".pdf", ".json")


@verb
@click.argument("model")
@click.option("--origin", default="", metavar="TEXT", help="Ask about origins whose kind, provider … contains this.")
@click.option("-o", "--output", metavar="FILE", help="Write a dossier: .html, .pdf or .json.")
@times
def report(settings: Settings, model: str, origin: str, output: str | None, as_of: str, known_at: str) -> None:
    """Write a dossier about a model, to hand over.

    It holds the answer and everything that it rests on.

    MODEL is anything `check` takes. Without -o the answer, the paths and what is not known are printed. A dossier has,
    besides, the data by origin, decisions, grants, removals, the history, the checkpoint and how to check it. The same
    question about the same record, asked by the same person, gives the same file, byte for byte. A .pdf needs the extra
    `pdf`; .json, and `--format json`, is the whole case, of which the other two cut long lists.

    \b
    lineagegate report models:/seed-chat/7 --origin openai -o dossier.pdf
    lineagegate report models:/seed-chat/7 --known-at models:/seed-chat/7    what was known when it was registered
    """
    from lineage.evidence.dossier.text import dossier_text

    file = settings.start / output if output else None
    if file and file.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{output} is none of the forms of a dossier", code="OUTPUT_INVALID", hint="end it in .html, .pdf or .json"
        )
    settings.in_force()
    with settings.gate() as gate:
        gate.refresh()
        with settings.asked(gate, as_of, known_at) as inquiry:
            case = inquiry.case(settings.name(gate, model), origin=origin)
    if file is None:
        settings.show(lambda: case, lambda: dossier_text(case))
        return
    write(file, _rendered(case, file.suffix.lower()))
    settings.show(lambda: case, lambda: _written(case, str(output)))


def _rendered(case: Case, suffix: str) -> bytes:
    """The bytes of a dossier; one that cannot be made leaves no file behind."""
    if suffix == ".pdf":
        from lineage.evidence.dossier.pdf import pdf

        return pdf(case)
    if suffix == ".json":
        from lineage.evidence.document import encode

        return f"{encode(case)}\n".encode()
    from lineage.evidence.dossier.html import html

    return html(case).encode()


def _written(case: Case, name: str) -> str:
    from lineage.evidence.layout import page

    return page([case.answer.sentence, f"The dossier is in {name}."])
