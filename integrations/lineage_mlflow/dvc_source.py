"""The dataset source ``dvc:<path>`` for MLflow. Entry point group ``mlflow.dataset_source``.

MLflow loads this while it imports itself, so nothing of ours is imported until the source is used: an error here other
than ImportError would break ``import mlflow``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow.data.dataset_source import DatasetSource


class DvcDatasetSource(DatasetSource):  # type: ignore[misc]
    """A file or directory that DVC tracks: ``mlflow.data.from_pandas(frame, source="dvc:data/train.csv")``.

    Args:
        path: from the root of the project.
        hash: content key when it was resolved, or empty.
    """

    def __init__(self, path: str, hash: str = "") -> None:  # noqa: A002 - the field's name in every record
        self.path = path
        self.hash = hash

    @staticmethod
    def _get_source_type() -> str:
        return "dvc"

    def load(self) -> str:
        """The local path of the data."""
        from lineage.errors import UsageError
        from lineage_mlflow.session import session

        with session() as gate:
            path = gate.config.root / self.path
        if not path.exists():
            raise UsageError(f"{self.path} is not here", code="DATA_MISSING", hint=f"dvc pull {self.path}")
        return str(path)

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, str) and raw_source.startswith("dvc:")

    @classmethod
    def _resolve(cls, raw_source: str) -> DvcDatasetSource:
        from lineage_mlflow.session import session

        path = raw_source.removeprefix("dvc:").lstrip("/")
        with session() as gate:
            found = gate.locate(path)
        return cls(path, found.content.hash if found and found.content else "")

    def to_dict(self) -> dict[str, str]:
        """JSON-ready fields."""
        return {"path": self.path, "hash": self.hash}

    @classmethod
    def from_dict(cls, source_dict: Mapping[str, str]) -> DvcDatasetSource:
        """The source that `to_dict` wrote."""
        return cls(source_dict["path"], source_dict.get("hash", ""))
