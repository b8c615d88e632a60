"""What `doctor` finds. Registries that are not gated: tests/integrations/mlflow."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from pathlib import Path

import pytest

from lineage.gate import Gate
from lineage.pipeline import Notice
from tests.unit.cli.conftest import Cli


@pytest.fixture
def healthy(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a git repository, with no registry to look at."""
    (project / ".git").mkdir()
    monkeypatch.setattr(Gate, "registries", ())
    return project


def _codes(cli: Cli) -> set[str]:
    ran = cli("doctor", verb="doctor")
    codes = {finding["code"] for finding in ran.document["findings"]}
    assert ran.status == (1 if codes else 0)
    assert all(finding["hint"] for finding in ran.document["findings"]), "each finding comes with what helps"
    return codes


def test_nothing_is_found_when_all_is_well(healthy: Path, cli: Cli) -> None:
    assert _codes(cli) == set()
    assert cli("doctor").out.startswith("Nothing found. Looked at: installation, plug-ins, settings,")


def test_another_distribution_with_our_import_name(
    healthy: Path, cli: Cli, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path_factory.mktemp("site")
    (site / "lineage-9.9.dist-info").mkdir()
    (site / "lineage-9.9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: lineage\nVersion: 9.9\n")
    (site / "lineage-9.9.dist-info" / "top_level.txt").write_text("lineage\n")
    monkeypatch.syspath_prepend(site)
    assert _codes(cli) == {"PACKAGE_CLASH"}


@pytest.mark.parametrize("name", ["lineage.py", "lineage/__init__.py"])
def test_a_file_that_is_imported_instead_of_the_gate(name: str, healthy: Path, cli: Cli) -> None:
    (healthy / name).parent.mkdir(exist_ok=True)
    (healthy / name).write_text("")
    assert _codes(cli) == {"PACKAGE_SHADOWED"}


def test_a_plug_in_that_breaks_and_one_that_is_missing(
    healthy: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def entry_points(*, group: str) -> list[importlib.metadata.EntryPoint]:
        broken = importlib.metadata.EntryPoint("dvc", "lineage.errors:NoSuchThing", group)
        return [broken] if group == "lineagegate.pipelines" else []

    monkeypatch.setattr("lineage.cli.doctor.entry_points", entry_points)
    assert _codes(cli) == {"PLUGIN_BROKEN", "PLUGIN_MISSING"}


def test_an_extra_that_is_not_installed_is_no_fault(
    healthy: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (directory := tmp_path_factory.mktemp("plugin")).joinpath("needs_mlflow.py").write_text(
        "raise ModuleNotFoundError(name='mlflow.store')\n"
    )
    monkeypatch.syspath_prepend(directory)
    monkeypatch.setattr(
        "lineage.cli.doctor.entry_points",
        lambda *, group: [importlib.metadata.EntryPoint("mlflow", "needs_mlflow:X", group)],
    )
    assert _codes(cli) == set()


def test_tools_that_are_missing(healthy: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (healthy / ".git").rmdir()
    assert _codes(cli) == set()  # a server's directory
    (healthy / ".dvc").mkdir()
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # where DVC is
    assert _codes(cli) == {"NO_REPOSITORY"}
    monkeypatch.setenv("PATH", str(healthy))
    assert {"GIT_MISSING", "DVC_MISSING"} <= _codes(cli)


def test_settings_policy_and_store(healthy: Path, cli: Cli) -> None:
    policy, settings = healthy / "lineage.policy.yaml", healthy / "lineage.toml"
    said = policy.read_text()
    policy.write_text("ruls: []\n")
    assert _codes(cli) == {"POLICY_INVALID"}
    policy.unlink()
    assert _codes(cli) == {"POLICY_MISSING"}
    policy.write_text(said.replace("mode: enforce", "mode: audit"))
    assert _codes(cli) == {"NOT_ENFORCED"}
    policy.write_text(said)
    store = healthy / ".lineage" / "lineage.db"
    kept = store.read_bytes()
    store.write_bytes(b"no database at all" * 100)
    for rest in store.parent.glob("lineage.db-*"):
        rest.unlink()
    assert _codes(cli) == {"STORE_CORRUPT"}
    store.unlink()
    assert _codes(cli) == {"STORE_MISSING"}
    store.write_bytes(kept)
    settings.write_text("projct = 1\n")
    assert _codes(cli) == {"CONFIG_INVALID"}
    settings.unlink()
    assert _codes(cli) == {"CONFIG_MISSING"}


def test_what_a_registry_says_of_itself(healthy: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ungated:
        """A registry as an integration offers it."""

        def faults(self) -> list[Notice]:
            return [Notice("NOT_GATED", "sqlite:///mlflow.db", "anything can be registered there", "pip install …")]

    monkeypatch.setattr(Gate, "registries", (Ungated(),))
    assert _codes(cli) == {"NOT_GATED"}
    assert "NOT_GATED  sqlite:///mlflow.db" in cli("doctor").out
