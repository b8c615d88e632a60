"""``lineagegate content removal``."""

from __future__ import annotations

from pathlib import Path

import click

from lineage.cli.origin import origin_fields, wanted
from lineage.cli.settings import Settings, verb
from lineage.errors import UsageError

REMOVED, REFUSED = 0, 1
"""Exit statuses."""


@verb
@click.argument("before")
@click.argument("after")
@origin_fields
@click.option("--source", "sources", multiple=True, help="What has the records of that origin; may be given again.")
@click.option("--evidence", metavar="FILE", help="Write the result there, for `removal claim`.")
def removal(
    settings: Settings, before: str, after: str, sources: tuple[str, ...], evidence: str | None, **fields: str
) -> int:
    """Check record by record that an origin was taken out.

    BEFORE and AFTER are files or directories. No record of AFTER may equal or resemble a record of that origin's
    sources, and each must come from BEFORE. The sources are those in the lineage of BEFORE. Nothing is recorded: the
    file is evidence for `removal claim`, and holds no text.

    \b
    lineagegate content removal data/in.jsonl data/out.jsonl --provider openai --evidence reports/removal.json

    Exit status: 0 nothing of it is left, 1 refused, with the places; 3 something could not be read whole: then no
    evidence is written.
    """
    from lineage.cli.output import write
    from lineage.evidence.removed import evidence_bytes, removed_text
    from lineage.gate.removed import check_removal

    asked = wanted("", fields, required=True)
    places = settings.start / before, settings.start / after
    report = settings.start / evidence if evidence else None
    if report:
        _apart(report, *places)
    with settings.gate() as gate:
        gate.refresh()
        named = [settings.name(gate, source) for source in sources]
        with settings.progress() as progress:
            found = check_removal(gate, *places, asked, named, progress)
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        write(report, evidence_bytes(found))
    settings.show(lambda: found, lambda: removed_text(found))
    return REFUSED if found.problems else REMOVED


def _apart(report: Path, *places: Path) -> None:
    """See that writing the evidence changes nothing that it speaks of."""
    for place in places:
        if report.resolve() == place.resolve() or place.resolve() in report.resolve().parents:
            raise UsageError(
                f"{report} lies in {place}", code="EVIDENCE_INSIDE",
                cause="the evidence would change what it speaks of", hint="--evidence reports/removal.json",
            )  # fmt: skip
