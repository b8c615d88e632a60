"""``lineagegate declare``."""

from __future__ import annotations

from datetime import date

import click

from lineage.cli.settings import Settings, verb
from lineage.errors import UsageError
from lineage.evidence import document, text
from lineage.vocabulary import Kind, Origin, Use

_KINDS = [kind.value for kind in Kind if kind is not Kind.UNDECLARED]


@verb
@click.argument("target")
@click.option("--kind", type=click.Choice(_KINDS), help="What sort of source it is.")
@click.option("--provider", default="", help="Who made or owns it (openai).")
@click.option("--service", default="", help="The model or feed (gpt-4).")
@click.option("--channel", default="", help="How it was obtained (azure-openai).")
@click.option("--terms", default="", help="The terms it came under, with their version.")
@click.option("--licence", default="", help="SPDX licence identifier (CC-BY-4.0).")
@click.option("--jurisdiction", default="", help="ISO 3166 code of where it was acquired (DE).")
@click.option("--acquired", default="", metavar="DATE", help="When it was acquired (2023-03-02).")
@click.option("--use", "uses", multiple=True, metavar="INPUT=ROLE", help="Role of an input of a stage; repeatable.")
@click.option("--reason", default="", help="How you know.")
@click.option("--evidence", default="", help="Where that is written: a contract, a ticket, a URL.")
def declare(
    settings: Settings, target: str, kind: str | None, uses: tuple[str, ...], reason: str, evidence: str, **origin: str
) -> None:
    """Say where a source comes from, or in which role a stage reads it.

    TARGET is a .dvc file, an output, a stage (dvc.yaml:train), a URI, models:/name/version or a content key. For what
    DVC tracks the declaration is written under `meta` in DVC's own file, bound to the content it speaks for: commit it.

    \b
    lineagegate declare data/raw/gpt4.dvc --kind third-party-model-output --provider openai
    lineagegate declare dvc.yaml:evaluate --use data/exam.jsonl=evaluation
    """
    roles = _roles(uses)
    stated = {name: value.strip() for name, value in origin.items() if value.strip()}
    if kind is None and (stated or not roles):
        raise UsageError("an origin needs a kind", code="ORIGIN_INVALID", hint=f"--kind {'|'.join(_KINDS)}")
    if "acquired" in stated:
        _date(stated["acquired"])
    speaks = Origin(Kind(kind), **stated) if kind else None
    with settings.gate() as gate:
        found = gate.declare(settings.name(gate, target), speaks, uses=roles, reason=reason, evidence=evidence)
        settings.show(
            lambda: document.DeclareDocument(
                tuple(document.DeclaredTarget(document.artifact(t.artifact), t.address) for t in found), speaks, roles
            ),
            lambda: text.declared_text([t.address for t in found], speaks, roles, by=gate.user),
        )


def _roles(uses: tuple[str, ...]) -> dict[str, str]:
    roles: dict[str, str] = {}
    known = [use.value for use in Use]
    for item in uses:
        path, _, role = item.rpartition("=")
        if not path or role not in known:
            raise UsageError(
                f"--use {item} is not INPUT=ROLE", code="USE_INVALID", cause=f"the roles are {', '.join(known)}"
            )
        roles[path] = role
    return roles


def _date(value: str) -> None:
    try:
        date.fromisoformat(value)
    except ValueError as error:
        raise UsageError(
            f"--acquired {value} is not a date", code="DATE_INVALID", cause=str(error), hint="as in 2023-03-02"
        ) from None
