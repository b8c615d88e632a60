"""The file stores, also where the URI is a bare path (``./mlruns``), whose scheme is empty.

Packaging tools reject an entry point without a name, so MLflow cannot be told of a builder for the empty scheme. It
is sent to the one of ``file``, by wrapping the method that chooses. Loaded by MLflow's store registries, never before.
"""

from __future__ import annotations

import functools
from typing import Any

from mlflow.tracking.registry import StoreRegistry
from mlflow.utils.uri import get_uri_scheme

from lineage_mlflow.plugin import registry_store, tracking_store

__all__ = ["registry_store", "tracking_store"]

_own = StoreRegistry.get_store_builder


@functools.wraps(_own)
def _builder(self: Any, store_uri: str) -> Any:
    return _own(self, store_uri if get_uri_scheme(store_uri) else "file:")


StoreRegistry.get_store_builder = _builder
