"""YAML 1.2: what it means, what is refused, and where things stand."""

from __future__ import annotations

import contextlib
import importlib
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lineage import yaml12


def test_words_keep_their_meaning() -> None:
    text = "a: no\nb: on\nc: 12:30:45\nd: 2023-01-01\ne: y\nf: 1_000\ng: 010\nh: '='\n"
    assert yaml12.load(text) == {
        "a": "no", "b": "on", "c": "12:30:45", "d": "2023-01-01", "e": "y", "f": "1_000", "g": 10, "h": "=",
    }  # fmt: skip


def test_core_schema() -> None:
    text = "[true, False, null, ~, 0o17, 0xff, -3, 1.5, 1e3, .inf, -.INF, !!str 5, 'true']"
    assert yaml12.load(text) == [
        True, False, None, None, 15, 255, -3, 1.5, 1000.0, float("inf"), float("-inf"), "5", "true",
    ]  # fmt: skip
    assert yaml12.load("") is None
    assert yaml12.load("a:\n") == {"a": None}


def test_merge_keys_and_anchors() -> None:
    document = yaml12.read("base: &b {p: 1, q: 2}\nown:\n  q: 3\n  <<: *b\nmany: {<<: [{p: 9}, *b]}\n")
    assert document.value["own"] == {"q": 3, "p": 1}
    assert document.value["many"] == {"p": 9, "q": 2}
    assert document.position(("own", "q")) == (3, 3)


def test_positions() -> None:
    document = yaml12.read("rules:\n  - id: x\n    match: {a: 1}\n  - id: y\n")
    assert document.position(("rules", 1)) == (4, 5)
    assert document.position(("rules", 0, "match", "a")) == (3, 13)
    assert document.values[("rules", 0, "match", "a")] == (3, 16)
    assert document.position(("rules", 0, "nothing", "there")) == (2, 5), "the nearest parent"


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "`a` stands here again; the first is on line 1", 3),
        ("a: {x: 1, x: 2}", "`x` stands here again", 1),
        ("a: [", "did not find expected node content", 2),
        ("a:\n\tb: 1\n", "cannot start any token", 2),
        ("a: b: c", "mapping values are not allowed", 1),
        ("a: !!python/object:os.system x", "means nothing here", 1),
        ("a: !ours {b: 1}", "means nothing here", 1),
        ("a: !!int zz", "is no number", 1),
        ("a: &x [*x]", "an alias contains itself", 1),
        ("a: &x {<<: *x}", "an alias contains itself", 1),
        ("<<: 3", "`<<` merges", 1),
        ("ä: é\nb: \x07", "U+0007 is not allowed", 2),
        ("a: 1\n---\nb: 2", "another document", 2),
        ("? [a]\n: 1", "a key must be a word", 1),
        ("a: *nowhere", "found undefined alias", 1),
        ("[" * 300 + "]" * 300, "without end", 1),
        ("[" * 400_000, "without end", 1),
        ("- " * 400_000, "without end", 1),
        ("? " * 400_000, "without end", 1),
        ('{"a":' * 200_000, "without end", 1),
    ],
)
def test_what_is_refused(text: str, problem: str, line: int) -> None:
    with pytest.raises(yaml12.YamlError, match="line") as caught:
        yaml12.load(text)
    assert problem in caught.value.problem
    assert caught.value.position.line == line


def test_aliases_that_unfold_without_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(yaml12.YamlError, match="without end"):
        yaml12.load("\n".join(lines))


def test_conflict_markers_are_named() -> None:
    with pytest.raises(yaml12.YamlError) as caught:
        yaml12.load("a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> other\n")
    assert "conflict markers" in caught.value.hint


words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Co"], exclude_characters="\ufeff\x85\u2028\u2029")
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_reads_what_was_written(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)  # JSON is YAML 1.2
    assert yaml12.load(text) == value
    assert yaml12.read(text).value == value


@given(st.text(alphabet="ab:-[]{}&*!<>|\n\t '\"#?%@", max_size=60))
def test_anything_else_is_refused_in_one_way(text: str) -> None:
    with contextlib.suppress(yaml12.YamlError):
        yaml12.load(text)


def test_the_pure_python_reader_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML was built without libyaml."""
    try:
        with monkeypatch.context() as patch:
            patch.delattr(yaml, "CSafeLoader")
            importlib.reload(yaml12)
            assert yaml12.load("a: no\nb: &x [1, 2]\nc: {d: *x}\n") == {"a": "no", "b": [1, 2], "c": {"d": [1, 2]}}
            with pytest.raises(yaml12.YamlError):
                yaml12.load("a: \x07")
    finally:
        importlib.reload(yaml12)
