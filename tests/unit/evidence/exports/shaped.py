"""Cases for the exports that nobody would meet by hand: with models as sources, and with hostile words everywhere."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec
from msgspec.structs import replace

from lineage.evidence.case import Case, CaseStep, Share, SourceSize, Trace
from lineage.evidence.document import ArtifactRef
from lineage.vocabulary import ArtifactType, Basis, Kind, Origin, Use
from tests.unit.evidence.cases import JO, NO, YES, content, data

DIRECTORY = "md5:" + "5" * 32 + ".dir"


def _traced(source: ArtifactRef, origin: Origin, use: Use, basis: Basis | None = Basis.DECLARED) -> Trace:
    step = CaseStep(source.display, "", "content", source.content or "", "", "", "", "", ())
    end = CaseStep(
        "models:/seed-chat/9", "train", use.value, content("models/seed-chat/9"), "c0ffee", "2023-09-20T10:00:00+00:00", JO,
        "observed", (28,),
    )  # fmt: skip
    size = SourceSize(source, 3, 96_000_000, None)
    return Trace(
        origin, use, basis, source, "2023-04-20T10:00:00+00:00", JO, "", "", "", "", (step, end), (), 1, (size,)
    )


def _model(name: str) -> ArtifactRef:
    return ArtifactRef("https://hub.example", name, f"https://hub.example/{name}", ArtifactType.MODEL, content(name))


USES = (
    Use.PRETRAINING, Use.CONTENT, Use.FINE_TUNING, Use.EVALUATION, Use.VALIDATION, Use.PRETRAINING, Use.ANNOTATION,
    Use.DISTILLATION, Use.PROMPT, Use.RETRIEVAL, Use.PRETRAINING,
)  # fmt: skip
"""Of the sources of each kind."""

EVERY_KIND = replace(
    NO,
    question=replace(NO.question, origin=""),
    traces=(
        _traced(_model("llama/7b"), Origin(Kind.LICENSED, "meta", "llama-2-7b"), Use.BASE_MODEL),
        _traced(_model("seed/teacher"), Origin(Kind.FIRST_PARTY, "seed"), Use.TEACHER),
        _traced(_model("seed/writer"), Origin(Kind.FIRST_PARTY_MODEL_OUTPUT, "seed", "writer"), Use.FINE_TUNING),
        *(
            _traced(
                replace(data(f"data/{kind.value}"), content=DIRECTORY),
                Origin(kind, "somebody", acquired="2023-01-02"),
                use,
            )
            for kind, use in zip(Kind, USES, strict=True)
        ),
        _traced(replace(data("data/unversioned"), content=None), Origin(Kind.PUBLIC_DOMAIN), Use.PRETRAINING),
        _traced(data("data/own.txt"), Origin(Kind.WEB_CRAWL, licence="see contract, page 3"), Use.PRETRAINING),
        _traced(data("data/own.txt"), Origin(Kind.CUSTOMER, licence="MIT OR (Apache-2.0 AND CC-BY-4.0)"), Use.CONTENT),
    ),
)
"""A model made from one source of each kind, each whole and declared."""

LISTED = replace(
    YES,
    question=replace(YES.question, origin=""),
    traces=tuple(
        replace(trace, sources=tuple(SourceSize(data(f"{trace.source.name}.{n}"), 1, 10 * n, None) for n in range(trace.tags)))
        for trace in YES.traces
    ),
    coverage=replace(YES.coverage, sources=3),
    shares=(*YES.shares, Share(Origin(Kind.SYNTHETIC), Use.CONTENT, Basis.DECLARED, 0, None, None, None, 0)),
)  # fmt: skip
"""Every source named, so that nothing is missing."""

_KEPT = {"format", "asked", "use", "hash"}
"""Fields that are ours to fill: nobody else's words stand there."""


def changed(value: Any, change: Callable[[str], str], field: str = "") -> Any:
    """The same with other words: every text that comes from outside is changed."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return value if field in _KEPT else change(value)
    if isinstance(value, tuple):
        return tuple(changed(item, change) for item in value)
    if isinstance(value, msgspec.Struct):
        return replace(value, **{name: changed(getattr(value, name), change, name) for name in value.__struct_fields__})
    return value


HOSTILE = (
    "<script>alert(1)</script>",
    "a\nb\r\n\x00\x1b[31m\u202etxt.exe\u2028",
    "\ud800\udfff lone",
    "x" * 2_000,
    "../../../etc/passwd",
    'say "no", \\ ]]> ${HOME} `id`',
    "http://[not a uri",
    "urn:uuid:zzz",
    "_:blank",
    "",
    " ",
    "🦙 名前 ÄÖ",
    "md5:" + "0" * 31,
    "sha256:" + "a" * 64,
    "2023-13-45T99:99:99Z",
    "0001-01-01T00:00:00+23:59",
)
"""What somebody may call a file, a person or a licence."""


def hostile(case: Case, text: str) -> Case:
    """A case in which everybody calls everything this."""
    return changed(case, lambda _: text)  # type: ignore[no-any-return]
