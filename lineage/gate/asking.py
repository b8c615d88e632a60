"""Questions as they are put on the command line and over HTTP alike: what a person typed, answered as a document."""

from __future__ import annotations

from lineage.errors import CannotDecide
from lineage.evidence import document
from lineage.gate.inquiry import Answer, Inquiry
from lineage.vocabulary import Decision


def answer(inquiry: Inquiry, target: str, origin: str = "") -> Answer | Decision:
    """What an artifact carries and why; of a decision's id, the decision as it was recorded.

    Of a model that was refused before it had a version, the last decision about it is the answer.

    Args:
        inquiry: the record.
        target: anything `Inquiry.resolve` takes, or the id of a decision.
        origin: only labels whose origin speaks of this.

    Raises:
        CannotDecide: nothing is recorded of it.
    """
    if recorded := inquiry.decision(target.upper()) if len(target) == 26 and target.isalnum() else None:
        return recorded
    try:
        return inquiry.why(target, origin=origin)
    except CannotDecide as unknown:
        name = target.removeprefix("models:/").partition("/")[0]
        said = inquiry.decisions(name) if target.startswith("models:/") and unknown.code == "ARTIFACT_UNKNOWN" else []
        if not said:
            raise
        return said[0]


def why_document(found: Answer | Decision, times: tuple[str, str] = ("", "")) -> document.WhyDocument:
    """An answer as programs read it."""
    if isinstance(found, Decision):
        return document.recorded(found)
    return document.why(
        found.artifact,
        tuple(found.paths),
        found.paths,
        sources=found.labels.sources,
        position=found.labels.position,
        cuts=found.cuts,
        times=times,
    )
