"""OpenLineage's own rules for events as a JSON Schema, derived from the classes of its Python client.

The specification's schema file is in no wheel; the client's classes are generated from it and come with every
installation, so what they require is what the installed version of OpenLineage requires: fields, types, formats.
"""

from __future__ import annotations

import types
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import attr
from openlineage.client.generated import base

Schema = dict[str, Any]

_FORMATS = {
    "eventTime": "date-time",
    "runId": "uuid",
    "producer": "uri",
    "schemaURL": "uri",
    "_producer": "uri",
    "_schemaURL": "uri",
}
"""What the client's validators parse these fields as; a JSON Schema names it, the classes do it in code."""


def event_schema() -> Schema:
    """The schema that a run, dataset or job event has to satisfy. Facets need their envelope, no more."""
    definitions: dict[str, Schema] = {}
    events = [_reference(kind, definitions) for kind in (base.RunEvent, base.DatasetEvent, base.JobEvent)]
    # the specification tells the three apart by what they must not have; classes cannot say that
    definitions["DatasetEvent"]["not"] = {"required": ["job", "run"]}
    definitions["JobEvent"]["not"] = {"required": ["run"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "oneOf": events, "$defs": definitions}


def _reference(kind: type, definitions: dict[str, Schema]) -> Schema:
    name = kind.__name__
    if name not in definitions:
        schema = definitions[name] = {"type": "object", "properties": {}, "required": []}
        hints = get_type_hints(kind, vars(base))
        for field in attr.fields(kind):
            schema["properties"][field.name] = _type(hints[field.name], definitions) | (
                {"format": _FORMATS[field.name]} if field.name in _FORMATS else {}
            )
            # the envelope has defaults in the client, which fills it in; in an event it has to be there
            if field.default is attr.NOTHING or field.name in _FORMATS:
                schema["required"].append(field.name)
    return {"$ref": f"#/$defs/{name}"}


def _type(hint: Any, definitions: dict[str, Schema]) -> Schema:
    outer, inner = get_origin(hint), get_args(hint)
    if outer in (Union, types.UnionType):
        (hint,) = (part for part in inner if part is not type(None))
        return _type(hint, definitions)
    if outer is list:
        return {"type": "array", "items": _type(inner[0], definitions)}
    if outer is dict:
        return {"type": "object", "additionalProperties": _type(inner[1], definitions)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    if attr.has(hint):
        return _reference(hint, definitions)
    return {"type": {str: "string", bool: "boolean", int: "integer"}[hint]}
