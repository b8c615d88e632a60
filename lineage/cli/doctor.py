"""``lineagegate doctor``: what is wrong with a set-up, each with the command that helps."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution, entry_points, packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import lineage
from lineage.cli.settings import Settings, verb
from lineage.errors import LineageError
from lineage.evidence import document, text

if TYPE_CHECKING:
    from lineage.config import Config

Found = Iterator[Sequence[str]]
DISTRIBUTION = "lineagegate"
_PATIENCE = 120
"""Seconds that reading the suites of Great Expectations may take; it takes some to start."""


@verb
def doctor(settings: Settings) -> int:
    """Find what is wrong with the set-up.

    Looked at: the installation (another package called `lineage`, plug-ins that do not load), git and DVC, the
    settings, the policy, the store and its schema, restricted sources that are not searched for, suites of Great
    Expectations that load in part, and every registry of models: one that is reachable and not gated is the worst
    finding of all. Nothing is changed.

    Exit status: 0 nothing found, 1 something found.
    """
    checked: list[str] = []
    findings: list[Sequence[str]] = []

    def look(what: str, at: Callable[[], Found]) -> None:
        checked.append(what)
        try:
            findings.extend(at())
        except LineageError as failure:
            message = f"{failure.message}: {failure.cause}" if failure.cause else failure.message
            findings.append((failure.code, what, message, failure.hint))

    look("installation", lambda: _installation(settings.start))
    look("plug-ins", _plugins)
    look("settings", lambda: _settings(settings))
    if not findings or checked[-1] != findings[-1][1]:
        look("tools", lambda: _tools(settings.config()))
        look("policy", lambda: _policy(settings.config()))
        look("store and registries", lambda: _registries(settings))
        look("key of the ledger", lambda: _key(settings))
        look("content of restricted sources", lambda: _content(settings))
        look("suites of Great Expectations", lambda: _suites(settings.config()))
    settings.show(
        lambda: document.DoctorDocument(tuple(checked), document.notices(findings)),
        lambda: text.doctor_text(checked, findings),
    )
    return 1 if findings else 0


def _settings(settings: Settings) -> Found:
    settings.config()
    yield from ()


def _key(settings: Settings) -> Found:
    """A key that cannot be used refuses every decision."""
    with settings.gate() as gate:
        gate.seal.public()
    yield from ()


def _installation(start: Path) -> Found:
    home = Path(lineage.__file__ or "").resolve().parent
    try:
        distribution(DISTRIBUTION)
    except PackageNotFoundError:
        yield (
            "NOT_INSTALLED",
            str(home),
            "`lineage` is imported from a directory, but lineagegate is not installed: no tool finds its gate",
            "pip install 'lineagegate[dvc,mlflow]'",
        )
    for other in packages_distributions().get("lineage", []):
        if other != DISTRIBUTION:
            yield (
                "PACKAGE_CLASH",
                other,
                f"the distribution {other} installs an import package `lineage` too; one overwrites the other",
                f"pip uninstall {other} && pip install --force-reinstall --no-deps lineagegate",
            )
    # a process started with `python -m` or a script in this directory finds what lies here first
    for directory in dict.fromkeys((start, *(Path(entry or ".").resolve() for entry in sys.path))):
        for shadow in (directory / "lineage" / "__init__.py", directory / "lineage.py"):
            if shadow.is_file() and shadow.parent.resolve() != home:
                yield (
                    "PACKAGE_SHADOWED",
                    str(shadow),
                    f"this file is imported as `lineage` by what runs in {directory}, instead of the gate",
                    "rename it; the import name `lineage` belongs to lineagegate",
                )


def _plugins() -> Found:
    for group in ("lineagegate.pipelines", "lineagegate.registries"):
        found = entry_points(group=group)
        if not found:
            yield (
                "PLUGIN_MISSING",
                group,
                "no plug-in of this group is registered: the installation is not complete",
                "pip install --force-reinstall --no-deps lineagegate",
            )
        for entry in found:
            try:
                entry.load()
            except ImportError as error:
                # an extra that is not installed guards nothing and misses nothing
                if (error.name or "").partition(".")[0] not in ("dvc", "mlflow", "ruamel"):
                    yield "PLUGIN_BROKEN", entry.name, f"{type(error).__name__}: {error}", "pip check"
            except Exception as error:  # a plug-in may break in any way; doctor says so and goes on
                yield "PLUGIN_BROKEN", entry.name, f"{type(error).__name__}: {error}", "pip check"


def _tools(config: Config) -> Found:
    if shutil.which("git") is None:
        yield "GIT_MISSING", "git", "git is not on PATH; history cannot be read", "install git"
    elif (config.root / ".dvc").is_dir() and not any(
        (directory / ".git").exists() for directory in (config.root, *config.root.parents)
    ):  # where there is no pipeline either, as on a server, there is no history to read
        yield "NO_REPOSITORY", str(config.root), "this is no git repository; history cannot be read", "git init"
    if (config.root / ".dvc").is_dir() and shutil.which("dvc") is None:
        yield (
            "DVC_MISSING",
            "dvc",
            "this is a DVC repository and dvc is not on PATH; its records are read all the same",
            "pip install 'lineagegate[dvc]'",
        )


def _policy(config: Config) -> Found:
    from lineage.policy import load_policy

    policy = load_policy(config.policy_path)
    if policy.mode != "enforce":
        yield (
            "NOT_ENFORCED",
            config.policy,
            f"the policy's mode is {policy.mode}: nothing is refused",
            "write `mode: enforce` when the team is ready",
        )


def _registries(settings: Settings) -> Found:
    with settings.gate() as gate:
        gate.status()
        for registry in gate.registries:
            yield from registry.faults()


def _content(settings: Settings) -> Found:
    """Where content is searched: restricted sources that it is not searched for."""
    from lineage.gate.content import ContentIndex, name_of

    with settings.gate() as gate:
        contents = ContentIndex(gate)
        known = contents.sources()
        if gate.policy().content.inputs == "never" and not any(source.row for source in known):
            return
        for source in known:
            if source.row is None:
                yield (
                    "SOURCE_NOT_INDEXED",
                    name_of(source.artifact),
                    "it is restricted and has no fingerprints: its records are not found elsewhere",
                    "lineagegate content index (after `dvc pull`, where its content is not here)",
                )
            elif source.row["unread"]:
                yield (
                    "SOURCE_INDEXED_IN_PART",
                    name_of(source.artifact),
                    f"{source.row['unread'][0][0]} could not be read: {source.row['unread'][0][1]}",
                    "convert it; lineagegate content show",
                )


def _suites(config: Config) -> Found:
    """A suite that was stored with an expectation whose class is not imported passes without it."""
    if not any((config.root / folder / "great_expectations.yml").is_file() for folder in ("gx", "great_expectations")):
        return
    if find_spec("great_expectations") is None or find_spec("lineage_gx") is None:
        return
    command = [sys.executable, "-m", "lineage_gx", str(config.root)]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, and a directory of ours
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        yield "SUITES_UNREAD", str(config.root), f"its suites were not read in {_PATIENCE} s", " ".join(command)
        return
    for line in done.stdout.splitlines():
        if line.startswith("SUITE_INCOMPLETE"):
            code, _, where = line.partition("  ")
            name, _, message = where.partition(": ")
            yield code, name, message, f"python -m lineage_gx {config.root} MODULE…, with what imports its class"
    if done.returncode not in (0, 1):
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        yield "SUITES_UNREAD", str(config.root), said, "python -m lineage_gx"
