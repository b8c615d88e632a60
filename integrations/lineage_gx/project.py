"""The project's gate, for a validation: opened, brought up to date, closed.

Validations run in stages of a pipeline, in schedulers and in notebooks; settings are looked for from ``LINEAGE_ROOT``,
else from the repository of the running stage, else from the current directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.gate import Gate


@contextmanager
def project() -> Iterator[Gate]:
    """The gate, having read what the pipelines recorded since last time.

    Raises:
        LineageError: there are no settings, the store cannot be used, or a pipeline cannot be read.
    """
    start = os.environ.get("LINEAGE_ROOT") or os.environ.get("DVC_ROOT")
    with Gate.open(start=Path(start) if start else None) as gate:
        gate.refresh()
        yield gate
