"""One stage execution or `.dvc` file as DVC writes it down: what it read and made, by content, and DVC's own identity.

Only reading of text. Which of the paths are data and what they are called is left to `lineage_dvc.statement`.
YAML dominates the reading of a history (facts/dvc.md), so a lock file is cut into the text of its stages, each distinct
text is read once, and DVC's usual layout is read by pattern; everything unusual goes through a YAML parser.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from lineage import yaml12
from lineage.vocabulary import Content, Member


class Unreadable(Exception):  # noqa: N818 - a state of a file, reported, never shown as a failure of this program
    """A file of DVC that cannot be understood. Args: why, one line."""


class Upstream(NamedTuple):
    """Where ``dvc import`` took something from."""

    url: str
    path: str
    rev: str
    """Commit, from ``rev_lock``."""


class Entry(NamedTuple):
    """A dependency or output."""

    path: str
    """As written (relative to the stage's working directory, absolute, or a URL), with POSIX separators."""
    content: Content | None
    upstream: Upstream | None = None


class Record(NamedTuple):
    """A stage execution."""

    deps: tuple[Entry, ...]
    outs: tuple[Entry, ...]
    key: str
    """DVC's run-cache key: sha256 over command, dependencies, params and the paths of the outputs."""
    value: str
    """DVC's run-cache value: the same with the content of the outputs."""
    legacy: bool = False
    """Some md5 is of text with normalised line ends (DVC before 3.0)."""
    params: Mapping[str, Any] = {}


_MARKERS = re.compile(r"^(<<<<<<<|>>>>>>>)", re.M)
_HEAD = re.compile(r"(?:schema: ['\"]2\.0['\"]\n)?stages:\n(?=  \S)")
_NAME = re.compile(r"([A-Za-z_][\w@.\-/+=]*):\n")
_NOT_TEXT = frozenset(word for w in ("null", "true", "false") for word in (w, w.capitalize(), w.upper()))


def decoded(data: bytes) -> str:
    """Text of one of DVC's files.

    Raises:
        Unreadable: it is not UTF-8, or holds the conflict markers of a merge.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8 text ({error.reason} at byte {error.start})") from None
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if ("<<<<<<<" in text or ">>>>>>>" in text) and _MARKERS.search(text):
        raise Unreadable("it holds the conflict markers of a merge")
    return text


def parsed(text: str) -> Any:
    """The YAML value of a file.

    Raises:
        Unreadable: it is not YAML.
    """
    try:
        return yaml12.load(text)
    except yaml12.YamlError as error:
        raise Unreadable(str(error)) from None


def stages_of_lock(text: str) -> dict[str, str]:
    """The stages in a dvc.lock, schema 1.0 or 2.0: name to the text of its entry, for `record_of`.

    Raises:
        Unreadable: it is no lock file.
    """
    if text and not text.endswith("\n"):
        raise Unreadable("its last line has no end: it is cut short")
    found = _by_layout(text)
    if found is not None:
        return found
    whole = parsed(text)
    if whole is None:
        return {}
    if not isinstance(whole, dict):
        raise Unreadable("it is not a mapping of stages")
    # schema 1.0 had the stages at the top
    stages = whole.get("stages", {}) if "schema" in whole or "stages" in whole or "datasets" in whole else whole
    if not isinstance(stages or {}, dict):
        raise Unreadable("`stages` is not a mapping")
    found = {}
    for name, entry in (stages or {}).items():
        if not isinstance(entry, dict) or "cmd" not in entry:
            raise Unreadable(f"the entry of stage {name!r} is cut short")
        found[str(name)] = json.dumps(entry, sort_keys=True)
    return found


_SPLIT = re.compile(r"\n  (?! )")
_SHALLOW = re.compile(r"\n(?!  |\n|\Z)")


def _by_layout(text: str) -> dict[str, str] | None:
    head = _HEAD.match(text)
    if head is None or _SHALLOW.search(text, head.end()):
        return None
    found: dict[str, str] = {}
    # from the line end before the first stage to the one before the last
    for piece in _SPLIT.split(text[head.end() - 1 : -1])[1:]:
        name = _NAME.match(piece)
        if name is None or name[1] in _NOT_TEXT or name[1] in found or not piece.startswith("    cmd:", name.end()):
            return None
        found[name[1]] = piece[name.end() :] + "\n"
    return found


def record_of(text: str) -> Record:
    """A stage execution from the text of its entry in a lock.

    Raises:
        Unreadable: it is no such entry.
    """
    whole = text.startswith("{")
    found = record(json.loads(text)) if whole else _record_by_layout(text) or record(parsed(text))
    for entries in (found.deps, found.outs):
        for each in entries:
            if each.content is None and each.upstream is None:
                raise Unreadable(f"{each.path} has no hash: it is cut short")
    return found


def record(entry: Any) -> Record:
    """A stage execution from its entry as a value (also of a run-cache file).

    Raises:
        Unreadable: it is no such entry.
    """
    if not isinstance(entry, dict):
        raise Unreadable("an entry is not a mapping")
    key, value = identity(entry)
    deps, outs = _items(entry, "deps"), _items(entry, "outs")
    return Record(
        tuple(map(entry_of, deps)),
        tuple(map(entry_of, outs)),
        key,
        value,
        any("md5" in item and "hash" not in item for item in (*deps, *outs)),
        entry.get("params") or {},
    )


def identity(entry: Mapping[str, Any]) -> tuple[str, str]:
    """DVC's run-cache (key, value) of an execution (dvc/stage/cache.py, ``_get_cache_hash``)."""
    texts = {name: _json(_without_sizes(entry[name])) for name in ("cmd", "deps", "outs", "params") if name in entry}
    value = _hashed(texts)
    texts["outs"] = _json([item.get("path") for item in entry.get("outs") or []])
    return _hashed(texts), value


_SIZES = ("size", "nfiles")
_json = json.JSONEncoder(sort_keys=True, default=str).encode


def _hashed(texts: Mapping[str, str]) -> str:
    """sha256 of the JSON object with these members, as ``json.dumps(…, sort_keys=True)`` writes it."""
    whole = ", ".join([f'"{name}": {texts[name]}' for name in sorted(texts)])
    return hashlib.sha256(f"{{{whole}}}".encode()).hexdigest()


def _without_sizes(value: Any) -> Any:
    """The value without sizes at any depth, also where a parameter has such a name: so does DVC."""
    if type(value) is dict:
        return {k: v if type(v) is str else _without_sizes(v) for k, v in value.items() if k not in _SIZES}
    if type(value) is list:
        return [_without_sizes(item) for item in value]
    return value


def _sha256(value: Any) -> str:
    return hashlib.sha256(_json(value).encode()).hexdigest()


def _items(entry: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    items = entry.get(key) or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Unreadable(f"`{key}` is not a list of files")
    return items


_HASH = re.compile(r"[0-9a-f]{32}(\.dir)?")


def entry_of(item: Mapping[str, Any]) -> Entry:
    """A dependency or output from one item of a lock or `.dvc` file.

    Raises:
        Unreadable: no path, or a hash that is none (a file cut short).
    """
    dataset = item.get("dataset")
    path = item.get("path")
    if isinstance(dataset, dict):
        return _dataset(str(path), dataset)
    if path is None and "db" in item:
        return Entry("db://" + _sha256(item["db"])[:16], None)
    if not isinstance(path, str) or not path:
        raise Unreadable("a file has no path")
    repo = item.get("repo")
    upstream = None
    if isinstance(repo, dict):
        upstream = Upstream(str(repo.get("url", "")), path, str(repo.get("rev_lock") or repo.get("rev") or ""))
    return Entry(path if "://" in path else path.replace("\\", "/"), content_of(item), upstream)


def content_of(item: Mapping[str, Any]) -> Content | None:
    """What identifies the bytes, as an item of a lock or `.dvc` file says: ``md5:…``, ``etag:…``, ``checksum:…``."""
    size, files = item.get("size"), item.get("nfiles")
    members = tuple(
        Member(str(m.get("relpath", "")), key, m.get("size"))
        for m in item.get("files") or []
        if isinstance(m, dict) and (key := _hash(m))
    )
    key = _hash(item)
    if key is None and members:  # a directory versioned by the cloud has no hash of its own
        key = "files:" + _sha256([[m.path, m.hash] for m in members])
        files = len(members)
    if key is None:
        return None
    return Content(key, size if isinstance(size, int) else None, files if isinstance(files, int) else None, members)


def _hash(item: Mapping[str, Any]) -> str | None:
    md5 = item.get("md5")
    if md5 is not None:
        if not isinstance(md5, str) or not _HASH.fullmatch(md5):
            raise Unreadable(f"{md5!r} is no md5")
        return f"md5:{md5}"
    for scheme in ("etag", "checksum", "version_id"):
        if item.get(scheme):
            return f"{scheme}:{str(item[scheme]).strip(chr(34))}"
    for cloud in (item.get("cloud") or {}).values():
        if isinstance(cloud, dict) and (found := _hash(cloud)):
            return found
    return None


def _dataset(path: str, info: Mapping[str, Any]) -> Entry:
    """A ``ds://`` dependency (dvc/repo/datasets.py)."""
    url = str(info.get("url") or path)
    if info.get("type") == "dvc":
        return Entry(path, None, Upstream(url, str(info.get("path") or ""), str(info.get("rev_lock") or "")))
    meta = info.get("meta")
    content = content_of({**(meta if isinstance(meta, dict) else {}), "files": _flat(info.get("files"))})
    return Entry(url if "://" in url else path, content or Content(f"dataset:{_sha256(dict(info))}"))


def _flat(files: Any) -> list[dict[str, Any]]:
    return [{"relpath": f.get("relpath"), **(f.get("meta") or {})} for f in files or [] if isinstance(f, dict)]


# -- DVC's usual layout, by pattern ------------------------------------------------------------------------------------

_WORD = r"[A-Za-z_./][\w./+=~()^$;?<-]*"  # ASCII
_ITEM = re.compile(
    rf"    - path: ({_WORD})\n(?:      hash: (md5)\n)?      md5: ([0-9a-f]{{32}}(?:\.dir)?)\n"
    r"(?:      size: (\d+)\n)?(?:      nfiles: (\d+)\n)?",
    re.ASCII,
)
_CMD = re.compile(r"    cmd: ([A-Za-z./][^\n'\"#:\[\]{}&*!|>%@`\\]*)\n")
_PARAM_FILE = re.compile(rf"      ({_WORD}):\n((?:        [A-Za-z_][\w.\-]*: [^\s'\"\[{{&*!|>%@`][^\n]*\n)+)")
_PARAM = re.compile(r"        ([A-Za-z_][\w.\-]*): ([^\n]*)\n")
_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+")
_PLAIN = re.compile(r"[A-Za-z][\w\-./]*")


def _record_by_layout(text: str) -> Record | None:
    """What `record` would give, for text in DVC's usual layout. None for everything else."""
    ends = [text.find(mark) + 1 for mark in ("\n    deps:\n", "\n    params:\n", "\n    outs:\n")]
    begins = [end for end in ends if end]
    if begins != sorted(begins):
        return None
    cmd = _cmd_by_layout(text[: begins[0] if begins else len(text)])
    if cmd is None:
        return None
    texts = {"cmd": cmd}
    entries: dict[str, tuple[Entry, ...]] = {}
    params: dict[str, Any] = {}
    legacy = False
    for name, begin in zip(("deps", "params", "outs"), ends, strict=True):
        if not begin:
            continue
        section = text[begin : next((end for end in begins if end > begin), len(text))]
        if name == "params":
            found = _params_by_layout(section[12:])
            params = parsed(section)["params"] if found is None else found
            sized = any(name in section for name in _SIZES)
            texts["params"] = _json(_without_sizes(params) if sized else params)
            continue
        items = _items_by_layout(section[10:])
        if items is None:
            return None
        entries[name] = tuple([entry for entry, _ in items])
        texts[name] = f"[{', '.join([item for _, item in items])}]"
        legacy = legacy or any(item.startswith('{"md5"') for _, item in items)
    value = _hashed(texts)
    outs = entries.get("outs", ())
    texts["outs"] = f"[{', '.join([f'{chr(34)}{entry.path}{chr(34)}' for entry in outs])}]"
    return Record(entries.get("deps", ()), outs, _hashed(texts), value, legacy, params)


@lru_cache(maxsize=1 << 12)
def _cmd_by_layout(section: str) -> str | None:
    """The JSON of a command of one line."""
    cmd = _CMD.fullmatch(section)
    if cmd is None or cmd[1] != cmd[1].strip() or cmd[1] in _NOT_TEXT or cmd[1].startswith("."):
        return None
    return _json(cmd[1])


_Item = tuple[Entry, str]


def _items_by_layout(text: str) -> list[_Item] | None:
    """Entries, each with its JSON (without sizes) as DVC's identity takes it."""
    items: list[_Item] = []
    at = 0
    while at < len(text):
        found = _ITEM.match(text, at)
        if found is None:
            return None
        item = _item(*found.groups())
        if item is None:
            return None
        items.append(item)
        at = found.end()
    return items


@lru_cache(maxsize=1 << 14)
def _item(path: str, name: str | None, md5: str, size: str | None, files: str | None) -> _Item | None:
    if path in _NOT_TEXT or path.lower() in (".inf", ".nan"):
        return None
    if md5.isdigit() or re.fullmatch(r"[0-9]+e[0-9]+", md5):
        return None  # such an md5 stands in quotes; without them it is a number
    content = Content(f"md5:{md5}", int(size) if size else None, int(files) if files else None)
    hashed = f'"hash": "{name}", ' if name else ""
    # nothing in the path needs escaping: the pattern takes plain ASCII words only
    return Entry(path, content), f'{{{hashed}"md5": "{md5}", "path": "{path}"}}'


def _params_by_layout(text: str) -> dict[str, Any] | None:
    params: dict[str, Any] = {}
    at = 0
    while at < len(text):
        file = _PARAM_FILE.match(text, at)
        if file is None or file[1] in _NOT_TEXT:
            return None
        values: dict[str, Any] = {}
        for key, value in _PARAM.findall(file[2]):
            if _INT.fullmatch(value):
                values[key] = int(value)
            elif _FLOAT.fullmatch(value):
                values[key] = float(value)
            elif value in ("true", "false"):
                values[key] = value == "true"
            elif _PLAIN.fullmatch(value) and value not in _NOT_TEXT:
                values[key] = value
            else:
                return None
        params[file[1]] = values
        at = file.end()
    return params
