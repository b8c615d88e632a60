"""Whatever breaks on our side, nothing is registered and the reason is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integrations.mlflow.example_project import Project, clean_environment, refused, without_plugin

REGISTER = """
import sys, mlflow
from mlflow.exceptions import MlflowException
client = mlflow.MlflowClient(sys.argv[1], sys.argv[1])
client.create_registered_model("chat")
try:
    client.create_model_version("chat", sys.argv[2])
except MlflowException as error:
    print(error.error_code, error)
else:
    print("REGISTERED")
"""


def register_elsewhere(project: Project, source: str, **environment: str) -> str:
    """Register in a fresh process and return what it says."""
    command = [sys.executable, "-c", REGISTER, project.uri, source]
    done = subprocess.run(
        command, cwd=project.root, env=clean_environment(**environment), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_settings(bare: Project) -> None:
    text = refused(lambda: bare.register("chat", f"models:/{bare.model(bare.run('s3://own/a.csv'))}"))
    assert "no lineage.toml" in text
    assert "lineagegate init" in text


@pytest.mark.parametrize(
    "poison",
    [
        {"lineage/__init__.py": "from lineage.core import everything\n"},
        {"lineage/__init__.py": "", "lineage/gate.py": "raise RuntimeError('poisoned')\n"},
        {"lineage/__init__.py": "class broken(:\n"},
        {"msgspec/__init__.py": "raise OSError('no such library')\n"},
    ],
    ids=["another package of that name", "raises", "syntax", "dependency"],
)
def test_our_package_broken(project: Project, poison: dict[str, str]) -> None:
    """MLflow answers an ImportError of a plugin with a warning and its own store: it must not come to that."""
    model = project.model(project.run("s3://own/a.csv"))
    poisoned = project.root / "poisoned"
    for path, text in poison.items():
        (poisoned / path).parent.mkdir(parents=True, exist_ok=True)
        (poisoned / path).write_text(text)
    said = register_elsewhere(project, f"models:/{model}", PYTHONPATH=str(poisoned))
    assert said.startswith("PERMISSION_DENIED"), said
    assert "it cannot judge" in said
    assert "lineagegate doctor" in said


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("lineage.policy.yaml", "rules: [", "lineage.policy.yaml"),
        ("lineage.policy.yaml", None, "lineage.policy.yaml"),
        ("lineage.toml", "project = ", "lineage.toml cannot be read"),
        (".lineage/lineage.db", "not a database" * 100, "lineage.db"),
    ],
)
def test_settings_policy_or_store_broken(project: Project, file: str, text: str | None, says: str) -> None:
    model = project.model(project.run("s3://own/a.csv"))
    path = project.root / file
    path.unlink()
    if text is not None:
        path.write_text(text)
    assert says in refused(lambda: project.register("chat", f"models:/{model}"))
    assert project.versions("chat") == []


def test_a_failure_nobody_thought_of(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    model = project.model(project.run("s3://own/a.csv"))
    monkeypatch.setattr("lineage.gate.Gate.refresh", lambda self: {}["missing"])
    text = refused(lambda: project.register("chat", f"models:/{model}"))
    assert "it failed to judge" in text
    assert "KeyError" in text


def test_entry_modules_import_the_standard_library_alone() -> None:
    code = (
        "import sys; import lineage_mlflow.plugin;"
        "print(sorted({m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-IS", "-c", f"import sys; sys.path.insert(0, {_root()!r}); {code}"],
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    assert done.stdout.strip() == "['__main__', 'lineage_mlflow']"


def test_our_scheme_without_the_plugin(project: Project) -> None:
    """``lineage+sqlite`` cannot be opened by an MLflow that has no gate: what a server should use."""
    code = (
        f"import mlflow; mlflow.MlflowClient({project.uri!r}, 'lineage+' + {project.uri!r}).search_registered_models()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, env=without_plugin(project.root),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "unsupported URI" in done.stderr


def _root() -> str:
    import lineage_mlflow

    return str(Path(lineage_mlflow.__file__).parents[1])
