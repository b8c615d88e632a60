"""A registry on another machine. One that is gated judges by itself; for any other the client checks before it calls.

The check of a client is advisory: whoever removes this package from the client, or calls the server by other means,
is not held up. It is said every time, so that nobody takes it for a gate.
"""

from __future__ import annotations

import inspect
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from lineage_mlflow.swap import Act, guard

_log = logging.getLogger("lineagegate")

PROBE = "lineagegate:gate"
"""Asked for as a registered model. The colon is not allowed in a model's name, so only a gated server knows it."""

_NOTED = (
    "delete_model_version",
    "delete_registered_model",
    "delete_registered_model_alias",
    "set_model_version_tag",
    "delete_model_version_tag",
)
"""What is not judged: recorded by whoever judges, with the tags that are ours."""

_FRESH = 60.0
"""Seconds for which an answer of the server holds."""


def answer() -> Any:
    """What a gated server says to `PROBE`."""
    from mlflow.entities.model_registry import RegisteredModel, RegisteredModelTag

    return RegisteredModel(PROBE, tags=[RegisteredModelTag("lineage.gate", "enforced")])


def is_gated(store: Any) -> bool:
    """Whether the server behind a REST store judges by itself."""
    from mlflow.exceptions import MlflowException

    known: tuple[float, bool] | None = store.__dict__.get("_lineage_gated")
    if known and time.monotonic() - known[0] < _FRESH:
        return known[1]
    try:
        found = store.get_registered_model(PROBE)
        gated = bool(found.tags.get("lineage.gate") == "enforced")
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
            raise
        gated = False
    store.__dict__["_lineage_gated"] = (time.monotonic(), gated)
    return gated


def _tell(model: str) -> None:
    """Have the ledger that judges know what was seen so far of the execution around this process.

    It is recorded here, and where the project has a team's server, it is there when this returns. A ledger that it does
    not reach waits for it.

    Raises:
        MlflowException: PERMISSION_DENIED, what was seen cannot be read or does not arrive.
    """
    from lineage.gate.client import Team
    from lineage.gate.outbox import Outbox
    from lineage_mlflow.session import running, session
    from lineage_mlflow.verdict import refusing

    with refusing(f"registration of '{model}'"), session() as gate:
        gate.refresh()
        events = gate.runs_underway(os.environ, running(gate))
        if not events:
            return
        start = gate.graph.position()
        end = gate.record(events)
        if team := Team.of(gate.config):
            Outbox(gate.graph, gate.seal, team).deliver(start, end)


def advisory(store: Any, store_uri: str, tracking_uri: str | None) -> Any:
    """Change a REST store so that it checks before it calls, unless the server does.

    Args:
        store: what MLflow's builder returned.
        store_uri: registry URI.
        tracking_uri: tracking URI.
    """
    from lineage_mlflow.plugin import JUDGED
    from lineage_mlflow.registry import acts

    def checked(act: Act) -> Act:
        def run(store: Any, original: Callable[..., Any], call: inspect.BoundArguments) -> Any:
            if is_gated(store):
                if "LINEAGE_EXECUTION" in os.environ:
                    _tell(str(call.arguments.get("name", "")))
                return original(*call.args, **call.kwargs)
            _log.warning(
                "lineagegate: %s is not gated; this check on the client is advisory and can be gone around", store_uri
            )
            return act(store, original, call)

        return run

    def noted(act: Act) -> Act:
        def run(store: Any, original: Callable[..., Any], call: inspect.BoundArguments) -> Any:
            return original(*call.args, **call.kwargs) if is_gated(store) else act(store, original, call)

        return run

    every = acts(tracking_uri)
    kept = {name: checked(every[name]) for name in JUDGED} | {name: noted(every[name]) for name in _NOTED}
    return guard(store, {**kept, "copy_model_version": every["copy_model_version"]})
