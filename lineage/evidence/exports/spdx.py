"""SPDX 3.0.1 (JSON-LD): profiles Core, Software and SimpleLicensing, with the classes of the AI and Dataset profiles.

=====================================  ======================================================================
ours                                   SPDX 3.0.1
=====================================  ======================================================================
the model                              ai_AIPackage
a source that is data                  dataset_DatasetPackage
a source that is a model               ai_AIPackage
what lies between                      software_Package (a path does not say what it is)
data used for content, annotation,     Relationship trainedOn, from the model; the use as comment
pretraining, fine-tuning, distillation,
reward modelling or validation
data used for evaluation               Relationship testedOn
a model used as base model             Relationship descendantOf
every other use; a model whose output  Relationship other; the use as comment
was trained on
made from, through a run               Relationship descendantOf; run, commit and person as comment, time as endTime
origin: provider                       Organization, originatedBy
origin: licence                        Relationship hasDeclaredLicense to a LicenseExpression; not stated: NoAssertion;
                                       a text that is no SPDX expression: LicenseRef- with the text
origin: everything else, how known     dataset_dataCollectionProcess (of a model: software_sourceInfo)
size in bytes                          dataset_datasetSize
content key                            verifiedUsing (Hash); of a directory ExternalIdentifier: no hash of its bytes
decision, grant, removal               Annotation on the model
lineage complete or not                completeness of the relationships
what is not known                      comment of the document; NOASSERTION where SPDX has it
=====================================  ======================================================================

The AI profile demands release time, download location, version and supplier of a model, the Dataset profile origin,
built and release time and download location of data. A record of lineage has few of these, and a made-up one would be a
statement: the document does not claim these two profiles, and uses their classes all the same, as SPDX permits. That a
path does not exist cannot be said, other than by completeness.
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
    Source,
    View,
    digest,
    encode,
    gaps,
    identifier,
    licence,
    phrase,
    urn,
    view,
)
from lineage.vocabulary import ArtifactType, Use

VERSION = "3.0.1"
CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
INFO = "_:creation"
NO_LICENCE = "https://spdx.org/rdf/3.0.1/terms/Licensing/NoAssertion"

_SAYS = {Use.EVALUATION: "testedOn", **dict.fromkeys(TRAINED, "trainedOn")}


class _Graph:
    """The elements of a document, each once, in the order in which they came up."""

    def __init__(self, completeness: str) -> None:
        self.elements: dict[str, dict[str, Any]] = {}
        self.completeness = completeness

    def add(self, kind: str, identity: str, **properties: Any) -> str:
        uri = urn(identity)
        own = {name: value for name, value in properties.items() if value not in ("", None, [])}
        self.elements.setdefault(uri, {"type": kind, "spdxId": uri, "creationInfo": INFO, **own})
        return uri

    def relate(self, kind: str, start: str, end: str, *, comment: str = "", time: str = "", whole: bool = True) -> None:
        self.add(
            "Relationship", identifier(kind, start, end, comment),
            **{"from": start, "to": [end], "relationshipType": kind, "comment": comment, "endTime": time,
               "completeness": self.completeness if whole else ""},
        )  # fmt: skip

    def agent(self, kind: str, name: str) -> str:
        return self.add(kind, identifier(kind, name), name=printable(name))


def spdx3(case: Case) -> str:
    """The case as SPDX 3.0.1 JSON-LD."""
    found = view(case)
    out = _Graph("complete" if found.whole else "incomplete")
    tool = out.add("SoftwareAgent", identifier("tool", TOOL), name=TOOL, description=HOME)
    model = _model(out, found)
    for source in found.sources:
        uri = model if source.node == found.model else _source(out, source)
        _licence(out, uri, source)
        if uri != model:
            for trace in source.traces:
                out.relate(_relation(source, trace.use), model, uri, comment=f"use: {trace.use.value}")
    for node in found.nodes:
        if urn(node.id) not in out.elements:
            out.add("software_Package", node.id, name=node.name, **_content(node))
    for hop in found.hops:
        if hop.use is not Use.EVALUATION:
            out.relate(
                "descendantOf", urn(hop.made.id), urn(hop.read.id), comment=_run(hop), time=hop.run.time, whole=False
            )
    _annotate(out, case, model)
    info = {
        "type": "CreationInfo", "@id": INFO, "specVersion": VERSION, "created": found.created, "createdBy": [tool],
    }  # fmt: skip
    document = {
        "type": "SpdxDocument",
        "spdxId": urn(identifier("spdx", case.question.subject, case.question.asked)),
        "creationInfo": INFO,
        "name": printable(case.question.subject),
        "comment": printable(" ".join([case.answer.sentence, *gaps(found)])),
        "profileConformance": ["core", "software", "simpleLicensing"],
        "rootElement": [model],
        "element": sorted(out.elements),
    }
    return encode({"@context": CONTEXT, "@graph": [info, document, *out.elements.values()]})


def _model(out: _Graph, found: View) -> str:
    subject = found.case.subject
    run = " ".join(f"Made by {printable(subject.run)}, commit {printable(subject.commit) or 'not known'}.".split())
    return out.add(
        "ai_AIPackage", found.model.id, name=found.model.name, software_primaryPurpose="model",
        software_packageVersion=printable(subject.version), ai_informationAboutTraining=run if subject.run else "",
        **_content(found.model),
    )  # fmt: skip


def _source(out: _Graph, source: Source) -> str:
    said = " | ".join(phrase(trace) for trace in source.traces)
    makers = sorted({out.agent("Organization", t.origin.provider) for t in source.traces if t.origin.provider})
    shared: dict[str, Any] = {"name": source.node.name, "originatedBy": makers, **_content(source.node)}
    if source.ref.type is ArtifactType.MODEL:
        return out.add(
            "ai_AIPackage", source.node.id, software_primaryPurpose="model", software_sourceInfo=said, **shared
        )
    return out.add(
        "dataset_DatasetPackage", source.node.id, software_primaryPurpose="data", dataset_datasetType=["noAssertion"],
        dataset_dataCollectionProcess=said, dataset_datasetSize=source.bytes, **shared,
    )  # fmt: skip


def _relation(source: Source, use: Use) -> str:
    """What the model is to a source. Nobody is trained on a model: on what it wrote, or from its weights."""
    if source.ref.type is ArtifactType.MODEL:
        return "descendantOf" if use is Use.BASE_MODEL else "other"
    return _SAYS.get(use, "other")


def _content(node: Node) -> dict[str, Any]:
    if found := digest(node.content):
        return {"verifiedUsing": [{"type": "Hash", "algorithm": found[0], "hashValue": found[1]}]}
    if node.content:
        return {
            "externalIdentifier": [
                {"type": "ExternalIdentifier", "externalIdentifierType": "other", "identifier": printable(node.content)}
            ]
        }
    return {}


def _licence(out: _Graph, uri: str, source: Source) -> None:
    stated = sorted({trace.origin.licence for trace in source.traces if trace.origin.licence})
    for text in stated:
        identity = identifier("licence", text)
        custom = {}
        if not (expression := licence(text)):
            # SPDX takes a text that is no expression under a reference of one's own
            expression = f"LicenseRef-{identity}"
            name = out.add(
                "simplelicensing_SimpleLicensingText", identifier("licence text", text),
                simplelicensing_licenseText=printable(text),
            )  # fmt: skip
            custom = {"simplelicensing_customIdToUri": [{"type": "DictionaryEntry", "key": expression, "value": name}]}
        target = out.add(
            "simplelicensing_LicenseExpression", identity, simplelicensing_licenseExpression=expression, **custom
        )
        out.relate("hasDeclaredLicense", uri, target, whole=False)
    if not stated:
        out.relate("hasDeclaredLicense", uri, NO_LICENCE, whole=False)


def _run(hop: Hop) -> str:
    run = hop.run
    parts = [("run", run.name), ("use", hop.use.value), ("commit", run.commit), ("by", run.by)]
    parts += [("evidence", run.evidence)]
    return "; ".join(f"{name}: {value}" for name, value in parts if value)


def _annotate(out: _Graph, case: Case, model: str) -> None:
    said = [
        (d.id, f"decision of {d.time}, {d.action} {d.subject}: {d.outcome.value}; {d.reason}")
        for d in (judged.decision for judged in case.decisions)
    ]  # fmt: skip
    said += [
        (g.grant.id, f"grant {g.grant.id}, approved by {g.grant.approver}, on {g.grant.reference}: {g.sentence}")
        for g in case.grants
    ]
    said += [
        (r.id, f"removal {r.id}, {state}; claimed by {r.claimed_by}, approved by {r.approved_by or 'nobody'}; result: "
         f"{r.result or 'not stated'}")
        for r, state in ((shown.removal, shown.state) for shown in case.removals)
    ]  # fmt: skip
    for identity, text in said:
        out.add(
            "Annotation", identifier("annotation", identity), annotationType="other", subject=model,
            statement=printable(text),
        )  # fmt: skip
