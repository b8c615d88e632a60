"""``ExpectDatasetLabelsWithin``: what a batch inherits, by its content, lies within what is allowed here.

The batch's files are hashed and looked up in the ledger; what no pipeline recorded fails, as does what nobody declared.
A batch that has no content of its own (a table on a server, a frame in memory) cannot be looked up, and fails too.
"""

from __future__ import annotations

from typing import Any, ClassVar, List, Optional  # noqa: UP035 - pydantic v1 reads the annotations of fields as they stand

from great_expectations.compatibility import pydantic
from great_expectations.compatibility.pydantic import StrictStr

from lineage.errors import CannotDecide
from lineage.gate import Gate
from lineage.vocabulary import Artifact, Content, Label, Use
from lineage_gx import batches
from lineage_gx.expectation import LineageExpectation, Refusal, allowing, checked_origins, origins_field, shown
from lineage_gx.project import project


class ExpectDatasetLabelsWithin(LineageExpectation):
    """Expect every label of a batch's content to lie within given origins and uses.

    Fails on content that is not recorded, on sources that nobody declared, and on an empty batch.

    Args:
        origins: what its content may stem from: kinds (``first-party``), providers (``acme``) or both
            (``licensed/acme``).
        uses: in which role it may have entered (``content``, ``annotation`` …); left out: any.
    """

    origins: List[StrictStr] = origins_field("What the content may stem from")  # noqa: UP006
    uses: Optional[List[Use]] = pydantic.Field(None, min_items=1, description="In which role; left out: any.")  # noqa: UP006, UP045

    success_keys: ClassVar[tuple[str, ...]] = ("origins", "uses")

    class Config:
        use_enum_values = True  # a suite is JSON

    @pydantic.validator("origins")
    def _origins(cls, value: list[str]) -> list[str]:  # noqa: N805 - a validator of pydantic v1 gets the class
        return checked_origins(value)

    def _found(self, metrics: dict[str, Any], execution_engine: Any) -> tuple[str, dict[str, Any]]:
        del metrics
        batch = execution_engine.batch_manager.active_batch
        if batch is None:
            raise Refusal("the batch is not known")
        where = batches.place(batch.data_asset, batch.batch_spec)
        with project() as gate:
            artifacts = batches.tie(gate, where)
            labels = {label for artifact in artifacts for label in _labels(gate, artifact)}
        allows = allowing(self.origins)
        beyond = [
            label for label in labels if not allows(label.origin) or (self.uses and label.use.value not in self.uses)
        ]
        content = [artifact.content.hash for artifact in artifacts if artifact.content]
        if beyond:
            raise Refusal(
                f"{len(beyond)} of {len(labels)} labels lie outside",
                content=shown(content),
                labels=shown(sorted(map(_text, beyond))),
            )
        return f"{len(labels)} labels, all within", {
            "content": shown(content),
            "labels": shown(sorted(map(_text, labels))),
        }

    @classmethod
    def _sentence(cls, kwargs: dict[str, Any]) -> tuple[str, dict[str, str]]:
        uses = kwargs.get("uses")
        return (
            "The content of this dataset stems from nothing but: $origins" + (", as $uses." if uses else "."),
            {"origins": ", ".join(shown(kwargs.get("origins") or ())), "uses": ", ".join(shown(uses or ()))},
        )


def _labels(gate: Gate, artifact: Artifact) -> frozenset[Label]:
    content = artifact.content
    if content is None:
        raise CannotDecide(
            f"{artifact.namespace}/{artifact.name} has no content that can be looked up",
            code="CONTENT_UNKNOWN",
            cause="it is no file: a table on a server or a frame in memory has no hash",
            hint="validate the file that it was loaded from",
        )
    try:
        return gate.labels(artifact).labels
    except CannotDecide as unknown:
        if unknown.code != "ARTIFACT_UNKNOWN" or not content.members:
            raise
    # a directory that was never recorded as a whole: each of its files must have been
    return frozenset(
        label
        for member in content.members
        for label in gate.labels(
            Artifact(artifact.namespace, f"{artifact.name}/{member.path}", Content(member.hash, member.size))
        ).labels
    )


def _text(label: Label) -> str:
    origin = label.origin
    return f"{origin.kind.value}{f'/{origin.provider}' if origin.provider else ''} ({label.use.value})"
