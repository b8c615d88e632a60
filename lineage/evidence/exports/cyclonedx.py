"""CycloneDX 1.6 (JSON), a machine-learning bill of materials.

=====================================  ======================================================================
ours                                   CycloneDX 1.6
=====================================  ======================================================================
the model                              metadata.component, type machine-learning-model
a source used for training             component of type data, modelCard.modelParameters.datasets by reference
a source used for evaluation, teacher, component of type data, not in the model card's datasets; use as property
prompt or retrieval
a source that is a model               component of type machine-learning-model; as base model: pedigree.ancestors
what lies between                      component of type file
run                                    formulation: a workflow with input, output, time; commit and person properties
made from                              dependencies
origin: provider                       supplier of the component; governance.owners of the data
who declared the origin                governance.stewards of the data
origin: licence                        licenses, an SPDX expression or a named licence
origin: everything else, how known     properties ``lineagegate:origin:…``
content key                            hashes; of a directory a property: it is no hash of the bytes
sizes                                  properties ``lineagegate:bytes``, ``:files``, ``:records``
decision, grant, removal               annotations on the model
lineage complete or not                compositions.aggregate
what is not known                      properties ``lineagegate:unknown`` of the BOM
=====================================  ======================================================================

What it cannot say: in which use a dataset reached the model (a property of ours does), that a dependency was only
measured with, or that something is not in the model other than by ``aggregate: complete``. Custodians are not known.
The library of the standard has no model card, so the document is written here and held to its strict schema in tests.
"""

from __future__ import annotations

from typing import Any

from lineage.errors import printable
from lineage.evidence.case import Case
from lineage.evidence.exports.view import (
    HOME,
    TOOL,
    TRAINED,
    Hop,
    Node,
    Run,
    Source,
    View,
    basis,
    digest,
    encode,
    gaps,
    identifier,
    licence,
    stated,
    urn,
    utc,
    view,
)
from lineage.vocabulary import ArtifactType, Use

VERSION = "1.6"
_ALGORITHM = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}

_Object = dict[str, Any]


def cyclonedx(case: Case) -> str:
    """The case as a CycloneDX 1.6 BOM."""
    found = view(case)
    sources = {source.node: source for source in found.sources}
    others = [node for node in found.nodes if node != found.model]
    document: _Object = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": VERSION,
        "serialNumber": urn(identifier("cyclonedx", case.question.subject, case.question.asked)),
        "version": 1,
        "metadata": {
            "timestamp": found.created,
            "tools": {"components": [{"type": "application", "name": TOOL, "externalReferences": [
                {"type": "website", "url": HOME}]}]},
            "component": _model(found, sources),
            "properties": _properties([("answer", case.answer.sentence), *(("unknown", gap) for gap in gaps(found))]),
        },
        "components": [_source(sources[node]) if node in sources else _between(node) for node in others],
        "dependencies": _dependencies(found),
        "compositions": [
            {"aggregate": "complete" if found.whole else "incomplete", "dependencies": [urn(found.model.id)]}
        ],
        "annotations": _annotations(case, urn(found.model.id)),
        "formulation": [{"workflows": [_workflow(run, hops) for run, hops in found.runs().items()]}],
    }  # fmt: skip
    return encode({name: value for name, value in document.items() if value not in ([], [{"workflows": []}])})


def _model(found: View, sources: dict[Node, Source]) -> _Object:
    case = found.case
    data = [source for source in found.sources if source.ref.type is ArtifactType.DATASET]
    trained = [source for source in data if any(trace.use in TRAINED for trace in source.traces)]
    bases = [s for s in found.sources if s.node != found.model and any(t.use is Use.BASE_MODEL for t in s.traces)]
    own = sources.get(found.model)
    component = _component("machine-learning-model", found.model, own)
    component |= {"version": printable(case.subject.version)[:1024]} if case.subject.version else {}
    if bases:
        component["pedigree"] = {
            "ancestors": [
                {"type": _kind(s), "name": s.node.name, "bom-ref": f"ancestor:{urn(s.node.id)}"} for s in bases
            ]
        }
    datasets = [{"ref": urn(source.node.id)} for source in trained]
    component["modelCard"] = {"modelParameters": {"datasets": datasets}} if datasets else {}
    return component


def _source(source: Source) -> _Object:
    component = _component(_kind(source), source.node, source)
    if source.ref.type is ArtifactType.MODEL:
        return component
    owners = sorted({t.origin.provider for t in source.traces if t.origin.provider})
    stewards = sorted({t.declared_by for t in source.traces if t.declared_by})
    governance = {
        "owners": [{"organization": {"name": printable(name)}} for name in owners],
        "stewards": [{"contact": {"name": printable(name)}} for name in stewards],
    }
    data: _Object = {"type": "dataset", "name": source.node.name, "contents": {"url": source.node.uri}}
    governance = {role: people for role, people in governance.items() if people}
    component["data"] = [data | ({"governance": governance} if governance else {})]
    return component


def _kind(source: Source) -> str:
    return "machine-learning-model" if source.ref.type is ArtifactType.MODEL else "data"


def _between(node: Node) -> _Object:
    return _component("file", node, None)


def _component(kind: str, node: Node, source: Source | None) -> _Object:
    component: _Object = {"type": kind, "bom-ref": urn(node.id), "name": node.name}
    properties = []
    if found := digest(node.content):
        component["hashes"] = [{"alg": _ALGORITHM[found[0]], "content": found[1]}]
    elif node.content:
        properties.append(("content", node.content))
    if source:
        component |= _supplied(source)
        for name, value in (("bytes", source.bytes), ("files", source.files), ("records", source.records)):
            properties.append((name, "NOASSERTION" if value is None else str(value)))
        for number, trace in enumerate(source.traces, 1):
            label = f"label:{number}:"
            properties += [(f"{label}use", trace.use.value), (f"{label}basis", basis(trace.basis))]
            properties += [(f"{label}origin:{name}", value) for name, value in stated(trace.origin)]
            properties += [(f"{label}declared", trace.declared)] if trace.declared else []
    if properties:
        component["properties"] = _properties(properties)
    return component


def _supplied(source: Source) -> _Object:
    found: _Object = {}
    providers = sorted({t.origin.provider for t in source.traces if t.origin.provider})
    if len(providers) == 1:
        found["supplier"] = {"name": printable(providers[0])}
    licences = sorted({t.origin.licence for t in source.traces if t.origin.licence})
    if len(licences) == 1 and licence(licences[0]):
        found["licenses"] = [{"expression": licences[0]}]
    elif licences:
        found["licenses"] = [{"license": {"name": printable(text)}} for text in licences]
    return found


def _dependencies(found: View) -> list[_Object]:
    reads: dict[str, dict[str, None]] = {urn(node.id): {} for node in found.nodes}
    for hop in found.hops:
        reads[urn(hop.made.id)][urn(hop.read.id)] = None
    between = {hop.read for hop in found.hops}
    for source in found.sources:
        if source.node not in between and source.node != found.model:  # no path of its own: it is known to be upstream
            reads[urn(found.model.id)][urn(source.node.id)] = None
    return [{"ref": ref, "dependsOn": list(on)} for ref, on in reads.items()]


def _workflow(run: Run, hops: list[Hop]) -> _Object:
    made = dict.fromkeys(urn(hop.made.id) for hop in hops if hop.makes)
    workflow: _Object = {
        "bom-ref": urn(run.id), "uid": run.id, "name": run.name, "taskTypes": ["other"],
        "inputs": [
            {"resource": {"ref": urn(hop.read.id)}, "properties": _properties([("use", hop.use.value)])} for hop in hops
        ],
        "outputs": [{"type": "artifact", "resource": {"ref": ref}} for ref in made],
        "timeEnd": run.time,
        "properties": _properties(
            [pair for pair in (("commit", run.commit), ("by", run.by), ("evidence", run.evidence)) if pair[1]]
        ),
    }  # fmt: skip
    return {name: value for name, value in workflow.items() if value not in ("", [])}


def _annotations(case: Case, model: str) -> list[_Object]:
    said = [
        (d.id, d.by, utc(d.time), f"{d.action} {d.subject}: {d.outcome.value}; {d.reason}")
        for d in (judged.decision for judged in case.decisions)
    ]  # fmt: skip
    said += [
        (use.grant.id, use.grant.approver, utc(use.recorded), f"grant on {use.grant.reference}: {use.sentence}")
        for use in case.grants
    ]
    said += [
        (shown.removal.id, shown.removal.claimed_by, utc(shown.claimed),
         f"removal, {shown.state}, approved by {shown.removal.approved_by or 'nobody'}; result: "
         f"{shown.removal.result or 'not stated'}")
        for shown in case.removals
    ]  # fmt: skip
    return [
        {"bom-ref": urn(identifier("annotation", identity)), "subjects": [model],
         "annotator": {"individual": {"name": printable(who) or "NOASSERTION"}}, "timestamp": time,
         "text": printable(text)}
        for identity, who, time, text in said
        if time
    ]  # fmt: skip


def _properties(pairs: list[tuple[str, str]]) -> list[_Object]:
    return [{"name": f"lineagegate:{name}", "value": printable(value)} for name, value in pairs]
