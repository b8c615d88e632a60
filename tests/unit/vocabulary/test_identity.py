"""Who may be one person: the gate's rule and the standalone verifier's are one."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from lineage.evidence.bundle import verify
from lineage.vocabulary import identity

LIN = "Lin Seed <lin@seed.example>"

ONE = [
    "lin seed", " LIN  SEED ", "Ｌｉｎ Ｓｅｅｄ", "Lin\u200b Seed", "Lin\u3164Seed", "Lin\u2800Seed", "Lin\ufe0f Seed",
    "Lin. Seed", "Lin-Seed", "LinSeed", "Seed, Lin", "Lín Seed", "L\u0456n S\u0435\u0435d", "\u039bin <lin@seed.example>",
    "Lin Seed (lin@other.example)", "Lin Seed <lin@other.example>", "lin@seed.example", "mailto:lin@seed.example",
    "<LIN@Seed.Example>", "Ann <lin+x@seed.example>", "Ann (lin+second@seed.example)", "Ann [lin@seed.example.]",
    "l\u0456n@s\u0435ed.example", "Ann <lin＠seed.example>", "", "<>", "\u3164", "...",
]  # fmt: skip

TWO = ["Jo Park <jo@seed.example>", "Jo Park", "jo@seed.example", "Lin Park", "李娜 <li@seed.example>", "Лена"]


@pytest.mark.parametrize("same", [identity.same_person, verify.same_person])
def test_who_looks_the_same_is_one_person(same: Callable[[str, str], bool]) -> None:
    assert [other for other in ONE if not same(LIN, other) or not same(other, LIN)] == []


@pytest.mark.parametrize("same", [identity.same_person, verify.same_person])
def test_other_people_are_others(same: Callable[[str, str], bool]) -> None:
    assert [other for other in TWO if same(LIN, other) or same(other, LIN)] == []
    assert not same("राम", "रमा")  # a vowel sign makes another name
    assert same("НИКОЛАЙ", "Николай")


@pytest.mark.parametrize("same", [identity.same_person, verify.same_person])
def test_long_names_hold_nobody_up(same: Callable[[str, str], bool]) -> None:
    """Ten times the letters take ten times as long, not a hundred times."""
    began = time.monotonic()
    for text in ("a" * 300_000, "a@" * 150_000, "mailto:" * 40_000):
        assert not same(text, LIN)
    assert time.monotonic() - began < 20


def test_the_verifier_spells_as_the_gate_does() -> None:
    for who in (LIN, *ONE, *TWO, "Ηλίας <ηλίας@seed.example>", "a@b@c <d>", "İpek ŞAHİN", "Ⅸ ﬁ ß 1l0O"):
        assert verify.spellings(who) == identity.spellings(who), who
    assert verify.same_person("[person-1]", "[person-1.2]")
    assert not verify.same_person("[person-1]", "[person-12]")
