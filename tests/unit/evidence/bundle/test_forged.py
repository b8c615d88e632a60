"""A true case with one thing changed by whoever has the key: each change is found out by what the entries say."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from lineage.evidence.bundle import Bundle
from lineage.evidence.bundle import verify as program
from lineage.evidence.bundle.verify import Findings, Record, Wrong
from lineage.gate import Gate
from lineage.policy.catalogue import catalogue
from lineage.policy.pattern import normal
from tests.unit.evidence.bundle.conftest import GPT, list_anew, rezipped, unzipped

Made = Callable[..., Bundle]
Case = dict[str, Any]
Entries = dict[int, Any]
Forge = Callable[[Case, Entries], object]


def _read(bundle: Bundle) -> tuple[Case, Entries]:
    members = unzipped(bundle.data)
    lines = map(json.loads, members["entries.jsonl"].decode().splitlines())
    return json.loads(members["case.json"]), {line["entry"]: json.loads(line["event"]) for line in lines}


def _missing(case: Case, entries: Entries) -> str:
    try:
        findings = Findings(case, Record(entries))
        findings.check()
    except Wrong as error:
        return str(error)
    return "\n".join(findings.missing)


def _set(*path: Any, to: Any) -> Forge:
    def forge(case: Case, _: Entries) -> None:
        at: Any = case
        for key in path[:-1]:
            at = at[key]
        assert at.get(path[-1]) != to if isinstance(at, dict) else at[path[-1]] != to
        at[path[-1]] = to

    return forge


def _del(part: str, keep: Callable[[Any], bool] = lambda _: False) -> Forge:
    def forge(case: Case, _: Entries) -> None:
        kept = [item for item in case[part] if keep(item)]
        assert len(kept) < len(case[part])
        case[part] = kept

    return forge


def _again(entries: Entries, position: int) -> Any:
    """A copy of an entry at the end, to be changed."""
    entries[max(entries) + 1] = found = copy.deepcopy(entries[position])
    return found


def _grant_shortened(case: Case, entries: Entries) -> None:
    again = _again(entries, case["grants"][0]["entries"][0])
    again["run"]["facets"]["lineage_grant"]["grant"]["until"] = "2023-05-01"
    case["grants"][0]["entries"].append(max(entries))


def _withdrawal_dated(case: Case, entries: Entries) -> None:
    again = _again(entries, case["grants"][0]["entries"][0])
    again["run"]["facets"]["lineage_grant"]["grant"]["withdrawn"] = True
    case["grants"][0]["entries"].append(max(entries))
    case["grants"][0]["grant"]["withdrawn"] = True
    case["grants"][0].update(withdrawn="2019-01-01T00:00:00Z", withdrawnBy="Nobody")


def _void(case: Case, entries: Entries) -> None:
    """A match on what a removal speaks for, which the case does not know of."""
    run = next(e for e in entries.values() if (e.get("job") or {}).get("name") == "flows/dvc.yaml:scrub")
    dataset = copy.deepcopy(run["outputs"][0])
    tag = {"origin": {"kind": "third-party-model-output", "provider": "openai"}, "basis": "matched"}
    dataset.setdefault("facets", {})["lineage_origin"] = {"tags": [tag]}
    entries[max(entries) + 1] = {"eventTime": "2024-01-01T00:00:00Z", "dataset": dataset}


def _own_approval(_: Case, entries: Entries) -> None:
    for entry in entries.values():
        facet = ((entry.get("run") or {}).get("facets") or {}).get("lineage_removal")
        if facet and facet["removal"].get("approvedBy"):
            facet["removal"]["approvedBy"] = facet["removal"]["claimedBy"].upper()


def _another_way(_: Case, entries: Entries) -> None:
    """A second way from the source, which no removal cuts."""
    run = next(e for e in entries.values() if (e.get("job") or {}).get("name") == "flows/dvc.yaml:clean")
    train = next(e for e in entries.values() if (e.get("job") or {}).get("name") == "flows/dvc.yaml:train-lite")
    train["inputs"] += run["inputs"][:1]


def _symlink(_: Case, entries: Entries) -> None:
    """The model's data has another name, and under that one it is of the origin."""
    train = next(e for e in entries.values() if (e.get("job") or {}).get("name") == "flows/dvc.yaml:train-own")
    other = {"namespace": "s3a://Lake/", "name": "gpt4/"}
    train["inputs"].append({"namespace": "db", "name": "t", "facets": {"symlinks": {"identifiers": [other]}}})
    tag = {"origin": {"kind": "third-party-model-output", "provider": "openai"}, "by": "x"}
    dataset = {"namespace": "s3://Lake", "name": "gpt4", "facets": {"lineage_origin": {"tags": [tag]}}}
    entries[max(entries) + 1] = {"eventTime": "2023-01-01T00:00:00Z", "dataset": dataset}


def _column(_: Case, entries: Entries) -> None:
    """A facet of the model's data says that a column of it was made from something of the origin."""
    train = next(e for e in entries.values() if (e.get("job") or {}).get("name") == "flows/dvc.yaml:train-own")
    fields = {"text": {"inputFields": [{"namespace": "db", "name": "gpt", "field": "c"}]}}
    train["outputs"][0].setdefault("facets", {})["columnLineage"] = {"fields": fields}
    tag = {"origin": {"kind": "third-party-model-output", "provider": "openai"}, "by": "x"}
    dataset = {"namespace": "db", "name": "gpt", "facets": {"lineage_origin": {"tags": [tag]}}}
    entries[max(entries) + 1] = {"eventTime": "2023-01-01T00:00:00Z", "dataset": dataset}


def _origin(**fields: str) -> Forge:
    """Let the model's source have another origin, in the entries and wherever the case lists it."""

    def forge(case: Case, entries: Entries) -> None:
        for entry in entries.values():
            for dataset in (*entry.get("inputs", ()), *entry.get("outputs", ()), entry.get("dataset")):
                for tag in ((dataset or {}).get("facets") or {}).get("lineage_origin", {}).get("tags", ()):
                    tag["origin"] = fields
        for source in case["sources"]:
            if source["basis"] is not None:
                source["origin"] = {**dict.fromkeys(source["origin"], ""), **fields}

    return forge


def _swapped(case: Case, _: Entries) -> None:
    case["removals"][0]["removal"]["sources"], case["removals"][0]["removal"]["content"] = (
        [case["removals"][0]["removal"]["content"]],
        case["removals"][0]["removal"]["sources"][0],
    )


def _alias(model: str, version: str, happening: str = "alias") -> Forge:
    def forge(case: Case, entries: Entries) -> None:
        created = next(p for p, e in entries.items() if (e.get("job") or {}).get("name") == "registry")
        for what in ("alias", happening) if happening != "alias" else ("alias",):
            change = _again(entries, created)["run"]["facets"]["lineage_registry"]["change"]
            change.update(happening=what, value="production", model=model, version=version)
            line = {"kind": what, "entry": max(entries), "by": change["by"], "subject": f"models:/{model}/{version}"}
            case["history"].append({**case["history"][0], **line, "time": entries[max(entries)]["eventTime"]})
        case["subject"]["aliases"] = ["production"]

    return forge


def _twice(_: Case, entries: Entries) -> None:
    """A second person's approval of another claim, under the same id."""
    approval = next(p for p, e in entries.items() if "approvedBy" in json.dumps(e))
    _again(entries, approval)["run"]["facets"]["lineage_removal"]["removal"]["content"] = "md5:" + "6" * 32


_CHAT, _LITE, _OWN = "seed-chat", "seed-lite", "seed-own"
OTHER = "2023-03-06T11:00:02+00:00"
FORGED: dict[str, tuple[str, Forge, str]] = {
    "a step called something else": (
        _CHAT, _set("traces", 0, "path", 1, "artifact", to="data/licensed.jsonl"), "says that data/licensed.jsonl is"),
    "the source called something else": (
        _CHAT, _set("traces", 0, "path", 0, "artifact", to="data/raw/web"), "says that data/raw/web is"),
    "a step behind a pseudonym that nobody committed to": (
        _CHAT, _set("traces", 0, "path", 0, "artifact", to="[path-1]"), "says that [path-1] is"),
    "a source that the path does not begin at": (
        _CHAT, _set("traces", 0, "source", "content", to="md5:" + "3" * 32), "begins at its source"),
    "who declared it, left out": (_CHAT, _set("traces", 0, "declaredBy", to=""), "an entry says that it is"),
    "the reason, left out": (_CHAT, _set("traces", 0, "reason", to=""), "an entry says that it is"),
    "the day, left out": (_CHAT, _set("traces", 0, "declared", to=""), "an entry says that it is"),
    "the day, in a zone where it is another": (
        _CHAT, _set("traces", 0, "declared", to="2023-03-01T21:30:00-12:00"), "an entry says that it is"),
    "a zone that there is not": (
        _CHAT, _set("traces", 0, "since", to="2023-02-26T10:30:00-95:00"), "says since when"),
    "since when, not said": (_CHAT, _set("traces", 0, "since", to=""), "says since when"),
    "since when: the day of something else": (_CHAT, _set("traces", 0, "since", to=OTHER), "says since when"),
    "a step by another stage": (_CHAT, _set("traces", 0, "path", 1, "run", to="train"), "from the step before"),
    "a step at the time of another": (_CHAT, _set("traces", 0, "path", 1, "time", to=OTHER), "from the step before"),
    "a person who only bought the data": (
        _CHAT, _set("traces", 0, "path", 2, "by", to="Lin Meiers <lin.meiers@seed.example>"), "from the step before"),
    "the use, narrowed everywhere": (
        _CHAT,
        lambda case, _: [_set("traces", 0, "use", to="evaluation")(case, _),
                         _set("traces", 0, "path", 2, "use", to="evaluation")(case, _),
                         _set("answer", "contains", to="evaluation-only")(case, _)],
        "a path shows each use"),
    "a grant for longer": (_CHAT, _set("grants", 0, "grant", "until", to="2099-01-01"), "has it"),
    "a grant for more": (_CHAT, _set("grants", 0, "grant", "scope", to={"provider": "*"}), "has it"),
    "a grant that was shortened since": (_CHAT, _grant_shortened, "has it"),
    "a grant withdrawn at another time": (_CHAT, _withdrawal_dated, "was withdrawn 2019"),
    "a grant left out": (_CHAT, _del("grants"), "is in the case"),
    "a decision about something else": (_CHAT, _set("decisions", 0, "content", to="md5:" + "6" * 32), "is about md5:666"),
    "a line of the registry left out": (_CHAT, _del("history", lambda i: i["kind"] != "registered"), "is in the case"),
    "an alias of another version": (_CHAT, _alias("seed-chat", "2"), "the alias production was given"),
    "an alias of another model": (_CHAT, _alias("seed-own", "1"), "the alias production was given"),
    "an alias that was taken": (_CHAT, _alias("seed-chat", "1", "alias-removed"), "the alias production was given"),
    "a yes whose sentence says no": (
        _CHAT, _set("answer", "sentence", to="models:/seed-chat/1 does not contain openai."), "so says its sentence"),
    "a question about an earlier day": (
        _CHAT, _set("question", "asOf", to="2023-03-01T00:00:00+00:00"), "no entry here happened after"),
    "the removal left out of a no": (_LITE, _del("removals"), "is in the case"),
    "the removal not beside the no": (_LITE, _set("answer", "taken", to=[]), "the answer names removal"),
    "another evidence": (_LITE, _set("removals", 0, "removal", "evidenceHash", to="sha256:" + "0" * 64), "as entry"),
    "another result": (_LITE, _set("removals", 0, "removal", "result", to="0 left"), "as entry"),
    "a removal the other way round": (_LITE, _swapped, "as entry"),
    "an approval by another": (_LITE, _set("removals", 0, "removal", "approvedBy", to="Counsel"), "names the approver"),
    "a removal that a match contradicts": (_LITE, _void, "is of the origin asked about"),
    "a removal approved by who claimed it": (_LITE, _own_approval, "is of the origin asked about"),
    "a way around the removal": (_LITE, _another_way, "is of the origin asked about"),
    "an approval of another claim under the same id": (_LITE, _twice, "is in the case"),
    "a removal in force that nobody approved": (_OWN, _set("removals", 0, "state", to="in force"), "is waiting"),
    "a source listed with another origin": (
        _OWN, _set("sources", 0, "origin", "kind", to="public-domain"), "the list of sources has each tag"),
    "a source listed as another's word": (_OWN, _set("sources", 0, "declaredBy", to="Counsel"), "as entry"),
    "a source left out of the list": (_OWN, _set("sources", to=[]), "the list of sources has each tag"),
    "a no over a lineage that is not whole": (_OWN, _set("coverage", "complete", to=False), "calls its lineage complete"),
    "another name of the data": (_OWN, _symlink, "is of the origin asked about"),
    "a column of the data": (_OWN, _column, "is of the origin asked about"),
    "a name of the same provider": (
        _OWN, _origin(kind="third-party-model-output", channel="aoai"), "by another name or spelling"),
    "a service of the same provider": (
        _OWN, _origin(kind="third-party-model-output", provider="our vendor", service="GPT_4o"), "by another name"),
    "a provider in other letters": (
        _OWN, _origin(kind="third-party-model-output", provider="оpеnаi"), "by another name"),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_case_is_found_out(made: Made, what: str) -> None:
    name, forge, reason = FORGED[what]
    case, entries = _read(made(name))
    assert _missing(case, entries) == ""
    forge(case, entries)
    found = _missing(case, entries)
    assert reason in found, found or "VERIFIED"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda line: line.replace('"event":', '"redacted":'), "in a bundle that says it is not redacted"),
        (lambda line: line.replace('{"entry": ', '{"entry": true, "was": ', 1), "is out of order"),
        (lambda line: line.replace('{"entry": ', '{"entry": 1e300, "was": ', 1), "is out of order"),
        (lambda line: line.replace('{"entry": ', '{"entry": 0, "entry": ', 1), "says something twice"),
        (lambda line: line.replace('{"entry": ', '{"entry": ' + "9" * 5000, 1), "NOT VERIFIED"),
    ],
)
def test_a_forged_line_is_found_out(made: Made, gate: Gate, edit: Callable[[str], str], reason: str) -> None:
    members = unzipped(made().data)
    first, _, rest = members["entries.jsonl"].decode().partition("\n")
    members["entries.jsonl"] = f"{edit(first)}\n{rest}".encode()
    list_anew(members, gate.seal.signer())
    said: list[str] = []
    assert program.Check(rezipped(members), program.Given(), said.append).run() == 1
    assert reason in said[-1]


def test_an_entry_called_redacted_has_something_redacted(made: Made, gate: Gate) -> None:
    from lineage.evidence.bundle import Redact

    members = unzipped(made(redact=frozenset({Redact.PEOPLE})).data)
    lines = [json.loads(line) for line in members["entries.jsonl"].decode().splitlines()]
    line = next(line for line in lines if "redacted" in line and "openai" in line["redacted"])
    line["redacted"] = program.TOKEN.sub("somebody", line["redacted"]).replace("openai", "nobody")
    members["entries.jsonl"] = "".join(json.dumps(line) + "\n" for line in lines).encode()
    list_anew(members, gate.seal.signer())
    said: list[str] = []
    assert program.Check(rezipped(members), program.Given(), said.append).run() == 1
    assert "is called redacted, and no value in it is" in said[-1]


def test_an_entry_that_says_something_twice_is_refused() -> None:
    with pytest.raises(Wrong, match="says something twice"):
        program.parsed(b'{"run": {"runId": "a", "runId": "b"}}', "entry 3")


def test_the_names_that_the_verifier_knows_are_the_catalogue_s() -> None:
    known = catalogue()
    assert {
        " ".join(sorted({normal(word) for word in (entry.id, entry.name, *entry.aliases)})): (
            " ".join(entry.services),
            " ".join(
                sorted(
                    {
                        normal(word)
                        for way in known.channels.values()
                        if way.provider == entry.id
                        for word in (way.id, way.name, *way.aliases)
                    }
                )
            ),
        )
        for entry in known.providers.values()
    } == program._MAKERS


@pytest.mark.parametrize("word", ["o1", "openai", "gpt-4"])
def test_words_that_only_hold_the_same_letters_are_another_s(word: str) -> None:
    for provider in ("voice", "first", "op enterprise ai"):
        assert not program.looks_like({"kind": "customer", "provider": provider}, word)
    assert program.looks_like({"kind": GPT.kind.value, "service": "GPT 4"}, "gpt-4")
