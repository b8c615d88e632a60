"""Runs of another tool that begin in an execution that is seen: what is seen of the execution is said of them, too.

An MLflow run names the execution that it began in (a tag, `lineage_mlflow.tracking`), and the record of the execution
names the run. So a model that is registered from the run alone, later or on another machine, has the calls and reads of
the stage behind it; and who judges it knows that there is something to wait for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lineage.capture import spool
from lineage.events import naming, run_event
from lineage.vocabulary import Call, Execution, Observation, Use

if TYPE_CHECKING:
    from lineage.gate.observed import Watched

KIND = "run"
"""What the record calls them."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def execution(environment: Mapping[str, str]) -> str:
    """The execution around a process, as its observation will name it (`Observation.executions`).

    Args:
        environment: of the process.

    Returns:
        Empty where nobody looks.
    """
    folder = _folder(environment)
    if folder is None:
        return ""
    try:
        return f"{folder.name}@{(folder / 'start').stat().st_mtime_ns}"
    except OSError:
        return folder.name  # its record is gone: nothing will ever be told of it, and that is what is to be noticed


def begun(environment: Mapping[str, str], run_id: str) -> None:
    """Note that a run began in the execution around this process.

    Args:
        environment: of the process.
        run_id: as events name it.

    Raises:
        OSError: the record cannot be written.
    """
    if folder := _folder(environment):
        spool.note(folder, KIND, run_id)


def _folder(environment: Mapping[str, str]) -> Path | None:
    named = environment.get("LINEAGE_EXECUTION")
    return Path(named) if named else None


def said_of_runs(
    watched: Watched,
    calls: Sequence[Call],
    undeclared: Sequence[str],
    observation: Observation,
    level: str,
    *,
    time: str = "",
) -> list[bytes]:
    """What was seen of an execution, as events of the runs that began in it.

    What such a run makes is known to its own tool alone, so a call is something that it read.

    Args:
        watched: the execution.
        calls: from `Watched.calls`.
        undeclared: from `Watched.undeclared`.
        observation: of the execution.
        level: how the runs are known then: ``observed`` or ``asserted``.
        time: of the events, ISO 8601; by default that of the end.
    """
    runs = sorted(run for run in watched.things.get(KIND, ()) if _UUID.fullmatch(run))
    if not runs:
        return []
    stage, project = watched.first.stage, watched.gate.config.project
    answers = [replace(call, use=call.use or Use.CONTENT.value) for call in calls]
    inputs = [*watched.inputs(undeclared), *watched.used(answers, observation)]
    space = naming.dvc_namespace(project) if stage else naming.exec_namespace(project)
    name = stage or watched.program
    return [
        run_event(
            run_id=run, job=(space, name), time=time or observation.ended or observation.started, inputs=inputs,
            execution=Execution("exec", name, level), observation=observation,
        )
        for run in runs
    ]  # fmt: skip
