"""Data & Trust Alliance, Data Provenance Standards 1.0.0: source, provenance and use of each source that is data.

The elements are those of the published specification (text and JSON encoding read in the Alliance's repositories DPS
and json-metadata). There is no library to hold a document to; schemas/exports/data-trust.json is ours, made from the
classes below, whose fields have the standard's names and cardinalities.

=====================================  ======================================================================
ours                                   Data Provenance Standards 1.0.0
=====================================  ======================================================================
source                                 source.title; source.id made from name and content
origin: provider                       source.issuer
all that is stated of the origin       source.description
origin: jurisdiction                   provenance.origin-geography
origin: kind, a model's output         provenance.generation-method machine-generated-mlops-generative
origin: kind synthetic                 provenance.generation-method machine-generated-mlops-synthetic
origin: licence, terms                 use.license
recorded use in the model              use.intended-purpose; ai-pre-training, ai-evaluation, else ai-other in words
=====================================  ======================================================================

Not known, and left empty: metadata location, source metadata, issue dates, period, format, classification, consents,
privacy tools, copyright, patent, trademark. Where the standard reads an absent geography as "no restriction", an entry
without a country stands in its place: nothing is known, which is not the same. The purpose that a dataset was made for
is not recorded; what it was used for is, and the description says so.
"""

from __future__ import annotations

from lineage.errors import printable
from lineage.evidence.case import Case, Trace
from lineage.evidence.document import Document, encode
from lineage.evidence.exports.view import Source, gaps, phrase, urn, view
from lineage.vocabulary import ArtifactType, Kind, Use

STANDARD = "Data & Trust Alliance Data Provenance Standards"
VERSION = "1.0.0"
_CODES = "https://dataandtrustalliance.org/DPS/CodeSystem/"
_GENERATED = {
    Kind.THIRD_PARTY_MODEL_OUTPUT: "machine-generated-mlops-generative",
    Kind.FIRST_PARTY_MODEL_OUTPUT: "machine-generated-mlops-generative",
    Kind.SYNTHETIC: "machine-generated-mlops-synthetic",
}
_PURPOSE = {Use.PRETRAINING: "ai-pre-training", Use.EVALUATION: "ai-evaluation"}


class _Element(Document, frozen=True, rename="kebab"):
    """The standard writes its element names with hyphens."""


class Organization(_Element, frozen=True):
    """A legal entity."""

    name: str
    address: tuple[str, ...] = ()


class Location(_Element, frozen=True):
    """A country, and a state of it; empty: not known."""

    country: str
    state: str = ""


class Concept(_Element, frozen=True):
    """A code from a vocabulary, and words; an empty code: none is known to fit."""

    code: str
    system: str
    description: str


class Period(_Element, frozen=True):
    """A span of time; empty: not known."""

    start: str = ""
    end: str = ""


class Classification(_Element, frozen=True):
    """Whether data under a regulation was looked for."""

    regulation: Concept
    evaluated: bool
    tool: str = ""


class PrivacyEnhancing(_Element, frozen=True):
    """How people in the data were protected."""

    tool_category: Concept
    tool_used: str = ""
    parameters: tuple[str, ...] = ()
    result: tuple[str, ...] = ()


class SourceGroup(_Element, frozen=True):
    """The dataset and who issued it."""

    version: str
    """Of the standard."""
    title: str
    id: str
    issuer: tuple[Organization, ...]
    description: str
    location: str = ""


class ProvenanceGroup(_Element, frozen=True):
    """Where it came from and how."""

    origin_geography: tuple[Location, ...]
    generation_method: tuple[Concept, ...]
    date: str = ""
    source: str = ""
    origin: tuple[Organization, ...] = ()
    previous_date: str = ""
    generation_period: Period = Period()
    format: tuple[str, ...] = ()


class UseGroup(_Element, frozen=True):
    """What it may be used for."""

    license: tuple[str, ...]
    intended_purpose: tuple[Concept, ...]
    processing_included: tuple[Location, ...] = (Location(""),)
    processing_excluded: tuple[Location, ...] = (Location(""),)
    storage_allowed: tuple[Location, ...] = (Location(""),)
    storage_forbidden: tuple[Location, ...] = (Location(""),)
    classification: tuple[Classification, ...] = ()
    consents: tuple[str, ...] = ()
    privacy_enhancing: tuple[PrivacyEnhancing, ...] = ()
    copyright: tuple[str, ...] = ()
    patent: tuple[str, ...] = ()
    trademark: tuple[str, ...] = ()


class Metadata(_Element, frozen=True):
    """One dataset as the standard describes it."""

    source: SourceGroup
    provenance: ProvenanceGroup
    use: UseGroup


class DataTrust(Document, frozen=True):
    """Every source of a model that is data."""

    standard: str
    version: str
    model: str
    asked: str
    datasets: tuple[Metadata, ...]
    unknown: tuple[str, ...]
    """What else is not known, a sentence each."""


def data_trust(case: Case) -> str:
    """The sources of the case in the words of the standard."""
    found = view(case)
    datasets = tuple(
        _dataset(source, found.model.name) for source in found.sources if source.ref.type is ArtifactType.DATASET
    )
    return encode(DataTrust(STANDARD, VERSION, found.model.name, found.created, datasets, tuple(gaps(found)))) + "\n"


def _dataset(source: Source, model: str) -> Metadata:
    origins = [trace.origin for trace in source.traces]
    issuers = sorted({printable(origin.provider) for origin in origins if origin.provider})
    places = sorted({printable(origin.jurisdiction) for origin in origins if origin.jurisdiction})
    terms = dict.fromkeys(printable(text) for origin in origins for text in (origin.licence, origin.terms) if text)
    methods = dict.fromkeys(Concept(_GENERATED.get(o.kind, ""), _CODES + "Method", o.kind.value) for o in origins)
    return Metadata(
        SourceGroup(
            VERSION,
            source.node.name,
            urn(source.node.id),
            tuple(Organization(name) for name in issuers or [""]),
            " | ".join(phrase(trace) for trace in source.traces),
        ),
        ProvenanceGroup(tuple(Location(place) for place in places or [""]), tuple(methods)),
        UseGroup(tuple(terms), tuple(dict.fromkeys(_purpose(trace, model) for trace in source.traces))),
    )


def _purpose(trace: Trace, model: str) -> Concept:
    code = _PURPOSE.get(trace.use, "ai-other")
    said = f"{trace.use.value} in {model}; the purpose that it was made for is not recorded"
    return Concept(code, _CODES + "Use", said)
