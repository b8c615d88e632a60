"""Fingerprints: SipHash as its authors define it, and passages that depend on their own letters alone."""

from __future__ import annotations

import pickle
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.content import Key, anchors, exact, fingerprints, normalise
from lineage.content.fingerprint import EVERY, LEAST, PASSAGE, _siphash

KEY = Key(bytes(range(32)))
WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz ", max_size=400)


def reference(first: int, second: int, message: bytes) -> int:
    """SipHash-1-3 by the book, for messages of 24 bytes."""
    mask = (1 << 64) - 1
    v = [
        first ^ 0x736F6D6570736575,
        second ^ 0x646F72616E646F6D,
        first ^ 0x6C7967656E657261,
        second ^ 0x7465646279746573,
    ]

    def rotate(x: int, bits: int) -> int:
        return ((x << bits) | (x >> (64 - bits))) & mask

    def mix() -> None:
        v[0] = (v[0] + v[1]) & mask
        v[1] = rotate(v[1], 13) ^ v[0]
        v[0] = rotate(v[0], 32)
        v[2] = (v[2] + v[3]) & mask
        v[3] = rotate(v[3], 16) ^ v[2]
        v[0] = (v[0] + v[3]) & mask
        v[3] = rotate(v[3], 21) ^ v[0]
        v[2] = (v[2] + v[1]) & mask
        v[1] = rotate(v[1], 17) ^ v[2]
        v[2] = rotate(v[2], 32)

    for word in [int.from_bytes(message[i : i + 8], "little") for i in (0, 8, 16)] + [24 << 56]:
        v[3] ^= word
        mix()
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(3):
        mix()
    return v[0] ^ v[1] ^ v[2] ^ v[3]


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.binary(min_size=24, max_size=24))
def test_siphash(first: int, second: int, message: bytes) -> None:
    words = [np.frombuffer(message[i : i + 8], "<u8").copy() for i in (0, 8, 16)]
    assert int(_siphash((first, second), words)[0]) == reference(first, second, message)


def of(text: bytes, key: Key = KEY) -> set[int]:
    return set(anchors(normalise([text]), key)[1].tolist())


@settings(deadline=None)
@given(st.lists(WORDS, max_size=8))
def test_fingerprints_of_a_record_do_not_depend_on_its_neighbours(texts: list[str]) -> None:
    data = [text.encode() for text in texts]
    found = fingerprints(normalise(data), KEY)
    for i, text in enumerate(data):
        alone = fingerprints(normalise([text]), KEY)
        assert found.exact[i] == alone.exact[0]
        assert np.array_equal(found.anchors[found.record == i], alone.anchors)
        room = int(alone.letters[0]) - PASSAGE + 1
        assert min(max(room, 0), 1) <= len(alone.anchors) <= max(LEAST, room)
        assert (alone.letters[0] == 0) == (alone.exact[0] == 0)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32))
def test_what_is_left_of_a_text_keeps_its_passages(seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=4000)).encode()
    whole = of(text)
    assert 0.5 < len(whole) / (4000 / EVERY) < 1.6
    part = of(text[1000:3000])
    assert len(part & whole) >= len(part) - 2
    assert whole <= of(b"before " + text + b" after") | of(text[-60:]) | of(text[:60])


def test_another_key_tells_nothing() -> None:
    text = b"the same words under another key are other numbers, whoever computes them, and wherever they are kept"
    other = Key(bytes(32))
    assert exact(normalise([text]), KEY)[0] != exact(normalise([text]), other)[0]
    assert not of(text) & of(text, other)
    assert KEY.id != other.id
    assert pickle.loads(pickle.dumps(KEY)).id == KEY.id


def test_large_records_and_many() -> None:
    big = random.Random(1).choices(range(97, 123), k=1_000_000)
    found = fingerprints(normalise([b"", bytes(big), b"short", bytes(big)]), KEY)
    assert found.exact[1] == found.exact[3] != 0 == found.exact[0]
    assert np.array_equal(found.anchors[found.record == 1], found.anchors[found.record == 3])
    assert set(found.record.tolist()) == {1, 3}
    assert len(fingerprints(normalise([]), KEY).exact) == 0
