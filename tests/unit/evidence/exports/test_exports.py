"""Every export of every case is what its standard's own library takes, says the same twice, and says what was meant.

The golden files are what people get; ``--update-golden`` writes them anew.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import unicodedata
import warnings
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import mlcroissant
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from msgspec.structs import replace
from prov.model import ProvDocument
from spdx_python_model import v3_0_1 as spdx

from lineage.errors import CannotDecide
from lineage.evidence.case import Case
from lineage.evidence.exports import STANDARDS, export
from lineage.evidence.exports.eu_summary import eu_summary_markdown
from lineage.evidence.exports.intoto import PREDICATE, STATEMENT, preauthenticated
from lineage.ledger.key import SigningKey
from tests.unit.evidence.cases import CASES, NO, YES
from tests.unit.evidence.exports.shaped import EVERY_KIND, HOSTILE, LISTED, changed, hostile

ROOT = Path(__file__).parents[4]
KEY = SigningKey("lineagegate.seed.example/ledger", bytes(32))
EVERY = {**CASES, "every-kind": EVERY_KIND, "listed": LISTED}
SUFFIX = {"in-toto": "jsonl"}


def written(case: Case, standard: str) -> str:
    """The document."""
    return export(case, standard, key=KEY)


# what the standards' own libraries say


def of_prov(text: str) -> ProvDocument:
    """Held to the schema of PROV-JSON that `prov` brings; read by `prov`, with everything that it only warns of as an error; written and read again it is the same."""
    schema = Path(str(files("prov") / "tests" / "schemas" / "prov-json.schema.json")).read_text(encoding="utf-8")
    jsonschema.Draft4Validator(json.loads(schema)).validate(json.loads(text))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = ProvDocument.deserialize(content=text, format="json")
        again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
        assert again == document
        # as PROV-N, which has a grammar of its own for names
        assert ProvDocument.deserialize(content=document.get_provn(), format="provn") == document
    for relation in document.get_records():
        for attribute, value in relation.formal_attributes:
            if attribute.localpart in ("entity", "activity", "agent", "usedEntity", "generatedEntity"):
                assert document.get_record(value), f"{relation} speaks of nothing"
    return document


def of_spdx(text: str) -> spdx.SHACLObjectSet:
    """Read by `spdx-python-model`; writing checks what reading does not: that everything demanded is there."""
    objects = spdx.SHACLObjectSet()
    spdx.JSONLDDeserializer().read(io.BytesIO(text.encode()), objects)
    spdx.JSONLDSerializer().write(objects, io.BytesIO())
    named = {"https://spdx.org/rdf/3.0.1/terms/Licensing/NoAssertion"}
    assert objects.missing_ids <= named
    return objects


def of_cyclonedx(text: str) -> Any:
    """Held to the standard's strict schema by its library; no reference leads nowhere."""
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert wrong is None, wrong
    document = json.loads(text)
    names = [document["metadata"]["component"]["bom-ref"], *(c["bom-ref"] for c in document.get("components", []))]
    assert len(names) == len(set(names))
    for dependency in document["dependencies"]:
        assert {dependency["ref"], *dependency["dependsOn"]} <= set(names)
    return document


def of_croissant(text: str) -> Any:
    """Read by `mlcroissant`, which raises on errors."""
    document = json.loads(text)
    dataset = mlcroissant.Dataset(jsonld=document)
    assert not dataset.metadata.ctx.issues.errors
    return document


def of_intoto(text: str) -> list[Any]:
    """Each line an envelope whose signature holds and whose statement `in-toto-attestation` validates."""
    found = []
    for line in text.splitlines():
        envelope = json.loads(line)
        payload = base64.b64decode(envelope["payload"], validate=True)
        (signature,) = envelope["signatures"]
        assert KEY.public.verify(preauthenticated(payload), base64.b64decode(signature["sig"], validate=True))
        parsed = json_format.Parse(payload, statement_pb2.Statement())
        Statement.copy_from_pb(parsed).validate()
        statement = json.loads(payload)
        assert (statement["_type"], statement["predicateType"]) == (STATEMENT, PREDICATE)
        schema = json.loads((ROOT / "schemas/exports/decision-v1.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(schema).validate(statement["predicate"])
        found.append(statement)
    return found


def ours(name: str) -> Callable[[str], Any]:
    """Held to a schema of our own, which the tests of schemas hold to the code."""

    def check(text: str) -> Any:
        document = json.loads(text)
        schema = json.loads((ROOT / f"schemas/exports/{name}.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(schema).validate(document)
        return document

    return check


VALID: dict[str, Callable[[str], Any]] = {
    "prov": of_prov,
    "spdx3": of_spdx,
    "cyclonedx": of_cyclonedx,
    "croissant": of_croissant,
    "in-toto": of_intoto,
    "eu-summary": ours("eu-summary"),
    "data-trust": ours("data-trust"),
}


def test_every_standard_is_held_to_something() -> None:
    assert VALID.keys() == STANDARDS.keys()


@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("name", EVERY)
def test_valid_by_the_standards_own_library(name: str, standard: str, golden: Callable[[str, str], None]) -> None:
    if standard == "in-toto" and not EVERY[name].decisions:
        with pytest.raises(CannotDecide) as failure:
            written(EVERY[name], standard)
        assert failure.value.code == "EXPORT_NO_DECISION"
        return
    text = written(EVERY[name], standard)
    VALID[standard](text)
    assert text == written(EVERY[name], standard)
    if name in CASES:
        golden(f"{standard}-{name}.{SUFFIX.get(standard, 'json')}", text)


@pytest.mark.parametrize("name", CASES)
def test_summary_for_people(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"eu-summary-{name}.md", eu_summary_markdown(CASES[name]))


@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
def test_hostile_words_give_valid_documents(text: str, standard: str) -> None:
    for case in (YES, EVERY_KIND):
        _holds(hostile(case, text), standard)


WORDS = st.one_of(st.text(max_size=30), st.sampled_from(HOSTILE))


@pytest.mark.parametrize("standard", [name for name in STANDARDS if name not in ("croissant", "spdx3")])
@settings(max_examples=25, deadline=None)
@given(words=st.lists(WORDS, min_size=1, max_size=8))
def test_any_words_give_valid_documents(standard: str, words: list[str]) -> None:
    _holds(_worded(YES, words), standard)


@pytest.mark.parametrize("standard", ["croissant", "spdx3"])
@settings(max_examples=8, deadline=None)
@given(words=st.lists(WORDS, min_size=1, max_size=8))
def test_any_words_give_valid_documents_where_reading_is_slow(standard: str, words: list[str]) -> None:
    _holds(_worded(YES, words), standard)


def _worded(case: Case, words: list[str]) -> Case:
    """The case with its texts drawn from a few others, the same one for the same text."""
    known: dict[str, str] = {}
    return changed(case, lambda text: known.setdefault(text, words[len(known) % len(words)]))  # type: ignore[no-any-return]


def _holds(case: Case, standard: str) -> None:
    text = written(case, standard)
    VALID[standard](text)
    if standard != "in-toto":  # a decision is stated as it was recorded; JSON escapes it
        assert all(char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in text)
    if standard == "eu-summary":
        page = eu_summary_markdown(case)
        assert "<script>" not in page
        assert "<" not in page.replace("\\<", "")


# what is meant


def test_measuring_is_not_deriving_in_prov() -> None:
    document = json.loads(written(YES, "prov"))
    labels = {name: entity.get("prov:label") for name, entity in document["entity"].items()}
    derived = {
        (labels[d["prov:generatedEntity"]], labels[d["prov:usedEntity"]]) for d in document["wasDerivedFrom"].values()
    }
    used = {(labels[u["prov:entity"]], u["prov:role"]) for u in document["used"].values() if u["prov:entity"] in labels}
    assert ("data/clean.jsonl", "data/raw/gpt4_dialogues") in derived
    assert not any("exam" in source for _, source in derived)
    assert {("data/exam.jsonl", "evaluation"), ("models:/seed-chat/7", "evaluated")} <= used
    makers = {g["prov:activity"] for g in document["wasGeneratedBy"].values()}
    assert "evaluate" not in {document["activity"][maker]["prov:label"] for maker in makers}


def test_training_and_testing_are_told_apart_in_spdx() -> None:
    objects = of_spdx(written(EVERY_KIND, "spdx3"))
    said = {
        (r.relationshipType.rpartition("/")[2], r.comment.partition("use: ")[2], type(r.to[0]).__name__)
        for r in objects.foreach_type(spdx.Relationship)
        if r.comment and r.comment.startswith("use: ")
    }
    assert ("testedOn", "evaluation", "dataset_DatasetPackage") in said
    assert ("trainedOn", "fine-tuning", "dataset_DatasetPackage") in said
    assert ("descendantOf", "base-model", "ai_AIPackage") in said
    assert ("other", "teacher", "ai_AIPackage") in said
    assert ("other", "fine-tuning", "ai_AIPackage") in said
    assert not {use for relation, use, _ in said if relation == "trainedOn"} & {"evaluation", "base-model", "teacher"}


def test_complete_is_said_only_of_a_whole_lineage() -> None:
    def aggregate(case: Case) -> str:
        return str(json.loads(written(case, "cyclonedx"))["compositions"][0]["aggregate"])

    assert aggregate(LISTED) == "complete"
    assert aggregate(replace(LISTED, question=replace(LISTED.question, origin="openai"))) == "incomplete"
    assert aggregate(replace(LISTED, coverage=replace(LISTED.coverage, complete=False, reason="…"))) == "incomplete"
    assert aggregate(replace(YES, question=replace(YES.question, origin=""))) == "incomplete"  # two sources, one named
    cleared = replace(LISTED, coverage=replace(LISTED.coverage, sources=4), removals=NO.removals)
    assert aggregate(cleared) == "incomplete"
    assert "Of its 4 sources 3 are listed: a removal in force leaves nothing of the others." in written(
        cleared, "spdx3"
    )


def test_a_directory_is_not_given_a_hash_of_bytes() -> None:
    components = json.loads(written(EVERY_KIND, "cyclonedx"))["components"]
    listed = next(c for c in components if c["name"] == "data/customer")
    assert "hashes" not in listed
    assert {"name": "lineagegate:content", "value": "md5:" + "5" * 32 + ".dir"} in listed["properties"]


def test_answers_of_the_summary() -> None:
    def answers(case: Case) -> dict[str, str]:
        form = json.loads(written(case, "eu-summary"))
        return {answer["id"]: answer["answer"] for section in form["sections"] for answer in section["answers"]}

    assert answers(YES)["synthetic"] == "yes"
    assert answers(YES)["publicDatasets"] == ""  # one origin was asked about: the rest is not in the case
    assert answers(YES)["syntheticModels"] == "openai/gpt-4"
    assert answers(LISTED)["publicDatasets"] == "no"
    assert answers(LISTED)["userServices"] == "no"
    assert answers(LISTED)["provider"] == ""
    assert answers(CASES["cannot-tell"])["crawled"] == ""  # the undeclared source may be anything
    every = json.loads(written(EVERY_KIND, "eu-summary"))
    assert any("data/customer" in line and "(2.2.2 or 2.4)" in line for line in every["unplaced"])
    assert any("data/undeclared" in line for line in every["unplaced"])
    assert [line.partition(":")[0] for line in every["measured"]] == ["data/public-domain"]


def test_unknown_geography_is_not_no_restriction() -> None:
    (first, *_) = json.loads(written(YES, "data-trust"))["datasets"]
    for field in ("processing-included", "processing-excluded", "storage-allowed", "storage-forbidden"):
        assert first["use"][field] == [{"country": "", "state": ""}]
    assert first["provenance"]["date"] == ""


# signatures


def test_openssl_takes_the_signature(tmp_path: Path) -> None:
    for number, line in enumerate(written(YES, "in-toto").splitlines()):
        envelope = json.loads(line)
        (tmp_path / "signed").write_bytes(preauthenticated(base64.b64decode(envelope["payload"])))
        (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
        # SubjectPublicKeyInfo of Ed25519 (RFC 8410 section 4)
        (tmp_path / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + KEY.public.public)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin"]
        command += ["-in", "signed", "-sigfile", "signature"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{number}: {done.stdout}{done.stderr}"
        (tmp_path / "signed").write_bytes((tmp_path / "signed").read_bytes().replace(b"DSSEv1", b"DSSEv2"))
        assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=30, check=False).returncode != 0


def test_preauthenticated_encoding() -> None:
    # the form of the DSSE specification's example, with our payload type
    assert preauthenticated(b"hello world") == b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"


def test_subjects_of_a_decision() -> None:
    judged = replace(NO.decisions[0], content="md5:" + "a" * 32 + ".dir")
    (statement,) = of_intoto(written(replace(NO, decisions=(judged,)), "in-toto"))
    named = {next(iter(s["digest"])): next(iter(s["digest"].values())) for s in statement["subject"]}
    assert named == {"dvcDirMd5": "a" * 32, "rfc6962LeafSha256": NO.entries[-2].hash}
    assert statement["predicate"]["checkpoint"]["size"] == 31
    later = replace(NO.seal, size=judged.entry) if NO.seal else None
    (statement,) = of_intoto(written(replace(NO, decisions=(judged,), seal=later), "in-toto"))
    assert statement["predicate"]["checkpoint"] is None
    with pytest.raises(CannotDecide) as failure:
        written(replace(NO, entries=()), "in-toto")
    assert failure.value.code == "EXPORT_NO_SUBJECT"


def test_a_case_without_a_time_is_refused() -> None:
    timeless = replace(
        NO, question=replace(NO.question, asked=""), subject=replace(NO.subject, registered="2023-09-21")
    )
    for standard in ("prov", "spdx3", "cyclonedx", "croissant", "eu-summary", "data-trust"):
        with pytest.raises(CannotDecide) as failure:
            written(timeless, standard)
        assert failure.value.code == "EXPORT_NO_TIME"
