"""Loading a policy: the file, and the files and packs that it extends, as one `Policy`.

What cannot be read whole is not applied: every fault raises, with file, line and column.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from lineage.errors import CannotDecide, UsageError
from lineage.policy import compile as compiled
from lineage.policy.catalogue import catalogue
from lineage.policy.contradictions import check_rules
from lineage.policy.policy import SEVERITY, ContentCheck, Policy
from lineage.policy.source import Source, invalid, meant, parse_source, read_source
from lineage.vocabulary import PolicyFile, PolicyRecord
from lineage.yaml12 import Position

PACKS = "lineagegate/packs/"
"""How names of packs begin."""

_Extended = Callable[[Source, int, str], Source]
"""Finds what a source extends, by the source, the index and the name there."""

_MODES = {"enforce": 0, "warn": 1, "audit": 2}
_CHECKS = {"always": 0, "clean": 1, "undeclared": 2, "never": 3}


def load_policy(path: Path) -> Policy:
    """Read a policy file.

    Args:
        path: of the file; what it extends by a relative name starts from its directory.

    Raises:
        UsageError: ``POLICY_MISSING`` or ``POLICY_INVALID``, with the place and what would mend it.
    """
    return _assemble(read_source(path, path.name), _found)


def parse_policy(text: str, name: str) -> Policy:
    """Read a policy from text. It may extend packs, but no files.

    Args:
        text: YAML.
        name: what to call it in messages and findings.

    Raises:
        UsageError: ``POLICY_INVALID``.
    """
    return _assemble(parse_source(text.encode(errors="surrogatepass"), name), _found)


def policy_record(policy: Policy, by: str) -> PolicyRecord:
    """A policy as the ledger keeps it: the text of every file, packs included.

    Args:
        policy: as it was loaded.
        by: who records it.
    """
    files = zip(policy.files, policy.texts, strict=True)
    return PolicyRecord(policy.digest, tuple(PolicyFile(name, text) for (name, _), text in files), by)


def recorded_policy(record: PolicyRecord) -> Policy:
    """The policy of a record: no file is read, packs are as they were then.

    Raises:
        CannotDecide: ``POLICY_UNKNOWN``, the record does not hold together.
    """
    texts = {file.name: file.text for file in record.files}

    def recorded(source: Source, index: int, name: str) -> Source:
        shown = name if name.startswith(PACKS) else _shown(source, name)
        if shown not in texts:
            raise invalid(source.name, source.at("extends", index), f"`{name}` is not in the record")
        return parse_source(texts[shown].encode(), shown)

    cause = "what it holds is not what its sha256 says"
    try:
        own = record.files[0]
        policy = _assemble(parse_source(own.text.encode(), own.name), recorded)
        if policy.digest == record.sha256:
            return policy
    except (IndexError, UsageError) as error:
        cause = str(error)
    raise CannotDecide(
        f"the recorded policy {record.sha256[:12]} cannot be read",
        code="POLICY_UNKNOWN",
        cause=cause,
        hint="`--policy FILE` judges under the policy of a file",
    )


def packs() -> tuple[str, ...]:
    """Names of the packs that come with the package, as `extends` takes them."""
    return tuple(sorted(PACKS + entry.name[:-5] for entry in _packs().iterdir() if entry.name.endswith(".yaml")))


def _packs() -> Any:
    return files("lineage.policy").joinpath("packs")


@lru_cache(maxsize=64)
def _pack(name: str) -> Source:
    return parse_source(_packs().joinpath(name[len(PACKS) :] + ".yaml").read_bytes(), name)


def _assemble(own: Source, extended: _Extended) -> Policy:
    seen: dict[str, Source] = {}
    _collect(own, seen, (), extended)
    sources = tuple(seen.values())
    names = compiled.names(sources, catalogue())
    rules = tuple(rule for source in sources for rule in compiled.rules(source, names))
    # own rules last: a contradiction is reported where it can be mended
    check_rules(sorted(rules, key=lambda rule: rule.file == own.name))
    mode, _ = _setting("mode", sources, _MODES)
    undeclared, undeclared_location = _setting("undeclared", sources, SEVERITY)
    default, default_location = _setting("default", sources, SEVERITY)
    models = tuple(entry for source in sources for entry in compiled.models(source, names))
    if not rules and not any("default" in source.file.model_fields_set for source in sources):
        raise invalid(
            own.name, Position(1, 1), "there is no rule, and no `default` is stated",
            "every declared origin would reach every model, and nobody has said that this is meant",
            "`extends: lineagegate/packs/recommended` adds rules; `default: allow` states that it is meant",
        )  # fmt: skip
    digests = tuple((source.name, source.digest) for source in sources)
    whole = hashlib.sha256("".join(digest for _, digest in digests).encode()).hexdigest()
    return Policy(
        own.name,
        own.digest if len(sources) == 1 else whole,
        digests,
        tuple(source.text for source in sources),
        tuple(source.path for source in sources if source.path),
        mode,
        undeclared,
        undeclared_location,
        default,
        default_location,
        _content(sources),
        rules,
        tuple(requirement for source in sources for requirement in compiled.requirements(source, names)),
        models,
        compiled.cases(own),
        names,
    )


def _collect(source: Source, seen: dict[str, Source], trail: tuple[Source, ...], extended: _Extended) -> None:
    """A file and what it extends, each once by its identity, itself first."""
    seen[source.identity] = source
    trail = (*trail, source)
    for index, name in enumerate(source.file.extends):
        other = extended(source, index, name)
        if other.identity in (above.identity for above in trail):
            way = " -> ".join([*(above.name for above in trail), other.name])
            at = source.at("extends", index)
            raise invalid(source.name, at, f"`{name}` extends itself", way, "remove one of them")
        if other.identity not in seen:
            _collect(other, seen, trail, extended)


def _found(source: Source, index: int, name: str) -> Source:
    """What a source extends: a pack that comes with the package, or a file beside it."""
    at, known = source.at("extends", index), packs()
    if name.startswith(PACKS):
        if name not in known:
            raise invalid(
                source.name, at, f"there is no pack `{name}`", f"packs: {', '.join(known)}", meant(name, known)
            )
        return _pack(name)
    if not name.endswith((".yaml", ".yml")):
        hint = meant(PACKS + name, known) or f"packs are called {PACKS}…, files end in .yaml"
        raise invalid(source.name, at, f"`{name}` is neither a pack nor a file", f"packs: {', '.join(known)}", hint)
    if source.path is None:
        raise invalid(source.name, at, f"`{name}` cannot be found from here", "only a file can extend files")
    try:
        return read_source(source.path.parent / name, _shown(source, name))
    except UsageError as error:
        if error.code != "POLICY_MISSING":
            raise
        raise invalid(
            source.name, at, f"`{name}` cannot be read", error.message, "paths start from this file"
        ) from None


def _shown(source: Source, name: str) -> str:
    """A file's name from the first file's directory, so that two of one name in two directories are told apart."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source.name), name))


def _setting(key: str, sources: Sequence[Source], order: Mapping[str, int]) -> tuple[str, str]:
    """A setting and where it stands: the policy's own, else the strictest among what it extends, else the default."""
    stating = [source for source in sources if key in source.file.model_fields_set]
    if not stating:
        return getattr(sources[0].file, key), f"{sources[0].name}:1"
    own = stating[0] is sources[0]
    best = stating[0] if own else min(stating, key=lambda source: order[getattr(source.file, key)])
    return getattr(best.file, key), best.location(key)


def _content(sources: Sequence[Source]) -> ContentCheck:
    """The content check: the policy's own, else the strictest among what it extends, else the default."""
    stating = [source.file.content for source in sources if "content" in source.file.model_fields_set]
    own = "content" in sources[0].file.model_fields_set
    stated = sources[0].file.content if own or not stating else min(stating, key=lambda block: _CHECKS[block.check])
    return ContentCheck(stated.check, stated.threshold.share, stated.threshold.records)
