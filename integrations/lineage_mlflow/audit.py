"""The registry as the core reads it, and recalls versions in it. Entry point group ``lineagegate.registries``.

Says what the registry itself shows: the decision each version carries, its aliases and stage, its files hashed now,
inputs that its run got after it was judged, tags that were changed. What the ledger makes of it is the gate's business.
"""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lineage.config import Config
from lineage.errors import CannotDecide, LineageError, UsageError
from lineage.events.naming import mlflow_namespace, model_name
from lineage.pipeline import Notice, RegisteredVersion
from lineage.vocabulary import Artifact, ArtifactType, Change, Decision
from lineage_mlflow.reading import Reading
from lineage_mlflow.session import session, using

if importlib.util.find_spec("mlflow") is None:
    raise ImportError("mlflow is not installed", name="mlflow")


class MlflowRegistry:
    """The model registry that a project uses.

    Args:
        config: the project's settings. ``[mlflow]`` may name ``registry_uri`` and ``tracking_uri``; by default they are
            those that MLflow itself would use here.

    Raises:
        UsageError: ``CONFIG_INVALID``, there is something else in ``[mlflow]``.
    """

    name = "mlflow"

    def __init__(self, config: Config) -> None:
        self.config = config
        unknown = set(config.extra.get("mlflow", {})) - {"registry_uri", "tracking_uri", "wait"}
        if unknown:
            raise UsageError(
                f"{config.file} is not valid",
                code="CONFIG_INVALID",
                cause=f"unknown key `mlflow.{min(unknown)}`",
                hint="known keys: registry_uri, tracking_uri, wait",
            )

    @property
    def namespace(self) -> str:
        """OpenLineage namespace that its changes are recorded under: a gated server records its own."""
        from lineage_mlflow.remote import is_gated

        registry, tracking = self._uris()
        if registry.startswith(("http:", "https:")) and is_gated(self._stores()[0]):
            return mlflow_namespace("")
        return mlflow_namespace(tracking)

    def versions(self) -> Iterator[RegisteredVersion]:
        """Every version, those hidden from searches too."""
        from lineage_mlflow.versions import names, versions

        if self._absent():
            return
        registry, tracking = self._stores()
        seen: dict[str, str] = {}
        for name in names(registry):
            for version in versions(registry, name):
                yield self._version(registry, tracking, version, seen)

    def checkpoints(self) -> Iterator[tuple[str, str]]:
        """Checkpoints of the ledger that versions carry."""
        from lineage_mlflow.verdict import CHECKPOINT
        from lineage_mlflow.versions import names, versions

        if self._absent():
            return
        registry, _ = self._stores()
        for name in names(registry):
            for version in versions(registry, name):
                if note := version.tags.get(CHECKPOINT):
                    yield f"models:/{name}/{version.version}", note

    def recall(self, model: str, version: str, decision: Decision) -> Sequence[Change]:
        """Take a version out of use. See `lineage.pipeline.Registry.recall`."""
        from mlflow.entities.model_registry import ModelVersionTag
        from mlflow.exceptions import MlflowException

        from lineage_mlflow.recall import withdrawn
        from lineage_mlflow.verdict import RECALLED

        try:
            with using(self.config), session() as gate:
                registry, _ = self._stores()
                found = registry.get_model_version(model, version)
                changes = withdrawn(found, decision, by=gate.user, registry=self.namespace)
                if changes:
                    # the gate of this store, here or on its server, does the rest (`lineage_mlflow.recall`)
                    registry.set_model_version_tag(model, version, ModelVersionTag(RECALLED, decision.id))
                return changes
        except MlflowException as error:
            raise LineageError(
                f"models:/{model}/{version} was not recalled", code="RECALL_FAILED", cause=str(error),
                hint="lineagegate doctor",
            ) from error  # fmt: skip

    def faults(self) -> Sequence[Notice]:
        """Why the registry is not gated, or not reachable."""
        uri = self._uris()[0]
        if self._absent():
            return ()
        from lineage_mlflow.remote import is_gated
        from lineage_mlflow.swap import Guarded

        try:
            _knock(uri)
            store, _ = self._stores()
            list(store.search_registered_models(max_results=1))
        except Exception as error:  # whatever MLflow or a driver raises, the person needs the cause
            return [
                Notice("REGISTRY_UNREACHABLE", _shown(uri), str(error), "set MLFLOW_TRACKING_URI or start the server")
            ]
        if not isinstance(store, Guarded):
            return [
                Notice(
                    "REGISTRY_UNGATED", _shown(uri), f"MLflow uses {type(store).__name__}, which judges nothing",
                    "pip install --force-reinstall 'lineagegate[mlflow]'",
                )
            ]  # fmt: skip
        if store.lineage_refuses:
            return [Notice("GATE_BROKEN", _shown(uri), f"every registration is refused: {store.lineage_refuses}")]
        if uri.startswith(("http:", "https:")) and not is_gated(store):
            return [
                Notice(
                    "REGISTRY_UNGATED", _shown(uri), "the server is not gated; checks from here are advisory",
                    "install lineagegate[mlflow] beside the MLflow server and restart it",
                )
            ]  # fmt: skip
        return ()

    def _version(self, registry: Any, tracking: Reading, version: Any, seen: dict[str, str]) -> RegisteredVersion:
        from lineage_mlflow import verdict as judged_by
        from lineage_mlflow.ancestry import digests_of, user_of
        from lineage_mlflow.files import content
        from lineage_mlflow.sources import resolve
        from lineage_mlflow.versions import prompt_tagged

        decision = version.tags.get(judged_by.DECISION, "")
        plain = RegisteredVersion(
            version.name, str(version.version), decision, None, aliases=tuple(version.aliases),
            stage="" if version.current_stage in (None, "None") else version.current_stage,
            created=datetime.fromtimestamp((version.creation_timestamp or 0) / 1000, timezone.utc).isoformat(),
            by=version.user_id or "", recalled=version.tags.get(judged_by.RECALLED, ""),
        )  # fmt: skip
        if prompt_tagged(version.tags, version.source):
            return plain._replace(exempt=True)
        anomalies: list[tuple[str, str]] = []
        here = f"models:/{version.name}/{version.version}"
        if decision and seen.setdefault(decision, here) != here:
            anomalies.append(("TAG_EDITED", f"its decision {decision} is that of {seen[decision]}"))
        namespace = mlflow_namespace(self._uris()[1])
        artifact, held = None, None
        try:
            source = resolve(tracking, registry, version.source, version.run_id, getattr(version, "model_id", None))
            held = content(source.location)
            if source.run is not None:
                plain = plain._replace(by=plain.by or user_of(source.run))
                now = digests_of(tracking, source.run)
                then = set(version.tags.get(judged_by.INPUTS, "").split())
                if decision and now - then:
                    anomalies.append(
                        ("LATE_INPUT", f"{len(now - then)} of its run's inputs were not there when it was judged")
                    )
                if decision and then - now:
                    anomalies.append(
                        ("TAG_EDITED", f"{len(then - now)} of its run's inputs or tags were changed or taken away")
                    )
        except CannotDecide as error:
            anomalies.append(("UNREADABLE", str(error)))
        if held is not None:
            artifact = Artifact(namespace, model_name(version.name, version.version), held, ArtifactType.MODEL)
            judged = version.tags.get(judged_by.CONTENT, "")
            if decision and judged and judged != held.hash and not judged.startswith("mlflow:"):
                anomalies.append(("OTHER_CONTENT", "its files are not those that were judged"))
        return plain._replace(artifact=artifact, anomalies=tuple(anomalies))

    def _stores(self) -> tuple[Any, Reading]:
        from mlflow.tracking._model_registry.utils import _get_store as registry_store
        from mlflow.tracking._tracking_service.utils import _get_store as tracking_store

        registry, tracking = self._uris()
        return registry_store(registry, tracking), Reading(tracking_store(tracking))

    def _uris(self) -> tuple[str, str]:
        from mlflow.tracking._model_registry.utils import _resolve_registry_uri
        from mlflow.tracking._tracking_service.utils import _resolve_tracking_uri

        table = self.config.extra.get("mlflow", {})
        tracking = str(_resolve_tracking_uri(table.get("tracking_uri")))
        return str(table.get("registry_uri") or _resolve_registry_uri(None, tracking)), tracking

    def _absent(self) -> bool:
        """Whether there is no registry yet: asking MLflow for one would create an empty database."""
        uri = self._uris()[0].removeprefix("lineage+")
        parts = urlsplit(uri)
        return parts.scheme.startswith("sqlite") and not Path(parts.path.removeprefix("/")).exists()


_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


def _knock(uri: str) -> None:
    """Whether anything listens there; MLflow itself would try for a minute and a half.

    Raises:
        OSError: nothing does.
    """
    parts = urlsplit(uri.removeprefix("lineage+"))
    port = parts.port or _PORTS.get(parts.scheme.partition("+")[0])
    if parts.hostname and port:
        socket.create_connection((parts.hostname, port), timeout=5).close()


def _shown(uri: str) -> str:
    parts = urlsplit(uri)
    return uri if not parts.password else uri.replace(f":{parts.password}@", ":***@")
