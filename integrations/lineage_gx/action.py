"""``LineageAction``: what a checkpoint validated, by content hash, as events in the ledger and as an evidence file.

Every file of every batch is hashed before the validation and after it. Whatever makes the outcome unreliable becomes a
problem: a file that changed meanwhile, one that a batch definition selects and no batch holds, an expectation that was
lost when its suite was loaded, a record that could not be written. With a problem the result of the checkpoint is no
success, whatever the expectations said. Nothing raised here leaves the action: the result would be lost with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, List, Literal, NamedTuple, Optional  # noqa: UP035 - pydantic v1 reads annotations as they stand

import great_expectations
from great_expectations.checkpoint.actions import ActionContext, UpdateDataDocsAction, ValidationAction
from great_expectations.checkpoint.checkpoint import Checkpoint, CheckpointResult
from great_expectations.compatibility.pydantic import PrivateAttr
from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.core.validation_definition import ValidationDefinition

from lineage.errors import LineageError, printable
from lineage.gate import Gate
from lineage.gate.validation import Asserted, Outcome, record_validation, write_evidence
from lineage.vocabulary import Artifact
from lineage_gx import batches
from lineage_gx.project import project
from lineage_gx.suites import lost

TOOL = f"great_expectations {great_expectations.__version__}"
_log = logging.getLogger(__name__)

_WHOLE = frozenset({"path", "filepath_or_buffer", "sep", "delimiter", "encoding", "lines", "compression"})
"""Options of a reader that leave no row out: then the batch's rows are the file's."""


_PART = frozenset(
    {
        "nrows", "skiprows", "skipfooter", "filters", "chunksize", "iterator", "on_bad_lines", "error_bad_lines",
        "comment", "usecols", "columns", "names", "sheet_name", "quoting", "quotechar", "escapechar", "lineterminator",
        "converters", "true_values", "false_values",
    }
)  # fmt: skip
"""Options of a reader that leave rows or columns out, or give them other names or contents: then the hash is of
something else than was validated."""


_UNSET: tuple[Any, ...] = (None, False, 0, "", [], {}, "error", '"')
"""Values of those options that change nothing."""


class _Before(NamedTuple):
    """What a checkpoint was about to validate."""

    selected: Mapping[str, list[str]]
    """All that each validation definition selects, by the definition's id or name."""
    hashed: Mapping[str, tuple[Artifact, ...]]
    """What lay at each place."""
    problems: list[str]


class LineageAction(ValidationAction):
    """Ties what a checkpoint validated to content hashes, and records the outcome in the project's ledger.

    Args:
        name: as for every action.
        evidence: file to write the evidence to, from the project's root; left out: none.
        requires: types of expectations that must have been evaluated on every batch, such as
            ``expect_dataset_labels_within``: whoever takes one out of the suite finds the checkpoint failing.
    """

    type: Literal["lineage"] = "lineage"
    name: str = "lineage"
    evidence: Optional[str] = None  # noqa: UP045
    requires: List[str] = []  # noqa: UP006, RUF012 - pydantic copies a default

    _before: Optional[_Before] = PrivateAttr(None)  # noqa: UP045

    def run(self, checkpoint_result: CheckpointResult, action_context: ActionContext | None = None) -> dict[str, Any]:
        """Record a checkpoint's result. Raises nothing.

        Returns:
            ``success``, ``problems`` and, where it was written, the path of the ``evidence``.
        """
        said: dict[str, Any] = {"success": False, "problems": [], "evidence": None}
        try:
            with project() as gate:
                outcomes, problems = self._outcomes(gate, checkpoint_result)
                document = record_validation(gate, TOOL, checkpoint_result.name, outcomes, problems)
                said["problems"] = [*problems, *(problem for outcome in outcomes for problem in outcome.problems)]
                if self.evidence:
                    write_evidence(document, gate.config.root / self.evidence)
                    said["evidence"] = self.evidence
                said["success"] = document.success
        except Exception as error:  # it would escape `Checkpoint.run` and take the result along
            said["problems"].append(_sentence(error))
            _log.exception("the validation is not recorded")
        if said["problems"]:
            self._refuse(checkpoint_result, said["problems"], action_context)
        return said

    def _outcomes(self, gate: Gate, result: CheckpointResult) -> tuple[list[Outcome], list[str]]:
        before = self._before
        if before is None:
            return [], ["nothing was hashed before the validation: the checkpoint was not run by Checkpoint.run"]
        results = {r.meta.get("validation_id"): r for r in result.run_results.values()}
        definitions = result.checkpoint_config.validation_definitions
        problems = [
            *before.problems,
            *(f"the validation {d.name} has no result of its own" for d in definitions if d.id not in results),
        ]
        with_result = [definition for definition in definitions if definition.id in results]
        found = [(d, results[d.id], *self._read(gate, results[d.id], d, before)) for d in with_result]
        loaded = {where for _, _, where, _, _ in found}
        outcomes = []
        for definition, held, place, artifacts, own in found:
            unvalidated = [text for text in before.selected.get(definition.name, ()) if text not in loaded]
            if unvalidated:
                many = f"{len(unvalidated)} of what {definition.name} selects"
                own.append(f"{many} was not validated: {_some(unvalidated)}")
            evaluated = [str(r.expectation_config.type) for r in held.results if r.expectation_config]
            own += lost(self._resolve_context().context, definition.suite, evaluated)
            own += [f"{kind} was not evaluated on {place}" for kind in self.requires if kind not in evaluated]
            outcomes.append(
                Outcome(
                    definition.name,
                    definition.suite.name,
                    bool(held.success),
                    artifacts,
                    [_asserted(r) for r in held.results],
                    unvalidated,
                    own,
                    _rows(held, artifacts),
                )
            )
        return outcomes, problems

    def _read(
        self, gate: Gate, held: ExpectationSuiteValidationResult, definition: ValidationDefinition, before: _Before
    ) -> tuple[str, tuple[Artifact, ...], list[str]]:
        """The place of the batch that was loaded, what lies there, and what is wrong with it."""
        spec = held.meta.get("batch_spec") or {}
        place = batches.place(definition.asset, spec)
        part = batches.part(definition, held.meta.get("active_batch_definition"))
        where = f"{place}{part}"
        try:
            artifacts = batches.tie(gate, place)
        except LineageError as failure:
            return where, (), [_sentence(failure)]
        earlier = before.hashed.get(str(place))
        if earlier is None:
            return where, artifacts, [f"{place} was validated and had not been hashed before"]
        if [a.content for a in earlier] != [a.content for a in artifacts]:
            return where, artifacts, [f"{place} changed while it was validated"]
        options = {**(spec.get("reader_options") or {}), "query": getattr(definition.asset, "query", None)}
        left_out = sorted(name for name, value in options.items() if name in _PART | {"query"} and value not in _UNSET)
        if left_out:
            return where, artifacts, [f"{place} was not read as it is: {', '.join(left_out)}"]
        return where, artifacts, []

    def _refuse(self, result: CheckpointResult, problems: list[str], actions: ActionContext | None) -> None:
        """Make the result a failure, where it is kept and shown, too."""
        result.success = False
        try:
            store = self._resolve_context().context.validation_results_store
            for key, held in result.run_results.items():
                held.success = False
                held.meta = {**held.meta, "lineage": {"problems": [printable(problem) for problem in problems]}}
                store.set(key=key, value=held)
            for action, _ in actions.data if actions else ():
                if isinstance(action, UpdateDataDocsAction):  # they have run already, on what was a success then
                    action.run(checkpoint_result=result, action_context=actions)
        except Exception:  # the result in hand says it all the same
            _log.exception("the stored result of %s could not be changed", result.name)
        for problem in problems:
            _log.error("%s: %s", result.name, printable(problem))


def before(checkpoint: Checkpoint, parameters: Mapping[str, Any]) -> _Before:
    """Hash what a checkpoint is about to validate. Raises nothing: what went wrong is among the problems."""
    selected: dict[str, list[str]] = {}
    hashed: dict[str, tuple[Artifact, ...]] = {}
    problems: list[str] = []
    try:
        with project() as gate:
            for definition in checkpoint.validation_definitions:
                chosen = batches.selected(definition.data, parameters)
                selected[definition.name] = [f"{place}{part}" for place, part in chosen]
                if chosen:
                    place = chosen[-1][0]
                    hashed[str(place)] = batches.tie(gate, place)
    except Exception as error:  # the validation itself goes on, and its result will be no success
        problems.append(_sentence(error))
    return _Before(selected, hashed, problems)


def _watched(run: Callable[..., CheckpointResult]) -> Callable[..., CheckpointResult]:
    """`Checkpoint.run` that lets our actions look at the files first: actions are called when all is over."""

    @wraps(run)
    def watched(
        self: Checkpoint, batch_parameters: dict[str, Any] | None = None, *args: Any, **kwargs: Any
    ) -> CheckpointResult:
        actions = [action for action in self.actions if isinstance(action, LineageAction)]
        seen = before(self, batch_parameters or {}) if actions else None
        for action in actions:
            action._before = seen  # noqa: SLF001 - its own module
        try:
            return run(self, batch_parameters, *args, **kwargs)
        finally:
            for action in actions:
                action._before = None  # noqa: SLF001

    return watched


Checkpoint.run = _watched(Checkpoint.run)  # type: ignore[method-assign]


def _asserted(result: Any) -> Asserted:
    config = result.expectation_config
    column = config.kwargs.get("column") if config else None
    severity = getattr(config, "severity", None)
    return Asserted(
        str(config.type) if config else "unknown",
        bool(result.success),
        column if isinstance(column, str) else None,
        str(getattr(severity, "value", severity)) if severity else None,
    )


def _rows(held: ExpectationSuiteValidationResult, artifacts: tuple[Artifact, ...]) -> int | None:
    """Rows of the whole file, where the batch is a whole file and an expectation counted them."""
    spec = held.meta.get("batch_spec") or {}
    options = spec.get("reader_options") or {}
    if "path" not in spec or not set(options) <= _WHOLE or len(artifacts) != 1:
        return None
    for result in held.results:
        rows = (result.result.get("details") or {}).get("rows") if result.result else None
        counted = rows if isinstance(rows, int) else (result.result or {}).get("element_count")
        if isinstance(counted, int) and not isinstance(counted, bool):
            return counted
    return None


def _some(texts: list[str]) -> str:
    return ", ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")


def _sentence(error: Exception) -> str:
    if isinstance(error, LineageError):
        return f"{error.message}: {error.cause}" if error.cause else error.message
    return f"{type(error).__name__}: {error}"
