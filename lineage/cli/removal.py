"""``lineagegate removal claim|approve|show|list``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from lineage.cli.settings import Settings, times, verb
from lineage.errors import UsageError
from lineage.vocabulary import Kind, Origin

if TYPE_CHECKING:
    from lineage.graph import Graph

KINDS = [kind.value for kind in Kind if kind is not Kind.UNDECLARED]
_FIELDS = {
    "channel": "How it was obtained.",
    "service": "The model or feed.",
    "provider": "Who made or owns it.",
}


def stated(function: Callable[..., Any], *, required: bool = True) -> Callable[..., Any]:
    """Add the options that say which origin is meant; `origin_of` reads them."""
    for name, text in _FIELDS.items():
        function = click.option(f"--{name}", default="", help=f"{text} Left out: any.")(function)
    kind = click.option("--kind", type=click.Choice(KINDS), required=required, help="What sort of source it is.")
    return kind(function)


def origin_of(kind: str, fields: dict[str, str]) -> Origin:
    """The origin that the options state."""
    return Origin(Kind(kind), **{name: value.strip() for name, value in fields.items()})


@verb
@click.argument("output")
@partial(stated, required=False)
@click.option(
    "--run", default="", metavar="STAGE", help="Stage or run that took it out; default: the one that made it."
)
@click.option(
    "--source", "sources", multiple=True, help="A source that was checked; default: every one of that origin."
)
@click.option("--checked", default="", metavar="TEXT", help="What was checked, and how.")
@click.option("--result", default="", metavar="TEXT", help="What the check found.")
@click.option("--evidence", default="", metavar="FILE|REF", help="A file (its hash is recorded) or a reference.")
@click.option("--reason", default="", help="For people.")
def claim(
    settings: Settings,
    output: str,
    kind: str | None,
    run: str,
    sources: tuple[str, ...],
    checked: str,
    result: str,
    evidence: str,
    reason: str,
    **origin: str,
) -> None:
    """Claim that an origin was taken out of an output.

    OUTPUT is anything `check` takes. The claim covers this very content and the sources of that origin that its lineage
    holds now. It narrows nothing until somebody else approves it, and none of this changes what was trained before.
    Evidence that `content removal` wrote says itself which origin was taken out, what was checked and found; it must
    speak of this content. Any other needs --kind, --checked and --result.

    \b
    lineagegate removal claim data/clean.jsonl --evidence reports/removal.json
    lineagegate removal claim data/clean --kind third-party-model-output --provider openai \\
        --checked "exact and near match of 41,200 records" --result "0 records left" --evidence report.csv
    """
    from lineage.gate.removal import claim_removal

    if kind is None and any(origin.values()):
        raise UsageError("an origin needs a kind", code="ORIGIN_INVALID", hint=f"--kind {'|'.join(KINDS)}")
    with settings.gate() as gate:
        gate.refresh()
        found = claim_removal(
            gate,
            settings.name(gate, output),
            origin_of(kind, origin) if kind else None,
            checked=checked,
            result=result,
            evidence=settings.name(gate, evidence),
            run=run,
            sources=[settings.name(gate, source) for source in sources],
            reason=reason,
        )
        _show(settings, gate.graph, [found])


@verb
@click.argument("id")
def approve(settings: Settings, id: str) -> None:  # noqa: A002 - the name on the help page
    """Approve a claim of somebody else.

    From then on the labels of that content, and of what is made from it, are narrowed. You are who the settings or git
    say (`user` in lineage.toml, user.name and user.email); the one who claims cannot approve.
    """
    from lineage.gate.removal import approve_removal

    with settings.gate() as gate:
        found = approve_removal(gate, id)
        _show(settings, gate.graph, [found])


@verb
@click.argument("id")
@times
def show(settings: Settings, id: str, as_of: str, known_at: str) -> None:  # noqa: A002
    """Show a removal: claim, evidence, approval, and what holds."""
    with settings.gate() as gate, settings.asked(gate, as_of, known_at) as inquiry:
        found = [r for r in inquiry.over().removals() if r.removal.id == id.upper()]
        if not found:
            raise UsageError(f"no removal {id}", code="REMOVAL_UNKNOWN", hint="lineagegate removal list")
        _show(settings, gate.graph, found, inquiry.times)


@verb
@times
def list_(settings: Settings, as_of: str, known_at: str) -> None:
    """List every removal ever claimed, and what became of it."""
    with settings.gate() as gate, settings.asked(gate, as_of, known_at) as inquiry:
        _show(settings, gate.graph, inquiry.over().removals(), inquiry.times)


list_.name = "list"
removal = click.Group(
    "removal",
    commands=[claim, approve, show, list_],
    help="Claim and approve that an origin was taken out.",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show(settings: Settings, graph: Graph, records: Any, asked: tuple[str, str] = ("", "")) -> None:
    from lineage.evidence.removal import removals, removals_text
    from lineage.gate.removal import removal_notices

    document = removals(records, removal_notices(graph, records), asked)
    settings.show(lambda: document, lambda: removals_text(document))
