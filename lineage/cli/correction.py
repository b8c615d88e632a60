"""``lineagegate correction claim|approve|list``."""

from __future__ import annotations

from typing import Any

import click

from lineage.cli.removal import origin_of, stated
from lineage.cli.settings import Settings, times, verb
from lineage.vocabulary import Basis


@verb
@click.argument("source")
@stated
@click.option(
    "--basis", type=click.Choice([b.value for b in Basis]), help="How the tag says it is known; default: any."
)
@click.option("--reason", default="", help="Why the tag was a mistake.")
def claim(settings: Settings, source: str, kind: str, basis: str | None, reason: str, **origin: str) -> None:
    """Claim that a tag on a source was a mistake.

    SOURCE is anything `check` takes; what is stated must single out one of its tags. Nothing is taken back until
    somebody else approves it; the tag and the claim stay on record.
    """
    from lineage.gate.removal import claim_correction

    with settings.gate() as gate:
        gate.refresh()
        meant = Basis(basis) if basis else None
        name = settings.name(gate, source)
        found = claim_correction(gate, name, origin_of(kind, origin), basis=meant, reason=reason)
    _show(settings, [found])


@verb
@click.argument("id")
def approve(settings: Settings, id: str) -> None:  # noqa: A002 - the name on the help page
    """Approve a claim of somebody else: the tag counts no longer."""
    from lineage.gate.removal import approve_correction

    with settings.gate() as gate:
        found = approve_correction(gate, id)
    _show(settings, [found])


@verb
@times
def list_(settings: Settings, as_of: str, known_at: str) -> None:
    """List every correction ever claimed, and what became of it."""
    with settings.gate() as gate, settings.asked(gate, as_of, known_at) as inquiry:
        found = inquiry.over().corrections()
        asked = inquiry.times
    _show(settings, found, asked)


list_.name = "list"
correction = click.Group(
    "correction",
    commands=[claim, approve, list_],
    help="Claim and approve that a tag was a mistake.",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show(settings: Settings, records: Any, asked: tuple[str, str] = ("", "")) -> None:
    from lineage.evidence.removal import corrections, corrections_text

    document = corrections(records, asked)
    settings.show(lambda: document, lambda: corrections_text(document))
