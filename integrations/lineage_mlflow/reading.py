"""Runs and logged models of a tracking store, read for what lineage needs: no metrics, no parameters.

MLflow's own reads load everything a page would show and cost most of what a registration may take (facts/mlflow.md,
"Cost"). On a database the few columns are asked for at once, through the store's own query, which keeps to its
workspace; any other store is asked by its public methods. Both give MLflow's entities.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

PARENT, KEPT = "mlflow.parentRunId", "lineage.parent."
"""Run tags: MLflow's, which anybody may take away, and ours, one for each run it ever named, which nobody may."""


def parents(tags: Mapping[str, str]) -> list[str]:
    """The runs that a run is, or ever was, nested in."""
    kept = [key.removeprefix(KEPT) for key in tags if key.startswith(KEPT)]
    return list(dict.fromkeys(filter(None, (tags.get(PARENT, ""), *kept))))


class Reading:
    """A tracking store, to read from.

    Args:
        store: MLflow tracking store.
        most: children of one run that are read; one more is returned when there are more.
    """

    def __init__(self, store: Any, most: int = 1_000) -> None:
        self.store = store
        self.most = most
        self._sql = hasattr(store, "ManagedSessionMaker") and hasattr(store, "_get_query")

    def get_run(self, run_id: str) -> Any:
        """A run with its tags, inputs and outputs.

        Raises:
            MlflowException: there is no such run, or it cannot be read.
        """
        if self._sql:
            with self.store.ManagedSessionMaker() as session:
                found = self._run(session, run_id)
            if found is not None:
                return found
        return self.store.get_run(run_id)  # says what is wrong

    def get_logged_model(self, model_id: str) -> Any:
        """A logged model with its tags, and the runs that measured it.

        Raises:
            MlflowException: there is no such model, or it cannot be read.
        """
        if self._sql:
            with self.store.ManagedSessionMaker() as session:
                found = self._model(session, model_id)
            if found is not None:
                return found
        return self.store.get_logged_model(model_id)

    def logged_models(self, run: Any, name: str) -> list[str]:
        """Ids of the logged models that say they are of a run, whether or not the run says so."""
        if self._sql:
            from mlflow.store.tracking.dbmodels.models import SqlLoggedModel as Row

            with self.store.ManagedSessionMaker() as session:
                own = (Row.source_run_id == run.info.run_id, Row.name == name, Row.lifecycle_stage == "active")
                return [identity for (identity,) in session.query(Row.model_id).filter(*own).limit(self.most)]
        found, token = list[str](), None
        while True:
            text = "name = '" + name.replace("'", "\\'") + "'"
            page = self.store.search_logged_models([run.info.experiment_id], text, page_token=token)
            found += [model.model_id for model in page if model.source_run_id == run.info.run_id]
            token = page.token
            if not token or len(found) > self.most:
                return found

    def children(self, run: Any) -> list[Any]:
        """Runs nested directly in a run, now or ever."""
        if self._sql:
            from mlflow.store.tracking.dbmodels.models import SqlTag
            from sqlalchemy import and_, or_

            with self.store.ManagedSessionMaker() as session:
                now = and_(SqlTag.key == PARENT, SqlTag.value == run.info.run_id)
                rows = session.query(SqlTag.run_uuid).filter(or_(now, SqlTag.key == KEPT + run.info.run_id)).distinct()
                found = [self._run(session, identity) for (identity,) in rows.limit(self.most + 1)]
            return [child for child in found if child is not None]
        from mlflow.entities import ViewType

        children: dict[str, Any] = {}
        for text in (f"tags.`{PARENT}` = '{run.info.run_id}'", f"tags.`{KEPT}{run.info.run_id}` = 'true'"):
            token = None
            while True:
                page = self.store.search_runs([run.info.experiment_id], text, ViewType.ALL, 1_000, page_token=token)
                children |= {child.info.run_id: child for child in page}
                token = page.token
                if not token or len(children) > self.most:
                    break
        return list(children.values())

    def _run(self, session: Any, run_id: str) -> Any:
        from mlflow.entities import (
            LoggedModelInput,
            LoggedModelOutput,
            Run,
            RunData,
            RunInfo,
            RunInputs,
            RunOutputs,
            RunTag,
        )
        from mlflow.store.tracking.dbmodels.models import SqlInput, SqlRun, SqlTag

        columns = (SqlRun.experiment_id, SqlRun.name, SqlRun.user_id, SqlRun.start_time, SqlRun.end_time)
        row = (
            self.store._get_query(session, SqlRun)  # noqa: SLF001 - the only query that keeps to the workspace
            .filter(SqlRun.run_uuid == run_id)
            .with_entities(*columns, SqlRun.status, SqlRun.lifecycle_stage, SqlRun.artifact_uri)
            .one_or_none()
        )
        if row is None:
            return None
        tags = session.query(SqlTag.key, SqlTag.value).filter(SqlTag.run_uuid == run_id).all()
        models = (
            session.query(SqlInput.source_type, SqlInput.destination_type, SqlInput.destination_id, SqlInput.step)
            .filter(SqlInput.source_type.in_(("RUN_INPUT", "RUN_OUTPUT")), SqlInput.source_id == run_id)
            .all()
        )
        info = RunInfo(
            run_id, str(row.experiment_id), row.user_id or "", row.status, row.start_time or 0, row.end_time,
            row.lifecycle_stage, row.artifact_uri, row.name,
        )  # fmt: skip
        used = [LoggedModelInput(m) for s, d, m, _ in models if (s, d) == ("RUN_INPUT", "MODEL_INPUT")]
        made = [LoggedModelOutput(m, at) for s, d, m, at in models if (s, d) == ("RUN_OUTPUT", "MODEL_OUTPUT")]
        data = RunData(tags=[RunTag(key, value) for key, value in tags])
        return Run(info, data, RunInputs(self._datasets(session, run_id), used), RunOutputs(made))

    def _datasets(self, session: Any, run_id: str) -> list[Any]:
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.store.tracking.dbmodels.models import SqlDataset, SqlInput, SqlInputTag

        rows = (
            session.query(
                SqlInput.input_uuid, SqlDataset.name, SqlDataset.digest, SqlDataset.dataset_source_type,
                SqlDataset.dataset_source,
            )
            .join(SqlDataset, SqlInput.source_id == SqlDataset.dataset_uuid)
            .filter(SqlInput.destination_type == "RUN", SqlInput.destination_id == run_id)
            .all()
        )  # fmt: skip
        if not rows:
            return []
        tags = defaultdict(list)
        said = session.query(SqlInputTag.input_uuid, SqlInputTag.name, SqlInputTag.value)
        for identity, key, value in said.filter(SqlInputTag.input_uuid.in_([row.input_uuid for row in rows])):
            tags[identity].append(InputTag(key, value))
        return [
            DatasetInput(
                Dataset(row.name, row.digest, row.dataset_source_type, row.dataset_source), tags[row.input_uuid]
            )
            for row in rows
        ]

    def _model(self, session: Any, model_id: str) -> Any:
        from mlflow.entities import LoggedModel, LoggedModelTag
        from mlflow.store.tracking.dbmodels.models import SqlLoggedModel, SqlLoggedModelMetric, SqlLoggedModelTag

        row = (
            self.store._get_query(session, SqlLoggedModel)  # noqa: SLF001 - as above
            .filter(SqlLoggedModel.model_id == model_id, SqlLoggedModel.lifecycle_stage != "deleted")
            .with_entities(
                SqlLoggedModel.experiment_id, SqlLoggedModel.name, SqlLoggedModel.artifact_location,
                SqlLoggedModel.source_run_id, SqlLoggedModel.creation_timestamp_ms,
            )
            .one_or_none()
        )  # fmt: skip
        if row is None:
            return None
        tags = session.query(SqlLoggedModelTag.tag_key, SqlLoggedModelTag.tag_value)
        metrics = session.query(SqlLoggedModelMetric.run_id).filter(SqlLoggedModelMetric.model_id == model_id)
        return LoggedModel(
            str(row.experiment_id), model_id, row.name, row.artifact_location, row.creation_timestamp_ms,
            row.creation_timestamp_ms, source_run_id=row.source_run_id,
            tags=[LoggedModelTag(k, v) for k, v in tags.filter(SqlLoggedModelTag.model_id == model_id)],
            metrics=[SimpleNamespace(run_id=run) for (run,) in metrics.distinct()],
        )  # fmt: skip
