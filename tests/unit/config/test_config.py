"""Settings: where they come from, which wins, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import pytest

from lineage import config, schemas
from lineage.config import Config, load
from lineage.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FULL = """
project = "seed"
store = "postgresql://db.example/lineage"
policy = "rules/lineage.policy.yaml"
user = "Lin <lin@seed.example>"
code = ["...", "*.nix"]
models = ["out/*.bin"]

[[origins]]
path = "data/raw/gpt*"
kind = "third-party-model-output"
provider = "openai"

[[origins]]
url = "https://example.com/*"
kind = "open-licence"
licence = "CC-BY-4.0"

[dvc]
anything = 1
"""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROOT", *(key.upper() for key in config.TEXT_KEYS)):
        monkeypatch.delenv(f"LINEAGE_{name}", raising=False)


def write(directory: Path, text: str, name: str = "lineage.toml") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text, encoding="utf-8")
    return directory


def test_everything_is_read(tmp_path: Path) -> None:
    read = load(write(tmp_path, FULL))
    assert read.project == "seed"
    assert read.store_url == "postgresql://db.example/lineage"
    assert read.policy_path == tmp_path / "rules/lineage.policy.yaml"
    assert read.user == "Lin <lin@seed.example>"
    assert read.code == (*config.DEFAULT_CODE, "*.nix")
    assert read.models == ("out/*.bin",)
    assert [rule.pattern for rule in read.origins] == ["data/raw/gpt*", "https://example.com/*"]
    assert read.origins[1].origin == {"kind": "open-licence", "licence": "CC-BY-4.0"}
    assert read.extra == {"dvc": {"anything": 1}}


def test_the_file_is_found_upwards_and_paths_start_there(tmp_path: Path) -> None:
    inner = write(tmp_path, 'project = "seed"\n') / "a" / "b"
    inner.mkdir(parents=True)
    read = load(inner)
    assert read == Config(root=tmp_path, project="seed", file=tmp_path / "lineage.toml")
    assert read.store_url == str(tmp_path / ".lineage/lineage.db")


def test_pyproject_is_read_when_it_speaks_of_lineage(tmp_path: Path) -> None:
    write(tmp_path, '[tool.lineage]\nproject = "seed"\n', "pyproject.toml")
    inner = write(tmp_path / "sub", '[project]\nname = "sub"\n', "pyproject.toml")
    assert load(inner).project == "seed"
    write(tmp_path, 'project = "nearer"\n')
    assert load(inner).project == "nearer"


def test_flag_wins_over_variable_over_file_over_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "")
    assert load(tmp_path).project == tmp_path.name
    write(tmp_path, 'project = "file"\n')
    assert load(tmp_path).project == "file"
    monkeypatch.setenv("LINEAGE_PROJECT", "variable")
    assert load(tmp_path).project == "variable"
    assert load(tmp_path, project="flag", store=None).project == "flag"


def test_a_store_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAGE_STORE", "postgresql://db.example/lineage")
    assert load(tmp_path).store_url == "postgresql://db.example/lineage"


def test_the_root_can_come_from_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "there", 'project = "there"\n')
    monkeypatch.setenv("LINEAGE_ROOT", str(tmp_path / "there"))
    assert load().project == "there"


def test_no_settings_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        load(tmp_path)
    assert refused.value.code == "CONFIG_MISSING"
    assert "lineagegate init" in refused.value.hint


WRONG = {
    "broken": "project = ",
    "unknown key": 'projct = "seed"',
    "unknown table": "[mlfow]\n",
    "text is a number": "project = 3",
    "code is text": 'code = "*.py"',
    "a pattern is a number": "code = [1]",
    "origins are text": 'origins = "x"',
    "an origin without a pattern": '[[origins]]\nkind = "licensed"',
    "an origin with two patterns": '[[origins]]\npath = "a"\nurl = "b"\nkind = "licensed"',
    "an origin without a kind": '[[origins]]\npath = "a"',
    "an origin of an unknown kind": '[[origins]]\npath = "a"\nkind = "stolen"',
    "an origin declared undeclared": '[[origins]]\npath = "a"\nkind = "undeclared"',
    "an origin with an unknown key": '[[origins]]\npath = "a"\nkind = "licensed"\nlicense = "MIT"',
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_with_the_file_and_the_cause(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        load(write(tmp_path, WRONG[name]))
    assert refused.value.code == "CONFIG_INVALID"
    assert "lineage.toml" in refused.value.message
    assert refused.value.cause


def test_other_encodings_are_refused_and_a_bom_is_not(tmp_path: Path) -> None:
    (tmp_path / "lineage.toml").write_bytes(b'\xef\xbb\xbfproject = "seed"\n')
    assert load(tmp_path).project == "seed"
    (tmp_path / "lineage.toml").write_bytes('project = "s\u00fc"\n'.encode("latin-1"))
    with pytest.raises(UsageError):
        load(tmp_path)


def test_the_schema_says_what_the_reader_says() -> None:
    schema = json.loads(schemas.text(schemas.config_schema()))
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(tomllib.loads(FULL))
    for name, text in WRONG.items():
        if name != "broken":
            assert not validator.is_valid(tomllib.loads(text)), name


def test_the_schema_names_every_setting() -> None:
    ours = set(schemas.config_schema()["properties"])
    assert ours == set(config.TEXT_KEYS) | {"code", "models", "origins"} | set(config.TABLES)
