"""Croissant 1.0 (MLCommons, 2024-03-01) with its RAI vocabulary 1.0: the sources of a model as one dataset.

=====================================  ======================================================================
ours                                   Croissant
=====================================  ======================================================================
the sources of a model that are data   one Dataset; a catalogue reads one dataset in a file
a source that is a file                FileObject: contentUrl, md5 or sha256, contentSize
a source that is a directory, or whose FileSet: includes; the content key in its description
bytes are not known
origin: provider                       creator
origin: licence                        license; https://spdx.org/licenses/… for an SPDX identifier
origin: everything else, how known     description of the file, rai:dataCollection
origin: kind web-crawl                 rai:dataCollectionType Web Scraping
origin: kind human-annotation          rai:dataCollectionType Manual Human Curator
time of the newest entry               sdDatePublished, the date of the description
use                                    rai:dataUseCases (Training, Fine Tuning, Validation, Testing, Others)
not complete, what is not known        rai:dataLimitations
=====================================  ======================================================================

Left out because nothing is known of it, though the standard asks for it: url, datePublished, version, record sets and
fields, and every other RAI field. encodingFormat has to be there: application/octet-stream is what RFC 2046 section
4.5.1 has for content of which nothing is known. A contentUrl is a path in the project, or where the data lay when it
was read; whether anybody else reaches it is not known. Sources that are models are no data and not in it.
"""

from __future__ import annotations

from typing import Any

from lineage.errors import printable
from lineage.evidence.case import Case
from lineage.evidence.exports.view import Source, digest, encode, gaps, identifier, licence, phrase, urn, view
from lineage.vocabulary import ArtifactType, Kind, Use

VERSION = "1.0"
UNKNOWN_FORMAT = "application/octet-stream"
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification gives (appendix 1), with the RAI vocabulary."""

_COLLECTED = {Kind.WEB_CRAWL: "Web Scraping", Kind.HUMAN_ANNOTATION: "Manual Human Curator"}
_USED = {
    Use.CONTENT: "Training",
    Use.ANNOTATION: "Training",
    Use.PRETRAINING: "Training",
    Use.DISTILLATION: "Training",
    Use.REWARD_MODELLING: "Training",
    Use.FINE_TUNING: "Fine Tuning",
    Use.VALIDATION: "Validation",
    Use.EVALUATION: "Testing",
}

_Object = dict[str, Any]


def croissant(case: Case) -> str:
    """The sources of the case's model as a Croissant dataset."""
    found = view(case)
    sources = [source for source in found.sources if source.ref.type is ArtifactType.DATASET]
    traces = [trace for source in sources for trace in source.traces]
    makers = sorted({trace.origin.provider for trace in traces if trace.origin.provider})
    collected = dict.fromkeys(_COLLECTED[t.origin.kind] for t in traces if t.origin.kind in _COLLECTED)
    document: _Object = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "@id": urn(identifier("croissant", case.question.subject, case.question.asked)),
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": f"Sources of {found.model.name}",
        "description": printable(f"What {found.model.name} was made from or measured with. {case.answer.sentence}"),
        "sdDatePublished": found.created,
        "creator": [{"@type": "sc:Organization", "name": printable(name)} for name in makers],
        "license": _licences({trace.origin.licence for trace in traces}),
        "rai:dataCollection": " | ".join(f"{source.node.name}: {_said(source)}" for source in sources),
        "rai:dataCollectionType": list(collected),
        "rai:dataUseCases": sorted({_USED.get(trace.use, "Others") for trace in traces}),
        "rai:dataLimitations": gaps(found),
        "distribution": [_file(source) for source in sources],
    }
    return encode({name: value for name, value in document.items() if value not in ("", [])})


def _said(source: Source) -> str:
    return " | ".join(phrase(trace) for trace in source.traces)


def _licences(texts: set[str]) -> list[str]:
    return [_licence(text) for text in sorted(texts - {""})]


def _licence(text: str) -> str:
    single = licence(text) == text and not set(text) & set(" ()+") and not text.startswith("LicenseRef-")
    return f"https://spdx.org/licenses/{text}" if single else printable(text)


def _file(source: Source) -> _Object:
    node = source.node
    shared: _Object = {"@id": urn(node.id), "name": node.name, "encodingFormat": UNKNOWN_FORMAT}
    licences = _licences({trace.origin.licence for trace in source.traces})
    shared |= {"license": licences} if licences else {}
    found = digest(node.content)
    if found and found[0] in ("md5", "sha256"):
        size = {} if source.bytes is None else {"contentSize": f"{source.bytes} B"}
        return {
            "@type": "cr:FileObject", **shared, "description": _said(source), "contentUrl": node.uri, **size,
            found[0]: found[1],
        }  # fmt: skip
    known = f"; content: {printable(node.content)}" if node.content else ""
    size = {} if source.bytes is None else {"contentSize": f"{source.bytes} B"}
    return {"@type": "cr:FileSet", **shared, "description": _said(source) + known, "includes": f"{node.uri}/**", **size}
