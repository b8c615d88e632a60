"""The index: a set of fingerprints is a set, a file that is not what was recorded is refused, matches and what they count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.content import Different, Fingerprints, Index, IndexFile, IndexWriter, Key, fingerprints, normalise
from lineage.content.index import Evidence
from lineage.content.secret import open_key
from lineage.errors import CannotDecide, UsageError
from tests.redteam.corpus import Corpus

KEY = Key(bytes(range(32)))


def build(where: Path, texts: list[str], name: str = "one.lgc", key: Key = KEY) -> IndexFile:
    writer = IndexWriter(where, key)
    for first in range(0, len(texts), 500):
        writer.add(prints(texts[first : first + 500], key))
    return writer.finish(name)


def prints(texts: list[str], key: Key = KEY) -> Fingerprints:
    return fingerprints(normalise([text.encode() for text in texts]), key)


@settings(deadline=None, max_examples=40)  # files are written
@given(st.lists(st.integers(1, 2**64 - 1), max_size=300), st.lists(st.integers(1, 2**64 - 1), max_size=50))
def test_a_set_holds_what_was_put_in(
    tmp_path_factory: pytest.TempPathFactory, inside: list[int], others: list[int]
) -> None:
    where = tmp_path_factory.mktemp("set")
    writer = IndexWriter(where, KEY)
    values = np.array(inside, np.uint64)
    none = np.empty(0, np.int64)
    writer.add(Fingerprints(values, np.full(len(values), 100), none, none.astype(np.uint64)))
    file = writer.finish("set.lgc")
    index = Index.open(where, [("s", file)], KEY)
    asked = np.array([*inside, *others], np.uint64)
    found = index.match(Fingerprints(asked, np.full(len(asked), 100), none, none.astype(np.uint64)))
    # 40 bits are kept: what agrees in them all counts as the same
    expected = [i for i, value in enumerate(asked.tolist()) if value >> 24 in {v >> 24 for v in inside}]
    assert found.record.tolist() == expected
    assert file.distinct == len(set(inside))
    assert [path.name for path in where.iterdir()] == ["set.lgc"]


def test_records_are_found_equal_or_resembling(tmp_path: Path) -> None:
    texts, others = Corpus(1).records(300), Corpus(2).records(300)
    index = Index.open(tmp_path, [("b", build(tmp_path, others, "b")), ("a", build(tmp_path, texts, "a"))], KEY)
    assert index.sources == ("a", "b")
    asked = [
        texts[0],
        "ok",
        texts[1].upper() + " And one sentence more of something else.",
        Corpus(3).record(),
        others[5],
    ]
    found = index.match(prints(asked))
    rows = list(zip(found.record.tolist(), found.source.tolist(), found.exact.tolist(), strict=True))
    assert rows == [(0, 0, True), (2, 0, False), (4, 1, True)]
    assert found.share[0] == 1.0 and 0.3 < found.share[1] <= 1.0
    assert index.match(prints([])).record.tolist() == []
    assert Index.open(tmp_path, [], KEY).match(prints(asked)).record.tolist() == []


def test_copies_and_phrases_count_once(tmp_path: Path) -> None:
    texts = Corpus(1).records(300)
    index = Index.open(tmp_path, [("a", build(tmp_path, texts))], KEY)
    different = Different()
    for _ in range(3):
        different.add(index.match(prints([texts[0]] * 50)).evidence, [0])
    assert different.records == 1
    phrase = max(texts, key=len)[100:260]
    different.add(index.match(prints([f"{word} {phrase}" for word in ("one", "two", "three", "four")])).evidence, [0])
    assert 1 < different.records < 3
    different.add(index.match(prints(texts)).evidence, [1])  # of another source
    assert different.records < 3


def test_what_is_counted_at_most_is_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineage.content.index._MOST", 24)
    whole, parts = Different(), Different()
    for i in range(10):
        for exact in (True, False):
            some = np.arange(7 * i, 7 * i + 7, dtype=np.uint64)
            evidence = Evidence(np.zeros(7, np.int64), np.full(7, exact), some)
            whole.add(evidence, [0])
            part = Different()
            part.add(evidence, [0])
            parts.merge(part)
        if i in (4, 9):  # a part that holds more than the rest
            large = Different()
            large.add(Evidence(np.zeros(70, np.int64), np.arange(70) % 2 == 0, np.arange(70, dtype=np.uint64)), [0])
            parts.merge(large)
    assert whole.records == parts.records == 24 + 24 / 12


def test_templates_of_the_source_itself_are_no_evidence(tmp_path: Path) -> None:
    system = (
        "You are a helpful and harmless assistant that answers every question of the user as well as it can be done. "
    )
    texts = [system + text for text in Corpus(1).records(300)]
    file = build(tmp_path, texts)
    assert file.common > 0
    index = Index.open(tmp_path, [("a", file)], KEY)
    innocent = [system + text for text in Corpus(2).records(100)]
    assert len(index.match(prints(innocent)).record) <= 2


def test_damage_is_noticed(tmp_path: Path) -> None:
    file = build(tmp_path, Corpus(1).records(50))
    path = tmp_path / file.name
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    with pytest.raises(CannotDecide) as refused:
        Index.open(tmp_path, [("a", file)], KEY)
    assert refused.value.code == "CONTENT_INDEX_DAMAGED"
    path.unlink()
    with pytest.raises(CannotDecide) as refused:
        Index.open(tmp_path, [("a", file)], KEY)
    assert refused.value.code == "CONTENT_INDEX_MISSING"
    with pytest.raises(CannotDecide) as refused:
        Index.open(tmp_path, [("a", file)], Key(bytes(32)))
    assert refused.value.code == "CONTENT_INDEX_KEY"


def test_the_file_holds_no_text_and_is_small(tmp_path: Path) -> None:
    texts = Corpus(1).records(3000)
    file = build(tmp_path, texts)
    data = (tmp_path / file.name).read_bytes()
    assert not any(text[:12].encode() in data for text in texts)
    assert (len(data) - 4096) / (sum(map(len, texts)) / 500) < 64  # for 500 characters
    assert build(tmp_path, texts) == file


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / ".lineage" / "content.key"
    key = open_key(path)
    assert open_key(path).id == key.id
    assert path.stat().st_mode & 0o777 == 0o600
    assert (path.parent / ".gitignore").read_text() == "*\n"
    path.chmod(0o644)
    with pytest.raises(UsageError) as refused:
        open_key(path)
    assert refused.value.code == "CONTENT_KEY_UNUSABLE"
    path.chmod(0o600)
    path.write_text("no key")
    with pytest.raises(UsageError):
        open_key(path)
