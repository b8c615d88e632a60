"""The registry of known sources, and what cards, Croissant files and licences say."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import mlcroissant
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.policy import catalogue
from lineage.policy.cards import LARGEST, NAMES, Unreadable, licensed, stated
from lineage.policy.sources import address, sources
from lineage.vocabulary import Kind, Origin

OUTPUT = Kind.THIRD_PARTY_MODEL_OUTPUT


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("hf://datasets/tatsu-lab/alpaca@dce01c9b/data/x.parquet", "alpaca"),
        ("https://HuggingFace.co/datasets/tatsu-lab/alpaca/resolve/main/x", "alpaca"),
        ("https://huggingface.co/datasets/x/../tatsu-lab/%61lpaca", "alpaca"),
        ("git@github.com:tatsu-lab/stanford_alpaca.git", "alpaca"),
        ("https://github.com/tatsu-lab/stanford_alpaca.git", "alpaca"),
        ("https://huggingface.co/datasets/tatsu-lab/alpaca2", "huggingface"),
        ("s3://commoncrawl/crawl-data/x", "common-crawl"),
        ("https://u:p@data.commoncrawl.org.:443/x", "common-crawl"),
        ("https://archive.org/download/stackexchange/x.7z", "stack-exchange"),
        ("https://archive.org/download/other", "internet-archive"),
        ("https://openaipublic.blob.core.windows.net/gpt-2/output-dataset/v1/x.jsonl", "gpt-2-output"),
        ("https://openaipublic.blob.core.windows.net/other", "openai-public"),
    ],
)
def test_addresses_that_are_known(url: str, found: str) -> None:
    entry = sources().by_url(url)
    assert entry is not None and entry.id == found


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/huggingface.co/datasets/tatsu-lab/alpaca", "https://huggingface.co.evil.example/datasets/c4",
        "https://evil.example/?u=https://huggingface.co/datasets/c4", "https://huggingface.co@evil.example/datasets/c4",
        "data/alpaca.json", "file:///data.commoncrawl.org/x", "http://[::1", "", "https://", "https://gutenberg.org" + "a" * 5000,
    ],
)  # fmt: skip
def test_addresses_that_are_not(url: str) -> None:
    assert sources().by_url(url) is None


def test_every_entry_is_well_formed() -> None:
    known = catalogue()
    for entry in sources().sources.values():
        for pattern in entry.addresses:
            assert pattern == pattern.lower() and "://" not in pattern
            assert sources().by_url("https://" + pattern.replace("*", "x")) is entry, pattern
        if entry.kind is OUTPUT and entry.provider:
            assert known.provider(entry.provider) is not None, entry.id
        assert entry.kind is not Kind.UNDECLARED
        if entry.licence:
            assert licensed(entry.licence) is not None


@given(st.text())
def test_any_address_is_read(text: str) -> None:
    address(text)
    address("https://" + text)


def said(name: str, text: str | dict[str, Any]) -> set[Origin]:
    data = text if isinstance(text, str) else json.dumps(text)
    return {each.origin for each in stated(name, data.encode())}


def test_a_dataset_card() -> None:
    card = """---
license: [cc-by-nc-4.0, mit]
annotations_creators: [crowdsourced, machine-generated]
source_datasets:
- original
- extended|squad
tags: [synthetic, claude-3-opus]
---
license: apache-2.0
"""
    assert said("README.md", card) == {
        Origin(Kind.LICENSED, licence="CC-BY-NC-4.0"),
        Origin(Kind.OPEN_LICENCE, licence="MIT"),
        Origin(Kind.HUMAN_ANNOTATION),
        Origin(OUTPUT, "anthropic", "claude-3-opus"),
        Origin(Kind.HUMAN_ANNOTATION, "stanford", licence="CC-BY-SA-4.0"),
    }


def test_the_name_of_a_model_alone_does_not_say_who_wrote_it() -> None:
    assert not said("README.md", "---\ntags: [llama-factory, gpt-4, en]\n---\n")
    assert said("README.md", "---\ntags: [synthetic]\n---\n") == {Origin(OUTPUT)}
    written = "---\nlanguage_creators: [machine-generated]\ntags: [gpt-4]\n---\n"
    assert said("README.md", written) == {Origin(OUTPUT, "openai", "gpt-4")}


def test_cards_that_say_nothing() -> None:
    for text in (
        "# A title\nlicense: mit\n",
        "---\n---\n",
        "---\nlicense: unknown\n---\n",
        "---\nlicense: no\n---\n",
        "",
    ):
        assert said("README.md", text) <= {Origin(Kind.LICENSED, licence="no")}
    assert said("README.md", "---\nlicense: other\nlicense_name: our-terms\n---\n") == {
        Origin(Kind.LICENSED, licence="our-terms")
    }


def test_croissant_as_its_own_library_writes_it() -> None:
    metadata = mlcroissant.Metadata(
        name="words",
        url="https://huggingface.co/datasets/vicgalle/alpaca-gpt4",
        license=["https://creativecommons.org/publicdomain/zero/1.0/"],
        distribution=[
            mlcroissant.FileObject(
                id="f", name="f", content_url="https://dumps.wikimedia.org/x.bz2", encoding_formats=["text/plain"],
                sha256="0" * 64,
            )
        ],
    )  # fmt: skip
    assert said("croissant.json", json.dumps(metadata.to_json(), default=str)) == {
        Origin(Kind.PUBLIC_DOMAIN, licence="CC0-1.0"),
        Origin(OUTPUT, "openai", "gpt-4"),
        Origin(Kind.OPEN_LICENCE, "wikimedia", licence="CC-BY-SA-4.0"),
    }


def test_dataset_info() -> None:
    info = {"license": "Apache 2.0", "download_checksums": {"https://huggingface.co/datasets/c4/x": {}}}
    wanted = {Origin(Kind.OPEN_LICENCE, licence="Apache-2.0"), Origin(Kind.WEB_CRAWL, "commoncrawl")}
    assert said("dataset_info.json", info) == wanted
    assert said("dataset_infos.json", {"default": info}) == wanted


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("MIT License\n\nCopyright", "MIT"),
        ("Apache License\n  Version 2.0, January 2004", "Apache-2.0"),
        ("Attribution-NonCommercial 4.0 International\n", "CC-BY-NC-4.0"),
        ("Attribution-ShareAlike 4.0 International\n", "CC-BY-SA-4.0"),
        ("Creative Commons Legal Code\n\nCC0 1.0 Universal", "CC0-1.0"),
    ],
)
def test_texts_of_licences(text: str, licence: str) -> None:
    assert {origin.licence for origin in said("LICENSE", text)} == {licence}
    assert not said("LICENSE", "All rights reserved; see the contract.")


def test_a_licence_that_forbids_something_or_is_unknown_is_never_open() -> None:
    for text in (
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "llama2",
        "openrail",
        "https://example.com/terms",
        "mit with changes",
    ):
        origin = licensed(text)
        assert origin is not None and origin.kind is Kind.LICENSED


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("README.md", b"---\nlicense: mit\n"), ("README.md", b"---\n- a\n---\n"), ("README.md", b"---\na: &x [*x]\n---\n"),
        ("README.md", b"---\nlicense: mit\nlicense: other\n---\n"), ("croissant.json", b"[]"), ("croissant.json", b"{}"),
        ("croissant.json", b"[" * 200_000), ("dataset_info.json", b'{"license": "mit"'), ("LICENSE", b"\xff\xfe\x00"),
        ("LICENSE", b" " * (LARGEST + 1)),
    ],
)  # fmt: skip
def test_what_is_broken_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(Unreadable):
        stated(name, data)


@given(
    st.sampled_from(NAMES), st.one_of(st.binary(), st.text().map(lambda t: f"---\n{t}\n---\n".encode(errors="replace")))
)
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    try:
        stated(name, data)
    except Unreadable as error:
        assert "\n" not in str(error)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["license", "url", "distribution", "contentUrl", "tags", "source_datasets", "@id", "download_checksums", "homepage",
         "conformsTo", "annotations_creators", "rai:machineAnnotationTools", "license_name"]), inner, max_size=5),
)  # fmt: skip


@given(st.sampled_from(NAMES[:4]), values)
def test_any_value_is_read_or_refused(name: str, value: Any) -> None:
    text = json.dumps(value)
    with contextlib.suppress(Unreadable):
        stated(name, (f"---\n{text}\n---\n" if name == "README.md" else text).encode())
