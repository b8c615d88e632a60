"""Calls to models that the traces of a run tell of, where MLflow keeps them. Prompts and answers are not kept.

A trace is a statement of the program that ran: what it names counts, and that there is none says nothing. On a database
they are counted there, and one span of each kind is looked into; from any other store the traces are read whole.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lineage.capture.observer.lineage_record import Spans, called
from lineage.errors import CannotDecide
from lineage_mlflow.tables import CALLS, SOURCE, Tables

_LOCATION, _IN_STORE = "mlflow.trace.spansLocation", ("TRACKING_STORE", "ARCHIVE_REPO")
_ARTIFACTS = "mlflow.artifactLocation"
_MOST = 1_000
"""Traces of one run that are read whole. More is not judged."""


def flush() -> None:
    """Have the traces of this process kept, if there are any: MLflow writes them later, in threads of its own."""
    import mlflow

    if mlflow.get_last_active_trace_id() is not None:
        mlflow.flush_trace_async_logging()


def counted(tables: Tables, store: Any, run: Any) -> Counter[str]:
    """What the traces of a run tell of, counted by the database.

    Args:
        tables: of the store.
        store: MLflow tracking store, for traces whose spans lie elsewhere.
        run: MLflow's run entity.

    Returns:
        Provider, model and host, with tabs between them (`lineage.capture.observer.lineage_record.called`).

    Raises:
        CannotDecide: they cannot be read.
    """
    found: Counter[str] = Counter()
    elsewhere = False
    with tables.open():
        for kind, model, provider, number, trace in tables.traced(run):
            elsewhere = elsewhere or kind is None
            if kind in CALLS or (kind == "UNKNOWN" and model):
                said = called(_attributes(tables.span(trace, kind, model, provider)))
                # of another convention, that one span is an agent's says nothing of the others
                found[said or "\t".join((provider, model, ""))] += number
        traces = tables.untold(run) if elsewhere else []
    return found + _whole(store, run, map(store.get_trace_info, traces))


def read(store: Any, run: Any) -> Counter[str]:
    """The same from a store that is no database; one that knows no traces has none. Otherwise as `counted`."""
    from mlflow.exceptions import MlflowException

    text = f"metadata.`{SOURCE}` = '{run.info.run_id}'"
    found: list[Any] = []
    token = None
    while True:
        try:
            page, token = store.search_traces([run.info.experiment_id], text, 100, None, token)
        except NotImplementedError:
            return Counter()
        except MlflowException as error:
            if error.error_code in ("NOT_IMPLEMENTED", "ENDPOINT_NOT_FOUND"):  # an earlier server
                return Counter()
            raise CannotDecide(f"the traces of run {run.info.run_id} cannot be read", cause=str(error)) from error
        found += page
        if not token or len(found) > _MOST:
            return _whole(store, run, found)


def _whole(store: Any, run: Any, traces: Iterable[Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for number, info in enumerate(traces):
        if number == _MOST:
            raise CannotDecide(f"more than {_MOST} traces of run {run.info.run_id} would have to be read whole")
        if info.state == "IN_PROGRESS":
            continue  # what it tells comes when it ends
        told = Spans()
        for own, above, attributes in _spans(store, info):
            if (said := told.ended(own, above, attributes)) is not None:
                found[said] += 1
    return found


def _spans(store: Any, info: Any) -> Iterator[tuple[str, str | None, Mapping[str, Any]]]:
    """Of a trace, each with its id and that of the span around it, as they ended."""
    from mlflow.entities import Trace
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        if info.tags.get(_LOCATION) in _IN_STORE:
            trace = store.batch_get_traces([info.trace_id])[0]
        else:
            data = get_artifact_repository(info.tags[_ARTIFACTS]).download_trace_data()
            trace = Trace.from_dict({"info": info.to_dict(), "data": data})
    except (MlflowException, OSError, KeyError, IndexError, ValueError) as error:
        raise CannotDecide(f"trace {info.trace_id} of the run cannot be read", cause=str(error)) from error
    for span in sorted(trace.data.spans, key=lambda span: span.end_time_ns or 0):
        yield span.span_id, span.parent_id, span.attributes


def _attributes(content: str) -> Mapping[str, Any]:
    try:
        found = json.loads(content)["attributes"]
    except (ValueError, KeyError, TypeError) as error:
        raise CannotDecide("a span of the run cannot be read", cause=str(error)) from error
    return found if isinstance(found, dict) else {}
