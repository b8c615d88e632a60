"""Files that verbs write: whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from lineage.errors import UsageError


def write(path: Path, data: bytes, *, private: bool = False) -> None:
    """Put a file in place.

    Args:
        path: where; the directory is there.
        data: what it holds.
        private: readable by its owner alone.

    Raises:
        UsageError: ``OUTPUT_UNWRITABLE``; what was there stays.
    """
    try:
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
            Path(name).chmod(0o600 if private else 0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written", code="OUTPUT_UNWRITABLE", cause=str(error)) from error
