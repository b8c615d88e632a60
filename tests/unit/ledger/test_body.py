"""Entries at rest are the exact bytes again, and the dictionary never changes under its number."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import CannotDecide
from lineage.events import run_event
from lineage.ledger import pack, unpack


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=40))
def test_the_same_bytes_again(events: list[bytes]) -> None:
    assert unpack(pack(events)) == events


def test_events_are_kept_small() -> None:
    event = run_event(run_id="r", job=("dvc://p", "dvc.yaml:train"), time="2024-01-01T00:00:00Z")
    assert len(pack([event])) < len(event) / 2


def test_the_dictionary_is_immutable() -> None:
    """What is packed with dictionary 1 is read with it for ever: a better one gets number 2."""
    data = files("lineage.ledger").joinpath("event-1.zdict").read_bytes()
    assert sha256(data).hexdigest() == "6438fa37010f687a9ebace917a83b64a8821ccfef68db2ac8a391abeb186eac7"


@pytest.mark.parametrize("stored", [b"", b"\x07abc", b"\x01abc", b"\x00", b"\x00\x01\x00\x00\x00\xff\x00\x00\x00x"])
def test_what_cannot_be_read_is_refused(stored: bytes) -> None:
    with pytest.raises(CannotDecide) as caught:
        unpack(stored)
    assert caught.value.code == "LEDGER_DAMAGED"


def test_threads_do_not_share_what_zstd_works_in() -> None:
    """A context of zstd that two threads use at once gives other bytes, or ends the process."""
    made = [[b"%d" % n + json.dumps({"run": n, "text": "x" * (n * 37 % 9_000)}).encode()] * 20 for n in range(200)]
    stored = [pack(events) for events in made]

    def read(start: int) -> bool:
        found = [unpack(pack(made[i])) == made[i] and unpack(stored[i]) == made[i] for i in range(start, 200, 3)]
        return all(found)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, [n % 3 for n in range(48)]))
