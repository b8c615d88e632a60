"""Letters: what is dropped, what is folded, and that a record's letters are its own."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.content import normalise
from lineage.content.fold import fold

TEXTS = st.lists(st.text(max_size=60), max_size=12)


def letters(text: str) -> str:
    return normalise([text.encode(errors="replace")]).buffer.decode()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It’s  GREAT — isn't it?", "its great isnt it"),
        ("Café naïve Größe", "cafe naive GROSSE"),
        ("ＦＵＬＬ width", "full width"),
        ("zero\u200bwidth\u00ad soft", "zerowidth soft"),
        ("е\u0430sу раssаgе", "easy passage"),
        ("<p class='x'>Tom &amp; Ann</p>", "tom ann"),
        ("&lt;b&gt;bold&lt;/b&gt; &amp;quot;said&amp;quot;", "bold said"),
        ("<|im_start|>said<|im_end|> [NAME] <num> {{slot}} {name} ***", "said"),
        ("call 555-0100 on 2023-04-01", "call ### on <num>"),
        ("你好，世界！", "你好世界"),
        ("e\u0301tude", "étude"),
    ],
)
def test_what_does_not_count(one: str, other: str) -> None:
    assert letters(one) == letters(other) != ""


def test_a_long_tag_is_text() -> None:
    hidden = "the whole record hidden inside of a tag so that nobody looks at it"
    assert "hiddeninsideofatag" in letters(f"<x y='{hidden}'>")


@given(TEXTS)
def test_a_records_letters_do_not_depend_on_its_neighbours(texts: list[str]) -> None:
    data = [text.encode(errors="replace") for text in texts]
    found = normalise(data)
    assert found.records == [normalise([text]).buffer for text in data]
    assert [found.buffer[a : a + n] for a, n in zip(found.starts, found.sizes, strict=True)] == found.records
    assert 0 not in b"".join(found.records)


@given(st.text(alphabet="abcXYZ éß你.,-12 ", max_size=80))
def test_letters_are_stable(text: str) -> None:
    once = letters(text)
    assert letters(once) == once
    assert letters(text.upper()) == letters(text.lower())


@given(st.text(alphabet=st.characters(categories=("L", "M", "Zs", "P")), max_size=40))
def test_unicodes_normal_forms_do_not_count(text: str) -> None:
    assert len({letters(unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")}) == 1


@pytest.mark.parametrize(
    "text", ["한국어 문장입니다", "がぎぐ パピプ", "Ελληνικά", "हिन्दी में", "Ｆｕｌｌ ｗｉｄｔｈ", "ﬁnd ﬂow"]
)
def test_scripts_in_their_normal_forms(text: str) -> None:
    assert letters(unicodedata.normalize("NFD", text)) == letters(unicodedata.normalize("NFKC", text)) != ""


@given(st.binary(max_size=40), st.text(max_size=20))
def test_few_characters_fold_as_many(data: bytes, text: str) -> None:
    mixed = (data + text.encode(errors="replace")).translate(None, bytes(range(1, 97)) + bytes(range(123, 128)))
    assert fold(mixed + b"a" * 4000) == fold(mixed) + b"a" * 4000


@given(st.lists(st.text(alphabet="ab \\uxn0041=%&#;<>[]{}\0A", max_size=60), max_size=6))
def test_escapes_reach_into_no_other_record(texts: list[str]) -> None:
    data = [text.encode() for text in texts]
    assert normalise(data).records == [normalise([text]).buffer for text in data]


def test_nothing() -> None:
    assert normalise([]).records == []
    assert normalise([b""]).records == [b""]
    assert np.array_equal(normalise([b"", b"a\0b", b""]).sizes, [0, 2, 0])
    assert normalise([b"\xff\xfeabc\x80"]).records == [b"abc"]
