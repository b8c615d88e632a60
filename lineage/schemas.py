"""Publishing what we write as JSON Schema: our OpenLineage facets, the settings file, what every verb prints.

``python -m lineage.schemas schemas`` writes the files; a test fails when they differ from the code. What a policy file
may hold is said in `lineage.policy.file`. Nothing else imports this module.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from lineage import config
from lineage.events.facets import FACETS, SCHEMA_BASE, Facet
from lineage.evidence import (
    content,
    document,
    forward,
    impact,
    ledger,
    questions,
    recall,
    record,
    removal,
    store,
    tokens,
    usage,
)
from lineage.evidence.bundle.document import BundleDocument
from lineage.evidence.case import Case
from lineage.evidence.exports import ExportDocument
from lineage.evidence.exports.data_trust import DataTrust
from lineage.evidence.exports.eu_summary import Summary
from lineage.evidence.exports.intoto import DecisionPredicate
from lineage.evidence.removed import RemovalEvidence
from lineage.evidence.validation import ValidationEvidence
from lineage.policy.file import json_schema as policy_schema
from lineage.vocabulary import Kind

DRAFT = "https://json-schema.org/draft/2020-12/schema"
OPENLINEAGE = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
BASE = SCHEMA_BASE.rpartition("/facets/")[0]

Schema = dict[str, Any]

DOCUMENTS: Mapping[str, type] = {
    "init": document.SyncDocument,
    "sync": document.SyncDocument,
    "forward": forward.ForwardDocument,
    "record": record.RecordDocument,
    "status": document.StatusDocument,
    "declare": document.DeclareDocument,
    "check": document.CheckDocument,
    "why": document.WhyDocument,
    "impact": impact.ImpactDocument,
    "contains": questions.ContainsDocument,
    "share": questions.ShareDocument,
    "history": questions.HistoryDocument,
    "recall": recall.RecallDocument,
    "policy-replay": recall.ReplayDocument,
    "grant": document.GrantsDocument,
    "removal": removal.RemovalsDocument,
    "correction": removal.CorrectionsDocument,
    "content-index": content.ContentIndexDocument,
    "content-scan": content.ContentScanDocument,
    "content-removal": RemovalEvidence,
    "content-show": content.ContentIndexDocument,
    "usage-import": usage.UsageImportDocument,
    "usage-reconcile": usage.UsageReconcileDocument,
    "audit": document.AuditDocument,
    "doctor": document.DoctorDocument,
    "policy-test": document.PolicyTestDocument,
    "policy-check": document.PolicyDocument,
    "policy-show": document.PolicyDocument,
    "ledger-verify": ledger.LedgerVerifyDocument,
    "ledger-checkpoint": ledger.LedgerCheckpointDocument,
    "ledger-key": ledger.LedgerKeyDocument,
    "ledger-log": ledger.LedgerLogDocument,
    "ledger-prove": ledger.LedgerProofDocument,
    "report": Case,
    "export": ExportDocument,
    "bundle": BundleDocument,
    "store-backup": store.StoreCopyDocument,
    "store-restore": store.StoreCopyDocument,
    "token-create": tokens.TokenMadeDocument,
    "token-list": tokens.TokensDocument,
    "token-revoke": tokens.TokensDocument,
    "error": document.ErrorDocument,
}
"""The document of each verb; ``schemas/cli/<verb>.json`` is made from it."""

EXPORTS: Mapping[str, type] = {
    "evidence/removal-v1.json": RemovalEvidence,
    "evidence/validation-v1.json": ValidationEvidence,
    "exports/decision-v1.json": DecisionPredicate,
    "exports/eu-summary.json": Summary,
    "exports/data-trust.json": DataTrust,
}
"""What verbs write to files, where no standard has a schema: by path under ``schemas/``."""


def schemas() -> dict[str, Schema]:
    """Every schema by its path under ``schemas/``."""
    return {
        **{f"facets/{facet.__name__}.json": facet_schema(key, facet) for key, facet in FACETS.items()},
        **{f"cli/{verb}.json": document_schema(verb, kind) for verb, kind in DOCUMENTS.items()},
        **{path: export_schema(path, kind) for path, kind in EXPORTS.items()},
        "config.schema.json": config_schema(),
        "policy.schema.json": {"$schema": DRAFT, "$id": f"{BASE}/policy.schema.json", **policy_schema()},
    }


def facet_schema(key: str, facet: type[Facet]) -> Schema:
    """The schema of a facet as OpenLineage asks for it: its own fields beside those of the entity's facet.

    Args:
        key: under which the facet stands in ``facets``.
        facet: its class; the name ends in the entity (``…InputDatasetFacet``).
    """
    own, shared = _components(facet)
    fields = {name: field for name, field in own["properties"].items() if not name.startswith("_")}
    return {
        "$schema": DRAFT,
        "$id": f"{SCHEMA_BASE}/{facet.__name__}.json",
        "title": key,
        "description": own["description"],
        "allOf": [
            {"$ref": OPENLINEAGE + entity(facet)},
            {"type": "object", "properties": fields, "required": own["required"]},
        ],
        "$defs": shared,
    }


def entity(facet: type[Facet]) -> str:
    """OpenLineage's facet of the entity that a facet of ours describes: ``RunFacet``, ``DatasetFacet`` …"""
    known = ("InputDatasetFacet", "DatasetFacet", "RunFacet")
    return next(name for name in known if facet.__name__.endswith(name))


def document_schema(verb: str, kind: type) -> Schema:
    """The schema of what a verb prints with ``--format json``."""
    own, shared = _components(kind)
    return {"$schema": DRAFT, "$id": f"{BASE}/cli/{verb}.json", "title": f"lineagegate {verb}", **own, "$defs": shared}


def export_schema(path: str, kind: type) -> Schema:
    """The schema of a document that `export` writes."""
    own, shared = _components(kind)
    return {"$schema": DRAFT, "$id": f"{BASE}/{path}", **own, "$defs": shared}


def config_schema() -> Schema:
    """The schema of ``lineage.toml`` (and of ``[tool.lineage]`` in ``pyproject.toml``)."""
    notes = _notes(config.Config)
    patterns = {"type": "array", "items": {"type": "string"}}
    origin: Schema = {name: {"type": "string"} for name in config.ORIGIN_FIELDS}
    origin["kind"] = {"enum": [kind.value for kind in Kind if kind is not Kind.UNDECLARED]}
    rule = {
        "type": "object",
        "properties": {"path": {"type": "string"}, "url": {"type": "string"}, **origin},
        "required": ["kind"],
        "oneOf": [{"required": ["path"]}, {"required": ["url"]}],
        "additionalProperties": False,
    }
    return {
        "$schema": DRAFT,
        "$id": f"{BASE}/config.schema.json",
        "title": config.FILE,
        "description": "Settings of lineagegate.",
        "type": "object",
        "properties": {
            **{key: {"type": "string", "description": notes[key]} for key in config.TEXT_KEYS},
            "code": {**patterns, "description": "Patterns of code and configuration, which carry no label."},
            "models": {**patterns, "description": "Patterns of stage outputs that are models."},
            "origins": {"type": "array", "items": rule, "description": "Origins by path or URL."},
            **{key: {"type": "object"} for key in config.TABLES},
        },
        "additionalProperties": False,
    }


def _components(kind: type) -> tuple[Schema, Schema]:
    """A type's own schema, and those that it refers to, with the strings under fields as descriptions."""
    (root,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    assert root == {"$ref": f"#/$defs/{kind.__name__}"}
    classes = _reached(kind)
    for name, component in components.items():
        if "description" in component:
            component["description"] = " ".join(component["description"].split())
        if "properties" not in component:
            continue
        notes = _notes(classes[name])
        renamed = {field.encode_name: notes.get(field.name) for field in msgspec.structs.fields(classes[name])}
        for field, schema in component["properties"].items():
            if note := renamed.get(field):
                component["properties"][field] = {**schema, "description": note}
    own = components.pop(kind.__name__)
    return own, dict(sorted(components.items()))


def _reached(kind: Any) -> dict[str, type[msgspec.Struct]]:
    """The structs that a type is made of, by name."""
    found: dict[str, type[msgspec.Struct]] = {}
    waiting = [msgspec.inspect.type_info(kind)]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls.__name__ in found:
                continue
            found[info.cls.__name__] = info.cls
            waiting += [field.type for field in info.fields]
        for name in ("item_type", "value_type"):
            if isinstance(inner := getattr(info, name, None), msgspec.inspect.Type):
                waiting.append(inner)
        waiting += getattr(info, "item_types", ())
        waiting += getattr(info, "types", ())
    return found


@cache
def _notes(kind: type) -> Mapping[str, str]:
    """The string under each field of a class, those of its bases included."""
    notes: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.partition(".")[0] != "lineage":
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for field, note in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(note, ast.Expr):
                notes[field.target.id] = " ".join(ast.literal_eval(note.value).split())
    return notes


def text(schema: Schema) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write(directory: Path) -> None:
    """Write every schema under a directory."""
    for path, schema in schemas().items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text(schema), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "schemas"))
