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


_MARKERS = re.compile(r"^(<<<<<<<|=======$|>>>>>>>)", re.M)
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
    text = text.replace("\r\n", "\n")
    if _MARKERS.search(text):
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


_SPLIT = re.compile(r"^  (?! )", re.M)
_SHALLOW = re.compile(r"^(?!  )(?=.)", re.M)


def _by_layout(text: str) -> dict[str, str] | None:
    head = _HEAD.match(text)
    if head is None or _SHALLOW.search(text, head.end()):
        return None
    body = text[head.end() :]
    found: dict[str, str] = {}
    for piece in _SPLIT.split(body)[1:]:
        name = _NAME.match(piece)
        if name is None or name[1] in _NOT_TEXT or name[1] in found or not piece.startswith("    cmd:", name.end()):
            return None
        found[name[1]] = piece[name.end() :]
    return found


def record_of(text: str) -> Record:
    """A stage execution from the text of its entry in a lock.

    Raises:
        Unreadable: it is no such entry.
    """
    entry = json.loads(text) if text.startswith("{") else _entry_by_layout(text)
    if entry is None:
        entry = parsed(text)
    found = record(entry)
    for each in (*found.deps, *found.outs):
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
    outs = [item.get("path") for item in entry.get("outs") or []]
    bare = _without_sizes(entry)
    return _sha256({**bare, "outs": outs}), _sha256(bare)


def _without_sizes(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_sizes(item) for item in value]
    if isinstance(value, Mapping):
        return {k: _without_sizes(v) for k, v in value.items() if k not in ("size", "nfiles")}
    return value


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


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

_SECTION = re.compile(r"^    (?=[a-z]+:)", re.M)
_WORD = r"[A-Za-z_./][^\s'\"#:\[\]{},&*!|>%@`\\]*"
_ITEM = re.compile(
    rf"    - path: ({_WORD})\n(?:      hash: (md5)\n)?      md5: ([0-9a-f]{{32}}(?:\.dir)?)\n"
    r"(?:      size: (\d+)\n)?(?:      nfiles: (\d+)\n)?"
)
_CMD = re.compile(r"cmd: ([A-Za-z./][^\n'\"#:\[\]{}&*!|>%@`\\]*)\n")
_PARAM_FILE = re.compile(rf"      ({_WORD}):\n((?:        [A-Za-z_][\w.\-]*: [^\s'\"\[{{&*!|>%@`][^\n]*\n)+)")
_PARAM = re.compile(r"        ([A-Za-z_][\w.\-]*): ([^\n]*)\n")
_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+")
_PLAIN = re.compile(r"[A-Za-z][\w\-./]*")


def _entry_by_layout(text: str) -> dict[str, Any] | None:
    if not text.endswith("\n"):
        text += "\n"
    entry: dict[str, Any] = {}
    for section in _SECTION.split(text)[1:]:
        if section.startswith("cmd: "):
            cmd = _CMD.fullmatch(section)
            if cmd is None or cmd[1] != cmd[1].strip() or cmd[1] in _NOT_TEXT or cmd[1].startswith("."):
                entry.update(parsed(section))
            else:
                entry["cmd"] = cmd[1]
        elif section.startswith(("deps:\n", "outs:\n")):
            items = _items_by_layout(section[6:])
            if items is None:
                entry.update(parsed("    " + section))
            else:
                entry[section[:4]] = items
        elif section.startswith("params:\n"):
            params = _params_by_layout(section[8:])
            if params is None:
                entry.update(parsed("    " + section))
            else:
                entry["params"] = params
        else:
            return None
    return entry if "cmd" in entry else None


def _items_by_layout(text: str) -> list[dict[str, Any]] | None:
    items: list[dict[str, Any]] = []
    at = 0
    while at < len(text):
        found = _ITEM.match(text, at)
        if found is None or found[1] in _NOT_TEXT or found[1].lower() in (".inf", ".nan"):
            return None
        path, name, md5, size, files = found.groups()
        if md5.isdigit() or re.fullmatch(r"[0-9]+e[0-9]+", md5):
            return None  # such an md5 stands in quotes; without them it is a number
        item: dict[str, Any] = {"path": path}
        if name:
            item["hash"] = name
        item["md5"] = md5
        if size:
            item["size"] = int(size)
        if files:
            item["nfiles"] = int(files)
        items.append(item)
        at = found.end()
    return items


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
