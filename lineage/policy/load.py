"""Reading a policy file, and the files and packs that it extends, into a `Policy`. All file reading of this package.

What cannot be read whole is not applied: every fault raises, with file, line and column.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage import yaml12
from lineage.errors import UsageError
from lineage.policy.catalogue import Catalogue, Terms, catalogue
from lineage.policy.contradictions import check_rules
from lineage.policy.pattern import Pattern, instant, normal, wild
from lineage.policy.policy import (
    ACTION_FIELDS,
    ORIGIN_FIELDS,
    SEVERITY,
    STATED_FIELDS,
    Case,
    Citation,
    Condition,
    ModelEntry,
    Policy,
    Rule,
)
from lineage.vocabulary import Basis, Grant, Kind, Label, Origin, Scope, Use

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from lineage.policy.file import CaseBlock, Match, PolicyFile, RuleBlock, TermsReference

MAX_BYTES = 1 << 20
"""Size of a policy file that is read."""

PACKS = "lineagegate/packs/"

_MODES = {"enforce": 0, "warn": 1, "audit": 2}


def load_policy(path: Path) -> Policy:
    """Read a policy file.

    Args:
        path: of the file; what it extends by a relative name lies beside it.

    Raises:
        UsageError: ``POLICY_MISSING`` or ``POLICY_INVALID``, with the place and what would mend it.
    """
    return _assemble(_read(path, path.name), path.parent)


def parse_policy(text: str, name: str) -> Policy:
    """Read a policy from text. It may extend packs, but no files.

    Args:
        text: YAML.
        name: what to call it in messages and findings.

    Raises:
        UsageError: ``POLICY_INVALID``.
    """
    return _assemble(_parse(text.encode(), name), None)


def packs() -> tuple[str, ...]:
    """Names of the packs that come with the package, as `extends` takes them."""
    return tuple(sorted(PACKS + entry.name[:-5] for entry in _packs().iterdir() if entry.name.endswith(".yaml")))


class _Source(NamedTuple):
    """One file, checked for itself."""

    name: str
    digest: str
    file: PolicyFile
    document: yaml12.Document

    def at(self, *path: str | int) -> yaml12.Position:
        return self.document.position(path)

    def location(self, *path: str | int) -> str:
        return f"{self.name}:{self.at(*path).line}"


def _invalid(name: str, at: yaml12.Position, problem: str, cause: str = "", hint: str = "") -> UsageError:
    return UsageError(f"{name}:{at.line}:{at.column}: {problem}", code="POLICY_INVALID", cause=cause, hint=hint)


# -- one file ----------------------------------------------------------------------------------------------------------


def _read(path: Path, name: str) -> _Source:
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except FileNotFoundError:
        raise UsageError(
            f"there is no policy file {path}",
            code="POLICY_MISSING",
            cause="without a policy nothing can be allowed",
            hint="`lineagegate init` writes one to start from",
        ) from None
    except OSError as error:
        raise UsageError(
            f"the policy file {path} cannot be read", code="POLICY_MISSING", cause=str(error), hint="lineagegate doctor"
        ) from None
    if size > MAX_BYTES:
        raise _invalid(name, yaml12.Position(1, 1), f"the file has {size} bytes", f"at most {MAX_BYTES} are read")
    return _parse(data, name)


def _parse(data: bytes, name: str) -> _Source:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        at = yaml12.Position(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise _invalid(name, at, "this is not UTF-8 text", str(error), "save the file as UTF-8") from None
    try:
        document = yaml12.read(text)
    except yaml12.YamlError as error:
        raise _invalid(name, error.position, "this is no YAML", error.problem, error.hint) from None
    if document.value is None:
        raise _invalid(
            name, yaml12.Position(1, 1), "the file is empty", "without a rule and a default nothing is decided",
            "`lineagegate init` writes a policy to start from; `rules: []` says that only the defaults hold",
        )  # fmt: skip
    return _Source(name, hashlib.sha256(data).hexdigest(), _checked(document, name), document)


def _checked(document: yaml12.Document, name: str) -> PolicyFile:
    from pydantic import ValidationError

    from lineage.policy.file import PolicyFile

    try:
        return PolicyFile.model_validate(document.value)
    except ValidationError as error:
        found = error.errors(include_url=False)
    # a misspelt key is also a missing one: the misspelling is the better message
    found.sort(key=lambda fault: (fault["type"] == "missing", document.position(tuple(fault["loc"]))))
    faults = [_fault(document, fault) for fault in found]
    at, problem, cause, hint = faults[0]
    more = [f"{name}:{position.line}:{position.column}: {text}" for position, text, _, _ in faults[1:6]]
    if more:
        cause = "\n         ".join([cause, f"and {len(faults) - 1} more:", *more] if cause else ["more:", *more])
    raise _invalid(name, at, problem, cause, hint)


def _fault(document: yaml12.Document, error: ErrorDetails) -> tuple[yaml12.Position, str, str, str]:
    """A pydantic error as position, problem, cause and hint."""
    path, given, context = tuple(error["loc"]), error["input"], error.get("ctx", {})
    at, key = document.position(path), path[-1] if path else ""
    match error["type"]:
        case "extra_forbidden":
            known = _keys(path[:-1])
            return at, f"unknown key `{key}`", f"known here: {', '.join(known)}", _meant(str(key), known)
        case "missing":
            inside = document.position(path[:-1])
            return inside, f"`{key}` is missing", _purpose(path), _example(path)
        case "unknown_word":
            words = list(context["words"])
            return at, error["msg"], f"known: {', '.join(words)}", _meant(context["word"], words)
        case "literal_error":
            words = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
            hint = _meant(given, words) if isinstance(given, str) else ""
            return at, f"`{key}` cannot be {_shown(given)}", f"it is one of: {', '.join(words)}", hint
        case "string_type" | "list_type" | "model_type" | "model_attributes_type" | "dict_type" | "bool_type":
            wanted = {
                "string_type": "text", "list_type": "a list", "bool_type": "true or false"
            }.get(error["type"], "a mapping")  # fmt: skip
            quote = f'as in "{given}"' if wanted == "text" and isinstance(given, int | float | bool) else _example(path)
            return at, f"{_entry(path)} must be {wanted}, not {_shown(given)}", _purpose(path), quote
        case "too_short" | "string_too_short":
            return at, f"{_entry(path)} is empty", "nothing is assumed for it", "write a value, or leave the key out"
        case "string_pattern_mismatch":
            return at, f"`{given}` cannot be an id", "letters, digits, `.`, `_` and `-` make an id", ""
        case "date":
            return at, f"`{key}` is no date", error["msg"], "as in 2023-04-30 or 2023-04-30T12:00:00Z"
    return at, f"{_entry(path)}: {error['msg']}", "", ""


def _entry(path: Sequence[Any]) -> str:
    words = [str(part) for part in path if isinstance(part, str)]
    return f"`{words[-1]}`" if words else "the policy"


def _shown(value: Any) -> str:
    names = {
        dict: "a mapping",
        list: "a list",
        type(None): "nothing",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    kind = names.get(type(value))
    return (
        kind
        if kind and not isinstance(value, bool)
        else f"`{value}`"
        if isinstance(value, str)
        else f"`{str(value).lower()}`"
    )


def _meant(word: str, words: Sequence[str]) -> str:
    close = get_close_matches(normal(word), words, 1, 0.6)
    return f"did you mean `{close[0]}`?" if close else ""


def _block(path: Sequence[Any]) -> Any:
    """The pydantic model at a path, where there is one."""
    from pydantic import BaseModel

    from lineage.policy import file

    steps: dict[str, type[BaseModel]] = {
        "rules": file.RuleBlock, "match": file.Match, "unless": file.Match, "origin": file.OriginMatch,
        "terms": file.TermsReference, "models": file.ModelBlock, "model": file.ModelMatch, "tests": file.CaseBlock,
        "labels": file.LabelBlock, "grants": file.GrantBlock,
    }  # fmt: skip
    words = [part for part in path if isinstance(part, str)]
    return steps.get(words[-1]) if words else file.PolicyFile


def _keys(path: Sequence[Any]) -> list[str]:
    block = _block(path)
    return [field.alias or name for name, field in block.model_fields.items()] if block else []


def _purpose(path: Sequence[Any]) -> str:
    block = _block(path[:-1])
    fields = {field.alias or name: field for name, field in block.model_fields.items()} if block else {}
    described = fields[path[-1]].description if path and path[-1] in fields else None
    return (described or "").replace("``", "`")


_EXAMPLES = {
    "match": "as in  match: {origin: {provider: openai}, use: fine-tuning}",
    "effect": "as in  effect: deny",
    "reason": "as in  reason: The contract of 2023 forbids it.",
    "id": "as in  id: no-openai-in-training",
    "rules": "as in  rules: [{id: …, match: …, effect: deny, reason: …}]",
    "models": 'as in  models: [{name: "seed-*", competes-with: [openai]}]',
    "name": 'as in  name: "seed-*"',
    "expect": "as in  expect: deny",
    "terms": "as in  terms: [{id: contract-7, clause: 3.3}]",
    "labels": "as in  labels: [{kind: first-party}]",
}


def _example(path: Sequence[Any]) -> str:
    words = [part for part in path if isinstance(part, str)]
    return _EXAMPLES.get(words[-1], "") if words else "as in  rules: []"


# -- all files together ------------------------------------------------------------------------------------------------


def _packs() -> Any:
    return files("lineage.policy").joinpath("packs")


@lru_cache(maxsize=64)
def _pack(name: str) -> _Source:
    return _parse(_packs().joinpath(name[len(PACKS) :] + ".yaml").read_bytes(), name)


def _extended(source: _Source, directory: Path | None, seen: dict[str, _Source], trail: tuple[str, ...]) -> None:
    """Collect a file and what it extends, each once, itself first."""
    seen[source.name] = source
    for index, name in enumerate(source.file.extends):
        at = source.at("extends", index)
        if name in trail:
            raise _invalid(
                source.name, at, f"`{name}` extends itself", " -> ".join((*trail, name)), "remove one of them"
            )
        if name in seen:
            continue
        if name.startswith(PACKS):
            if name not in packs():
                raise _invalid(
                    source.name, at, f"there is no pack `{name}`", f"packs: {', '.join(packs())}", _meant(name, packs())
                )
            _extended(_pack(name), None, seen, (*trail, name))
            continue
        if not name.endswith((".yaml", ".yml")):
            hint = _meant(PACKS + name, packs()) or f"packs are called {PACKS}…, files end in .yaml"
            raise _invalid(
                source.name, at, f"`{name}` is neither a pack nor a file", f"packs: {', '.join(packs())}", hint
            )
        if directory is None:
            raise _invalid(source.name, at, f"`{name}` cannot be found from here", "only a file can extend files")
        try:
            other = _read(directory / name, name)
        except UsageError as error:
            if error.code != "POLICY_MISSING":
                raise
            raise _invalid(
                source.name, at, f"`{name}` cannot be read", error.message, "paths start from this file"
            ) from None
        _extended(other, (directory / name).parent, seen, (*trail, name))


def _assemble(own: _Source, directory: Path | None) -> Policy:
    seen: dict[str, _Source] = {}
    _extended(own, directory, seen, (own.name,))
    sources, names = tuple(seen.values()), catalogue()
    rules = tuple(rule for source in sources for rule in _rules(source, names))
    # own rules last: a contradiction is reported where it can be mended
    check_rules(sorted(rules, key=lambda rule: rule.file == own.name))
    mode, _ = _setting("mode", sources, _MODES)
    undeclared, undeclared_location = _setting("undeclared", sources, SEVERITY)
    default, default_location = _setting("default", sources, SEVERITY)
    digests = tuple((source.name, source.digest) for source in sources)
    whole = hashlib.sha256("".join(digest for _, digest in digests).encode()).hexdigest()
    return Policy(
        own.name,
        own.digest if len(sources) == 1 else whole,
        digests,
        mode,
        undeclared,
        undeclared_location,
        default,
        default_location,
        rules,
        tuple(entry for source in sources for entry in _models(source, names)),
        tuple(_case(own, index, case) for index, case in enumerate(own.file.tests)),
        names,
    )


def _setting(key: str, sources: Sequence[_Source], order: dict[str, int]) -> tuple[str, str]:
    """A setting and where it stands: the policy's own, else the strictest among what it extends, else the default."""
    stating = [source for source in sources if key in source.file.model_fields_set]
    if not stating:
        return getattr(sources[0].file, key), f"{sources[0].name}:1"
    best = stating[0] if stating[0] is sources[0] else min(stating, key=lambda source: order[getattr(source.file, key)])
    return getattr(best.file, key), best.location(key)


def _rules(source: _Source, names: Catalogue) -> Iterator[Rule]:
    for index, block in enumerate(source.file.rules):
        at = source.at("rules", index)
        if not block.match.model_fields_set or _condition(block.match, names) == Condition(None, None, (), ()):
            raise _invalid(
                source.name, source.at("rules", index, "match"), f"rule `{block.id}` matches everything",
                "an empty `match` is more often forgotten than meant", "for what no rule speaks of, set `default:`",
            )  # fmt: skip
        unless: Condition | None = _condition(block.unless, names)
        if unless == Condition(None, None, (), ()):
            if "unless" in block.model_fields_set:
                at = source.at("rules", index, "unless")
                raise _invalid(source.name, at, f"`unless` of rule `{block.id}` is empty", "it would except everything")
            unless = None
        yield _rule(source, at, block, _condition(block.match, names), unless, names)


def _rule(
    source: _Source, at: yaml12.Position, block: RuleBlock, match: Condition, unless: Condition | None, names: Catalogue
) -> Rule:
    return Rule(
        block.id,
        block.effect,
        match,
        unless,
        " ".join(block.reason.split()),
        " ".join(block.remedy.split()),
        block.from_,
        block.until,
        instant(block.from_, end=False) if block.from_ else None,
        instant(block.until, end=True) if block.until else None,
        tuple(_citation(reference, names) for reference in block.terms),
        source.name,
        at.line,
        at.column,
    )


def _citation(reference: TermsReference, names: Catalogue) -> Citation:
    """What a rule stands on; of texts in the catalogue, what the rule itself does not say comes from there."""
    known = names.terms.get(reference.id) or Terms(reference.id, "", "")
    given = reference.model_fields_set
    return Citation(
        reference.id,
        reference.name or known.name,
        reference.clause,
        reference.url or known.url,
        reference.dated or known.dated,
        reference.read if "read" in given else known.read,
    )


def _condition(match: Match, names: Catalogue) -> Condition:
    origin, model = match.origin, match.model
    kind, use = Pattern(origin.kind), Pattern(match.use)
    kinds = frozenset(word for word in Kind if kind.matches(word.value)) if origin.kind else None
    uses = frozenset(word for word in Use if use.matches(word.value)) if match.use else None
    named = {field: getattr(origin, field) for field in ORIGIN_FIELDS}
    about = {field: getattr(model, field.replace("-", "_")) for field in ("name", *STATED_FIELDS, *ACTION_FIELDS)}
    return Condition(
        kinds,
        uses,
        tuple((field, _pattern(field, texts, names)) for field, texts in named.items() if texts),
        tuple((field, _pattern(field, texts, names)) for field, texts in about.items() if texts),
        Kind.UNDECLARED.value in kind.texts,
    )


def _pattern(field: str, texts: Sequence[str], names: Catalogue) -> Pattern:
    """Patterns of a field; names that the catalogue knows are written as it writes them."""
    if field in ("provider", "reseller", "competes-with"):
        return Pattern(text if wild(text) else names.provider_name(text) for text in texts)
    if field == "channel":
        return Pattern(text if wild(text) else names.channel_name(text) for text in texts)
    return Pattern(texts)


def _models(source: _Source, names: Catalogue) -> Iterator[ModelEntry]:
    for index, block in enumerate(source.file.models):
        stated: dict[str, tuple[str, ...]] = {}
        for field in STATED_FIELDS:
            attribute = field.replace("-", "_")
            if attribute in block.model_fields_set:
                values = getattr(block, attribute)
                stated[field] = tuple(names.provider_name(v) if field == "competes-with" else normal(v) for v in values)
        if not stated:
            raise _invalid(
                source.name, source.at("models", index), "this entry states nothing about its models",
                f"it may state: {', '.join(STATED_FIELDS)}", "competes-with: [] states that they compete with nobody",
            )  # fmt: skip
        yield ModelEntry(Pattern(block.name), stated, source.location("models", index))


def _case(source: _Source, index: int, case: CaseBlock) -> Case:
    return Case(
        case.name,
        case.model,
        tuple(
            Label(
                Origin(Kind(b.kind), b.provider, b.service, b.channel, b.terms, b.licence, b.jurisdiction, b.acquired),
                Use(b.use),
                None if b.kind == Kind.UNDECLARED.value else Basis(b.basis),
            )
            for b in case.labels
        ),
        {key: value for key, value in (("stage", case.stage), ("alias", case.alias)) if value},
        tuple(
            Grant(
                g.id,
                Scope(g.kind, g.provider, g.service, g.channel, g.terms, g.use, g.model, g.market),
                "the test",
                case.name,
                g.from_,
                g.until,
            )
            for g in case.grants
        ),
        instant(case.at, end=False) if case.at else None,
        case.expect,
        case.rule,
        source.location("tests", index),
    )
