"""The few columns of MLflow's tables that lineage needs, read by statements that are built once.

MLflow's own reads load everything a page would show, and an ORM query built anew costs several times what the database
needs for it (docs/explanation/performance.md): together most of what a registration may take.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

CALLS = ("CHAT_MODEL", "LLM", "EMBEDDING")
"""Kinds of spans that are calls to models; one of another convention has the kind UNKNOWN, and names a model."""
SOURCE = "mlflow.sourceRun"
"""Metadata of a trace: the run that it belongs to."""
_DAY, _NEVER = 86_400_000, 1 << 50
"""Milliseconds: by how much clocks may differ, and a time that does not come."""


class Tables:
    """The tables behind a tracking store, in one session as long as `open` lasts.

    Args:
        store: MLflow tracking store on a database.
    """

    def __init__(self, store: Any) -> None:
        self.store = store
        self._session: Any = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Read in one session; within another one that is open, in that."""
        if self._session is not None:
            yield
            return
        from sqlalchemy.exc import SQLAlchemyError

        failure: Exception | None = None
        with self.store.ManagedSessionMaker() as session:
            self._session = session
            try:
                yield
            except SQLAlchemyError:
                raise  # MLflow says it in its own words
            except Exception as error:  # it would say anything else in its own words, too
                failure = error
            finally:
                self._session = None
        if failure is not None:
            raise failure

    def run(self, run_id: str) -> Any:
        """A run with its tags, inputs and outputs; None when there is none in this workspace."""
        from mlflow.entities import LoggedModelInput, LoggedModelOutput, Run, RunData, RunInfo, RunInputs, RunOutputs
        from mlflow.entities import RunTag as Tag
        from mlflow.store.tracking.dbmodels.models import SqlRun

        with self.open():
            row = self._rows("run", run_id)
            if not row or not self._visible(SqlRun, SqlRun.run_uuid == run_id):
                return None
            models, tags = self._rows("models", run_id), self._rows("tags", run_id)
            datasets = self._datasets(run_id)
        experiment, name, user, start, end, status, lifecycle, place = row[0]
        info = RunInfo(run_id, str(experiment), user or "", status, start or 0, end, lifecycle, place, name)
        used = [LoggedModelInput(m) for s, d, m, _ in models if (s, d) == ("RUN_INPUT", "MODEL_INPUT")]
        made = [LoggedModelOutput(m, at) for s, d, m, at in models if (s, d) == ("RUN_OUTPUT", "MODEL_OUTPUT")]
        data = RunData(tags=[Tag(key, value) for key, value in tags])
        return Run(info, data, RunInputs(datasets, used), RunOutputs(made))

    def logged_model(self, model_id: str) -> Any:
        """A logged model with its tags, and the runs that measured it; None when there is none in this workspace."""
        from mlflow.entities import LoggedModel, LoggedModelTag
        from mlflow.store.tracking.dbmodels.models import SqlLoggedModel

        with self.open():
            row = self._rows("model", model_id)
            if not row or not self._visible(SqlLoggedModel, SqlLoggedModel.model_id == model_id):
                return None
            tags, measured = self._rows("model_tags", model_id), self._rows("measured", model_id)
        experiment, name, place, run, made = row[0]
        return LoggedModel(
            str(experiment), model_id, name, place, made, made, source_run_id=run,
            tags=[LoggedModelTag(key, value) for key, value in tags],
            metrics=[SimpleNamespace(run_id=one) for (one,) in measured],
        )  # fmt: skip

    def models_of(self, run_id: str, name: str, most: int) -> list[str]:
        """Ids of the logged models of that name that say they are of a run."""
        return [identity for (identity,) in self._rows("models_of", run_id, name=name, most=most)]

    def children(self, run_id: str, now: str, kept: str, most: int) -> list[str]:
        """Ids of the runs whose tag ``now`` names a run, and of those that have the tag ``kept``."""
        return [identity for (identity,) in self._rows("children", run_id, now=now, kept=kept, most=most)]

    @property
    def traces(self) -> bool:
        """Whether this MLflow keeps spans with their models' names."""
        return "traced" in _statements()

    def traced(self, run: Any) -> list[Any]:
        """Spans in the traces of a run, but those around a call that are calls themselves: kind, model, provider, how
        many, and one of the traces. Without a kind: traces whose spans are not here.
        """
        return self._of_run("traced", run)

    def span(self, trace: str, kind: str, model: str, provider: str) -> str:
        """One span of a trace by its kind, model and provider, as JSON."""
        return str(self._rows("span", trace, kind=kind, model=model, provider=provider)[0][0])

    def untold(self, run: Any) -> list[str]:
        """The traces of a run whose spans are not here."""
        return [trace for (trace,) in self._of_run("untold", run)]

    def _of_run(self, statement: str, run: Any) -> list[Any]:
        since, until = (run.info.start_time or 0) - _DAY, (run.info.end_time or _NEVER) + _DAY
        return self._rows(statement, run.info.run_id, experiment=int(run.info.experiment_id), since=since, until=until)

    def _datasets(self, run_id: str) -> list[Any]:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        rows = self._rows("datasets", run_id)
        tags: dict[str, list[Any]] = defaultdict(list)
        for identity, key, value in self._rows("input_tags", run_id) if rows else ():
            tags[identity].append(InputTag(key, value))
        return [DatasetInput(Dataset(*row), tags[identity]) for identity, *row in rows]

    def _rows(self, statement: str, one: str, **more: str | int) -> list[Any]:
        with self.open():
            found = self._session.connection().execute(_statements()[statement], {"one": one, **more})
            return list(found.all())

    def _visible(self, model: Any, condition: Any) -> bool:
        """Whether the store's workspace holds it. Only stores with workspaces have a query of their own."""
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        if type(self.store)._get_query is SqlAlchemyStore._get_query:  # noqa: SLF001 - the query that keeps to it
            return True
        with self.open():
            return self.store._get_query(self._session, model).filter(condition).first() is not None  # noqa: SLF001


@functools.cache
def _statements() -> dict[str, Any]:
    from mlflow.store.tracking.dbmodels.models import (
        SqlDataset,
        SqlInput,
        SqlInputTag,
        SqlLoggedModel,
        SqlLoggedModelMetric,
        SqlLoggedModelTag,
        SqlRun,
        SqlTag,
    )
    from sqlalchemy import and_, bindparam, or_, select

    run, tag, inputs, input_tag = (table.__table__.c for table in (SqlRun, SqlTag, SqlInput, SqlInputTag))
    dataset, model, model_tag = (table.__table__.c for table in (SqlDataset, SqlLoggedModel, SqlLoggedModelTag))
    metric = SqlLoggedModelMetric.__table__.c
    one: Any = bindparam("one")
    logged = and_(inputs.destination_type == "RUN", inputs.destination_id == one)
    return {
        "run": select(
            run.experiment_id, run.name, run.user_id, run.start_time, run.end_time, run.status, run.lifecycle_stage,
            run.artifact_uri,
        ).where(run.run_uuid == one),
        "tags": select(tag.key, tag.value).where(tag.run_uuid == one),
        "models": select(inputs.source_type, inputs.destination_type, inputs.destination_id, inputs.step).where(
            inputs.source_type.in_(("RUN_INPUT", "RUN_OUTPUT")), inputs.source_id == one
        ),
        "datasets": select(
            inputs.input_uuid, dataset.name, dataset.digest, dataset.dataset_source_type, dataset.dataset_source
        ).where(inputs.source_id == dataset.dataset_uuid, logged),
        "input_tags": select(input_tag.input_uuid, input_tag.name, input_tag.value).where(
            inputs.input_uuid == input_tag.input_uuid, logged
        ),
        "model": select(
            model.experiment_id, model.name, model.artifact_location, model.source_run_id, model.creation_timestamp_ms
        ).where(model.model_id == one, model.lifecycle_stage != "deleted"),
        "model_tags": select(model_tag.tag_key, model_tag.tag_value).where(model_tag.model_id == one),
        "measured": select(metric.run_id).where(metric.model_id == one).distinct(),
        "models_of": select(model.model_id).where(
            model.source_run_id == one, model.name == bindparam("name"), model.lifecycle_stage == "active"
        ).limit(bindparam("most")),
        "children": select(tag.run_uuid).distinct().where(
            or_(and_(tag.key == bindparam("now"), tag.value == one), tag.key == bindparam("kept"))
        ).limit(bindparam("most")),
        **_of_traces(one),
    }  # fmt: skip


def _of_traces(one: Any) -> dict[str, Any]:
    from mlflow.store.tracking.dbmodels.models import SqlSpan, SqlTraceInfo, SqlTraceMetadata
    from sqlalchemy import and_, bindparam, case, exists, func, select

    trace, said, spans = (table.__table__ for table in (SqlTraceInfo, SqlTraceMetadata, SqlSpan))
    span, inner = spans.c, spans.alias().c
    if "model_name" not in span:  # an earlier MLflow; `Reading` asks its store then
        return {}
    # by experiment and time, for which there is an index; for the run there is none
    of_run = and_(
        trace.c.experiment_id == bindparam("experiment"),
        trace.c.timestamp_ms.between(bindparam("since"), bindparam("until")),
        said.c.request_id == trace.c.request_id, said.c.key == SOURCE, said.c.value == one,
    )  # fmt: skip
    around = exists().where(
        inner.trace_id == span.trace_id, inner.parent_span_id == span.span_id, inner.type.in_(CALLS)
    )
    model, provider = (func.coalesce(column, "") for column in (span.model_name, span.model_provider))
    outer = case((and_(span.type.in_(CALLS), around), 1), else_=0)
    held = trace.join(said, of_run).outerjoin(spans, span.trace_id == trace.c.request_id)
    columns = (trace.c.request_id, span.span_id, span.type, model.label("model"), provider.label("provider"))
    each = select(*columns, outer.label("outer")).select_from(held).subquery().c
    kind = (each.type, each.model, each.provider)
    return {
        "traced": select(*kind, func.count(), func.min(each.request_id)).where(each.outer == 0).group_by(*kind),
        "untold": select(each.request_id).where(each.span_id.is_(None)),
        "span": select(span.content).where(
            span.trace_id == one, span.type == bindparam("kind"), model == bindparam("model"),
            provider == bindparam("provider"),
        ).limit(1),
    }  # fmt: skip
