"""What people read of a removal that was checked record by record."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineage.evidence.content import Place
from lineage.evidence.document import artifact
from lineage.evidence.removed import (
    SCHEMA,
    ComparedSide,
    ComparedSource,
    RemovalEvidence,
    checked_words,
    evidence_bytes,
    judged,
    read_evidence,
    removed_text,
    result_words,
)
from lineage.vocabulary import Artifact, Content, Kind, Origin


def _artifact(name: str, digit: str) -> Artifact:
    return Artifact("dvc://seed", name, Content("md5:" + digit * 32))


def _evidence(before: int, after: int, new: int, *, records: int = 958_800, missed: bool = False) -> RemovalEvidence:
    sides = (
        ComparedSide(artifact(_artifact("data/in.jsonl", "1")), 1_000_000, before, before // 40, 12, 0),
        ComparedSide(artifact(_artifact("data/<out>\u202e.jsonl", "2")), records, after, 0, 11, 3),
    )
    verdict, problems = judged(*sides, new)
    found = [("data/gpt\n4.jsonl", "3", before), *([("data/azure.jsonl", "4", 0)] if missed else [])]
    sources = tuple(
        ComparedSource(artifact(_artifact(name, d)), f"md5:{d * 32}", 41_200, 0, number, after if number else 0, d * 64)
        for name, d, number in found
    )
    return RemovalEvidence(
        schema=SCHEMA, tool="lineagegate 1", method="1", origin=Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai"),
        verdict=verdict, problems=problems, before=sides[0], after=sides[1], sources=sources,
        left=(Place("a\x1b.jsonl", 7, 7), Place("b.jsonl", 1, after - 1)) if after else (), left_more=0,
        kept_equal=records - new - 800, kept_similar=800,
        new=tuple(Place("c.jsonl", 10 * i, 10 * i) for i in range(1, min(new, 7) + 1)), new_more=max(0, new - 7),
        new_records=new, shortest=24, similar_share=0.3, similar_passages=5, kept_share=0.3, index="f" * 64,
    )  # fmt: skip


CASES = {
    "removed": _evidence(40_000, 0, 0),
    "removed-missed": _evidence(40_000, 0, 0, records=999_000, missed=True),
    "nothing": _evidence(0, 0, 0),
    "refused": _evidence(40_000, 3, 20),
}


@pytest.mark.parametrize("name", CASES)
def test_the_comparison_as_people_read_it(name: str, golden: Callable[[str, str], None]) -> None:
    found = CASES[name]
    words = f"checked: {checked_words(found)!r}\nresult: {result_words(found)!r}\n"
    golden(f"removal-{name}.txt", f"{removed_text(found)}\n\n{words}")


@pytest.mark.parametrize("name", CASES)
def test_the_file_is_read_as_it_was_written(name: str) -> None:
    assert read_evidence(evidence_bytes(CASES[name]), name) == CASES[name]
    assert read_evidence(b"record,match\n1,0\n", name) is None
    assert read_evidence(b"", name) is None
