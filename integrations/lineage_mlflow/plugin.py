"""Everything MLflow loads by entry point. Fails closed: whatever breaks on our side, writes are refused with the cause.

MLflow answers an ImportError at load with a warning and keeps its own, ungated store, so this module imports the
standard library alone and everything else inside its functions. A builder runs under MLflow's registry lock: it must
not ask MLflow for a registry store, and leaves the tracking store to the first call.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

_PREFIX = "lineage+"

JUDGED = (
    "create_model_version",
    "transition_model_version_stage",
    "set_registered_model_alias",
    "rename_registered_model",
)
"""The store methods through which a model version comes into being or is promoted."""


def registry_store(store_uri: str, tracking_uri: str | None = None) -> Any:
    """A model registry store that judges. Entry point group ``mlflow.model_registry_store``.

    Args:
        store_uri: registry URI; ``lineage+<scheme>://`` stands for the scheme and cannot be opened without this plugin.
        tracking_uri: tracking URI, where MLflow passes one.

    Returns:
        MLflow's own store for the URI, its class changed.
    """
    store = _own_registry_store(store_uri.removeprefix(_PREFIX), tracking_uri)
    try:
        from lineage_mlflow.registry import gated

        return gated(store, store_uri.removeprefix(_PREFIX), tracking_uri)
    except Exception as error:  # any failure must end in a store that refuses
        return _refusing(store, error)


def tracking_store(store_uri: str, artifact_uri: str | None = None) -> Any:
    """A tracking store that notes origins as datasets are logged. Entry point group ``mlflow.tracking_store``.

    Tracking is not the gate: when our side breaks, MLflow's own store goes on; the registry store refuses then.
    """
    store = _own_tracking_store(store_uri, artifact_uri)
    try:
        from lineage_mlflow.tracking import noting

        return noting(store, store_uri)
    except Exception as error:  # see above
        _warn(f"lineagegate does not see what is logged to {type(store).__name__}: {_cause(error)}")
        return store


class StageContext:
    """Tags a new run with the pipeline stage that it runs in. Entry point group ``mlflow.run_context_provider``."""

    def in_context(self) -> bool:
        """Whether this process runs inside a stage."""
        return bool(os.environ.get("DVC_STAGE"))

    def tags(self) -> dict[str, str]:
        """The stage's address, the directories, and its inputs as they are now."""
        try:
            from lineage_mlflow.tracking import stage_tags

            return stage_tags()
        except Exception as error:  # a run must start whatever breaks on our side
            _warn(f"lineagegate could not tell the inputs of this stage: {_cause(error)}")
            return {
                "lineage.dvc.stage": os.environ["DVC_STAGE"],
                "lineage.dvc.root": os.environ.get("DVC_ROOT", ""),
                "lineage.dvc.cwd": os.getcwd(),  # noqa: PTH109 - stands without imports
            }


def _own_registry_store(store_uri: str, tracking_uri: str | None) -> Any:
    from mlflow.tracking._model_registry import utils
    from mlflow.utils.uri import get_uri_scheme

    # the server's own builder also knows the read replica
    server = getattr(sys.modules.get("mlflow.server.handlers"), "ModelRegistryStoreRegistryWrapper", utils)
    known = ("databricks", "databricks-uc", "uc")
    scheme = store_uri if store_uri in known else get_uri_scheme(store_uri)
    if scheme in ("http", "https"):
        return utils._get_rest_store(store_uri)  # noqa: SLF001 - what MLflow registers for the scheme
    if scheme in ("", "file"):
        return utils._get_file_store(store_uri)  # noqa: SLF001
    if scheme == "databricks":
        return utils._get_databricks_rest_store(store_uri, tracking_uri)  # noqa: SLF001
    if scheme == "databricks-uc":
        return utils._get_databricks_uc_rest_store(store_uri, tracking_uri)  # noqa: SLF001
    if scheme == "uc":
        from mlflow.store._unity_catalog.registry.uc_oss_rest_store import UnityCatalogOssStore

        return UnityCatalogOssStore(store_uri)
    return server._get_sqlalchemy_store(store_uri)  # noqa: SLF001


def _own_tracking_store(store_uri: str, artifact_uri: str | None) -> Any:
    from mlflow.tracking._tracking_service import utils
    from mlflow.utils.uri import get_uri_scheme

    server = getattr(sys.modules.get("mlflow.server.handlers"), "TrackingStoreRegistryWrapper", utils)
    scheme = get_uri_scheme(store_uri)
    if scheme in ("http", "https"):
        return utils._get_rest_store(store_uri)  # noqa: SLF001
    if scheme in ("", "file"):
        return server._get_file_store(store_uri, artifact_uri=artifact_uri)  # noqa: SLF001
    return server._get_sqlalchemy_store(store_uri, artifact_uri)  # noqa: SLF001


def _refusing(store: Any, error: Exception) -> Any:
    from lineage_mlflow.swap import guard

    cause = _cause(error)

    def refuse(_: Any, __: Callable[..., Any], call: inspect.BoundArguments) -> NoReturn:
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

        raise MlflowException(
            f"'{call.arguments.get('name', '')}' refused by lineagegate: it cannot judge\n"
            f"  cause    {cause}\n"
            "  hint     run `lineagegate doctor`",
            error_code=PERMISSION_DENIED,
        )

    _warn(f"lineagegate cannot judge, every registration is refused: {cause}")
    return guard(store, dict.fromkeys(JUDGED, refuse), refuses=cause)


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _warn(text: str) -> None:
    import logging

    logging.getLogger("lineagegate").warning(text)
