"""Reading a policy: every kind of fault has its place, its cause and what mends it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import yaml12
from lineage.errors import UsageError
from lineage.policy import load_policy, packs, parse_policy, starter_policy
from lineage.policy.file import json_schema
from lineage.policy.source import MAX_BYTES
from tests.unit.policy.samples import NAME, output, rule, verdict

GOOD = "rules:\n" + rule("origin: {provider: openai}")

SHAPES = {
    "empty": "",
    "list": "- a\n- b\n",
    "unknown key at the top": "rules: []\nundeclard: deny\n",
    "unknown key in a rule": "rules:\n  - id: a\n    match: {use: content}\n    efect: deny\n    reason: x\n",
    "unknown key in a match": "rules:\n" + rule("origin: {provder: openai}"),
    "unknown key in a model": "models:\n  - {name: x, competes_with: openai}\nrules: []\n",
    "unknown key in a test": "rules: []\ntests:\n  - {name: t, model: m, label: [], expect: deny}\n",
    "missing": "rules:\n  - {id: a, effect: deny}\n",
    "bad effect": "rules:\n" + rule("use: content", effect="refuse"),
    "bad mode": "mode: enforced\nrules: []\n",
    "unknown kind": "rules:\n" + rule("origin: {kind: third-party-model-ouput}"),
    "unknown use": "rules:\n" + rule("use: [content, training]"),
    "unknown basis": "rules:\n" + rule("origin: {basis: guessed}"),
    "number for text": "rules:\n" + rule("origin: {service: 4}"),
    "nothing for text": "rules:\n  - id: a\n    match:\n      use:\n    effect: deny\n    reason: x\n",
    "empty list": "rules:\n" + rule("origin: {provider: []}"),
    "empty reason": "rules:\n  - {id: a, match: {use: content}, effect: deny, reason: ' '}\n",
    "bad id": "rules:\n" + rule("use: content", name="'a b'"),
    "bad date": "rules:\n" + rule("use: content", more="from: April 2023"),
    "no zone": "rules:\n" + rule("use: content", more='until: "2023-04-30T12:00:00"'),
    "number for date": "rules:\n" + rule("use: content", more="from: 2023"),
    "match is text": "rules:\n  - {id: a, match: openai, effect: deny, reason: x}\n",
    "rules is a mapping": "rules:\n  a: {effect: deny}\n",
    "bad case": "rules: []\ntests:\n  - {name: t, model: m, labels: [{kind: first}], expect: allowed}\n",
    "many": "mode: on\nundeclared: no\nrules:\n  - {id: 1, match: {}, effect: off, reson: x}\n",
}
"""Faults that the JSON Schema sees too."""

MEANINGS = {
    "matches everything": "rules:\n" + rule(""),
    "empty origin": "rules:\n" + rule("origin: {}"),
    "empty unless": "rules:\n  - {id: a, match: {use: content}, unless: {}, effect: deny, reason: x}\n",
    "nothing stated": "models:\n  - name: 'seed-*'\nrules: []\n",
    "same id": "rules:\n" + rule("use: content") + rule("use: evaluation"),
    "reserved id": "rules:\n" + rule("use: content", name="undeclared"),
    "never": "rules:\n" + rule("use: content", more="from: 2024-02-01, until: 2024-01-31"),
    "contradiction": "rules:\n" + rule("use: content", name="a") + rule("use: [content]", name="b", effect="warn"),
    "shadowed": "rules:\n"
    + rule("origin: {provider: openai}", name="a")
    + rule("origin: {provider: OpenAI, service: gpt-4}, use: evaluation", name="b", effect="allow"),
    "unknown competitor": "models: [{name: 'seed-*', competes-with: [opneai, google]}]\nextends: lineagegate/packs/openai\n",
    "unknown provider": "rules:\n" + rule("origin: {provider: [google, antropic]}"),
    "unknown provider in an exception": "rules:\n  - {id: a, match: {use: content}, unless: {origin: {provider: acme}}, "
    "effect: deny, reason: x}\n",
    "unknown providers by pattern": "rules:\n" + rule("model: {competes-with: 'opneai*'}"),
    "unknown reseller": "rules:\n" + rule("origin: {reseller: micorsoft}"),
    "no rules": "mode: enforce\nundeclared: deny\nrules: []\n",
    "extends taken out": "models: [{name: 'seed-*', competes-with: [openai]}]\nextends: []\n",
    "unknown pack": "extends: lineagegate/packs/opnai\nrules: []\n",
    "pack without its place": "extends: openai\nrules: []\n",
    "files from text": "extends: [team.yaml]\nrules: []\n",
    "pack rule again": "extends: lineagegate/packs/openai\nrules:\n"
    + rule("use: content", name="no-extraction-from-chatgpt"),
}

WRITING = {
    "key twice": "mode: audit\nrules: []\nmode: enforce\n",
    "bracket": "rules: [\n",
    "tab": "rules:\n\t- id: a\n",
    "colon": "rules:\n  - id: a: b\n",
    "conflict": "<<<<<<< HEAD\nmode: audit\n=======\nmode: warn\n>>>>>>> theirs\nrules: []\n",
    "tag": "rules: !!python/object/apply:os.system [ls]\n",
    "bomb": "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(8)),
}


@pytest.mark.parametrize("name", [*SHAPES, *MEANINGS, *WRITING])
def test_faults(name: str, golden: Callable[[str, str], None]) -> None:
    text = {**SHAPES, **MEANINGS, **WRITING}[name]
    with pytest.raises(UsageError) as caught:
        parse_policy(text, NAME)
    assert caught.value.code == "POLICY_INVALID"
    assert str(caught.value).startswith(f"{NAME}:")
    golden(f"{name.replace(' ', '-')}.txt", f"{text}\n---\n{caught.value}\n")


@pytest.mark.parametrize("name", SHAPES)
def test_the_schema_sees_the_same_faults(name: str) -> None:
    # "number for date", "bad date": a schema has no dates, text it is
    if name in ("bad date", "no zone", "empty reason"):
        return
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml12.load(SHAPES[name]), json_schema(), jsonschema.Draft202012Validator)


def test_the_schema_takes_what_is_read() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    for text in (GOOD, starter_policy("seed"), *(MEANINGS[name] for name in ("same id", "contradiction", "shadowed"))):
        jsonschema.validate(yaml12.load(text), json_schema(), jsonschema.Draft202012Validator)


def test_the_published_schema_is_this_one() -> None:
    file = Path(__file__).parents[3] / "schemas" / "policy.schema.json"
    published = json.loads(file.read_text(encoding="utf-8"))
    assert {k: v for k, v in published.items() if k not in ("$schema", "$id")} == json_schema(), "run `make schemas`"


def test_yaml_1_2() -> None:
    text = "models: [{name: '*', market: [no, on, 12:30:45]}]\nrules:\n" + rule("model: {market: no}")
    assert verdict(text, output()) == "deny"


def test_providers_of_ones_own() -> None:
    text = "providers: [Acme Feeds, OpenAI]\nmodels: [{name: '*', competes-with: [acme_feeds, openai]}]\nrules:\n"
    text += rule("origin: {provider: 'acme*'}, model: {competes-with: acme-feeds}")
    assert verdict(text, output("ACME feeds")) == "deny"
    assert verdict(text, output("cohere")) == "allow"
    # an entry of the catalogue is not replaced by its bare name
    text = "providers: [OpenAI]\nrules:\n" + rule("origin: {provider: openai}")
    assert verdict(text, output("", service="gpt-4")) == "deny"
    for pattern in ("'*'", "'?*'", "''", "'open*'"):
        parse_policy("rules:\n" + rule(f"origin: {{provider: {pattern}}}, use: content"), NAME)


def test_providers_of_what_is_extended_are_known(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("providers: acme\n")
    own = tmp_path / NAME
    own.write_text("extends: base.yaml\nrules:\n" + rule("origin: {provider: acme}"))
    assert len(load_policy(own).rules) == 1
    own.write_text("extends: base.yaml\n")
    with pytest.raises(UsageError, match="there is no rule"):
        load_policy(own)
    own.write_text("default: deny\nextends: base.yaml\n")
    assert load_policy(own).default == "deny"


def test_anchors() -> None:
    text = "rules:\n  - {id: a, match: &m {use: content}, effect: warn, reason: x, until: 2020-01-01}\n"
    assert (
        len(parse_policy(text + "  - {id: b, match: *m, effect: deny, reason: x, from: 2020-01-02}\n", NAME).rules) == 2
    )


def test_a_rule_of_ones_own_may_be_stricter_than_a_pack() -> None:
    text = "extends: lineagegate/packs/cohere\nrules:\n  - id: own\n    match: {origin: {kind: third-party-model-output"
    text += ", provider: cohere}, model: {competes-with: cohere}}\n    unless: {use: evaluation}\n    reason: x\n"
    assert verdict(text + "    effect: deny\n", output("cohere")) == "deny"
    with pytest.raises(UsageError) as caught:
        parse_policy(text + "    effect: allow\n", NAME)
    assert caught.value.message == f"{NAME}:3:5: rule `own` never allows anything"


def test_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "lineage.policy.yaml", tmp_path):
        with pytest.raises(UsageError) as caught:
            load_policy(path)
        assert caught.value.code == "POLICY_MISSING"
        assert caught.value.hint


def test_what_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / NAME
    for data, said in (
        (b"rules: []\nmode: \xff\n", f"{NAME}:2:7: this is not UTF-8 text"),
        (b"rules: \x00\n", f"{NAME}:1:8: this cannot be read as YAML"),
        (GOOD.encode("utf-16"), "this is not UTF-8 text"),
        (b"#" * (MAX_BYTES + 1), f"the file has {MAX_BYTES + 1} bytes"),
    ):
        file.write_bytes(data)
        with pytest.raises(UsageError) as caught:
            load_policy(file)
        assert said in caught.value.message
        assert caught.value.code == "POLICY_INVALID"


def test_a_byte_order_mark_and_crlf_do_not_matter(tmp_path: Path) -> None:
    file = tmp_path / NAME
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    policy = load_policy(file)
    assert policy.rules[0].location == f"{NAME}:2"
    assert policy.digest == hashlib.sha256(file.read_bytes()).hexdigest()


def test_extending_files_and_packs(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "base.yaml").write_text(
        "undeclared: warn\nmode: audit\nextends: [more.yaml, lineagegate/packs/openai]\n"
        "models: [{name: '*', competes-with: openai}]\nrules: []\n"
    )
    (tmp_path / "shared" / "more.yaml").write_text("default: warn\nmode: warn\n" + GOOD)
    own = tmp_path / NAME
    own.write_text("mode: enforce\nextends: [shared/base.yaml, lineagegate/packs/openai]\nrules: []\n")
    policy = load_policy(own)
    assert [name for name, _ in policy.files] == [
        NAME,
        "shared/base.yaml",
        "shared/more.yaml",
        "lineagegate/packs/openai",
    ]
    assert policy.paths == (own, tmp_path / "shared/base.yaml", tmp_path / "shared/more.yaml")
    assert (policy.mode, policy.undeclared, policy.default) == ("enforce", "warn", "warn")
    assert policy.default_location == "shared/more.yaml:1"
    assert policy.rules[0].location == "shared/more.yaml:4"
    assert verdict(policy, output("openai")) == "deny"
    before = policy.digest
    (tmp_path / "shared" / "more.yaml").write_text("default: warn\nmode: warn\n\n" + GOOD)
    assert load_policy(own).digest != before, "what it extends is part of the policy"


def test_the_strictest_setting_of_what_is_extended(tmp_path: Path) -> None:
    for name, effect in (("a.yaml", "allow"), ("b.yaml", "deny"), ("c.yaml", "warn")):
        (tmp_path / name).write_text(f"default: {effect}\nrules: []\n")
    own = tmp_path / NAME
    for order in ("[a.yaml, b.yaml, c.yaml]", "[c.yaml, b.yaml, a.yaml]"):
        own.write_text(f"extends: {order}\nrules: []\n")
        policy = load_policy(own)
        assert (policy.default, policy.default_location) == ("deny", "b.yaml:1")
    own.write_text("default: allow\nextends: b.yaml\nrules: []\n")
    assert load_policy(own).default == "allow"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.yaml": f"extends: {NAME}\nrules: []\n"}, f"a.yaml:1:1: `{NAME}` extends itself"),
        ({"a.yaml": "extends: b.yaml\nrules: []\n"}, "a.yaml:1:1: `b.yaml` cannot be read"),
        ({"a.yaml": "rules: [\n"}, "a.yaml:2:1: this cannot be read as YAML"),
        ({"a.yaml": "rules:\n" + rule("use: content", name="own")}, "is used twice"),
    ],
)
def test_faults_of_what_is_extended(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    own = tmp_path / NAME
    own.write_text("extends: [a.yaml]\nrules:\n" + rule("use: evaluation", name="own"))
    with pytest.raises(UsageError) as caught:
        load_policy(own)
    assert said in caught.value.message
    assert caught.value.code == "POLICY_INVALID"


def test_two_files_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "base.yaml").write_text("rules:\n" + rule("use: prompt", name="outer"))
    (tmp_path / "team" / "base.yaml").write_text(GOOD)
    (tmp_path / "team" / "team.yaml").write_text("extends: [base.yaml, ../base.yaml]\nrules: []\n")
    own = tmp_path / NAME
    own.write_text("extends: [base.yaml, team/team.yaml]\nrules: []\n")
    assert [found.location for found in load_policy(own).rules] == ["base.yaml:2", "team/base.yaml:2"]


def test_links_cannot_make_it_read_without_end(tmp_path: Path) -> None:
    own = tmp_path / NAME
    (tmp_path / "again").symlink_to(tmp_path)
    own.write_text(f"extends: [again/{NAME}]\nrules: []\n")
    with pytest.raises(UsageError) as caught:
        load_policy(own)
    assert caught.value.code == "POLICY_INVALID"


@pytest.mark.parametrize("name", packs())
def test_locations_in_packs(name: str) -> None:
    rules = parse_policy(f"extends: {name}", NAME).rules
    assert all(found.location.startswith("lineagegate/packs/") for found in rules)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["deny", "*", "openai", "", "content"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from([
        "rules", "match", "origin", "kind", "id", "effect", "reason", "use", "models", "name", "tests", "labels",
        "from", "extends", "mode", "unless", "terms", "grants", "x",
    ]), inner, max_size=4),
    max_leaves=15,
))  # fmt: skip
def test_whatever_is_written_is_read_or_refused(value: object) -> None:
    try:
        parse_policy(json.dumps(value), NAME)
    except UsageError as error:
        assert error.code == "POLICY_INVALID"
        assert error.message.startswith(NAME)
