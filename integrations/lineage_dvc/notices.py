"""What a person should look at in a DVC repository: claims that expired, data that no stage declares, records that lie.

Nothing here decides; each notice names the file or stage and the command that helps. What git holds is hashed and
compared with the lock; what DVC tracks may be large, so only DVC's own records of it are compared.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lineage import yaml12
from lineage.config import FILE, Config
from lineage.errors import UsageError
from lineage.pipeline import Notice
from lineage.vocabulary import CLEAN_KINDS, Content, Kind, Use
from lineage_dvc import stated
from lineage_dvc.claim import NOBODY, ORIGIN_FIELDS, Claim
from lineage_dvc.definition import DvcFile, Stage, Trouble, resolve
from lineage_dvc.live import Now, look
from lineage_dvc.record import Record, Unreadable, decoded
from lineage_dvc.worktree import WorkTree


class _Seen(NamedTuple):
    address: str
    stage: Stage
    record: Record | None
    inputs: int
    """How many data inputs it has."""
    text: str
    """Its command, its params and the code it depends on."""


def notices(config: Config, root: Path) -> Sequence[Notice]:
    """Everything to look at, the gravest first.

    Args:
        config: settings of the project.
        root: its DVC root.
    """
    with look(config, root) as now:
        try:
            stages = dict(now.stages())
        except UsageError as error:
            return [Notice(error.code, "work tree", f"{error.message}: {error.cause}", error.hint)]
        now.said.bound.update(now.work.noted_bindings())
        seen = [_look(now, address, stage) for address, stage in stages.items()]
        return [
            *_malformed(now),
            *_expired(now, seen),
            *_unlisted(now),
            *stated.notices(stated.Beside(root, now.said, now.tree)),
            *_unused(now, seen),
            *_named(now, seen),
            *_broken(seen),
            *_stale(now, seen),
            *_ghosts(now, {s.address for s in seen}),
            *_parameters(seen),
            *_code(now, seen),
            *_uses(now, seen),
            *_unreadable(now.work),
            *_legacy(now, seen),
            *_history(now),
        ]


def _look(now: Now, address: str, stage: Stage) -> _Seen:
    record = now.recorded(address)
    texts = [stage.cmd, *stage.params]
    data = 0
    for dep in stage.deps:
        path = resolve(stage.meaning.wdir, dep)
        local = now.said.local(path)
        if local is not None and now.tree.is_code(local, now.said.code):
            files = [local] if local in now.tree.held else now.tree.beneath(local)
            texts += [_text(now.root / file) for file in files[:200]]
        else:
            data += 1
    return _Seen(address, stage, record, data, "\n".join(texts))


def _text(path: Path) -> str:
    try:
        return path.read_bytes()[:200_000].decode("utf-8", "replace")
    except OSError:
        return ""


# -- claims ------------------------------------------------------------------------------------------------------------


def _expired(now: Now, seen: Sequence[_Seen]) -> Iterator[Notice]:
    found: list[tuple[str, str, Claim]] = []
    for path, file in _tracked(now):
        for out, claims in file.outs:
            where = resolve(file.wdir, out.path)
            found += now.said.expired(path, where, out.content, (*file.claims, *claims))
    for each in seen:
        meaning, record = each.stage.meaning, each.record
        if record is None:
            continue
        own, inputs = dict(meaning.outs), dict(meaning.inputs)
        for out in record.outs:
            where = resolve(meaning.wdir, out.path)
            found += now.said.expired(each.address, where, out.content, (*meaning.claims, *own.get(where, ())))
        for dep in record.deps:
            where = resolve(meaning.wdir, dep.path)
            found += now.said.expired(each.address, where, dep.content, inputs.get(where, ()))
    for where, path, claim in found:
        yield Notice(
            "CLAIM_EXPIRED",
            where,
            f"{path} was declared {claim.origin.kind.value}, but its content has changed since: it is undeclared",
            command(where if where.endswith(".dvc") else path, claim),
        )


def _unlisted(now: Now) -> Iterator[Notice]:
    for path, file in _tracked(now):
        for known in now.said.dvc_tags(path, file, NOBODY):
            artifact = known.artifact
            if artifact.tags and artifact.content and artifact.content.hash in now.said.absent:
                yield Notice(
                    "DIRECTORY_UNKNOWN", path,
                    f"the list of the files in {artifact.name} is neither in the cache nor do they lie there: what was "
                    "declared of it does not speak for them, unless an earlier reading saw the list",
                    f"dvc fetch {shlex.quote(path)}  (or dvc commit {shlex.quote(path)}), then lineagegate sync",
                )  # fmt: skip
                break


def command(target: str, claim: Claim) -> str:
    """The command that makes a claim again for the content that lies there now."""
    words = [f"lineagegate declare {shlex.quote(target)}"]
    for field in ORIGIN_FIELDS:
        value = claim.origin.kind.value if field == "kind" else str(getattr(claim.origin, field))
        if value:
            words.append(f"--{field} {shlex.quote(value)}")
    return " ".join(words)


def _malformed(now: Now) -> Iterator[Notice]:
    for path in now.tree.dvc_files():
        if path.endswith("dvc.lock"):
            continue
        if path.endswith("dvc.yaml"):
            definitions = now.tree.definitions(posixpath.dirname(path))
            for name in list(definitions.names()) if definitions else ():
                assert definitions
                definitions.stage(name)
            trouble: Sequence[Trouble] = definitions.trouble if definitions else ()
        else:
            trouble = now.tree.files.dvc_file(path, now.tree.held[path]).trouble
        told: set[tuple[int, str]] = set()
        for why, place in trouble:
            line = line_of(now.tree.files.data(now.tree.held[path]), place)
            if (line, why) in told:
                continue
            told.add((line, why))
            if "lineage" in place:
                yield Notice(
                    "CLAIM_MALFORMED", f"{path}:{line}", f"{why}; the source stays undeclared",
                    "correct it, or take it out and use `lineagegate declare`",
                )  # fmt: skip
            else:
                yield Notice("TEMPLATE_UNRESOLVED", f"{path}:{line}", why, "dvc config; see `dvc stage list`")


def line_of(data: bytes, place: Sequence[str | int]) -> int:
    """The line, from 1, of a place in a YAML file."""
    try:
        return yaml12.read(decoded(data)).position(tuple(place)).line
    except (yaml12.YamlError, Unreadable):
        return 1


# -- data that the records do not connect ------------------------------------------------------------------------------


def _tracked(now: Now) -> Iterator[tuple[str, DvcFile]]:
    """The `.dvc` files of the work tree, with their paths."""
    for path in now.tree.dvc_files():
        if not path.endswith(("dvc.yaml", "dvc.lock")):
            yield path, now.tree.files.dvc_file(path, now.tree.held[path])


def _unused(now: Now, seen: Sequence[_Seen]) -> Iterator[Notice]:
    read = [resolve(s.stage.meaning.wdir, dep) for s in seen for dep in s.stage.deps]
    for _, file in _tracked(now):
        read += [resolve(file.wdir, dep.path) for dep in file.record.deps]
    for path, file in _tracked(now):
        known = {k.artifact.name: k.artifact.tags for k in now.said.dvc_tags(path, file, NOBODY) if k.artifact.tags}
        for out, _ in file.outs:
            where = resolve(file.wdir, out.path)
            if any(where == dep or where.startswith(dep + "/") or dep.startswith(where + "/") for dep in read):
                continue
            kinds = {tag.origin.kind for tag in known.get(where, ())}
            restricted = kinds - CLEAN_KINDS
            likely = sorted(s.address for s in seen if _mentions(s.text, where, s.stage.meaning.wdir))
            if not restricted and (kinds or not likely):
                continue
            what = ", ".join(sorted(k.value for k in restricted)) or Kind.UNDECLARED.value
            by = f"; {' and '.join(likely)} likely reads it: its path stands in the command or code" if likely else ""
            stage = likely[0].rpartition(":")[2] if likely else "STAGE"
            yield Notice(
                "RESTRICTED_UNUSED" if restricted else "UNDECLARED_UNUSED",
                path,
                f"{where} ({what}) is a dependency of no stage, so no model is known to come from it{by}",
                f"add `{where}` to the deps of stage {stage} in dvc.yaml and run `dvc repro {stage}`",
            )


def _named(now: Now, seen: Sequence[_Seen]) -> Iterator[Notice]:
    """Tracked sources that a command names and its stage does not depend on: a record without them is not whole."""
    for path, file in _tracked(now):
        known = {k.artifact.name: k.artifact.tags for k in now.said.dvc_tags(path, file, NOBODY) if k.artifact.tags}
        for out, _ in file.outs:
            where = resolve(file.wdir, out.path)
            kinds = {tag.origin.kind for tag in known.get(where, ())}
            if kinds and kinds <= CLEAN_KINDS:
                continue
            what = ", ".join(sorted(k.value for k in kinds - CLEAN_KINDS)) or Kind.UNDECLARED.value
            for each in seen:
                wdir = each.stage.meaning.wdir
                read = [resolve(wdir, dep) for dep in each.stage.deps]
                if any(where == dep or where.startswith(dep + "/") or dep.startswith(where + "/") for dep in read):
                    continue
                if _spelled(each.stage.cmd, where, wdir):
                    name = each.address.rpartition(":")[2]
                    yield Notice(
                        "CMD_NAMES_SOURCE",
                        each.address,
                        f"its command names {where} ({what}), which is none of its dependencies: "
                        "what the stage makes is recorded without it",
                        f"add `{where}` to the deps of stage {name} in dvc.yaml and run `dvc repro {name}`",
                    )


def _spelled(cmd: str, path: str, wdir: str) -> bool:
    """Whether a command holds a path as a word of its own, from where it runs or whole."""
    relative = posixpath.relpath(path, wdir or ".")
    words = {path, relative, f"./{relative}"}
    return any(re.search(rf"(?<![\w./-]){re.escape(word)}(?![\w-]|\.\w)", cmd) for word in words)


def _mentions(text: str, path: str, wdir: str) -> bool:
    name = posixpath.basename(path)
    spellings = {path, posixpath.relpath(path, wdir or "."), *([name] if "." in name else ())}
    return any(re.search(rf"(?<![\w.-]){re.escape(spelling)}(?![\w-])", text) for spelling in spellings)


def _broken(seen: Sequence[_Seen]) -> Iterator[Notice]:
    made = {out: s.address for s in seen for out in s.stage.outs}
    for each in seen:
        if each.inputs:
            continue
        reads = sorted(
            out
            for out, maker in made.items()
            if maker != each.address and _mentions(each.text, out, each.stage.meaning.wdir)
        )
        if reads:
            yield Notice(
                "GRAPH_BROKEN",
                each.address,
                f"it declares no data dependency, but its command or code names {', '.join(reads)}: "
                "what it makes is of unknown origin",
                f"add {', '.join(reads)} to its deps in dvc.yaml",
            )
        elif not each.stage.outs:
            yield Notice(
                "GRAPH_BROKEN",
                each.address,
                "it declares neither data dependencies nor outputs: a model registered by it has no known origin",
                "name what it reads under `deps` in dvc.yaml",
            )


# -- records that are not what lies there ------------------------------------------------------------------------------


def _stale(now: Now, seen: Sequence[_Seen]) -> Iterator[Notice]:
    for each in seen:
        if each.record is None:
            yield Notice(
                "STAGE_NEVER_RUN", each.address, "dvc.lock has no entry for it: nothing is known of what it made",
                f"dvc repro {each.address}",
            )  # fmt: skip
            continue
        wdir = each.stage.meaning.wdir
        changed = sorted(
            path
            for entry in each.record.deps
            if entry.content
            and _differs(now, path := resolve(wdir, entry.path), entry.content, legacy=each.record.legacy)
        )
        if changed:
            yield Notice(
                "LOCK_STALE",
                each.address,
                f"dvc.lock records another content of {', '.join(changed)} than what lies there",
                f"dvc repro {each.address}",
            )


def _differs(now: Now, path: str, recorded: Content, *, legacy: bool) -> bool:
    local = now.said.local(path)
    if local is None:
        return False
    if local in now.tree.outputs:
        other = now.tree.content(local)
        return other is not None and other.hash != recorded.hash
    if local not in now.tree.held:
        return False
    content = now.content(local)
    if content is None or content.hash == recorded.hash:
        return False
    return not (legacy and now.hashes.legacy(now.root / local) == recorded.hash)


def _ghosts(now: Now, defined: set[str]) -> Iterator[Notice]:
    for path in now.tree.dvc_files():
        if posixpath.basename(path) != "dvc.lock":
            continue
        for name in now.tree.files.lock(now.tree.held[path]):
            address = f"{path[:-4]}yaml:{name}"
            if address not in defined:
                yield Notice(
                    "LOCK_GHOST", address, "dvc.lock has an entry for it, but dvc.yaml defines no such stage; "
                    "its execution still counts", "take the entry out of dvc.lock if the stage is gone for good",
                )  # fmt: skip


def _legacy(now: Now, seen: Sequence[_Seen]) -> Iterator[Notice]:
    files = [s.address for s in seen if s.record and s.record.legacy]
    for path in now.tree.dvc_files():
        if (
            not path.endswith(("dvc.yaml", "dvc.lock"))
            and now.tree.files.dvc_file(path, now.tree.held[path]).record.legacy
        ):
            files.append(path)
    if files:
        yield Notice(
            "HASH_LEGACY", files[0], f"{len(files)} records hold hashes of DVC before 3.0, which for text with Windows "
            "line ends are not the md5 of the file: the same file elsewhere may not be recognised",
            "dvc cache migrate --dvc-files",
        )  # fmt: skip


# -- settings, history -------------------------------------------------------------------------------------------------

_SOURCE_KEY = re.compile(
    r"(^|[._])(url|uri|endpoint|provider|model_(name|id)|repo_id|base_model|dataset_(name|id))$", re.I
)


def _parameters(seen: Sequence[_Seen]) -> Iterator[Notice]:
    """A parameter is configuration and carries no label, but may name the source (pipelines-in-the-wild.md, trap 9)."""
    for each in seen:
        named = sorted(
            f"{key}: {value}"
            for file, values in (each.record.params if each.record else {}).items()
            if file
            for key, value in _flat(values)
            if isinstance(value, str) and ("://" in value or (_SOURCE_KEY.search(key) and value))
        )
        if named and not each.stage.meaning.claims:
            yield Notice(
                "PARAMS_NAME_SOURCE",
                each.address,
                f"its parameters name something outside ({'; '.join(named)[:200]}): what it brings in carries no label",
                f"lineagegate declare {each.address} --kind … --provider …",
            )


def _uses(now: Now, seen: Sequence[_Seen]) -> Iterator[Notice]:
    """Evaluation stops a label at the model: where no model is evaluated, the word is a way around the gate."""
    for each in seen:
        meaning, stage = each.stage.meaning, each.stage
        tested = sorted(path for path, use in meaning.uses if use is Use.EVALUATION)
        if not tested or now.said.model_read(now.tree, stage.deps, meaning):
            continue
        names = ", ".join(tested)
        if not any(now.said.is_model(out, meaning) for out in stage.outs):
            yield Notice(
                "USE_WITHOUT_MODEL", each.address,
                f"{names} is declared as evaluation, but no model is read or made here: it counts as content",
                "take the use out of meta.lineage, or name the model among deps or `models` in lineage.toml",
            )  # fmt: skip
        else:
            yield Notice(
                "USE_IN_TRAINING", each.address,
                f"{names} is declared as evaluation in a stage that makes a model and reads none"
                f" (written by {_writer(now, each.address, tested[0])})",
                "make sure that the stage does not train on it; evaluate in a stage of its own",
            )  # fmt: skip


def _writer(now: Now, address: str, dep: str) -> str:
    """Who wrote a use into dvc.yaml."""
    file, _, name = address.rpartition(":")
    definitions = now.tree.definitions(posixpath.dirname(file))
    written = (definitions.written(name) if definitions else None) or name
    data = now.tree.files.data(now.tree.held[file])
    for inner in ((), ("do",)):
        for item in ((), (0,), (1,), (2,)):
            line = line_of(data, ("stages", written, *inner, "meta", "lineage", *item, "uses", dep))
            if line > 1:
                return (now.git.writer(file, line) if now.git else "") or "somebody who has not committed it"
    return "somebody unknown"


_LARGE = 1 << 20


def _code(now: Now, seen: Sequence[_Seen]) -> Iterator[Notice]:
    """Where data may hide behind the name of code."""
    for pattern in now.said.config.code:
        if not pattern.strip("*?/."):
            yield Notice(
                "CODE_EVERYTHING", now.said.config.file.name if now.said.config.file else FILE,
                f"`code` holds {pattern}: every file in git is taken for code, and carries no label",
                'name the files that are code, as in  code = ["...", "*.conf"]',
            )  # fmt: skip
    for each in seen:
        for dep in each.stage.deps:
            local = now.said.local(resolve(each.stage.meaning.wdir, dep))
            if local is None or not now.tree.is_code(local, now.said.code):
                continue
            for file in [local] if local in now.tree.held else now.tree.beneath(local):
                size = _size(now.root / file)
                if size > _LARGE:
                    yield Notice(
                        "CODE_LARGE", each.address,
                        f"{file} is taken for code, and carries no label, but has {size / _LARGE:.1f} MiB",
                        f"if it is data: dvc add {shlex.quote(file)} after taking it out of git",
                    )  # fmt: skip


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _unreadable(work: WorkTree) -> Iterator[Notice]:
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path, commit, why in work.noted():
        places[path].append((commit, why))
    for path, found in sorted(places.items()):
        commits = [commit[:10] for commit, _ in found if commit]
        where = (
            f" in {len(commits)} commits ({', '.join(commits[:3])}{' …' if len(commits) > 3 else ''})"
            if commits
            else ""
        )
        yield Notice(
            "FILE_UNREADABLE",
            path,
            f"it cannot be read{where}: {found[0][1]}; what it recorded is missing from the lineage",
            f"git show {commits[0]}:{path}" if commits else "",
        )


def _history(now: Now) -> Iterator[Notice]:
    if now.git is None:
        yield Notice(
            "GIT_MISSING", now.root.name, "without git only the work tree and the run cache are read", "git init"
        )  # fmt: skip
    elif now.git.shallow():
        yield Notice(
            "HISTORY_SHALLOW",
            str(now.root.name),
            "this clone holds a part of the history only",
            "git fetch --unshallow",
        )
