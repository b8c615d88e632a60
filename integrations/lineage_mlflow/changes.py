"""What a registry did, as records: once MLflow has done it, the ledger keeps it (case S10).

MLflow cannot be part of the ledger's transaction, and what it did stays done: a change that could not be recorded is
told as a warning, and `lineagegate audit` finds it, because the registry then shows what no record says.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from lineage.gate import Gate
from lineage.vocabulary import Change, Happening
from lineage_mlflow.session import session
from lineage_mlflow.verdict import Asked

_log = logging.getLogger("lineagegate")

UNUSED = ("", "None", "Archived")
"""Stages that are no use."""


def change(
    asked: Asked,
    gate: Gate,
    happening: Happening,
    *,
    version: object = "",
    value: str = "",
    decision: str = "",
    otherwise: str = "",
) -> Change:
    """A change of the model that a call is about, by whoever makes the call, else by ``otherwise``."""
    by = asked.caller(gate) or otherwise
    return Change(asked["name"], happening, str(version), value, decision, by, asked.namespace)


def record(asked: Asked, happening: Happening, *, version: object = "", value: str = "", decision: str = "") -> None:
    """Record one change that has happened."""
    with told(asked), session() as gate:
        gate.changed(change(asked, gate, happening, version=version, value=value, decision=decision))


@contextmanager
def told(asked: Asked) -> Iterator[None]:
    """Turn a failure to record into a warning: MLflow has done what was asked, and it stays done."""
    try:
        yield
    except Exception as error:
        _log.warning(
            "lineagegate: what MLflow did to '%s' is not in the ledger, and `lineagegate audit` will say so: %s",
            asked["name"], error,
        )  # fmt: skip
