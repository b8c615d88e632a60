"""The outline of a dossier: which sections, in which order.

HTML and PDF both show exactly this, so they say the same.
"""

from __future__ import annotations

import msgspec

from lineage.evidence.case import Case
from lineage.evidence.dossier import found, proof, said, seen, words
from lineage.evidence.dossier.blocks import Facts, Section


class Outline(msgspec.Struct, frozen=True):
    """A dossier, before it has a look."""

    title: str
    subject: str
    running: str
    """Foot of every page: position in the ledger and date."""
    question: str
    word: str
    """The answer in one or two words."""
    tone: str
    """``bad``, ``good`` or ``open``: how the word is framed; never told by colour alone."""
    answer: str
    more: tuple[str, ...]
    facts: Facts
    sections: tuple[Section, ...]


def outline(case: Case) -> Outline:
    """What the dossier of a case says.

    Args:
        case: as the gate filled it.

    Returns:
        The outline; the same for the same case.
    """
    word, tone = found.verdict(case)
    return Outline(
        title="Provenance dossier",
        subject=case.question.subject,
        running=words.running(case.coverage.position, case.question.asked),
        question=found.question(case),
        word=word,
        tone=tone,
        answer=case.answer.sentence,
        more=case.answer.more,
        facts=found.subject(case),
        sections=(
            found.basis(case),
            found.paths(case),
            found.shares(case),
            seen.observed(case),
            said.permissions(case),
            said.history(case),
            said.unknown(case),
            proof.record(case),
            proof.glossary(),
        ),
    )
