"""Judging one version: find its ancestry, record it, ask the gate, and turn a refusal into MLflow's own error.

Whatever goes wrong here refuses. What is refused where (create, alias …) is `lineage_mlflow.registry`.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NamedTuple

from lineage.config import Config
from lineage.errors import CannotDecide, LineageError, UsageError
from lineage.events.event import dataset_event
from lineage.events.naming import display, mlflow_namespace, model_name
from lineage.gate import Gate
from lineage.vocabulary import Artifact, ArtifactType, Decision, Outcome
from lineage_mlflow.ancestry import Ancestry, Reader
from lineage_mlflow.reading import Reading
from lineage_mlflow.session import is_server, running
from lineage_mlflow.sources import resolve
from lineage_mlflow.traces import flush

_log = logging.getLogger("lineagegate")

RESERVED = "lineage."
DECISION, OUTCOME, CONTENT, INPUTS = "lineage.decision", "lineage.outcome", "lineage.content", "lineage.inputs"
"""Tags of a version: the decision that let it through, its outcome, the content and the inputs that were judged."""

CHECKPOINT = "lineage.checkpoint"
"""Tag of a version: the newest checkpoint of the ledger as it was registered, a signed note that lies elsewhere."""

RECALLED, RECALL_REASON = "lineage.recalled", "lineage.recall.reason"
"""Tags of a version that was recalled: the decision, and why."""


WAIT, BETWEEN = 5.0, 0.25
"""Seconds to wait for lineage that is awaited, and between two looks."""
WAITS = "run `lineagegate sync` where it was trained (it forwards to the team's server), then register again"


class Underway(Exception):  # noqa: N818 - no failure: ask again in a moment
    """Lineage that a run claims has not arrived."""


class Judged(NamedTuple):
    """A decision that lets an act go on, and what it rests on."""

    decision: Decision
    ancestry: Ancestry
    checkpoint: str
    """The ledger's newest checkpoint after it, a signed note."""
    config: Config
    """The settings that it was judged with."""


@dataclass(frozen=True)
class Asked:
    """A call of a registry store's method."""

    store: Any
    original: Callable[..., Any]
    call: inspect.BoundArguments
    tracking_uri: str | None

    def go_on(self) -> Any:
        """Do what was asked, by the store's own method."""
        return self.original(*self.call.args, **self.call.kwargs)

    def __getitem__(self, name: str) -> Any:
        """An argument by its name; None when this store's method has no such argument."""
        return self.call.arguments.get(name)

    def caller(self, gate: Gate) -> str:
        """Who asks: on a server the user that MLflow authenticated, if it did; elsewhere this project's user."""
        if not is_server(self.store):
            return gate.user
        flask = sys.modules.get("flask")
        if flask is None or not flask.has_request_context():
            return ""
        # what a client says of itself in a header counts only when MLflow's own authentication has checked it
        return str(flask.g.get("mlflow_authenticated_user", "") or "")

    @property
    def tracking(self) -> Reading:
        """Where the runs are."""
        return Reading(tracking_store(self.store, self.tracking_uri))

    @property
    def namespace(self) -> str:
        """OpenLineage namespace of the server."""
        return mlflow_namespace("" if is_server(self.store) else _tracking_uri(self.tracking_uri))


def tracking_store(registry: Any, tracking_uri: str | None) -> Any:
    """The tracking store beside a registry store; on a server the server's own, whatever URI MLflow passed."""
    if is_server(registry):
        from mlflow.server import handlers

        return handlers._get_tracking_store()  # noqa: SLF001 - no public way exists on a server
    from mlflow.tracking._tracking_service.utils import _get_store

    return _get_store(_tracking_uri(tracking_uri))


def _tracking_uri(given: str | None) -> str:
    from mlflow.tracking._tracking_service.utils import _resolve_tracking_uri

    return str(_resolve_tracking_uri(given)).removeprefix("lineage+")


def judge(
    gate: Gate,
    asked: Asked,
    source: str,
    run_id: str | None,
    model_id: str | None,
    *,
    model: str,
    subject: str,
    artifact: str,
    action: str,
    attributes: Mapping[str, str] | None = None,
    content: str = "",
    wait: bool = False,
) -> Judged:
    """Record a model's lineage, judge it, record the decision.

    Args:
        gate: the project's gate.
        asked: the call that made somebody ask.
        source: source of the version; see `lineage_mlflow.sources.resolve`.
        run_id: run that the caller names.
        model_id: logged model that the caller names.
        model: registered model name that rules match on.
        subject: what people call it.
        artifact: its OpenLineage name.
        action: see `lineage.gate.Gate.judge`.
        attributes: what the action adds.
        content: content key that was judged before, if this version was.
        wait: raise `Underway` where lineage is awaited, instead of deciding that it cannot be decided.

    Raises:
        MlflowException: PERMISSION_DENIED, when the decision refuses.
        Underway: ask again in a moment; nothing is recorded.
    """
    gate.refresh()
    stage = None if is_server(asked.store) else running(gate)
    found = known = None
    missing, hint, events = "", "", list[bytes]()
    try:
        tracking = asked.tracking
        if not is_server(asked.store):
            flush()
        with tracking.at_once():
            behind = resolve(tracking, asked.store, source, run_id, model_id)
            reader = Reader(gate, tracking, asked.namespace, claimed=is_server(asked.store))
            found = reader.of(behind, artifact, stage.inputs if stage else ())
        missing, hint = found.missing, found.hint
        around: Sequence[bytes] = ()
        if not missing and not is_server(asked.store):
            around = gate.underway(os.environ, stage, found.artifact, found.run)
        if not missing and (waits := _awaited(reader, around)):
            if wait:
                raise Underway
            missing, hint = waits, WAITS
        if content and found.artifact.content and content != found.artifact.content.hash:
            missing, hint = f"the files of {subject} are not those that were judged", "register them as a new version"
        if not missing:
            known, events = found, [*(found.events or [named(found.artifact, artifact)]), *around]
    except CannotDecide as error:
        missing, hint = error.message + (f" ({error.cause})" if error.cause else ""), error.hint
    decision = gate.judge(
        known.artifact if known and not missing else None, model=model, subject=subject, action=action,
        attributes=attributes, missing=missing, hint=hint, by=asked.caller(gate), events=() if missing else events,
    )  # fmt: skip
    if decision.blocks:
        raise denied(gate.explain(decision), decision)
    if decision.outcome is not Outcome.ALLOW:
        _log.warning(gate.explain(decision))
    rests_on = found or Ancestry(Artifact(asked.namespace, artifact, None, ArtifactType.MODEL), ())
    return Judged(decision, rests_on, gate.checkpoint(), gate.config)


def _awaited(reader: Reader, events: Sequence[bytes]) -> str:
    """What it waits for; empty: nothing."""
    awaited, unseen = reader.awaited, reader.unseen(events)
    count = len(awaited) + len(unseen)
    more = f", and for {count - 1} more" if count > 1 else ""
    if awaited:
        artifact, stage = awaited[0]
        held = f" ({artifact.content.hash})" if artifact.content else ""
        name = display(artifact.namespace, artifact.name)
        return f"waits for the lineage of {name}{held}, which stage {stage} read{more}"
    if unseen:
        run, stage = unseen[0]
        what = f"stage {stage}" if stage else "the command"
        return f"waits for what was seen of {what} while it ran, in which run {run} was made{more}"
    return ""


def patience(gate_config: Config) -> float:
    """Seconds to wait for lineage that is awaited: ``wait`` under ``[mlflow]``.

    Raises:
        UsageError: ``CONFIG_INVALID``.
    """
    value = gate_config.extra.get("mlflow", {}).get("wait", WAIT)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 300:
        raise UsageError(
            f"{gate_config.file}: [mlflow] wait is not valid", code="CONFIG_INVALID", cause=repr(value),
            hint="seconds, up to 300",
        )  # fmt: skip
    return float(value)


def judge_version(
    gate: Gate, asked: Asked, version: Any, model: str, action: str, attributes: Mapping[str, str]
) -> Judged:
    """Judge a version that exists, for a promotion. Arguments and errors as in `judge`."""
    return judge(
        gate, asked, version.source, version.run_id, getattr(version, "model_id", None),
        model=model, subject=f"models:/{version.name}/{version.version}", action=action, attributes=attributes,
        artifact=model_name(version.name, version.version), content=version.tags.get(CONTENT, ""),
    )  # fmt: skip


def denied(text: str, decision: Decision | None = None) -> Exception:
    """MLflow's error for a refusal: HTTP 403, not repeated by clients, the text reaches them whole."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

    more = {"lineage_decision": decision.id, "lineage_outcome": decision.outcome.value} if decision else {}
    refusal: Exception = MlflowException(text, error_code=PERMISSION_DENIED, **more)
    return refusal


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn every failure of ours into a refusal of ``what``. What MLflow itself raises passes."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, Underway):
        raise
    except LineageError as error:
        text = str(error).replace("\n", "\n  ")
        raise denied(f"{what} refused by lineagegate: {text}") from error
    except Exception as error:
        _log.exception("lineagegate failed")
        raise denied(
            f"{what} refused by lineagegate: it failed to judge\n"
            f"    cause  {type(error).__name__}: {error}\n    hint   lineagegate doctor"
        ) from error


def reserved(key: str) -> None:
    """Refuse a tag that only lineagegate writes.

    Raises:
        MlflowException: PERMISSION_DENIED.
    """
    if key.startswith(RESERVED):
        raise denied(f"the tag '{key}' is written by lineagegate and kept as it is")


def version_tags(judged: Judged) -> dict[str, str]:
    """What a version carries of its decision."""
    content = judged.ancestry.artifact.content
    return {
        DECISION: judged.decision.id,
        OUTCOME: judged.decision.outcome.value,
        CONTENT: content.hash if content else "",
        INPUTS: " ".join(sorted(judged.ancestry.inputs)),
    }


def named(artifact: Artifact, name: str) -> bytes:
    """The event that gives an artifact's content a name."""
    return dataset_event(Artifact(artifact.namespace, name, artifact.content, artifact.type), time=now())


def now() -> str:
    """The time for events of ours, ISO 8601."""
    return datetime.now(timezone.utc).isoformat()
