"""Which tellings are of one execution: a run that is told again, and a stage that both MLflow and DVC tell of.

MLflow tells of a run while it runs, DVC of the stage afterwards, from its lock file. Each has a run id of its own; what
links them is the stage's address and the content that it read. Everything that counts executions counts them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lineage.events import Event
from lineage.ledger import happened
from lineage.vocabulary import Execution


class Telling(NamedTuple):
    """An event of an execution."""

    position: int
    recorded: str
    """ISO 8601, UTC."""
    event: Event


def together(tellings: Iterable[Telling]) -> list[list[Telling]]:
    """The tellings of each execution.

    Those with one run id are one. DVC's of a stage is one with the newest MLflow run of the same stage address that
    read the same content in the same project, was on record before it and did not start after it; each run is linked
    once. What is not linked so stays two: more executions are counted, never fewer.

    Args:
        tellings: of runs, in any order.

    Returns:
        Executions in the order in which they were first recorded, tellings of each in the order of recording.
    """
    runs: dict[str, list[Telling]] = {}
    for telling in sorted(tellings, key=lambda telling: telling.position):
        if telling.event.run is not None:
            runs.setdefault(str(telling.event.run.run_id), []).append(telling)
    observed: dict[str, list[list[Telling]]] = {}
    linked: set[int] = set()
    out: list[list[Telling]] = []
    for told in runs.values():
        how = _how(told)
        if how is not None and how.tool == "mlflow" and how.stage:
            observed.setdefault(how.stage, []).append(told)
        elif how is not None and how.tool == "dvc":
            other = next((o for o in reversed(observed.get(how.stage, ())) if _one(o, told, linked)), None)
            if other is not None:
                linked.add(other[0].position)
                other += told
                continue
        out.append(told)
    return [sorted(told, key=lambda telling: telling.position) for told in out]


def earliest(told: Sequence[Telling]) -> str:
    """When an execution happened: the earliest time that a telling of it states."""
    return min((t.event.time for t in told), key=lambda time: happened(time).microseconds)


def evidence(told: Sequence[Telling]) -> str:
    """The best that any telling of an execution says; without a word of ours a record asserts it.

    MLflow's own word that a run went on is a record: what the run did is seen where `lineagegate exec` looked.
    """
    found = [how for telling in told if (how := _execution(telling.event)) is not None]
    levels = {how.evidence for how in found if how.tool != "mlflow"}
    return next((level for level in ("observed", "restored") if level in levels), "asserted")


def _one(run: Sequence[Telling], stage: Sequence[Telling], linked: set[int]) -> bool:
    job = stage[0].event.job
    if job is None or run[0].position in linked:
        return False
    read, stated = _read(run, job.namespace), _read(stage, job.namespace)
    started = happened(earliest(run)).microseconds // 1_000_000  # DVC's times are whole seconds
    return bool(read) and read == stated and started <= happened(earliest(stage)).microseconds // 1_000_000


def _read(told: Sequence[Telling], namespace: str) -> set[str]:
    return {
        i.artifact.content.hash
        for telling in told
        for i in telling.event.inputs
        if i.artifact.content and i.namespace == namespace
    }


def _how(told: Sequence[Telling]) -> Execution | None:
    return next((how for telling in told if (how := _execution(telling.event)) is not None), None)


def _execution(event: Event) -> Execution | None:
    facets = event.run.facets if event.run else None
    return facets.execution.execution if facets and facets.execution else None
