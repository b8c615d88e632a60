"""Redacted bundles: nothing of what was redacted is left, everything still verifies, and single values can be opened."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import CannotDecide
from lineage.events import Event, naming
from lineage.events.event import act_event, dataset_event, read, run_event
from lineage.evidence.bundle import Bundle, Redact
from lineage.evidence.bundle.redact import TOKEN, Redaction, commitment, decoded, scan
from lineage.gate import Gate
from lineage.gate.bundle import bundle
from lineage.vocabulary import (
    Artifact,
    Basis,
    Content,
    Correction,
    Execution,
    Input,
    Kind,
    Origin,
    PolicyFile,
    PolicyRecord,
    Tag,
)
from tests.unit.evidence.bundle.conftest import EVENTS, JO, OWN, PATHS, PEOPLE, TIME, Verdict, unzipped

Made = Callable[..., Bundle]
Verify = Callable[..., Verdict]
BOTH, PEOPLE_ONLY, PATHS_ONLY = frozenset(Redact), frozenset({Redact.PEOPLE}), frozenset({Redact.PATHS})
CASES = [
    ("seed-chat", "openai"),
    ("seed-own", "openai"),
    ("seed-web", "openai"),
    ("seed-exam", "openai"),
    ("seed-chat", ""),
]


@pytest.mark.parametrize("redact", [BOTH, PEOPLE_ONLY, PATHS_ONLY])
@pytest.mark.parametrize(("name", "origin"), CASES)
def test_it_verifies_and_can_be_opened(
    made: Made, verify: Verify, key: str, name: str, origin: str, redact: frozenset[Redact]
) -> None:
    found = made(name, origin, redact=redact)
    said = verify(found.data, "--key", key)
    assert (said.status, said.last) == (0, "VERIFIED"), said.text
    assert "the copies are a signed statement of the operator" in said.text
    opened = verify(found.data, "--key", key, "--open", "openings.json", **{"openings.json": found.openings})
    assert opened.status == 0, opened.text
    assert f"{found.withheld} entries opened whole of {found.withheld} that are redacted" in opened.text


@pytest.mark.parametrize(
    ("redact", "gone", "stays"),
    [(BOTH, PEOPLE + PATHS, ()), (PEOPLE_ONLY, PEOPLE, PATHS[:1]), (PATHS_ONLY, PATHS, PEOPLE[:1])],
)
@pytest.mark.parametrize(("name", "origin"), [("seed-chat", "openai"), ("seed-chat", "")])
def test_no_redacted_value_is_anywhere(
    made: Made, name: str, origin: str, redact: frozenset[Redact], gone: tuple[str, ...], stays: tuple[str, ...]
) -> None:
    found = made(name, origin, redact=redact).data
    everything = b"\n".join([found, *(content for content in unzipped(found).values())])
    texts = [content.decode() for member, content in unzipped(found).items() if not member.endswith(".pdf")]
    encoded = [word for text in texts for word in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text)]
    readings = [everything.decode("latin-1"), *texts, *map(html.unescape, texts), *map(_unescaped, texts)]
    readings += [base64.b64decode(word[: len(word) // 4 * 4]).decode("latin-1") for word in encoded]
    for value in gone:
        for reading in readings:
            assert value.lower() not in reading.lower(), value
    for value in stays:
        assert value.lower() in everything.decode("latin-1").lower()


def test_names_in_peoples_words_go_too(made: Made) -> None:
    members = unzipped(made("seed-chat", "", redact=BOTH).data)
    assert b"Contract MS-117 of [person-" in members["case.json"]
    assert re.search(rb"\[person-\d+\.\d+\] bought it, see \[path-\d+", members["case.json"])


def test_names_of_providers_channels_and_packs_stay(gate: Gate) -> None:
    """They are in the catalogue, and are nobody's path: a case without them says nothing."""
    redaction = Redaction(BOTH, b"secret")
    event = run_event(
        run_id="r", job=("dvc://seed", "flows/openai:scrub"), time="2023-03-02T09:30:00+00:00",
        inputs=[Input(Artifact("dvc://seed", "data/openai", Content("md5:" + "1" * 32, 1000)))],
        outputs=[Artifact("dvc://seed", "data/azure-openai", Content("md5:" + "2" * 32, 1000))],
        execution=Execution("dvc", "flows/openai:scrub"),
    ).decode()  # fmt: skip
    policy = PolicyRecord("0" * 64, (PolicyFile("lineage.policy.yaml", ""), PolicyFile("lineagegate/packs/openai", "")))
    said = act_event(policy, run_id="p", time="2023-03-02T09:30:00+00:00").decode()
    claimed = act_event(
        Correction("01H", Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4", "azure-openai"), Basis.DECLARED,
                   "md5:" + "1" * 32, JO, reason="bought from OpenAI via azure-openai, see data/openai"),
        run_id="c", time="2023-03-02T09:30:00+00:00",
    ).decode()  # fmt: skip
    for text in (event, said, claimed):
        redaction.learn(text, Event)
    shown = [redaction.apply(text, Event) for text in (event, said, claimed)]
    assert "data/openai" not in shown[0]
    assert "azure-openai" not in shown[0]
    assert "lineagegate/packs/openai" in shown[1]
    assert "lineage.policy.yaml" not in shown[1]
    assert '"provider":"openai"' in shown[2]
    assert '"channel":"azure-openai"' in shown[2]
    assert "bought from OpenAI via azure-openai, see [path-" in shown[2]


def test_a_pseudonym_is_the_same_everywhere(made: Made) -> None:
    found = made("seed-chat", "", redact=BOTH)
    openings = json.loads(found.openings)["openings"]
    values = [(token, item["value"]) for token, item in openings.items()]
    assert len({value for _, value in values}) == len(values)
    (token,) = [token for token, value in values if value == JO]
    members = unzipped(found.data)
    assert token.encode() in members["case.json"]
    assert token.encode() in members["entries.jsonl"]
    assert html.escape(token).encode() in members["dossier.html"]


def test_the_same_case_is_redacted_to_the_same_bytes_and_salts_are_secret(gate: Gate, made: Made) -> None:
    case = gate.case("models:/seed-chat/1", "openai")
    again, other = bundle(gate, case, redact=BOTH), made("seed-chat", "", redact=BOTH)
    assert again.data == made("seed-chat", "openai", redact=BOTH).data
    salts = [{item["salt"] for item in json.loads(b.openings)["openings"].values()} for b in (again, other)]
    assert not salts[0] & salts[1]
    whole = b"".join(unzipped(again.data).values())
    assert not any(salt.encode() in whole for salt in salts[0])


def test_openings_that_are_not_true_are_refused(made: Made, verify: Verify, key: str) -> None:
    found = made(redact=BOTH)
    openings = json.loads(found.openings)
    token, item = next((t, i) for t, i in openings["openings"].items() if t.startswith("[person"))
    for change in ({"value": "Mallory"}, {"salt": "00" * 32}):
        lie = {**openings, "openings": {token: {**item, **change}}}
        said = verify(found.data, "--key", key, "--open", "o.json", **{"o.json": json.dumps(lie)})
        assert (said.status, "does not fit what was committed to" in said.last) == (1, True)
    foreign = {**openings, "openings": {"[person-999]": item}}
    said = verify(found.data, "--key", key, "--open", "o.json", **{"o.json": json.dumps(foreign)})
    assert (said.status, "not in this bundle" in said.last) == (1, True)
    single = {**openings, "openings": {token: item}}
    said = verify(found.data, "--key", key, "--open", "o.json", **{"o.json": json.dumps(single)})
    assert said.status == 0
    assert f"{token} is {item['value']}" in said.text


def test_a_redacted_copy_that_differs_from_its_entry_is_found_when_it_is_opened(made: Made, gate: Gate) -> None:
    from lineage.evidence.bundle import verify as program
    from tests.unit.evidence.bundle.conftest import list_anew, rezipped

    found = made(redact=BOTH)
    members = unzipped(found.data)
    members["entries.jsonl"] = members["entries.jsonl"].replace(b"2-0-2", b"2-0-3")
    list_anew(members, gate.seal.signer())
    given = program.Given(openings=json.loads(found.openings))
    assert program.Check(rezipped(members), program.Given(), lambda _: None).run() == 3
    said: list[str] = []
    assert program.Check(rezipped(members), given, said.append).run() == 1
    assert "the redacted copy differs from the entry" in said[-1]


def test_what_cannot_be_replaced_is_not_handed_out(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    case = gate.case("models:/seed-chat/1", "openai")
    assert case.seal is not None
    monkeypatch.setattr(Redaction, "apply", lambda _self, text, _kind: text)
    with pytest.raises(CannotDecide) as refused:
        bundle(gate, case, redact=BOTH)
    assert refused.value.code == "REDACTION_INCOMPLETE"


# -- the text of events --------------------------------------------------------------------------------------------------


def redacted(*texts: str, kinds: frozenset[Redact] = BOTH) -> tuple[list[str], Redaction]:
    """Events redacted together."""
    redaction = Redaction(kinds, b"secret")
    for text in texts:
        redaction.learn(text, Event)
    return [redaction.apply(text, Event) for text in texts], redaction


def reopened(text: str, redaction: Redaction) -> str:
    """A redacted copy with every value put back."""
    openings = redaction.openings()
    return TOKEN.sub(lambda match: openings[match.group().strip('"')][1], text)


def test_every_event_comes_back_byte_for_byte() -> None:
    texts = [event.decode() for event in EVENTS]
    copies, redaction = redacted(*texts)
    for text, copy in zip(texts, copies, strict=True):
        assert reopened(copy, redaction) == text
        read(copy.encode())
        assert not redaction.left(copy)


HOSTILE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)


@settings(deadline=None, max_examples=150)
@given(HOSTILE, HOSTILE, HOSTILE, st.booleans())
def test_whatever_people_are_called_comes_back_and_is_gone(name: str, path: str, stage: str, ascii_: bool) -> None:
    artifact = Artifact(naming.dvc_namespace("seed"), f"data/{path}", Content("md5:" + "1" * 32, 100))
    event = run_event(
        run_id=naming.run_id("x"), job=(naming.dvc_namespace("seed"), f"dvc.yaml:{stage}"), time="2023-03-02T09:30:00Z",
        inputs=[Input(artifact)], execution=Execution("dvc", f"dvc.yaml:{stage}", commit="a1b2c3d4e5f6", author=f"{name} <{name}@x>"),
    )  # fmt: skip
    text = json.dumps(json.loads(event), ensure_ascii=ascii_, indent=1)
    (copy,), redaction = redacted(text)
    assert reopened(copy, redaction) == text
    said = json.loads(copy)
    assert TOKEN.fullmatch(said["run"]["facets"]["lineage_execution"]["execution"]["author"])
    assert TOKEN.fullmatch(said["inputs"][0]["name"])


def test_what_other_producers_say_is_withheld_whole() -> None:
    text = json.dumps(
        {
            "eventTime": "2023-03-02T09:30:00Z", "run": {"runId": "x", "facets": {"ownership": {"owners": [{"name": "Alice"}]}}},
            "job": {"namespace": "spark", "name": "job"}, "more": "Alice", "number": 7, "nothing": None,
            "inputs": [{"namespace": "s3://alices-bucket", "name": "deep/alice.csv", "facets": {"documentation": {"description": "by Alice"}}}],
        }
    )  # fmt: skip
    (copy,), redaction = redacted(text)
    assert reopened(copy, redaction) == text
    assert "alice" not in copy.lower()
    assert json.loads(copy)["number"] == 7
    assert json.loads(copy)["inputs"][0]["namespace"] == "[path-1]"


def test_what_looks_like_a_pseudonym_is_redacted_itself() -> None:
    text = EVENTS[0].decode().replace("bought it", 'bought [person-1] and \\"[withheld-1]\\"')
    (copy,), redaction = redacted(text)
    assert reopened(copy, redaction) == text


def test_one_person_has_one_number_however_written() -> None:
    names = ["Jane Roe <jane@x.example>", "Jane Roe", "JANE ROE <jane@x.example>", "jane@x.example"]
    events = [
        run_event(
            run_id=naming.run_id(n),
            job=("dvc://seed", "dvc.yaml:a"),
            time="2023-03-02T09:30:00Z",
            execution=Execution("dvc", author=n),
        )
        for n in names
    ]
    copies, _ = redacted(*(event.decode() for event in events))
    said = [json.loads(copy)["run"]["facets"]["lineage_execution"]["execution"]["author"] for copy in copies]
    assert all(re.fullmatch(r"\[person-1(\.\d+)?\]", author) for author in said), said
    assert len(set(said)) == len(said)


def test_a_word_of_a_name_is_not_taken_out_of_longer_names() -> None:
    text = EVENTS[0].decode().replace("bought it", "bought it for lin-models, lin.txt, Lin, and (lin)")
    (copy,), _ = redacted(text)
    assert "lin-models, lin.txt, [person-1" in copy


def test_commitments_are_salted_hashes() -> None:
    from hashlib import sha256

    assert commitment("00ff", "Jane") == sha256(b"\x00\xffJane").hexdigest()


@settings(deadline=None, max_examples=100)
@given(HOSTILE, st.booleans())
def test_literals_are_found_where_they_are(text: str, ascii_: bool) -> None:
    raw = json.dumps(text, ensure_ascii=ascii_)[1:-1]
    plain, places = decoded(raw)
    assert plain == text
    assert len(places) == len(plain) + 1
    assert "".join(raw[a:b] for a, b in pairwise(places)) == raw
    whole = json.dumps({"eventTime": text}, ensure_ascii=ascii_)
    assert [whole[i.start : i.end] for i in scan(whole, Event)] == ["eventTime", raw]


def _unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m.group(1), 16)), text)


@pytest.mark.parametrize(
    ("known", "written"),
    [
        ("Zoë Müller <z@x.example>", "asked ZOE\u0308 MÜLLER twice"),
        ("Zoe\u0308 Mu\u0308ller <z@x.example>", "asked zoë müller twice"),
        ("Jörg Weiß <j@x.example>", "asked JÖRG WEISS twice"),
        ("Ann Ortega <a@x.example>", "asked \uff21\uff4e\uff4e Ortega twice"),
    ],
)
def test_a_name_in_other_case_or_normal_form_is_found(known: str, written: str) -> None:
    redaction = Redaction(frozenset({Redact.PEOPLE}), b"s")
    tag = Tag(OWN, by=known, reason=written)
    event = dataset_event(Artifact("dvc://seed", "d", tags=(tag,)), time=TIME).decode()
    redaction.learn(event, Event)
    assert redaction.left(event)
    found = redaction.apply(event, Event)
    assert re.search(r'"asked \[person-1[.0-9]*\] twice"', found), found
    assert not redaction.left(found)
