"""Values: their JSON form, what is trivial, what is in force, identifiers."""

from __future__ import annotations

import time
import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.vocabulary import (
    CLEAN_KINDS,
    UNDECLARED,
    Basis,
    Content,
    Correction,
    Decision,
    Finding,
    Grant,
    Kind,
    Label,
    Origin,
    Outcome,
    Removal,
    Scope,
    Tag,
)
from lineage.vocabulary.identifier import from_short, new_uuid, short

VALUES = [Origin, Tag, Label, Removal, Correction, Grant, Scope, Finding, Decision, Content]


def _values() -> st.SearchStrategy[object]:
    return st.sampled_from(VALUES).flatmap(_value)


def _value(kind: type) -> st.SearchStrategy[object]:
    def of(info: msgspec.inspect.Type) -> st.SearchStrategy[object]:
        match info:
            case msgspec.inspect.StrType():
                return st.text(max_size=8)
            case msgspec.inspect.IntType():
                return st.integers(0, 1 << 40)
            case msgspec.inspect.BoolType():
                return st.booleans()
            case msgspec.inspect.NoneType():
                return st.none()
            case msgspec.inspect.EnumType(cls=cls):
                return st.sampled_from(list(cls))
            case msgspec.inspect.StructType(cls=cls):
                return _value(cls)
            case msgspec.inspect.VarTupleType(item_type=item):
                return st.lists(of(item), max_size=2).map(tuple)
            case msgspec.inspect.DictType(value_type=value):
                return st.dictionaries(st.text(max_size=4), of(value), max_size=2)
            case msgspec.inspect.UnionType(types=types):
                return st.one_of([of(inner) for inner in types])
        raise NotImplementedError(info)

    fields = msgspec.inspect.type_info(kind).fields  # type: ignore[attr-defined]
    return st.builds(kind, **{field.name: of(field.type) for field in fields})


@given(_values())
def test_every_value_survives_json(value: object) -> None:
    data = msgspec.json.encode(value)
    assert msgspec.json.decode(data, type=type(value)) == value


def test_values_do_not_change() -> None:
    with pytest.raises(AttributeError):
        UNDECLARED.kind = Kind.FIRST_PARTY  # type: ignore[misc]


def test_defaults_are_left_out_and_names_are_camel_case() -> None:
    assert msgspec.json.encode(Origin(Kind.LICENSED)) == b'{"kind":"licensed"}'
    removal = Removal("1", UNDECLARED, "md5:1", (), "a", "b")
    assert set(msgspec.json.decode(msgspec.json.encode(removal))) == {
        "id", "origin", "content", "sources", "claimedBy", "approvedBy",
    }  # fmt: skip
    assert b'"from":"2023-01-01"' in msgspec.json.encode(Grant("1", Scope(), "a", "r", "2023-01-01"))


@pytest.mark.parametrize(
    ("content", "trivial"),
    [
        (Content("md5:d41d8cd98f00b204e9800998ecf8427e"), True),  # an empty file, whatever size a producer gives
        (Content("md5:99914b932bd37a50b983c5e7c90ae93b"), True),  # {}
        (Content("md5:" + "1" * 32, size=15), True),
        (Content("md5:" + "1" * 32, size=16), False),
        (Content("md5:" + "1" * 32), False),
        (Content("md5:" + "1" * 32 + ".dir", size=2), False),
        (Content("md5:d751713988987e9331980363e24189ce.dir"), True),  # an empty directory
    ],
)
def test_what_is_too_small_to_mean_anything(content: Content, trivial: bool) -> None:
    assert content.trivial is trivial


def test_a_removal_and_a_correction_need_a_second_person() -> None:
    for claimed, approved, force in (("a", "", False), ("a", "a", False), ("a", "b", True)):
        assert Removal("1", UNDECLARED, "md5:1", (), claimed, approved).in_force is force
        assert Correction("1", UNDECLARED, Basis.DECLARED, "md5:1", claimed, approved).in_force is force


@pytest.mark.parametrize("mode", ["enforce", "warn", "audit"])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_an_enforced_refusal_blocks(outcome: Outcome, mode: str) -> None:
    decision = Decision("1", outcome, "s", "m", "register", mode=mode)
    assert decision.blocks is (mode == "enforce" and outcome in (Outcome.DENY, Outcome.CANNOT_DECIDE))


def test_a_claim_that_frees_is_of_a_clean_kind() -> None:
    assert not CLEAN_KINDS & {Kind.THIRD_PARTY_MODEL_OUTPUT, Kind.WEB_CRAWL, Kind.UNDECLARED, Kind.CUSTOMER}


@given(st.uuids())
def test_both_forms_of_an_identifier_are_the_same(value: uuid.UUID) -> None:
    assert from_short(short(value)) == value
    assert len(short(value)) == 26


def test_identifiers_sort_by_time() -> None:
    first = new_uuid()
    time.sleep(0.002)
    second = new_uuid()
    assert first.version == 7
    assert first.variant == uuid.RFC_4122
    assert short(first) < short(second)


@pytest.mark.parametrize("text", ["", "x" * 25, "U" * 26, "ü" * 26])
def test_what_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_short(text)
