"""The lawyer's questions about the record: what a model contains, how much of it, what happened.

Each is answered by a document of `lineage.evidence.questions`. What judges again (recall, replay) is
`lineage.gate.recall`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lineage.errors import UsageError
from lineage.evidence import questions as q
from lineage.evidence.answer import taken_out
from lineage.evidence.document import artifact as reference
from lineage.gate.case import Examination
from lineage.gate.history import between, of_record
from lineage.gate.removal import removal_notices
from lineage.gate.seen import contradictions
from lineage.gate.wanted import Wanted
from lineage.policy import catalogue
from lineage.policy.pattern import instant
from lineage.vocabulary import Use

if TYPE_CHECKING:
    from datetime import datetime

    from lineage.gate.inquiry import Inquiry


def contains(inquiry: Inquiry, subject: str, wanted: Wanted) -> q.ContainsDocument:
    """Whether a model contains an origin, for which uses, by which paths, since when, and who said so.

    Raises:
        CannotDecide: nothing is recorded of the model, or its lineage cannot be read.
    """
    found = Examination(inquiry, subject, wanted)
    return q.ContainsDocument(
        found.question, found.answer, found.subject, found.coverage, found.traces, found.judgements, found.grant_uses,
        found.removals, found.unknown, tuple(notices(found)),
    )  # fmt: skip


def notices(found: Examination) -> Iterator[str]:
    """What bears on an answer and is no part of it, a sentence each (`lineage.evidence.questions.ContainsDocument`)."""
    for each in contradictions(found.contributions):
        yield f"{each.artifact.display}: {each.sentence}"
    for _, where, message, _ in removal_notices(found.inquiry.graph, found.graph.removals(found.artifact)):
        yield f"{where}: {message}"


def share(inquiry: Inquiry, subject: str, wanted: Wanted) -> q.ShareDocument:
    """What part of a model's sources each origin is, per use (S14).

    Raises:
        CannotDecide: nothing is recorded of the model, or its lineage cannot be read.
    """
    found = Examination(inquiry, subject, wanted)
    asked = tuple(not wanted.anything and found.speaks(part.origin) is True for part in found.shares)
    totals = []
    for use in Use:
        sources = [s for s in found.contributions if any(label.use is use for label in s.labels)]
        if not sources:
            continue
        sizes = [found.size(s) for s in sources]
        columns = ((s.files for s in sizes), (s.bytes for s in sizes), (s.records for s in sizes))
        files, size, rows = ([n for n in column if n is not None] for column in columns)
        totals.append(
            q.UseTotal(
                use,
                len(sources),
                sum(files) if files else None,
                sum(size) if size else None,
                sum(rows) if rows else None,
                sum(source.bytes is None for source in sizes),
            )
        )
    out = taken_out(found.taken, str(wanted), found.labels.sources, found.removals) if not wanted.anything else []
    sentence = q.share_sentence(found.name, str(wanted), found.shares, asked, totals, out)
    return q.ShareDocument(
        found.question, reference(found.artifact), sentence, found.shares, asked, tuple(totals), found.labels.position
    )


def history(inquiry: Inquiry, subject: str, wanted: Wanted, since: str = "", until: str = "") -> q.HistoryDocument:
    """What happened between two dates, to a model or on record at all (S8, S10).

    Args:
        inquiry: the record.
        subject: a model with or without a version, or anything `Inquiry.resolve` takes; empty: everything.
        wanted: only what concerns these origins.
        since: a day (its beginning, in UTC) or a time with its zone.
        until: a day (its end) or a time.

    Raises:
        UsageError: ``TIME_INVALID``.
        CannotDecide: nothing is recorded of the model, or its lineage cannot be read.
    """
    first, last = moment(since, end=False), moment(until, end=True)
    undeclared = unstated = 0
    if not subject:
        names = catalogue()
        wanted.known(inquiry.origins(), names)
        speaks = None if wanted.anything else lambda origin: wanted.speaks_of(origin, names) is True
        items = of_record(inquiry.graph, speaks)
        if not wanted.anything:
            undeclared = len(inquiry.undeclared())
            unstated = sum(wanted.speaks_of(origin, names) is None for origin in inquiry.origins())
        name, position = "", inquiry.graph.position()
    else:
        found = Examination(inquiry, subject, wanted, whole_model="/" not in subject.removeprefix("models:/"))
        items, position = found.history, found.labels.position
        name = f"models:/{found.model}" if found.whole_model else found.name
    inside, late = between(items, first, last)
    return q.HistoryDocument(
        name,
        str(wanted),
        first.isoformat() if first else "",
        last.isoformat() if last else "",
        *inquiry.times,
        inside,
        late,
        position,
        undeclared,
        unstated,
    )


def moment(text: str, *, end: bool) -> datetime | None:
    """The time that a person means by a date; None for an empty text.

    Args:
        text: a day in UTC, or a time with its zone.
        end: of a day, its end instead of its beginning.

    Raises:
        UsageError: ``TIME_INVALID``.
    """
    if not text:
        return None
    try:
        return instant(text, end=end)
    except ValueError as error:
        hint = "a day (2023-04-30) or a time with its zone (2023-04-30T12:00:00Z)"
        raise UsageError(f"{text!r} is no date", code="TIME_INVALID", cause=str(error), hint=hint) from None
