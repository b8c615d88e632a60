"""Reading lock files: the fast reading of DVC's usual layout must never differ from the YAML it stands for."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pytest
from dvc.utils import dict_sha256
from dvc.utils.serialize import dump_yaml, parse_yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lineage_dvc import record as r

WORDS = st.sampled_from(
    ["data/raw.csv", "../x/y", "models", "null", "true", "1.5", "no", "on", "a b", "ü/ñ", "it's", 'q"q', "a#b", "a: b", "#x", "~",
     "data\\win", "x{y}", "- z", "0x1f", "1_000", ".inf", "12:30:45", "2020-01-01", "s3://b/k", "@at", "*", "a=b", "end "]
)  # fmt: skip
TEXT = WORDS | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
MD5 = st.builds(lambda b: hashlib.md5(b).hexdigest(), st.binary(max_size=4)) | st.sampled_from(
    ["1" * 32, "1" * 16 + "e" + "2" * 15, "0" * 32]
)
SCALAR = st.integers(-9999, 9999) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none() | TEXT


@st.composite
def items(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for path in draw(st.lists(TEXT, unique=True, max_size=3)):
        item: dict[str, Any] = {"path": path}
        if draw(st.booleans()):
            item["hash"] = "md5"
        item["md5"] = draw(MD5) + draw(st.sampled_from(["", ".dir"]))
        if draw(st.booleans()):
            item["size"] = draw(st.integers(0, 10**12))
        if draw(st.booleans()):
            item["nfiles"] = draw(st.integers(0, 10**6))
        found.append(item)
    return found


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    entry: dict[str, Any] = {"cmd": draw(TEXT | st.lists(TEXT, min_size=1, max_size=2))}
    if deps := draw(items()):
        entry["deps"] = deps
    if draw(st.booleans()):
        values = st.dictionaries(
            TEXT,
            SCALAR | st.lists(SCALAR, max_size=2) | st.dictionaries(TEXT | st.just("size"), SCALAR, max_size=2),
            min_size=1,
            max_size=3,
        )
        entry["params"] = draw(st.dictionaries(TEXT, values, min_size=1, max_size=2))
    if outs := draw(items()):
        entry["outs"] = outs
    return entry


def written(stages: dict[str, Any]) -> str:
    """A lock as DVC writes it."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dvc.lock"
        dump_yaml(str(path), {"schema": "2.0", "stages": stages})
        return path.read_text(encoding="utf-8")


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z_][a-z0-9_@-]{0,8}", fullmatch=True) | st.sampled_from(["null", "train@a-x", "1", "no"]),
        entries(),
        min_size=1,
        max_size=3,
    )
)
def test_the_layout_is_read_as_the_yaml_it_is(stages: dict[str, Any]) -> None:
    text = written(stages)
    known = parse_yaml(text, "dvc.lock")["stages"]
    found = r.stages_of_lock(text)
    assert list(found) == [str(name) for name in known]
    for name, entry in known.items():
        record = r.record_of(found[str(name)])
        # DVC's own: dvc/stage/cache.py
        bare = json.loads(json.dumps(entry, default=str))
        value = dict_sha256(bare, exclude=["size", "nfiles"])
        key = dict_sha256({**bare, "outs": [out["path"] for out in entry.get("outs", [])]}, exclude=["size", "nfiles"])
        assert (record.key, record.value) == (key, value)
        for ours, theirs in ((record.deps, entry.get("deps", [])), (record.outs, entry.get("outs", []))):
            assert [e.path for e in ours] == [
                i["path"] if "://" in i["path"] else i["path"].replace("\\", "/") for i in theirs
            ]
            assert [e.content and e.content.hash for e in ours] == [f"md5:{i['md5']}" for i in theirs]
            assert [e.content and e.content.size for e in ours] == [i.get("size") for i in theirs]
            assert [e.content and e.content.files for e in ours] == [i.get("nfiles") for i in theirs]
        assert record.legacy == any("hash" not in i for k in ("deps", "outs") for i in entry.get(k, []))


@settings(max_examples=100, deadline=None)
@given(entries(), st.data())
def test_a_lock_cut_short_is_never_read_as_whole(entry: dict[str, Any], data: st.DataObject) -> None:
    """Either it is refused, or the stages that are there are those of the whole file, or only the last one differs."""
    text = written({"first": {"cmd": "x"}, "last": entry})
    cut = text[: data.draw(st.integers(0, len(text)))]
    try:
        found = {name: r.record_of(stage) for name, stage in r.stages_of_lock(cut).items()}
    except r.Unreadable:
        return
    whole = {name: r.record_of(stage) for name, stage in r.stages_of_lock(text).items()}
    assert {n: f for n, f in found.items() if n != "last"}.items() <= whole.items()
    if "last" in found:
        assert set(found["last"].deps) <= set(whole["last"].deps) or cut != text


@pytest.mark.parametrize("data", [b"", b"{}\n", b"schema: '2.0'\n", b"schema: '2.0'\nstages: {}\n", b"---\n"])
def test_empty_locks(data: bytes) -> None:
    assert r.stages_of_lock(r.decoded(data)) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"[]\n",
        b"a\n",
        b"stages: 1\n",
        b"stages:\n  a: 1\n",
        b"stages:\n  a:\n    deps: []\n",
        b"a: {b: c}\n",
        b"a: \x00\n",
    ],
)
def test_what_is_no_lock(data: bytes) -> None:
    with pytest.raises(r.Unreadable):
        r.stages_of_lock(r.decoded(data))


def test_the_same_stage_twice_is_refused() -> None:
    with pytest.raises(r.Unreadable):
        r.stages_of_lock("stages:\n  a:\n    cmd: x\n  a:\n    cmd: y\n")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        for stage in r.stages_of_lock(r.decoded(data)).values():
            r.record_of(stage)
    except r.Unreadable:
        pass


def test_yaml_of_dvc_is_yaml_1_2() -> None:
    """What DVC's parser takes for a word is a word here, or identities would differ from the run cache."""
    stream = io.StringIO()
    value = {"a": "no", "b": "on", "c": "12:30:45", "d": "yes", "e": "y", "f": "0o7", "g": 1e-05}
    YAML().dump(value, stream)
    assert r.parsed(stream.getvalue()) == value
