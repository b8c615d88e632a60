"""Which artifacts are one node (law 7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.graph.keys import content_key, key_of_text, named_key, node_key, run_key
from lineage.vocabulary import Content

MD5 = "md5:" + "0a" * 16


def test_equal_content_is_one_node() -> None:
    assert node_key("a", "b", Content(MD5, 100)) == node_key("c", "d", Content(MD5)) == key_of_text(MD5)
    assert node_key("a", "b", Content(MD5)) != node_key("a", "b", Content(MD5 + ".dir"))


def test_trivial_content_joins_only_its_own_name() -> None:
    empty = Content("md5:d41d8cd98f00b204e9800998ecf8427e", 0)
    assert node_key("a", "b", empty) == node_key("a", "b", Content(empty.hash))
    assert node_key("a", "b", empty) != node_key("a", "c", empty)
    assert node_key("a", "b", Content(MD5, 3)) != node_key("a", "b", Content(MD5, 300))


def test_without_content_it_is_the_name() -> None:
    assert node_key("dvc://p", "x", None) == named_key("dvc://p/x") == key_of_text("dvc://p/x")


hashes = st.one_of(
    st.binary(min_size=16, max_size=16).map(lambda b: f"md5:{b.hex()}"),
    st.binary(min_size=16, max_size=16).map(lambda b: f"md5:{b.hex().upper()}"),
    st.binary(min_size=16, max_size=16).map(lambda b: f"md5:{b.hex()}.dir"),
    st.binary(min_size=32, max_size=32).map(lambda b: f"sha256:{b.hex()}"),
    st.sampled_from(["md5:", "md5:" + " " * 32, "md5:" + "1 " * 16, "sha256:" + "g" * 64]),
    st.text(max_size=80),
)


@given(hashes, hashes)
def test_keys_are_equal_only_for_equal_hashes(one: str, two: str) -> None:
    assert (content_key(one) == content_key(two)) == (one == two)


@given(st.one_of(st.uuids().map(str), st.uuids().map(lambda u: str(u).upper()), st.text(max_size=40)), st.text())
def test_run_keys_are_equal_only_for_equal_ids(one: str, two: str) -> None:
    assert (run_key(one) == run_key(two)) == (one == two)


@pytest.mark.parametrize("text", ["", "-" * 36, "00000000-0000-0000-0000-00000000000g"])
def test_any_text_is_a_run(text: str) -> None:
    assert run_key(text) == b"r" + text.encode()
