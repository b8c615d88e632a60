"""The public summary of training content, Article 53(1)(d) of Regulation (EU) 2024/1689, as far as the record goes.

The form is the template that the European Commission published on 24 July 2025 (Explanatory Notice and Template for
the Public Summary of Training Content for general-purpose AI models; adopted as C(2025) 8311 of 5 December 2025). The
sections and questions were taken from summaries that providers published on it; the Commission's own file could not be
read when this was written, so the questions stand here in our words and its text prevails. No library checks a summary:
schemas/exports/eu-summary.json is ours, made from the classes below.

=====================================  ======================================================================
ours                                   section of the template
=====================================  ======================================================================
model name and version                 1.2 versioned model name
source used as base model or teacher   1.2 model dependencies
shares of the training sources         1.3 size, in bytes, files and records: tokens are not counted
origin: acquired, of every source      1.3 latest date of acquisition
kind open-licence, public-domain       2.1 publicly available datasets
kind licensed                          2.2.1 datasets commercially licensed
kind web-crawl, no provider named      2.3 data crawled and scraped
kind third-party-model-output,         2.5 synthetic data
first-party-model-output, synthetic
kind web-crawl, with a provider        2.1, 2.2.2 or 2.3: not placed
kind customer                          2.2.2 or 2.4: not placed
kind human-annotation                  2.2.2 or 2.6: not placed
kind first-party                       2.4 or 2.6: not placed
kind undeclared                        any: not placed
=====================================  ======================================================================

What is not placed is listed with the sections that come into question: the record does not say which. "No" is said of a
section only over a lineage that was read whole, with every source listed and none that could belong there. Sources that
a model was only measured with are no training content and are listed apart. Who places the model on the market,
modalities, languages, crawler behaviour, rights reservation and removal of illegal content are no part of a record of
lineage: these answers are empty, for the provider to give.
"""

from __future__ import annotations

from collections.abc import Mapping

from lineage.errors import printable
from lineage.evidence.case import Case
from lineage.evidence.document import Document, encode
from lineage.evidence.exports.view import TRAINED, Source, View, gaps, phrase, view
from lineage.evidence.layout import count
from lineage.vocabulary import Kind, Use

TEMPLATE = "Public Summary of Training Content for general-purpose AI models, Article 53(1)(d) AI Act"
VERSION = "2025-07-24"
REFERENCE = "https://digital-strategy.ec.europa.eu/en/library/explanatory-notice-and-template-public-summary-training-content-general-purpose-ai-models"

_SECTIONS: Mapping[Kind, tuple[str, ...]] = {
    Kind.OPEN_LICENCE: ("2.1",),
    Kind.PUBLIC_DOMAIN: ("2.1",),
    Kind.LICENSED: ("2.2.1",),
    Kind.WEB_CRAWL: ("2.3",),
    Kind.THIRD_PARTY_MODEL_OUTPUT: ("2.5",),
    Kind.FIRST_PARTY_MODEL_OUTPUT: ("2.5",),
    Kind.SYNTHETIC: ("2.5",),
    Kind.CUSTOMER: ("2.2.2", "2.4"),
    Kind.HUMAN_ANNOTATION: ("2.2.2", "2.6"),
    Kind.FIRST_PARTY: ("2.4", "2.6"),
    Kind.UNDECLARED: ("2.1", "2.2.1", "2.2.2", "2.3", "2.4", "2.5", "2.6"),
}


class Answer(Document, frozen=True):
    """One field of the form."""

    id: str
    """Stable, for programs."""
    question: str
    """What the template asks, in short."""
    answer: str
    """Empty: the record does not say."""
    sources: tuple[str, ...] = ()
    """What the answer rests on, a source each, with what is stated of it."""


class Section(Document, frozen=True):
    """One numbered section of the template."""

    number: str
    title: str
    answers: tuple[Answer, ...]


class Summary(Document, frozen=True):
    """The form."""

    template: str
    version: str
    reference: str
    model: str
    last_update: str
    """When the newest thing that it rests on was recorded."""
    sections: tuple[Section, ...]
    unplaced: tuple[str, ...]
    """Training sources that the record cannot place in a section: the provider has to."""
    measured: tuple[str, ...]
    """Sources that the model was only measured with."""
    unknown: tuple[str, ...]
    """What else is not known, a sentence each."""


def summary(case: Case) -> Summary:
    """The form, filled as far as the record goes."""
    found = view(case)
    trained = [s for s in found.sources if any(t.use in TRAINED for t in s.traces) and s.node != found.model]
    measured = [s for s in found.sources if all(t.use is Use.EVALUATION for t in s.traces)]
    sections = _Sections(found, trained)
    return Summary(
        TEMPLATE, VERSION, REFERENCE, found.model.name, found.created,
        (*sections.general(), *sections.sources(), *_processing()),
        sections.unplaced(), tuple(map(_line, measured)), tuple(gaps(found)),
    )  # fmt: skip


def eu_summary(case: Case) -> str:
    """The form as JSON."""
    return encode(summary(case)) + "\n"


def eu_summary_markdown(case: Case) -> str:
    """The form for people: Markdown, with what is not known as an empty line to fill in."""
    form = summary(case)
    lines = [
        f"# Public summary of training content: {_plain(form.model)}", "",
        f"Template: {_plain(form.template)}, {form.version}. State of the record: {form.last_update}.", "",
        "An answer that is not given is not in the record; it is for the provider to give.",
    ]  # fmt: skip
    for section in form.sections:
        lines += ["", f"{'#' * (1 + section.number.count('.') + 1)} {section.number} {section.title}"]
        for answer in section.answers:
            lines += ["", f"**{answer.question}** {_plain(answer.answer) or '…………………………'}"]
            lines += ["", *(f"- {_plain(text)}" for text in answer.sources)] if answer.sources else []
    for title, texts in (
        ("Training sources that the record does not place", form.unplaced),
        ("Used for evaluation only, not training content", form.measured),
        ("Not known", form.unknown),
    ):
        if texts:
            lines += ["", f"## {title}", "", *(f"- {_plain(text)}" for text in texts)]
    return "\n".join(lines) + "\n"


class _Sections:
    """The sections that the record speaks about."""

    def __init__(self, found: View, trained: list[Source]) -> None:
        self.found = found
        self.placed = [(source, _sections(source)) for source in trained]

    def general(self) -> tuple[Section, ...]:
        dependencies = [s for s in self.found.sources if any(t.use in (Use.BASE_MODEL, Use.TEACHER) for t in s.traces)]
        return (
            Section("1", "General information", ()),
            Section("1.1", "Provider identification", (
                _empty("provider", "Provider name and contact details:"),
                _empty("representative", "Authorised representative name and contact details:"),
            )),
            Section("1.2", "Model identification", (
                Answer("modelName", "Versioned model name(s):", self.found.model.name),
                Answer(
                    "modelDependencies", "Model dependencies:",
                    f"{len(dependencies)} listed" if dependencies else "none" if self.found.whole else "",
                    tuple(map(_line, dependencies)),
                ),
                _empty("placedOnMarket", "Date of placement of the model on the Union market:"),
            )),
            Section("1.3", "Modalities, overall training data size and other characteristics", (
                _empty("modalities", "Modalities present in the training data:"),
                Answer("size", "Training data size, in another unit than the template's:", self._size()),
                _empty("contentTypes", "Types of content:"),
                Answer("latestAcquisition", "Latest date of data acquisition or collection:", self._latest()),
                _empty("languages", "Linguistic characteristics of the overall training data:"),
                _empty("characteristics", "Other relevant characteristics of the overall training data:"),
                _empty("generalComments", "Additional comments (optional):"),
            )),
        )  # fmt: skip

    def sources(self) -> tuple[Section, ...]:
        third = self._models(Kind.THIRD_PARTY_MODEL_OUTPUT)
        own = self._models(Kind.FIRST_PARTY_MODEL_OUTPUT)
        return (
            Section("2", "List of data sources", ()),
            Section("2.1", "Publicly available datasets", (
                self._used("publicDatasets", "Have publicly available datasets been used to train the model?", "2.1"),
                _empty("publicModalities", "Modalities of their content:"),
                _empty("publicLarge", "Which of them are large:"),
                _empty("publicOthers", "General description of other publicly available datasets:"),
                _empty("publicComments", "Additional comments (optional):"),
            )),
            Section("2.2", "Private non-publicly available datasets obtained from third parties", ()),
            Section("2.2.1", "Datasets commercially licensed by rightsholders or their representatives", (
                self._used("licensedDatasets", "Have commercial licensing agreements been concluded?", "2.2.1"),
                _empty("licensedModalities", "Modalities of their content:"),
            )),
            Section("2.2.2", "Private datasets obtained from other third parties", (
                self._used("privateDatasets", "Have other private datasets been obtained from third parties?", "2.2.2"),
                _empty("privateModalities", "Modalities of their content:"),
                _empty("privateKnown", "Private datasets that are publicly known:"),
                _empty("privateOthers", "General description of those that are not publicly known:"),
                _empty("privateComments", "Additional comments (optional):"),
            )),
            Section("2.3", "Data crawled and scraped from online sources", (
                self._used("crawled", "Were crawlers used by the provider or on its behalf?", "2.3"),
                _empty("crawlers", "Crawler names or identifiers:"),
                _empty("crawlPurposes", "Purposes of the crawlers:"),
                _empty("crawlBehaviour", "General description of crawler behaviour:"),
                _empty("crawlPeriod", "Period of data collection:"),
                _empty("crawlContent", "Description of the type of content and online sources crawled:"),
                _empty("crawlModalities", "Modalities covered:"),
                _empty("crawlDomains", "Summary of the most relevant domain names crawled:"),
                _empty("crawlComments", "Additional comments (optional):"),
            )),
            Section("2.4", "User data", (
                self._used("userInteractions", "Was data from user interactions with the AI model used?", "2.4"),
                self._used("userServices", "Was data from the provider's other services or products used?", "2.4"),
                _empty("userServicesDescription", "General description of these services:"),
                _empty("userModalities", "Modalities covered:"),
                _empty("userComments", "Additional comments (optional):"),
            )),
            Section("2.5", "Synthetic data", (
                self._used("synthetic", "Was synthetic AI-generated data created by or for the provider?", "2.5"),
                _empty("syntheticModalities", "Modalities of the synthetic data:"),
                Answer("syntheticModels", "Other providers' models that generated it, as far as stated:", third),
                Answer("syntheticOwnModels", "Own models that generated it, as far as stated:", own),
                _empty("syntheticComments", "Additional comments (optional):"),
            )),
            Section("2.6", "Other sources of data", (
                self._used("otherSources", "Have sources other than those of 2.1 to 2.5 been used?", "2.6"),
                _empty("otherDescription", "Narrative description of these sources and the data:"),
                _empty("otherComments", "Additional comments (optional):"),
            )),
        )  # fmt: skip

    def unplaced(self) -> tuple[str, ...]:
        """Training sources of which the record does not say where they belong, with what comes into question."""
        return tuple(
            f"{_line(source)} ({' or '.join(sorted(fit))})"
            for source, fits in self.placed
            for fit in dict.fromkeys(fits)
            if len(fit) > 1
        )

    def _used(self, name: str, question: str, section: str) -> Answer:
        """Yes where a source belongs there, no where none can, nothing where that is not known."""
        sources = tuple(_line(source) for source, fits in self.placed if (section,) in fits)
        # what is licensed may have come from an intermediary, who is a third party without being a rightsholder
        wanted = {section, "2.2.1"} if section == "2.2.2" else {section}
        none = self.found.whole and not any(wanted & set(fit) for _, fits in self.placed for fit in fits)
        return Answer(name, question, "yes" if sources else "no" if none else "", sources)

    def _models(self, kind: Kind) -> str:
        origins = [t.origin for source, _ in self.placed for t in source.traces if t.use in TRAINED]
        names = {"/".join(filter(None, (o.provider, o.service))) for o in origins if o.kind is kind}
        return printable(", ".join(sorted(names - {""})))

    def _size(self) -> str:
        """The sum of what is known, and of how many it is not."""
        shares = [share for share in self.found.case.shares if share.use in TRAINED]
        if not shares:
            return ""
        said = []
        for unit in ("bytes", "files", "records"):
            known = [number for share in shares if (number := getattr(share, unit)) is not None]
            if known:
                open_ends = len(known) < len(shares) or any(share.unsized for share in shares)
                said.append(f"{'at least ' if open_ends else ''}{sum(known):,} {unit}")
        unsized = sum(share.unsized for share in shares)
        text = ", ".join(said)
        return f"{text}; the size of {count(unsized, 'source')} is not known" if text and unsized else text

    def _latest(self) -> str:
        dates = [t.origin.acquired for source, _ in self.placed for t in source.traces if t.use in TRAINED]
        return printable(max(dates)) if dates and all(dates) and self.found.whole else ""


def _processing() -> tuple[Section, ...]:
    return (
        Section("3", "Data processing aspects", ()),
        Section("3.1", "Respect of reservation of rights from the text and data mining exception or limitation", (
            _empty("codeOfPractice", "Signatory to the Code of Practice for general-purpose AI models?"),
            _empty("rightsReservation", "Measures implemented before training to respect reservations of rights:"),
            _empty("rightsComments", "Additional comments (optional):"),
        )),
        Section("3.2", "Removal of illegal content", (
            _empty("illegalContent", "General description of measures taken:"),
        )),
        Section("3.3", "Other information (optional)", (_empty("otherProcessing", "Other relevant information:"),)),
    )  # fmt: skip


def _sections(source: Source) -> list[tuple[str, ...]]:
    """For each label that a source was trained on with, the sections that it can belong to; one: it belongs there."""
    origins = [trace.origin for trace in source.traces if trace.use in TRAINED]
    by_others = ("2.1", "2.2.2", "2.3")
    return [by_others if o.kind is Kind.WEB_CRAWL and o.provider else _SECTIONS[o.kind] for o in origins]


def _line(source: Source) -> str:
    return f"{source.node.name}: {' | '.join(phrase(trace) for trace in source.traces)}"


def _empty(name: str, question: str) -> Answer:
    return Answer(name, question, "")


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: no mark-up, no HTML, no link that somebody's name could open."""
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#&~!" else char for char in printable(text)).replace(
        "://", "\\://"
    )
