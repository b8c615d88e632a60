"""Restricted text under disguise is found; other text is not (case S5). The full table: benchmarks/content_redteam.py."""

from __future__ import annotations

import random

import pytest

from benchmarks.content_redteam import attack, build, mixed
from lineage.content import Different, Index, normalise, search
from lineage.gate.tally import Threshold
from tests.redteam.corpus import Corpus
from tests.redteam.disguise import DISGUISES, Disguise

RESTRICTED, CLEAN = Corpus(1).records(3000), Corpus(2).records(3000)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return build(RESTRICTED, tmp_path_factory.mktemp("index"))


@pytest.mark.parametrize("disguise", [d for d in DISGUISES if d.found], ids=lambda d: d.name)
def test_a_disguise_hides_nothing(index: Index, disguise: Disguise) -> None:
    rng = random.Random(7)
    for share in (1.0, 0.01):
        result = attack(index, disguise, mixed(RESTRICTED, CLEAN, share, rng), rng)
        assert result.reached, share
        assert result.recall >= (0.93 if share == 1.0 else 0.8), (
            share
        )  # of 30 records one is 3 %; the mean is in the docs
        assert result.wrong <= 0.02 * result.number


def test_other_words_are_not_found(index: Index) -> None:
    """What it cannot do is known: a translation keeps no wording."""
    (translated,) = (d for d in DISGUISES if d.name.endswith("(translated)"))
    rng = random.Random(7)
    assert attack(index, translated, mixed(RESTRICTED, CLEAN, 1.0, rng), rng).recall < 0.05


def test_no_false_alarm(index: Index) -> None:
    corpus, different, found = Corpus(3), Different(), 0
    for _ in range(10):
        _, matches = search(index, normalise([text.encode() for text in corpus.records(5000)]))
        found += len(matches.record)
        different.add(matches.evidence, [0])
    assert not Threshold().reached(different.records, 50_000)
    assert found <= 500
