"""What the gate searches by content before it decides, when the policy asks for it (`content:`).

The sources of a model that nobody declared, or that are declared clean, are searched for content of restricted sources;
what is found is recorded as tags before the decision, which then rests on them. A result is kept under the content of
the dataset and everything that the search rested on, so that nothing is searched twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lineage.errors import CannotDecide, LineageError
from lineage.events.event import read
from lineage.gate.content import ContentIndex, name_of
from lineage.gate.tally import Threshold
from lineage.graph import Source
from lineage.vocabulary import CLEAN_KINDS, Artifact, Basis

if TYPE_CHECKING:
    from lineage.gate.gate import Gate
    from lineage.policy.policy import ContentCheck


def search_inputs(
    gate: Gate, check: ContentCheck, artifact: Artifact, events: Sequence[bytes]
) -> tuple[str, str] | None:
    """Search the sources of what is to be judged, and tag what is found.

    Args:
        gate: the record; new restricted sources whose content is here are indexed first.
        check: which of them, and the threshold.
        artifact: what is to be judged.
        events: about to be recorded: what they name as inputs is searched, too.

    Returns:
        None when all is established; else what is missing for a decision, and the command that helps.
    """
    chosen = [source for source in _sources(gate, artifact, events) if _wanted(check.inputs, source)]
    if not chosen:
        return None
    try:
        contents = ContentIndex(gate)
        contents.index(verify=False)
        known = contents.sources()
        digest, threshold = contents.digest(known), Threshold(check.share, check.records)
        basis = json.dumps([digest, *threshold])
        waiting = [source.artifact for source in chosen if gate.graph.state(_state(source.artifact)) != basis]
        if not waiting or not any(k.row for k in known):
            return None
        index = contents.open(known)
        for source in waiting:
            path = contents.find(source)
            if path is None:
                return f"the content of {name_of(source)} is not here, so it cannot be searched", "dvc pull"
            found = contents.search(index, known, path, source, threshold)
            if any(item.enough for item in found.found):
                contents.tag(source, found, digest, threshold)
            elif found.unread:
                return (
                    f"{name_of(source)} cannot be read as records: {found.unread[0].file}: {found.unread[0].reason}",
                    "convert it, or declare where it comes from and have `content: check` leave it out",
                )
            gate.graph.record([], {_state(source): basis})
    except LineageError as error:
        return f"its inputs could not be searched by content: {error.message}", error.hint
    return None


def _state(artifact: Artifact) -> str:
    return f"content/searched/{artifact.content.hash if artifact.content else name_of(artifact)}"


def _wanted(inputs: str, source: Source) -> bool:
    if inputs == "always" or all(recorded.tag.basis is Basis.IMPORTED for recorded in source.tags):
        return True
    return inputs == "clean" and all(
        recorded.tag.origin.kind in CLEAN_KINDS for recorded in source.tags if recorded.tag.basis is not Basis.MATCHED
    )


def _sources(gate: Gate, artifact: Artifact, events: Sequence[bytes]) -> Iterable[Source]:
    found: dict[tuple[str, ...], Source] = {}
    for root in (artifact, *(given.artifact for event in events for given in read(event).inputs)):
        try:
            sources = gate.graph.sources(root)
        except CannotDecide:  # nothing is recorded of it yet: it is a source itself, unless it is what is judged
            sources = [] if root is artifact else [Source(root, (), True, True)]
        for source in sources:
            key = (source.artifact.namespace, source.artifact.name, name_of(source.artifact)) + (
                (source.artifact.content.hash,) if source.artifact.content else ()
            )
            found[key] = source
    return found.values()
