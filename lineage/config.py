"""Where the settings are: flag > ``LINEAGE_*`` variable > ``lineage.toml`` or ``[tool.lineage]`` > default.

The file is looked for from a directory upwards; the directory that holds it is the root that relative paths start from.
Read on start-up paths, so nothing but the standard library is imported before it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineage.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "lineage.toml"

DEFAULT_CODE = (
    "*.py", "*.pyx", "*.ipynb", "*.sh", "*.bash", "*.R", "*.r", "*.jl", "*.sql", "*.js", "*.ts", "*.scala", "*.java",
    "*.go", "*.rs", "*.c", "*.cc", "*.cpp", "*.h", "*.hpp", "*.cu", "*.toml", "*.cfg", "*.ini", "*.lock",
    "*.yaml", "*.yml", "Makefile", "Dockerfile", "requirements*.txt", ".env", "*.env",
    "src/**", "scripts/**", "code/**",
)  # fmt: skip
"""Paths that are code or configuration when git holds them (SEMANTICS.md: they carry no label). What DVC tracks, or
another stage makes, is data whatever its name (facts/pipelines-in-the-wild.md, trap 12)."""

DEFAULT_MODELS = (
    "*.pkl", "*.pickle", "*.joblib", "*.pt", "*.pth", "*.ckpt", "*.safetensors", "*.onnx", "*.h5", "*.keras", "*.gguf",
    "*.bst", "*.cbm", "*.mlmodel", "*.tflite", "*.skops", "models/**", "model/**", "model",
)  # fmt: skip
"""Stage outputs that are models, beside those declared under ``artifacts:`` with ``type: model`` in dvc.yaml."""


@dataclass(frozen=True)
class OriginRule:
    """An origin for every source whose path or URL matches (``[[origins]]`` in the file)."""

    pattern: str
    """Shell pattern over the path from the root, or over a whole URL."""
    origin: Mapping[str, str]
    """Fields of `lineage.vocabulary.Origin`, by name."""
    location: str = ""
    """Where it stands, for messages."""


@dataclass(frozen=True)
class Config:
    """Settings of one project."""

    root: Path
    """Directory that relative paths start from."""
    project: str = ""
    """Name in OpenLineage namespaces; the same in every clone."""
    store: str = ".lineage/lineage.db"
    """SQLite file, relative to the root, or a ``postgresql://`` URL."""
    policy: str = "lineage.policy.yaml"
    """Policy file, relative to the root."""
    user: str = ""
    """Identity for declarations and grants; empty: git's ``user.name <user.email>``."""
    code: tuple[str, ...] = DEFAULT_CODE
    models: tuple[str, ...] = DEFAULT_MODELS
    origins: tuple[OriginRule, ...] = ()
    file: Path | None = None
    """The file the settings came from, if any."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Tables of integrations (``[mlflow]``, ``[dvc]``), read by them."""

    @property
    def policy_path(self) -> Path:
        """Absolute path of the policy file."""
        return self.root / self.policy

    @property
    def store_url(self) -> str:
        """Absolute path of the SQLite file, or the URL."""
        return self.store if "://" in self.store else str(self.root / self.store)


def load(start: Path | None = None, **flags: str | None) -> Config:
    """Read the settings that hold in a directory.

    Args:
        start: where to look from; default: ``LINEAGE_ROOT``, else the current directory.
        flags: ``store``, ``policy``, ``project``, ``user`` as given on the command line; None when not given.

    Raises:
        UsageError: ``CONFIG_MISSING`` or ``CONFIG_INVALID``; nothing is assumed for a broken file.
    """
    where = Path(start or os.environ.get("LINEAGE_ROOT") or Path.cwd()).resolve()
    file, table = _find(where)
    given = {k: v for k, v in flags.items() if v}
    environment = {k: os.environ[f"LINEAGE_{k.upper()}"] for k in TEXT_KEYS if os.environ.get(f"LINEAGE_{k.upper()}")}
    if file is None and "store" not in given and "store" not in environment:
        raise UsageError(
            f"no {FILE} in {where} or above",
            code="CONFIG_MISSING",
            cause="lineagegate does not know which store and policy hold here, so it refuses",
            hint="run `lineagegate init` in the repository, or set LINEAGE_STORE and LINEAGE_POLICY",
        )
    root = file.parent if file else where
    values = _checked(table, file) | environment | given
    return Config(root=root, file=file, **{"project": root.name, **values})


TEXT_KEYS = ("project", "store", "policy", "user")
"""Settings that are plain text; each can also come from ``LINEAGE_<NAME>``."""

TABLES = ("capture", "content", "dvc", "ledger", "mlflow", "server", "team")
"""Tables that belong to others, who read them from `Config.extra`."""


def _find(where: Path) -> tuple[Path | None, dict[str, Any]]:
    for directory in (where, *where.parents):
        own = directory / FILE
        if own.is_file():
            return own, _parse(own)
        pyproject = directory / "pyproject.toml"
        if pyproject.is_file():
            try:
                text = pyproject.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            if "tool.lineage" in text:
                tool = _parse(pyproject).get("tool", {})
                if "lineage" in tool:
                    return pyproject, tool["lineage"]
    return None, {}


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read",
            code="CONFIG_INVALID",
            cause=str(error),
            hint="correct the file; nothing was changed",
        ) from None


def _checked(table: dict[str, Any], file: Path | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in table.items():
        if key in TEXT_KEYS:
            values[key] = _typed(file, key, value, str, "text")
        elif key in ("code", "models"):
            items = _typed(file, key, value, list, "a list of patterns")
            default = DEFAULT_CODE if key == "code" else DEFAULT_MODELS
            patterns = tuple(_typed(file, key, item, str, "a list of patterns") for item in items)
            # "..." stands for the defaults, so that a project can add to them without repeating them
            values[key] = tuple(p for item in patterns for p in (default if item == "..." else (item,)))
        elif key == "origins":
            values[key] = tuple(_rule(file, i, item) for i, item in enumerate(_typed(file, key, value, list, "tables")))
        elif isinstance(value, dict) and key in TABLES:
            extra[key] = value
        else:
            known = ", ".join((*TEXT_KEYS, "code", "models", "origins", *(f"[{name}]" for name in TABLES)))
            raise _invalid(file, f"unknown key `{key}`", f"known keys: {known}")
    return {**values, "extra": extra}


ORIGIN_FIELDS = ("kind", "provider", "service", "channel", "terms", "licence", "jurisdiction", "acquired")


def _rule(file: Path | None, index: int, item: Any) -> OriginRule:
    table = _typed(file, f"origins[{index}]", item, dict, "a table")
    pattern = table.get("path") or table.get("url")
    unknown = set(table) - {"path", "url", *ORIGIN_FIELDS}
    if not isinstance(pattern, str) or ("path" in table and "url" in table):
        raise _invalid(file, f"origins[{index}] needs `path` or `url`", 'as in  path = "data/raw/gpt*"')
    if unknown:
        raise _invalid(file, f"origins[{index}]: unknown key `{min(unknown)}`", f"known: {', '.join(ORIGIN_FIELDS)}")
    origin = {k: str(v) for k, v in table.items() if k in ORIGIN_FIELDS}
    if "kind" not in origin:
        raise _invalid(file, f"origins[{index}] has no `kind`", 'as in  kind = "first-party"')
    from lineage.vocabulary import Kind  # only where there are origins: start-up paths read settings without any

    kinds = [kind.value for kind in Kind if kind is not Kind.UNDECLARED]
    if origin["kind"] not in kinds:
        raise _invalid(file, f"origins[{index}]: no kind is called `{origin['kind']}`", f"kinds: {', '.join(kinds)}")
    return OriginRule(pattern, origin, f"{file.name if file else FILE}: origins[{index}]")


def _typed(file: Path | None, key: str, value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        raise _invalid(file, f"`{key}` must be {what}, not {type(value).__name__}", "")
    return value


def _invalid(file: Path | None, cause: str, hint: str) -> UsageError:
    return UsageError(f"{file or FILE} is not valid", code="CONFIG_INVALID", cause=cause, hint=hint)
