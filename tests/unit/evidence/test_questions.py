"""What the questions print, held as golden files, and the sentences of an answer.

`pytest tests/unit/evidence --update-golden` writes the files anew.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from lineage.evidence import questions, recall
from lineage.evidence.answer import answer
from lineage.evidence.case import Case, Contains, Share
from lineage.evidence.impact import VersionRef
from lineage.gate.wanted import Wanted
from lineage.policy import catalogue
from lineage.vocabulary import (
    Basis,
    Change,
    Happening,
    Kind,
    Origin,
    Outcome,
    Step,
    Use,
)
from tests.unit.evidence.cases import CANNOT_TELL, CASES, DENIED, FORUM, GPT, JO, NO, PROMOTION, YES

Golden = Callable[[str, str], None]


def contains(case: Case) -> questions.ContainsDocument:
    return questions.ContainsDocument(
        case.question, case.answer, case.subject, case.coverage, case.traces, case.decisions, case.grants, case.removals,
        case.unknown,
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_contains(name: str, golden: Golden) -> None:
    golden(f"contains-{name}.txt", questions.contains_text(contains(CASES[name])) + "\n")


def test_what_bears_on_an_answer_is_named() -> None:
    found = replace(contains(YES), notices=tuple(f"data/{n}: declared as a; observed: b" for n in range(21)))
    text = questions.contains_text(found)
    assert "\nlook at this, too\n  data/0: declared as a; observed: b\n" in text and "… and 1 more" in text


def test_share(golden: Golden) -> None:
    totals = (
        questions.UseTotal(Use.FINE_TUNING, 3, 13, 779_200_000, 44_300, 1),
        questions.UseTotal(Use.EVALUATION, 1, 1, 310_000, 120, 0),
    )
    asked = (True, True, False, False)
    sentence = questions.share_sentence("models:/seed-chat/7", "openai", YES.shares, asked, totals)
    found = questions.ShareDocument(YES.question, YES.subject.artifact, sentence, YES.shares, asked, totals, 26)
    plain = questions.share_sentence("models:/seed-chat/7", "", YES.shares, (False,) * 4, totals)
    golden("share.txt", f"{questions.share_text(found)}\n\n{plain}\n")
    nothing = questions.share_sentence("x", "nobody", YES.shares, (False,) * 4, totals)
    assert nothing == "Nothing that is known to be of nobody went into x."
    assert questions.share_sentence("x", "", (), (), ()) == "No source of x is known."
    unknown = Share(GPT, Use.CONTENT, Basis.DECLARED, 1, None, None, None, 1)
    total = questions.UseTotal(Use.CONTENT, 2, None, None, None, 2)
    said = questions.share_sentence("x", "openai", (unknown,), (True,), (total,))
    assert said == "Of x, openai is an unknown part (1 source of unknown size) that went in as content."


@pytest.mark.parametrize(
    ("part", "whole", "said"), [(1, 3, "33.3 %"), (1, 10**6, "less than 0.1 %"), (0, 5, "0.0 %"), (5, 5, "100.0 %")]
)
def test_a_part_is_never_rounded_to_nothing(part: int, whole: int, said: str) -> None:
    assert questions.percent(part, whole) == said
    assert ("#" in questions.bar(part, whole)) is (part > 0)


def test_sizes_are_in_powers_of_ten() -> None:
    sizes = [questions.size(n) for n in (None, 0, 999, 1000, 48_200_000, 999_960_000, 3 * 10**18)]
    assert sizes == ["?", "0 B", "999 B", "1.0 kB", "48.2 MB", "1.0 GB", "3000.0 PB"]


def test_history(golden: Golden) -> None:
    found = questions.HistoryDocument(
        "models:/seed-chat", "openai", "2023-03-07T00:00:00+00:00", "", "", "", YES.history[2:], YES.history[:2], 26
    )
    golden("history.txt", questions.history_text(found) + "\n")
    nothing = replace(found, items=(), recorded_after=(), subject="", origin="")
    assert questions.history_text(nothing) == "Nothing is on record from 2023-03-07."


def test_recall_and_replay(golden: Golden) -> None:
    version = VersionRef("seed-chat", "7", "2023-03-06T11:00:02+00:00", JO, ("champion",), "Production", "", False)
    path = (Step("data/raw/gpt4_dialogues"), Step("models:/seed-chat/7", "train", "fine-tuning"))
    decision = replace(PROMOTION, action="recall", findings=(replace(DENIED, path=path),))
    eased = recall.Rejudged(
        replace(version, number="6", aliases=(), stage=""),
        Outcome.WARN,
        replace(decision, outcome=Outcome.ALLOW),
        False,
    )
    item = recall.Rejudged(version, Outcome.ALLOW, decision, True)
    dry = recall.RecallDocument("0" * 64, "lineage.policy.yaml", "enforce", "", 12, (item, eased), False)
    changes = (
        Change("seed-chat", Happening.RECALLED, "7"),
        Change("seed-chat", Happening.ALIAS_REMOVED, "7", "champion"),
    )
    other = replace(item, version=replace(version, number="5"))
    done = replace(
        dry, versions=(replace(item, changes=changes), other), applied=True, failed=("models:/seed-chat/5: it is gone",)
    )
    nothing = replace(dry, versions=(), mode="audit", since="2023-04-30T00:00:00+00:00")
    pages = [recall.recall_text(document) for document in (dry, done, nothing)]
    changed = recall.Replayed(
        decision.id, "2023-03-06T11:00:00+00:00", "models:/seed-chat", "register", Outcome.ALLOW, Outcome.DENY,
        ("no-competing-training-on-openai-output",), decision.reason,
    )  # fmt: skip
    replayed = recall.ReplayDocument(
        "0" * 64, "new.yaml", "2023-01-01T00:00:00+00:00", 31, (changed,), 2, ("later",), 99, "", ""
    )
    pages.append(recall.replay_text(replayed))
    before = replace(dry, versions=(), recalled=(replace(version, aliases=(), recalled="01H"),))
    assert recall.recall_text(before).splitlines() == [
        "12 registered versions judged again under lineage.policy.yaml: none more is to be recalled.",
        "  models:/seed-chat/7 was recalled before and is still refused.",
    ]
    golden("recall.txt", "\n\n".join(pages) + "\n")


def test_no_is_said_over_a_complete_lineage_alone() -> None:
    def said(case: Case, *, unstated: int = 0) -> Contains:
        found = answer("x", "openai", (), case.coverage, case.verdict, sources=0, unstated=unstated)
        return found.contains

    assert said(NO) is Contains.NO
    assert said(NO, unstated=1) is Contains.CANNOT_TELL
    assert said(CANNOT_TELL) is Contains.CANNOT_TELL
    assert (
        said(replace(NO, coverage=replace(NO.coverage, sources=0, complete=False, reason="no source")))
        is Contains.CANNOT_TELL
    )


def test_evaluation_alone_is_said_of_a_complete_lineage_alone() -> None:
    met = tuple(trace for trace in YES.traces if trace.use is Use.EVALUATION)
    whole = answer("x", "openai", met, YES.coverage, YES.verdict, sources=1, unstated=0)
    assert "no training path from it is on record" in whole.sentence
    assert whole.contains is Contains.EVALUATION_ONLY
    for coverage, unstated in ((CANNOT_TELL.coverage, 0), (YES.coverage, 1)):
        doubtful = answer("x", "openai", met, coverage, YES.verdict, sources=1, unstated=unstated)
        assert "no training path" not in doubtful.sentence
        assert doubtful.contains is Contains.YES
        assert "cannot be told" in doubtful.sentence
    both = answer("x", "openai", YES.traces, YES.coverage, YES.verdict, sources=2, unstated=0)
    assert "used as fine-tuning and evaluation" in both.sentence


LLM = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT)


@pytest.mark.parametrize(
    ("asked", "origin", "fits"),
    [
        (Wanted(), FORUM, True),
        (Wanted("openai"), GPT, True),
        (Wanted("OPEN AI"), GPT, True),
        (Wanted("microsoft"), GPT, True),  # the reseller behind azure-openai
        (Wanted(provider="microsoft"), GPT, False),  # a reseller is no provider (S2)
        (Wanted(provider="openai"), replace(LLM, service="gpt-4"), True),
        (Wanted(provider="openai"), replace(LLM, channel="azure-openai"), True),
        (Wanted(provider="openai"), LLM, None),
        (Wanted("openai"), LLM, None),
        (Wanted(provider="openai", channel="openai-api"), replace(LLM, provider="openai"), None),
        (Wanted(provider="openai", channel="openai-api"), GPT, False),
        (Wanted(licence="MIT"), LLM, False),
        (Wanted("openai"), Origin(Kind.FIRST_PARTY_MODEL_OUTPUT, service="gpt-4-detector"), False),
        (Wanted(provider="openai"), Origin(Kind.WEB_CRAWL), False),
        (Wanted(kind="third-*"), GPT, True),
        (Wanted("openai", licence="MIT"), GPT, False),
    ],
)
def test_what_an_origin_is_asked_about(asked: Wanted, origin: Origin, fits: bool | None) -> None:
    assert asked.speaks_of(origin, catalogue()) is fits
