"""What a dvc.yaml or `.dvc` file says of its stages, beside their content: working directory, claims, uses, models.

foreach, matrix and ``${…}`` are resolved as DVC does (dvc/parsing), without DVC: importing it costs half a second.
Content is in the lock (`lineage_dvc.record`).
"""

from __future__ import annotations

import itertools
import json
import posixpath
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from lineage.vocabulary import Use
from lineage_dvc.claim import NOTHING, Claim, Malformed, Said, said
from lineage_dvc.record import Entry, Record, Unreadable, decoded, entry_of, parsed, record

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Read = Callable[[str], bytes | None]
"""Content of a file by its path from the DVC root, None when there is none."""


class Meaning(NamedTuple):
    """What matters of a stage for lineage. Paths are from the DVC root, as `resolve` makes them."""

    wdir: str
    claims: tuple[Claim, ...] = ()
    """On every output."""
    outs: tuple[tuple[str, tuple[Claim, ...]], ...] = ()
    """(output, claims on it alone)."""
    inputs: tuple[tuple[str, tuple[Claim, ...]], ...] = ()
    uses: tuple[tuple[str, Use], ...] = ()
    """(dependency or pattern as written, role)."""
    models: frozenset[str] = frozenset()
    """Outputs that dvc.yaml calls models."""
    measures: frozenset[str] = frozenset()
    """Metrics and plots."""
    persists: frozenset[str] = frozenset()
    """Outputs that are there when the stage begins: what they hold goes into what they hold next."""


class Stage(NamedTuple):
    """A stage as dvc.yaml defines it now."""

    meaning: Meaning
    cmd: str
    deps: tuple[str, ...]
    """As written, expanded."""
    outs: tuple[str, ...]
    params: tuple[str, ...]
    frozen: bool


class Trouble(NamedTuple):
    """Something in a file that could not be understood."""

    why: str
    place: tuple[str | int, ...]
    """Keys from the top of the file."""


class DvcFile(NamedTuple):
    """A `.dvc` file."""

    wdir: str
    record: Record
    claims: tuple[Claim, ...]
    outs: tuple[tuple[Entry, tuple[Claim, ...]], ...]
    models: frozenset[str]
    trouble: tuple[Trouble, ...]
    frozen: bool


@lru_cache(maxsize=1 << 16)
def resolve(directory: str, path: str) -> str:
    """A path from the DVC root: normalised; absolute paths and URLs as they are."""
    if "://" in path or path.startswith("/") or re.match(r"[A-Za-z]:/", path):
        return path
    return posixpath.normpath(posixpath.join(directory, path))


def dvc_file(data: bytes, directory: str) -> DvcFile:
    """Read a `.dvc` file.

    Args:
        data: its bytes.
        directory: where it lies, from the DVC root.

    Raises:
        Unreadable: it is none.
    """
    value = parsed(decoded(data))
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise Unreadable("it is not a mapping")
    wdir = posixpath.normpath(posixpath.join(directory, str(value.get("wdir") or ".")))
    entry = {k: value[k] for k in ("cmd", "deps", "outs") if value.get(k)}
    whole = record(entry)
    trouble: list[Trouble] = []
    claims = _resolved(_said(value.get("meta"), ("meta", "lineage"), trouble).claims, wdir)
    outs = []
    models = set()
    for index, item in enumerate(entry.get("outs", [])):
        own = _resolved(_said(item.get("meta"), ("outs", index, "meta", "lineage"), trouble).claims, wdir)
        found = entry_of(item)
        outs.append((found, own))
        if item.get("type") == "model":
            models.add(resolve(wdir, found.path))
    return DvcFile(wdir, whole, claims, tuple(outs), frozenset(models), tuple(trouble), bool(value.get("frozen")))


def _said(meta: Any, place: tuple[str | int, ...], trouble: list[Trouble], *, stage: bool = False) -> Said:
    try:
        return said(meta, stage=stage)
    except Malformed as error:
        trouble.append(Trouble(str(error), (*place, *error.place)))
        return NOTHING


class Definitions:
    """The stages of one dvc.yaml.

    Args:
        data: its bytes.
        directory: where it lies, from the DVC root.
        read: the other files there, for ``vars``.

    Raises:
        Unreadable: it is no such file.
    """

    def __init__(self, data: bytes, directory: str, read: Read) -> None:
        value = parsed(decoded(data))
        if value is None:
            value = {}
        if not isinstance(value, dict) or not isinstance(value.get("stages") or {}, dict):
            raise Unreadable("`stages` is not a mapping")
        self.directory = directory
        self.trouble: list[Trouble] = []
        self.reads: dict[str, bytes | None] = {}
        """What was read beside it, so that a later commit can tell whether anything changed."""
        self._read = read
        self._value = value
        self._stages: Mapping[str, Any] = {
            str(k): v for k, v in (value.get("stages") or {}).items() if isinstance(v, dict)
        }
        self._variables: dict[str, Any] | None = None
        self._groups: dict[str, dict[str, dict[str, Any]]] = {}
        self._memo: dict[str, Stage | None] = {}
        artifacts = value.get("artifacts")
        self._models = frozenset(
            resolve(directory, str(a["path"]))
            for a in (artifacts.values() if isinstance(artifacts, dict) else ())
            if isinstance(a, dict) and a.get("type") == "model" and a.get("path")
        )

    def names(self) -> Iterator[str]:
        """Every stage, those of groups expanded."""
        for name, raw in self._stages.items():
            if "foreach" in raw or "matrix" in raw:
                yield from (f"{name}@{key}" for key in self._group(name))
            else:
                yield name

    def written(self, name: str) -> str | None:
        """The key in the file that defines a stage: itself, or its group."""
        if name in self._stages:
            return name
        group = name.rpartition("@")[0]
        return group if group in self._stages else None

    def stage(self, name: str) -> Stage | None:
        """A stage by its name (``train@a-x``), None when the file does not define it."""
        if name not in self._memo:
            self._memo[name] = self._stage(name)
        return self._memo[name]

    def meaning(self, name: str) -> Meaning | None:
        """What matters of a stage for lineage, None for a ghost."""
        stage = self.stage(name)
        return stage.meaning if stage else None

    # -- expansion -------------------------------------------------------------------------------------------------

    def _stage(self, name: str) -> Stage | None:
        raw = self._stages.get(name)
        if raw is not None and "foreach" not in raw and "matrix" not in raw:
            return self._resolved(name, name, raw, {})
        group, _, key = name.rpartition("@")
        raw = self._stages.get(group)
        if raw is None:
            return None
        item = self._group(group).get(key)
        if item is None:
            return None
        return self._resolved(name, group, raw.get("do") or {k: v for k, v in raw.items() if k != "matrix"}, item)

    def _group(self, name: str) -> dict[str, dict[str, Any]]:
        if name not in self._groups:
            raw = self._stages[name]
            try:
                self._groups[name] = _expanded(raw, lambda value: self._fill(value, {}))
            except _Unresolved as error:
                self.trouble.append(Trouble(str(error), ("stages", name)))
                self._groups[name] = {}
        return self._groups[name]

    def _resolved(self, name: str, written: str, raw: Mapping[str, Any], item: dict[str, Any]) -> Stage:
        place: tuple[str | int, ...] = ("stages", written, *(("do",) if "do" in self._stages[written] else ()))
        own = dict(item)

        def fill(key: str, default: Any) -> Any:
            try:
                return self._fill(raw.get(key, default), own)
            except _Unresolved as error:
                self.trouble.append(Trouble(f"stage {name}: {error}", (*place, key)))
                return default

        wdir = resolve(self.directory, str(fill("wdir", ".") or "."))
        for variables in raw.get("vars") or []:
            own.update(self._load(variables, wdir))
        stage = _said(fill("meta", None), (*place, "meta", "lineage"), self.trouble, stage=True)
        outs: list[str] = []
        measures: set[str] = set()
        models: set[str] = set()
        persists: set[str] = set()
        own_claims: list[tuple[str, tuple[Claim, ...]]] = []
        for key in ("outs", "metrics", "plots"):
            for index, out in enumerate(fill(key, []) or []):
                path, flags = next(iter(out.items()), ("", {})) if isinstance(out, dict) else (out, {})
                path = resolve(wdir, str(path).replace("\\", "/"))
                outs.append(path)
                if key != "outs":
                    measures.add(path)
                if isinstance(flags, dict):
                    if flags.get("type") == "model":
                        models.add(path)
                    if flags.get("persist"):
                        persists.add(path)
                    claims = _resolved(_said(flags.get("meta"), (*place, key, index), self.trouble).claims, wdir)
                    if claims:
                        own_claims.append((path, claims))
        cmd = fill("cmd", "")
        return Stage(
            Meaning(
                wdir,
                _resolved(stage.claims, wdir),
                tuple(own_claims),
                tuple((resolve(wdir, path), claims) for path, claims in stage.inputs),
                stage.uses,
                self._models | models,
                frozenset(measures),
                frozenset(persists),
            ),
            " && ".join(map(str, cmd)) if isinstance(cmd, list) else str(cmd),
            tuple(str(dep).replace("\\", "/") for dep in fill("deps", []) or []),
            tuple(outs),
            tuple(json.dumps(p, default=str) for p in fill("params", []) or []),
            bool(raw.get("frozen")),
        )

    # -- variables -------------------------------------------------------------------------------------------------

    def _fill(self, value: Any, own: Mapping[str, Any]) -> Any:
        if isinstance(value, str):
            return self._text(value, own) if "${" in value else value
        if isinstance(value, list):
            return [self._fill(item, own) for item in value]
        if isinstance(value, dict):
            return {(self._fill(k, own) if isinstance(k, str) else k): self._fill(v, own) for k, v in value.items()}
        return value

    def _text(self, text: str, own: Mapping[str, Any]) -> Any:
        whole = _EXPRESSION.fullmatch(text)
        if whole is not None:
            return self._lookup(whole[1], own)
        return _EXPRESSION.sub(lambda found: _word(self._lookup(found[1], own)), text).replace("\\${", "${")

    def _lookup(self, expression: str, own: Mapping[str, Any]) -> Any:
        steps = expression.strip().replace("[", ".").replace("]", "").split(".")
        value: Any = {**self.variables, **own}
        for step in steps:
            if isinstance(value, Mapping) and step in value:
                value = value[step]
            elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            else:
                raise _Unresolved(f"${{{expression}}} is not defined by params.yaml or `vars`")
        return value

    @property
    def variables(self) -> Mapping[str, Any]:
        """params.yaml and ``vars``."""
        if self._variables is None:
            self._variables = {}
            written = self._value.get("vars") or []
            default = posixpath.normpath(posixpath.join(self.directory, "params.yaml"))
            if not any(isinstance(v, str) and v.partition(":")[0] == "params.yaml" for v in written):
                self._variables.update(self._file(default) or {})
            for variables in written:
                _merge(self._variables, self._load(variables, self.directory))
        return self._variables

    def _load(self, variables: Any, directory: str) -> dict[str, Any]:
        if isinstance(variables, dict):
            return variables
        path, _, keys = str(variables).partition(":")
        values = self._file(posixpath.normpath(posixpath.join(directory, path)))
        if values is None:
            self.trouble.append(Trouble(f"vars: {path} cannot be read", ("vars",)))
            return {}
        return {k: values[k] for k in keys.split(",") if k in values} if keys else values

    def _file(self, path: str) -> dict[str, Any] | None:
        if path not in self.reads:
            self.reads[path] = self._read(path)
        data = self.reads[path]
        if data is None:
            return None
        try:
            if path.endswith(".json"):
                value = json.loads(data)
            elif path.endswith(".toml"):
                value = tomllib.loads(data.decode())
            elif path.endswith(".py"):
                return None
            else:
                value = parsed(decoded(data))
        except (ValueError, Unreadable):
            return None
        return value if isinstance(value, dict) else None


def _resolved(claims: tuple[Claim, ...], wdir: str) -> tuple[Claim, ...]:
    return tuple(c._replace(paths=tuple((resolve(wdir, p), k) for p, k in c.paths)) if c.paths else c for c in claims)


class _Unresolved(Exception):  # noqa: N818 - becomes a Trouble
    pass


_EXPRESSION = re.compile(r"(?<!\\)\$\{(.*?)\}")


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _expanded(raw: Mapping[str, Any], fill: Callable[[Any], Any]) -> dict[str, dict[str, Any]]:
    """The members of a group: what follows ``@`` to the variables that it adds (dvc/parsing/__init__.py)."""
    if "foreach" in raw:
        items = fill(raw["foreach"])
        if isinstance(items, dict):
            return {_word(k): {"item": v, "key": _word(k)} for k, v in items.items()}
        if not isinstance(items, list):
            raise _Unresolved("`foreach` is neither a list nor a mapping")
        if any(isinstance(item, (list, dict)) for item in items):
            return {str(index): {"item": item} for index, item in enumerate(items)}
        return {_word(item): {"item": item} for item in items}
    matrix = fill(raw["matrix"])
    if not isinstance(matrix, dict) or not all(isinstance(v, list) for v in matrix.values()):
        raise _Unresolved("`matrix` is not a mapping of lists")
    found: dict[str, dict[str, Any]] = {}
    for combination in itertools.product(*(enumerate(values) for values in matrix.values())):
        item = dict(zip(matrix, (value for _, value in combination), strict=True))
        key = "-".join(
            f"{name}{index}" if isinstance(value, (list, dict)) else _word(value)
            for name, (index, value) in zip(matrix, combination, strict=True)
        )
        found[key] = {"item": item, "key": key}
    return found
