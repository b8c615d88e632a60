"""``lineagegate export``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lineage.cli.output import write
from lineage.cli.settings import Settings, times, verb

if TYPE_CHECKING:
    from lineage.evidence.case import Case
    from lineage.gate import Gate

NAMES = ("prov", "spdx3", "cyclonedx", "croissant", "in-toto", "eu-summary", "data-trust")


@verb
@click.argument("model")
@click.option("--as", "standard", type=click.Choice(NAMES), required=True, help="The standard to say it in.")
@click.option("-o", "--output", metavar="FILE", help="Where to write it; without it, it is printed.")
@times
def export(settings: Settings, model: str, standard: str, output: str | None, as_of: str, known_at: str) -> None:
    """What is known of a model in the words of a standard that auditors' systems read.

    MODEL is anything `check` takes. docs/reference/exports.md says what goes where, and what each standard cannot say.
    What is not known is left empty or is the standard's own word for that. Without -o the document is printed as it is
    (eu-summary as Markdown); --format json puts it in the field `text` of a document of ours. A name ending in .md
    makes eu-summary Markdown, any other JSON. in-toto is one signed envelope a line.
    """
    from lineage.evidence import exports

    settings.in_force()
    with settings.gate() as gate:
        gate.refresh()
        with settings.asked(gate, as_of, known_at) as asked:
            case = asked.case(settings.name(asked, model))
        for_people = output.lower().endswith(".md") if output else settings.format == "text"
        text = _text(gate, case, standard, for_people=for_people)
    if output:
        write(settings.start / output, text.encode())
    made = exports.document(case, standard, text, output or "")
    if output or settings.format == "json":
        settings.show(lambda: made, lambda: exports.document_text(made))
    else:
        click.echo(text, nl=False)


def _text(gate: Gate, case: Case, standard: str, *, for_people: bool) -> str:
    from lineage.evidence import exports

    if standard == "eu-summary" and for_people:
        from lineage.evidence.exports.eu_summary import eu_summary_markdown

        return eu_summary_markdown(case)
    return exports.export(case, standard, key=gate.seal.signer() if exports.STANDARDS[standard].signed else None)
