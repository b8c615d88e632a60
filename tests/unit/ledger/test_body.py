"""Entries at rest are the exact bytes again, and the dictionary never changes under its number."""

from __future__ import annotations

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
