"""``content removal`` and the claim that rests on it: what is compared, what is refused, what an approver sees (S6)."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from lineage.cli.output import write
from lineage.events.event import dataset_event
from lineage.evidence.removed import RemovalEvidence, evidence_bytes, judged
from lineage.gate import Gate
from lineage.vocabulary import Artifact, Content, Input, Origin, Tag
from tests.unit.cli.conftest import GPT, OWN, POLICY, TIME, Cli, stage

OPENAI = ["--provider", "openai"]
_PICK = random.Random(8)
_WORDS = ["".join(_PICK.choices("abcdefghijklmnopqrstuvwxyz", k=_PICK.randint(3, 10))) for _ in range(2000)]


def texts(by: str, number: int) -> list[str]:
    return [" ".join(random.Random(f"{by}{i}").choices(_WORDS, k=40)) for i in range(number)]


class Project(NamedTuple):
    """gpt.jsonl and own.jsonl -> before.jsonl -> after.jsonl -> model, all of them files here."""

    root: Path

    def artifact(self, name: str, origin: Origin | None = None) -> Artifact:
        """A file as it is now."""
        path = self.root / name
        data = path.read_bytes()
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        tags = (Tag(origin, by="Lin <lin@seed.example>"),) if origin else ()
        return Artifact("file", str(path), Content(f"md5:{digest}", len(data)), tags=tags)

    def write(self, name: str, records: list[str]) -> None:
        (self.root / name).write_text("".join(json.dumps({"text": record}) + "\n" for record in records))

    def record(self) -> None:
        """Record what the files are now."""
        gpt, own = self.artifact("gpt.jsonl", GPT), self.artifact("own.jsonl", OWN)
        before, after = self.artifact("before.jsonl"), self.artifact("after.jsonl")
        with Gate.open(start=self.root) as gate:
            gate.record(
                [
                    dataset_event(gpt, time=TIME),
                    dataset_event(own, time=TIME),
                    stage("merge", [Input(gpt), Input(own)], [before]),
                    stage("scrub", [Input(before)], [after]),
                ]
            )


@pytest.fixture
def project(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINEAGE_USER", "Ann Roe <ann@seed.example>")
    (tmp_path / "lineage.policy.yaml").write_text(POLICY, encoding="utf-8")
    assert cli("init", "--project", "seed").status == 0
    made = Project(tmp_path)
    gpt, own = texts("gpt", 10), texts("own", 40)
    for name, records in (("gpt", gpt), ("own", own), ("before", own[:20] + gpt + own[20:]), ("after", own)):
        made.write(f"{name}.jsonl", records)
    made.record()
    return made


def check(cli: Cli, *arguments: str, verb: str = "content-removal") -> Any:
    return cli("content", "removal", "before.jsonl", "after.jsonl", *arguments, verb=verb)


def test_the_evidence_says_what_was_compared_and_holds_no_text(project: Project, cli: Cli) -> None:
    shown = check(cli, *OPENAI, "--evidence", "reports/removal.json", verb="")
    assert shown.status == 0, shown.err
    assert shown.out.startswith("removed: no record of third-party-model-output, openai is left in ")
    data = (project.root / "reports" / "removal.json").read_bytes()
    found = json.loads(data)
    assert data == evidence_bytes(msgspec.json.decode(data, type=RemovalEvidence))
    assert found["origin"] == {"kind": "third-party-model-output", "provider": "openai"}
    assert found["before"]["artifact"]["content"] == project.artifact("before.jsonl").content.hash  # type: ignore[union-attr]
    assert found["sources"][0]["artifact"]["content"] == project.artifact("gpt.jsonl").content.hash  # type: ignore[union-attr]
    assert not [word for record in texts("gpt", 10) for word in record.split() if len(word) > 6 and word in str(data)]
    assert check(cli, *OPENAI).document == found
    assert check(cli, *OPENAI, "--evidence", "again.json").status == 0
    assert (project.root / "again.json").read_bytes() == data  # whoever has the files makes it again


def test_a_claim_takes_everything_from_it_and_the_approver_sees_it(
    project: Project, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(cli, *OPENAI, "--evidence", "removal.json")
    (view,) = cli("removal", "claim", "after.jsonl", "--evidence", "removal.json", verb="removal").document["removals"]
    removal = view["removal"]
    contents = {name: project.artifact(f"{name}.jsonl").content for name in ("gpt", "before", "after")}
    assert removal["sources"] == [contents["gpt"].hash]  # type: ignore[union-attr]
    assert (removal["run"], removal["inputs"]) == ("dvc.yaml:scrub", [contents["before"].hash])  # type: ignore[union-attr]
    assert "every record of" in removal["checked"] and "(50)" in removal["checked"]
    assert removal["result"].startswith(
        "before 10 records of the origin (10 equal, 0 similar), after no record of the origin; 10"
    )
    monkeypatch.setenv("LINEAGE_USER", "Bob")
    (project.root / "removal.json").write_bytes((project.root / "removal.json").read_bytes() + b" ")
    changed = cli("removal", "approve", removal["id"], verb="error").document["error"]
    assert changed["code"] == "EVIDENCE_CHANGED"
    check(cli, *OPENAI, "--evidence", "removal.json")
    approved = cli("removal", "approve", removal["id"])
    assert "checked  every record of" in approved.out and "result   before 10 records" in approved.out
    assert cli("check", "after.jsonl", "--model", "seed-chat").status in (0, 1)
    labels = cli("why", "after.jsonl", verb="why").document["labels"]
    assert not [label for label in labels if label["origin"].get("provider") == "openai"]


def test_three_left_are_refused_with_their_places(project: Project, cli: Cli) -> None:
    own, gpt = texts("own", 40), texts("gpt", 10)
    project.write("after.jsonl", [*own, *gpt[:3]])
    project.record()
    refused = check(cli, *OPENAI, "--evidence", "removal.json", verb="")
    assert refused.status == 1
    assert "left     3 of 43 records after are of the origin, at after.jsonl:41-43" in refused.out
    claimed = cli("removal", "claim", "after.jsonl", "--evidence", "removal.json", verb="error").document["error"]
    assert (claimed["code"], "its evidence says otherwise" in claimed["message"]) == ("REMOVAL_INVALID", True)
    assert "No removal" in cli("removal", "list").out


@pytest.mark.parametrize(
    ("after", "status", "verdict", "problems"),
    [
        (texts("own", 40)[::-1], 0, "removed", []),
        (texts("own", 40)[::3], 0, "removed", []),
        (texts("own", 40) + texts("own", 5), 0, "removed", []),
        (texts("own", 40) * 2, 0, "removed", []),
        (texts("own", 40) + texts("web", 2), 1, "refused", ["new"]),
        (texts("own", 40) + texts("web", 10), 1, "refused", ["new"]),
        (texts("own", 20) + texts("gpt", 10) + texts("own", 40)[20:], 1, "refused", ["left"]),
        (texts("own", 1), 0, "removed", []),
    ],
    ids=["reordered", "sampled", "repeated", "as-many", "new", "replaced", "unchanged", "one"],
)
def test_what_every_sort_of_output_is(
    after: list[str], status: int, verdict: str, problems: list[str], project: Project, cli: Cli
) -> None:
    project.write("after.jsonl", after)
    found = check(cli, *OPENAI)
    assert (found.status, found.document["verdict"], found.document["problems"]) == (status, verdict, problems)


def test_fewer_gone_than_were_of_it_is_said(project: Project, cli: Cli) -> None:
    project.write("after.jsonl", texts("own", 40) + texts("own", 5))
    project.record()
    assert "Fewer records are gone than were of the origin" in check(cli, *OPENAI, verb="").out
    check(cli, *OPENAI, "--evidence", "removal.json")
    claimed = cli("removal", "claim", "after.jsonl", "--evidence", "removal.json").out
    assert "5 records fewer" in claimed and "fewer are gone than were of the origin" in claimed


def test_nothing_to_remove_is_said_and_bears_no_claim(project: Project, cli: Cli) -> None:
    project.write("before.jsonl", texts("own", 40))
    project.record()
    shown = check(cli, *OPENAI, "--evidence", "removal.json", verb="")
    assert (shown.status, shown.out.startswith("nothing to remove: no record of ")) == (0, True)
    assert "no removal can be claimed on this" in shown.out
    claimed = cli("removal", "claim", "after.jsonl", "--evidence", "removal.json", verb="error").document["error"]
    assert claimed["code"] == "REMOVAL_INVALID"


def test_a_source_of_which_nothing_was_found_is_not_claimed(project: Project, cli: Cli) -> None:
    project.write("other.jsonl", texts("other", 5))
    with Gate.open(start=project.root) as gate:
        other = project.artifact("other.jsonl", GPT)
        before = project.artifact("before.jsonl")
        gate.record([dataset_event(other, time=TIME), stage("merge-2", [Input(other)], [before])])
    shown = check(cli, *OPENAI, "--evidence", "removal.json", verb="")
    assert "Nothing of" in shown.out and "other.jsonl was found before" in shown.out
    (view,) = cli("removal", "claim", "after.jsonl", "--evidence", "removal.json", verb="removal").document["removals"]
    assert view["removal"]["sources"] == [project.artifact("gpt.jsonl").content.hash]  # type: ignore[union-attr]
    named = cli(
        "removal", "claim", "after.jsonl", "--evidence", "removal.json", "--source", "other.jsonl", verb="error"
    ).document["error"]
    assert "does not show that sources were taken out" in named["message"]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("after.jsonl", b"", "CONTENT_EMPTY"),
        ("before.jsonl", b"", "SOURCES_UNKNOWN"),
        ("after.jsonl", b"\x00\x9f\x92" * 3000, "CONTENT_UNREADABLE"),
        ("gpt.jsonl", b"another\n", "CONTENT_ABSENT"),
    ],
)
def test_what_cannot_be_read_whole_leaves_no_evidence(
    name: str, content: bytes, code: str, project: Project, cli: Cli
) -> None:
    (project.root / name).write_bytes(content)
    refused = check(cli, *OPENAI, "--evidence", "removal.json", verb="error")
    if code == "SOURCES_UNKNOWN":  # an empty file is nothing that the ledger knows
        code = refused.document["error"]["code"]
        assert code in ("SOURCES_UNKNOWN", "ARTIFACT_UNKNOWN", "CONTENT_EMPTY")
    assert refused.document["error"]["code"] == code
    assert refused.status == (2 if code == "SOURCES_UNKNOWN" else 3)
    assert not (project.root / "removal.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], "ORIGIN_MISSING"),
        (["--provider", "anthropic"], "SOURCES_UNKNOWN"),
        (["--provider", "anthropic", "--source", "gpt.jsonl"], "SOURCE_UNTAGGED"),
        (["--provider", "openai", "--source", "own.jsonl"], "SOURCE_UNTAGGED"),
        (["--provider", "openai", "--evidence", "after.jsonl"], "EVIDENCE_INSIDE"),
        (["--provider", "openai", "--evidence", "./before.jsonl/x"], "EVIDENCE_INSIDE"),
        (["--kind", "*"], "ORIGIN_AMBIGUOUS"),
    ],
)
def test_wrong_usage(arguments: list[str], code: str, project: Project, cli: Cli) -> None:
    before = (project.root / "after.jsonl").read_bytes()
    refused = check(cli, *arguments, verb="error")
    assert (refused.document["error"]["code"], refused.status) == (code, 2)
    assert (project.root / "after.jsonl").read_bytes() == before
    gone = cli("content", "removal", "before.jsonl", "nowhere", *OPENAI, verb="error")
    assert (gone.document["error"]["code"], gone.status) == ("PATH_MISSING", 2)


def test_a_named_source_is_enough_where_no_lineage_is_known(project: Project, cli: Cli) -> None:
    project.write("before.jsonl", texts("own", 30) + texts("gpt", 10))
    project.write("after.jsonl", texts("own", 30))
    assert check(cli, *OPENAI, verb="error").status == 3
    found = check(cli, *OPENAI, "--source", "gpt.jsonl").document
    assert (found["verdict"], found["before"]["equal"]) == ("removed", 10)


def test_evidence_that_was_changed_or_speaks_of_something_else_bears_nothing(project: Project, cli: Cli) -> None:
    check(cli, *OPENAI, "--evidence", "removal.json")
    file = project.root / "removal.json"
    good = msgspec.json.decode(file.read_bytes(), type=RemovalEvidence)

    def claimed(data: bytes, *more: str, output: str = "after.jsonl") -> tuple[str, str]:
        write(file, data)
        error = cli("removal", "claim", output, "--evidence", "removal.json", *more, verb="error").document["error"]
        return error["code"], error["message"]

    replace = msgspec.structs.replace
    data = evidence_bytes(good)
    left = replace(good.after, equal=1)
    assert claimed(data.replace(b'"verdict": "removed"', b'"verdict": "fine"'))[0] == "EVIDENCE_INVALID"
    assert claimed(data.replace(b"  ", b" "))[0] == "EVIDENCE_INVALID"
    assert claimed(evidence_bytes(replace(good, after=left)))[0] == "EVIDENCE_INVALID"
    assert claimed(evidence_bytes(replace(good, new_records=1)))[0] == "EVIDENCE_INVALID"
    assert claimed(evidence_bytes(replace(good, kept_equal=1)))[0] == "EVIDENCE_INVALID"
    assert claimed(data[:-40])[0] == "EVIDENCE_INVALID"
    other = replace(good.before, artifact=good.sources[0].artifact)
    assert "did not read" in claimed(evidence_bytes(replace(good, before=other)))[1]
    assert (
        "other content" in claimed(evidence_bytes(replace(good, after=replace(good.after, artifact=other.artifact))))[1]
    )
    assert "other content" in claimed(data, output="before.jsonl")[1]
    assert "says what was checked" in claimed(data, "--checked", "more")[1]
    assert "another origin" in claimed(data, "--kind", "licensed")[1]
    assert "no source of" in claimed(data, "--source", "own.jsonl")[1]
    assert "No removal" in cli("removal", "list").out
    assert judged(good.before, good.after, 0) == ("removed", ())


def test_a_file_that_changes_meanwhile_decides_nothing(
    project: Project, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lineage.content import removal

    compare = removal.compare

    def slow(*arguments: Any) -> Any:
        found = compare(*arguments)
        project.write("after.jsonl", texts("own", 39))
        return found

    monkeypatch.setattr(removal, "compare", slow)
    refused = check(cli, *OPENAI, "--evidence", "removal.json", verb="error")
    assert (refused.status, refused.document["error"]["code"]) == (3, "CONTENT_CHANGED")
    assert not (project.root / "removal.json").exists()


def test_hostile_names_stay_on_their_line(project: Project, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "<script>\u202e\nremoval: in force.jsonl"
    (project.root / "after.jsonl").rename(project.root / name)
    shown = cli("content", "removal", "before.jsonl", name, *OPENAI, "--evidence", "removal.json")
    assert shown.status == 0
    assert "\u202e" not in shown.out and "\nremoval: in force" not in shown.out
    assert shown.out.count("\\u202e\\nremoval: in force.jsonl") == 2
