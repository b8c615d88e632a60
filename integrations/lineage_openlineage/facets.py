"""Our facets as classes of openlineage-python, for producers that emit events with its client.

    from lineage_openlineage.facets import LineageOriginDatasetFacet
    Dataset(namespace, name, facets={"lineage_origin": LineageOriginDatasetFacet(tags=[Tag(Origin(Kind.LICENSED))])})

They are made from `lineage.events.facets`, so both ways of writing an event say the same. Field values are values of
`lineage.vocabulary` or their JSON form; they are checked when a facet is made, because the client would write what it
cannot serialise as a placeholder (facts/openlineage-and-gx.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attr
import msgspec
from openlineage.client.generated.base import BaseFacet, DatasetFacet, InputDatasetFacet, RunFacet

from lineage.errors import UsageError
from lineage.events.facets import FACETS, envelope

_BASES: dict[str, type[BaseFacet]] = {
    "InputDatasetFacet": InputDatasetFacet,
    "DatasetFacet": DatasetFacet,
    "RunFacet": RunFacet,
}


def _client_class(key: str) -> type[Any]:
    ours = FACETS[key]
    base = next(base for name, base in _BASES.items() if ours.__name__.endswith(name))
    fields = {
        field.encode_name: attr.field(converter=_checked(field), kw_only=True, default=_default(field))
        for field in msgspec.structs.fields(ours)
        if not field.encode_name.startswith("_")
    }
    body = {
        **fields,
        "__doc__": ours.__doc__,
        "__module__": __name__,
        "__annotations__": dict.fromkeys(fields, Any),
        "_get_schema": staticmethod(lambda: envelope(ours)["schema_url"]),
    }
    return attr.define(type(ours.__name__, (base,), body))


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return attr.NOTHING if field.required else None


def _checked(field: msgspec.structs.FieldInfo) -> Callable[[Any], Any]:
    """To JSON form, by way of our own type: what our reader would refuse is refused here."""

    def convert(value: Any) -> Any:
        if value is None and not field.required:
            return None
        try:
            # through JSON, so that only what a reader will find is left: lists, no tuples, no enums
            return msgspec.json.decode(msgspec.json.encode(msgspec.convert(msgspec.to_builtins(value), field.type)))
        except (msgspec.ValidationError, TypeError) as error:
            raise UsageError(f"`{field.encode_name}` is not valid", code="FACET_INVALID", cause=str(error)) from None

    return convert


LineageOriginDatasetFacet = _client_class("lineage_origin")
LineageContentDatasetFacet = _client_class("lineage_content")
LineageMatchDatasetFacet = _client_class("lineage_match")
LineageUseInputDatasetFacet = _client_class("lineage_use")
LineageExecutionRunFacet = _client_class("lineage_execution")
LineageObservationRunFacet = _client_class("lineage_observation")
LineageUsageRunFacet = _client_class("lineage_usage")
LineageDecisionRunFacet = _client_class("lineage_decision")
LineageGrantRunFacet = _client_class("lineage_grant")
LineageRemovalRunFacet = _client_class("lineage_removal")
LineageCorrectionRunFacet = _client_class("lineage_correction")
LineageRegistryRunFacet = _client_class("lineage_registry")
LineagePolicyRunFacet = _client_class("lineage_policy")
LineageAccessRunFacet = _client_class("lineage_access")

__all__ = [
    "LineageAccessRunFacet",
    "LineageContentDatasetFacet",
    "LineageCorrectionRunFacet",
    "LineageDecisionRunFacet",
    "LineageExecutionRunFacet",
    "LineageGrantRunFacet",
    "LineageMatchDatasetFacet",
    "LineageObservationRunFacet",
    "LineageOriginDatasetFacet",
    "LineagePolicyRunFacet",
    "LineageRegistryRunFacet",
    "LineageRemovalRunFacet",
    "LineageUsageRunFacet",
    "LineageUseInputDatasetFacet",
]
