"""Runs and logged models of a tracking store, read for what lineage needs: no metrics, no parameters.

On a database the few columns are asked for at once (`lineage_mlflow.tables`); any other store is asked by its public
methods. Both give MLflow's entities.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lineage_mlflow.tables import Tables
from lineage_mlflow.traces import counted, read

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
        sql = hasattr(store, "ManagedSessionMaker") and hasattr(store, "_get_query")
        self._tables = Tables(store) if sql else None

    def at_once(self) -> AbstractContextManager[None]:
        """Read in one session what is read until it ends."""
        return self._tables.open() if self._tables else nullcontext()

    def get_run(self, run_id: str) -> Any:
        """A run with its tags, inputs and outputs.

        Raises:
            MlflowException: there is no such run, or it cannot be read.
        """
        if self._tables and (found := self._tables.run(run_id)) is not None:
            return found
        return self.store.get_run(run_id)  # says what is wrong

    def get_logged_model(self, model_id: str) -> Any:
        """A logged model with its tags, and the runs that measured it.

        Raises:
            MlflowException: there is no such model, or it cannot be read.
        """
        if self._tables and (found := self._tables.logged_model(model_id)) is not None:
            return found
        return self.store.get_logged_model(model_id)

    def logged_models(self, run: Any, name: str) -> list[str]:
        """Ids of the logged models that say they are of a run, whether or not the run says so."""
        if self._tables:
            return self._tables.models_of(run.info.run_id, name, self.most)
        found, token = list[str](), None
        while True:
            text = "name = '" + name.replace("'", "\\'") + "'"
            page = self.store.search_logged_models([run.info.experiment_id], text, page_token=token)
            found += [model.model_id for model in page if model.source_run_id == run.info.run_id]
            token = page.token
            if not token or len(found) > self.most:
                return found

    def calls(self, run: Any) -> Mapping[str, int]:
        """Calls to models that the traces of a run tell of (`lineage_mlflow.traces`).

        Raises:
            CannotDecide: they cannot be read.
        """
        if self._tables and self._tables.traces:
            return counted(self._tables, self.store, run)
        return read(self.store, run)

    def children(self, run: Any) -> list[Any]:
        """Runs nested directly in a run, now or ever."""
        if self._tables:
            with self.at_once():
                ids = self._tables.children(run.info.run_id, PARENT, KEPT + run.info.run_id, self.most + 1)
                return [child for one in ids if (child := self._tables.run(one)) is not None]
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
