"""Writing ``meta.lineage`` into `.dvc` files and dvc.yaml, where people and DVC keep it.

Comments, order and quotes stay (ruamel.yaml, as DVC itself writes). ``meta`` is not part of what DVC compares: no
stage becomes stale by it, dvc.lock and the run cache stay as they are (facts/dvc.md). A claim is added beside others,
and only renewed when the same origin is declared again: a claim that frees data never takes the place of one that
restricts it.
"""

from __future__ import annotations

import difflib
import io
import os
import posixpath
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lineage.config import Config
from lineage.errors import UsageError
from lineage.pipeline import Target
from lineage.vocabulary import Tag, Use
from lineage_dvc import target as names
from lineage_dvc.claim import ORIGIN_FIELDS, Malformed, said
from lineage_dvc.definition import Definitions, resolve
from lineage_dvc.live import look
from lineage_dvc.record import parsed
from lineage_dvc.target import Place


def declare(config: Config, root: Path, text: str, tag: Tag | None, uses: Mapping[str, str]) -> Sequence[Target]:
    """Write a claim, or uses of inputs.

    Args:
        config: settings of the project.
        root: its DVC root.
        text: a `.dvc` file, an output, a stage address (of a group too), a dependency.
        tag: the origin, who says so and why; None to write uses alone.
        uses: role by dependency, for a stage.

    Returns:
        What the claim is about.

    Raises:
        UsageError: ``TARGET_UNKNOWN``, ``USE_INVALID`` or ``DVC_FILE_UNREADABLE``; nothing was changed.
    """
    with _alone(root):
        return _declare(config, root, text, tag, uses)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One declaration at a time, so that none is lost. The system frees the lock of a process that ends."""
    path = root / ".dvc" / "tmp" / "lineage" / "declare.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+b")
    except OSError as error:
        raise UsageError(f"{path} cannot be written", code="DVC_FILE_UNREADABLE", cause=str(error)) from None
    with stream:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
            try:
                yield
            finally:
                stream.seek(0)
                msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)  # freed when it is closed
            yield


def _declare(config: Config, root: Path, text: str, tag: Tag | None, uses: Mapping[str, str]) -> Sequence[Target]:
    places = names.targets(config, root, text)
    if not places:
        near = difflib.get_close_matches(text, names.names(config, root), n=3, cutoff=0.5)
        raise UsageError(
            f"nothing in this DVC repository is called {text!r}",
            code="TARGET_UNKNOWN",
            cause=f"the nearest names are {', '.join(near)}"
            if near
            else "no `.dvc` file, output or stage has this name",
            hint="name a `.dvc` file, an output, or a stage as `dvc stage list` does",
        )
    if tag is None and not uses:
        raise UsageError("there is nothing to declare: neither an origin nor a use", code="USAGE")
    stages = {(p.file, p.stage) for p in places}
    if uses:
        _check_uses(config, root, text, places, uses)
    for file in {p.file for p in places}:
        _write(root, file, [p for p in places if p.file == file], tag, uses, sorted(s for f, s in stages if f == file))
    return [place.target for place in places]


def _check_uses(config: Config, root: Path, text: str, places: Sequence[Place], uses: Mapping[str, str]) -> None:
    if not all(place.stage and not place.dep for place in places):
        raise UsageError(
            f"{text!r} is no stage", code="USE_INVALID", cause="a use is the role of an input in a stage",
            hint="lineagegate declare STAGE --use data/exam.csv=evaluation",
        )  # fmt: skip
    with look(config, root) as now:
        stages = dict(now.stages())
    deps = {dep for place in places for dep in stages[f"{place.file}:{place.stage}"].deps}
    known = deps | {resolve(stages[f"{p.file}:{p.stage}"].meaning.wdir, d) for p in places for d in deps}
    for path, use in uses.items():
        if use not in {u.value for u in Use}:
            raise UsageError(
                f"{use!r} is no use", code="USE_INVALID", cause=f"known: {', '.join(u.value for u in Use)}"
            )
        if path not in known and "://" not in path and not any(char in path for char in "*?["):
            near = difflib.get_close_matches(path, known, n=3, cutoff=0.4)
            raise UsageError(
                f"{path!r} is no dependency of {text}", code="USE_INVALID",
                cause=f"its dependencies are {', '.join(sorted(deps)) or 'none'}",
                hint=f"did you mean {near[0]}?" if near else "",
            )  # fmt: skip


def _write(
    root: Path, file: str, places: Sequence[Place], tag: Tag | None, uses: Mapping[str, str], stages: Sequence[str]
) -> None:
    path = root / file
    data = path.read_bytes()
    text = data.decode("utf-8-sig")
    crlf = "\r\n" in text
    yaml = _round_trip(text)
    document = yaml.load(text.replace("\r\n", "\n"))
    if not stages or stages == [""]:
        _claim_on(document, tag, {p.target.artifact.name: p.content for p in places}, file, single=len(places) == 1)
    else:
        definitions = Definitions(data, str(Path(file).parent.as_posix()), lambda other: _bytes(root / other))
        for written in {definitions.written(stage) or stage for stage in stages}:
            node = document["stages"][written]
            node = node.get("do", node)
            mine = [p for p in places if (definitions.written(p.stage) or p.stage) == written]
            single = len(mine) == 1 and definitions.written(mine[0].stage) == mine[0].stage
            sources = [p for p in mine if p.dep]
            if sources:
                for place in sources:
                    _claim_on_input(node, place, tag, file)
            elif tag is not None:
                whole = definitions.stage(mine[0].stage)
                only = single and whole is not None and len(whole.outs) == 1
                contents = {_as_written(whole.meaning.wdir if whole else ".", p): p.content for p in mine}
                _claim_on(node, tag, contents, file, single=only)
            if uses:
                _add_uses(node, uses)
    stream = io.StringIO()
    yaml.dump(document, stream)
    result = stream.getvalue()
    _same_but_meta(parsed(text.replace("\r\n", "\n")), parsed(result), file)
    encoded = (result.replace("\n", "\r\n") if crlf else result).encode()
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".lineage-new", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(number, "wb") as draft_stream:
            draft_stream.write((b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b"") + encoded)
        draft.chmod(path.stat().st_mode)
        if path.read_bytes() != data:
            raise UsageError(
                f"{file} was changed by somebody else meanwhile", code="DVC_FILE_UNREADABLE",
                hint="declare again; nothing was changed",
            )  # fmt: skip
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _as_written(wdir: str, place: Place) -> str:
    """The output from the stage's working directory, as its lock entry has it."""
    name = place.target.artifact.name
    return name if wdir in (".", "") else posixpath.relpath(name, wdir)


def _claim_on(node: Any, tag: Tag | None, contents: Mapping[str, str], file: str, *, single: bool) -> None:
    if tag is None:
        return
    content: Any = next(iter(contents.values())) if single else {k: v or None for k, v in contents.items()}
    meta = node.get("meta")
    if meta is None:
        node["meta"] = meta = {}
    meta["lineage"] = _with_claim(meta.get("lineage"), _claim(tag, content), file)


def _claim_on_input(node: Any, place: Place, tag: Tag | None, file: str) -> None:
    if tag is None:
        return
    meta = node.get("meta")
    if meta is None:
        node["meta"] = meta = {}
    item = _item(meta, "inputs")
    inputs = item.setdefault("inputs", {})
    inputs[place.dep] = _with_claim(inputs.get(place.dep), _claim(tag, place.content), file)


def _add_uses(node: Any, uses: Mapping[str, str]) -> None:
    meta = node.get("meta")
    if meta is None:
        node["meta"] = meta = {}
    item = _item(meta, "uses")
    item.setdefault("uses", {}).update(uses)


def _item(meta: Any, field: str) -> Any:
    """The mapping under ``lineage`` that holds a field, or shall hold it."""
    lineage = meta.get("lineage")
    if lineage is None:
        meta["lineage"] = lineage = {}
    if isinstance(lineage, list):
        found = next((item for item in lineage if field in item), None)
        if found is None:
            found = {}
            lineage.append(found)
        return found
    return lineage


def _with_claim(before: Any, claim: dict[str, Any], file: str) -> Any:
    if before is None:
        return claim
    try:
        said({"lineage": before}, stage=True)
    except Malformed as error:
        raise UsageError(
            f"{file}: what stands under meta.lineage cannot be understood", code="CLAIM_MALFORMED", cause=str(error),
            hint="correct it or take it out; nothing was changed",
        ) from None  # fmt: skip
    items = before if isinstance(before, list) else [before]
    for item in items:
        if "origin" in item and {k: str(v) for k, v in item["origin"].items()} == claim["origin"]:
            _renew(item, claim)
            return before
    if "origin" not in items[0] and not isinstance(before, list):  # uses or inputs alone
        before.update(claim)
        return before
    return [*items, claim]


def _renew(item: Any, claim: dict[str, Any]) -> None:
    old, new = item.get("content"), claim.get("content")
    if isinstance(old, dict) and isinstance(new, dict):
        claim = {**claim, "content": {**old, **new}}
    for field in ("content", "by", "at", "reason", "evidence"):
        if field in claim:
            item[field] = claim[field]
        elif field == "content":
            item.pop(field, None)


def _claim(tag: Tag, content: Any) -> dict[str, Any]:
    from ruamel.yaml.scalarstring import SingleQuotedScalarString

    origin = {name: getattr(tag.origin, name) for name in ORIGIN_FIELDS if getattr(tag.origin, name)}
    origin["kind"] = tag.origin.kind.value
    at = datetime.now(timezone.utc).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    claim: dict[str, Any] = {
        "origin": {"kind": origin.pop("kind"), **{k: _text(v) for k, v in origin.items()}},
        "content": content or None,
        "by": tag.by,
        "at": SingleQuotedScalarString(at),  # DVC's parser would make a time of it
        "reason": tag.reason,
        "evidence": tag.evidence,
    }
    return {key: _text(value) if isinstance(value, str) else value for key, value in claim.items() if value}


def _text(value: str) -> Any:
    """Text that stays text in YAML 1.1 and 1.2, and is no ``${…}`` to DVC."""
    from ruamel.yaml.scalarstring import ScalarString, SingleQuotedScalarString

    if isinstance(value, ScalarString):
        return value
    value = value.replace("${", "\\${")
    return (
        value
        if re.fullmatch(r"[A-Za-z][\w.\-/]*", value) and value.lower() not in _WORDS
        else SingleQuotedScalarString(value)
    )


_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])


def _round_trip(text: str) -> Any:
    """ruamel.yaml with the indentation the file has."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 20
    mapping = re.search(r"^( +)[^\s#-][^\n]*:", text, re.M)
    width = len(mapping[1]) if mapping else 2
    item = re.search(r"^( *)[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\n(?:\s*#[^\n]*\n|\s*\n)*( *)- ", text, re.M)
    offset = len(item[2]) - len(item[1]) if item else 0
    yaml.indent(mapping=width, sequence=offset + 2, offset=offset)
    return yaml


def _same_but_meta(before: Any, after: Any, file: str) -> None:
    """Make sure that nothing else was changed."""
    if _without_meta(before) != _without_meta(after):
        raise UsageError(
            f"{file} cannot be changed without changing more than `meta`", code="DVC_FILE_UNREADABLE",
            cause="its YAML does not survive a round trip", hint="write meta.lineage by hand; nothing was changed",
        )  # fmt: skip


def _without_meta(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_meta(v) for k, v in value.items() if k != "meta"}
    return [_without_meta(v) for v in value] if isinstance(value, list) else value
