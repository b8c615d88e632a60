"""The pages that answer a lawyer: what a model contains, in the dossier's words, and which models would be recalled."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from lineage.evidence.document import Document
from lineage.evidence.dossier.outline import outline
from lineage.evidence.questions import ContainsDocument, ShareDocument
from lineage.evidence.recall import recall_text
from lineage.gate import questions
from lineage.gate.case import Examination
from lineage.gate.recall import rejudge
from lineage.gate.wanted import Wanted
from lineage.server.access import identity_of
from lineage.server.pages.router import Number, both
from lineage.server.pages.show import SIZE, for_programs, part, show
from lineage.server.questions import When, Word
from lineage.server.room import room_of

ELSEWHERE = ("history", "record", "words")
"""Sections that only the dossier has: the timeline and the ledger have pages of their own."""


class AskedDocument(Document, frozen=True):
    """``contains`` and ``share`` of one model and one origin. None: nothing was asked."""

    contains: ContainsDocument | None = None
    share: ShareDocument | None = None


@both("/question")
def question(request: Request, when: When, model: Word = "", origin: Word = "") -> Response:
    """Whether a model contains an origin, how much of it, by which paths, and what lets it pass."""
    subject, wanted = model.strip(), origin.strip()
    about: dict[str, Any] = {"model": subject, "origin": wanted, "times": when, "said": None, "sections": ()}
    if not subject:
        return show(request, "question.html", AskedDocument(), lambda: about)
    with room_of(request).reading(identity_of(request)) as desk, when.of(desk) as inquiry:
        if for_programs(request):
            asked = Wanted(wanted)
            answered = questions.contains(inquiry, subject, asked), questions.share(inquiry, subject, asked)
            return show(request, "question.html", AskedDocument(*answered))
        found = Examination(inquiry, subject, Wanted(wanted))
        said, about["notices"] = outline(found.case()), tuple(questions.notices(found))
    about |= {"said": said, "sections": [section for section in said.sections if section.id not in ELSEWHERE]}
    return show(request, "question.html", AskedDocument(), lambda: about)


@both("/recall")
def recall(request: Request, number: Number = 1) -> Response:
    """Which registered versions the policy in force would not let be used any more. Nothing is recorded."""
    rows = part(number)
    with room_of(request).reading(identity_of(request)) as desk:
        said, _ = rejudge(desk, paths=for_programs(request))  # each version has a page that shows them
    return show(
        request, "recall.html", said,
        lambda: {
            "number": number, "versions": said.versions[rows.offset : rows.offset + SIZE],
            "recalls": sum(item.recall for item in said.versions),
            "sentence": recall_text(said).partition("\n")[0],
        },
    )  # fmt: skip
