"""What was seen so far of the execution around this process: for a model that is registered in the stage that makes it.

Its record is not sealed yet; `lineage.gate.observed` takes it in when it is. Until then what its processes have called
and read counts here. A record that cannot be read, or does not hold together, decides nothing (law 10).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lineage.capture import spool
from lineage.capture.hook import spool_of
from lineage.capture.spool import Journal, Seen
from lineage.errors import CannotDecide
from lineage.events import naming, run_event
from lineage.gate.begun import said_of_runs
from lineage.gate.observed import Watched, groups
from lineage.pipeline import Running
from lineage.vocabulary import Artifact, Call, Execution, Observation

if TYPE_CHECKING:
    from lineage.gate.gate import Gate

AUDIT = "lineage.write"
"""Audit event at which the observer in this process writes down the numbers that it holds (`capture/observer`)."""

_HINT = "run it again: `lineagegate exec -- dvc repro -f STAGE`"


def underway(
    gate: Gate,
    environment: Mapping[str, str],
    stage: Running | None,
    artifact: Artifact,
    run: tuple[str, tuple[str, str]] | None = None,
) -> bytes | None:
    """The event that says what was seen so far, with the artifact as what comes of it.

    Args:
        gate: of the project.
        environment: of this process. One that names no execution is in one all the same when a process above it is.
        stage: the stage around it.
        artifact: what is judged.
        run: run id and job of the run that made it, where they are known; it is told again then.

    Returns:
        None where nobody looks.

    Raises:
        CannotDecide: ``EXECUTION_UNREADABLE``, ``EXECUTION_NOT_WHOLE``.
    """
    found = _so_far(gate, environment, stage)
    if found is None:
        return None
    watched, calls, undeclared, observation = found
    group = watched.group
    if group[-1].mode != "off" and not _looked_at(group):
        blind = "the observer is not in the process that registers the model"
        observation = replace(observation, faults=(*observation.faults, blind))
    own = {artifact.content.hash, *(m.hash for m in artifact.content.members)} if artifact.content else set()
    read = [i for i in watched.inputs(undeclared) if i.artifact.content is None or i.artifact.content.hash not in own]
    ids = observation.executions
    name = stage.address if stage else Path(group[0].command[0] if group[0].command else "command").name
    if run is None:
        about = artifact.content.hash if artifact.content else artifact.name
        job = (naming.exec_namespace(gate.config.project), name)
        run = (naming.run_id("exec", gate.config.project, "underway", about, *ids), job)
    level = "asserted" if observation.faults else "observed"
    return run_event(
        run_id=run[0],
        job=run[1],
        time=datetime.now(timezone.utc).isoformat(),
        inputs=[*(stage.inputs if stage else ()), *read, *watched.used(calls, observation)],
        outputs=[watched.tagged(artifact, calls)],
        execution=Execution("exec", name, level),
        observation=observation,
    )


def runs_underway(gate: Gate, environment: Mapping[str, str], stage: Running | None) -> list[bytes]:
    """What was seen so far, said of the runs of MLflow that began in it: for a ledger that judges somewhere else.

    Args:
        gate: of the project.
        environment: of this process.
        stage: the stage around it.

    Raises:
        CannotDecide: as `underway`.
    """
    found = _so_far(gate, environment, stage)
    if found is None:
        return []
    watched, calls, undeclared, observation = found
    level = "asserted" if observation.faults else "observed"
    return said_of_runs(watched, calls, undeclared, observation, level, time=datetime.now(timezone.utc).isoformat())


def _so_far(
    gate: Gate, environment: Mapping[str, str], stage: Running | None
) -> tuple[Watched, list[Call], list[str], Observation] | None:
    sys.audit(AUDIT)
    found = _around(gate.config.root, environment)
    if found is None:
        return None
    group, journal = found
    faults = [fault for seen in group for fault in seen.faults]
    if faults:
        raise CannotDecide(
            f"the record of what runs now is not whole: {faults[0]}", code="EXECUTION_NOT_WHOLE", hint=_HINT
        )
    stages = {seen.stage for seen in group if seen.stage}
    if stages and environment.get("DVC_STAGE") not in stages:
        raise CannotDecide(
            "DVC_STAGE of this process is not the stage that runs", code="EXECUTION_NOT_WHOLE",
            cause=f"{environment.get('DVC_STAGE') or 'it is not set'}, in {', '.join(sorted(stages))}",
            hint="leave the environment of the stage as DVC makes it",
        )  # fmt: skip
    watched = Watched(gate, group, journal)
    calls = watched.calls(stage.uses if stage else ())
    undeclared = watched.undeclared(stage.declared if stage else ())
    return watched, calls, undeclared, watched.observation(calls, undeclared, (), over=False)


def _around(root: Path, environment: Mapping[str, str]) -> tuple[list[Seen], Journal] | None:
    """The commands that this process is part of: those of the stage so far, or a command of its own."""
    named = environment.get("LINEAGE_EXECUTION", "")
    where = Path(named).parent if named else spool_of(root)
    if not named and not (where / "journal").exists():
        return None
    try:
        journal = spool.journal(where)
        every = spool.executions(where, journal)
    except OSError as error:
        raise CannotDecide(
            "what was seen of the command that runs now cannot be read", code="EXECUTION_UNREADABLE",
            cause=f"{where}: {error.strerror}", hint=_HINT,
        ) from error  # fmt: skip
    by_name = {seen.folder.name: seen for seen in every}
    if named and Path(named).name not in by_name:
        raise CannotDecide(
            "what was seen of the command that runs now is gone", code="EXECUTION_UNREADABLE",
            cause=f"{named}: it was taken away, or the command has ended", hint=_HINT,
        )  # fmt: skip
    above = set(_ancestors())
    if where.resolve() != spool_of(root).resolve():
        here = spool.executions(spool_of(root), spool.journal(spool_of(root)))
        if any(seen.ended is None and seen.pid in above for seen in here):
            raise CannotDecide(
                "LINEAGE_EXECUTION names another record than that of the command that runs now",
                code="EXECUTION_UNREADABLE", cause=named, hint=_HINT,
            )  # fmt: skip
    own = [seen for seen in every if seen.folder.name == Path(named).name or (seen.ended is None and seen.pid in above)]
    chosen: dict[str, Seen] = {}
    together = list(groups(every))
    for seen in own:
        chain = list(_chain(seen, by_name, journal))
        # a command inside a stage is part of it; what is around a stage, or around a command of its own, is not
        for each in chain if chain[-1].stage else chain[:1]:
            group = next(group for group in together if each in group)
            chosen.update((one.folder.name, one) for one in group)
    for seen in every:  # commands in it that have not been taken in yet; a stage in a stage is a run of its own
        if not seen.stage and seen.parent in chosen:
            chosen[seen.folder.name] = seen
    if not chosen:
        return None
    inner = [seen for seen in chosen.values() if seen.stage] or list(chosen.values())
    rest = [seen for seen in chosen.values() if seen not in inner]
    return [*rest, *inner], journal


def _chain(seen: Seen, every: Mapping[str, Seen], journal: Journal) -> Iterator[Seen]:
    """An execution and those around it, up to a stage."""
    passed = set()
    while True:
        yield seen
        passed.add(seen.folder.name)
        if seen.stage or not seen.parent or seen.parent in passed:
            return
        if seen.parent not in every:
            if seen.parent in journal.open:
                raise CannotDecide(
                    "what was seen of the stage around this command is gone", code="EXECUTION_UNREADABLE", hint=_HINT
                )
            return  # it is in the ledger
        seen = every[seen.parent]


def _ancestors() -> Iterator[int]:
    """Process numbers of this process and those above it; where the system does not tell, the nearest two."""
    pid = os.getpid()
    yield pid
    if not Path("/proc/self/stat").exists():
        yield os.getppid()
        return
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return
        yield pid


def _looked_at(group: list[Seen]) -> bool:
    return any(next(seen.folder.glob(f"{os.getpid()}-*.jsonl"), None) for seen in group)
