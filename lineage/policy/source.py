"""One policy file: its bytes, its shape, and every fault of shape as a place, a cause and a hint.

What it extends and what it means are `lineage.policy.load` and `lineage.policy.compile`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage import yaml12
from lineage.errors import UsageError
from lineage.policy.pattern import normal

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from lineage.policy.file import PolicyFile

MAX_BYTES = 1 << 20
"""Size of a policy file that is read."""


class Source(NamedTuple):
    """One file whose shape is sound."""

    name: str
    """For people: relative to the first file's directory, or the name of a pack."""
    path: Path | None
    """Where it was read; None for packs and text."""
    digest: str
    """sha256 of its bytes."""
    file: PolicyFile
    document: yaml12.Document
    text: str
    """What it says, whole; its bytes are this in UTF-8."""

    @property
    def identity(self) -> str:
        """The same for the same file, by whatever name or link it was reached."""
        return str(self.path.resolve()) if self.path else self.name

    def at(self, *path: str | int) -> yaml12.Position:
        """Where the entry at a path begins."""
        return self.document.position(path)

    def location(self, *path: str | int) -> str:
        """``lineage.policy.yaml:12``."""
        return f"{self.name}:{self.at(*path).line}"


def invalid(name: str, at: yaml12.Position, problem: str, cause: str = "", hint: str = "") -> UsageError:
    """The error for a fault at a place."""
    return UsageError(f"{name}:{at.line}:{at.column}: {problem}", code="POLICY_INVALID", cause=cause, hint=hint)


def read_source(path: Path, name: str) -> Source:
    """Read a file.

    Raises:
        UsageError: ``POLICY_MISSING`` or ``POLICY_INVALID``.
    """
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
        raise invalid(name, yaml12.Position(1, 1), f"the file has {size} bytes", f"at most {MAX_BYTES} are read")
    return parse_source(data, name, path)


def parse_source(data: bytes, name: str, path: Path | None = None) -> Source:
    """Read the bytes of a file.

    Raises:
        UsageError: ``POLICY_INVALID``.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        at = yaml12.Position(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise invalid(name, at, "this is not UTF-8 text", str(error), "save the file as UTF-8") from None
    try:
        document = yaml12.read(text)
    except yaml12.YamlError as error:
        raise invalid(name, error.position, "this cannot be read as YAML", error.problem, error.hint) from None
    if document.value is None:
        raise invalid(
            name, yaml12.Position(1, 1), "the file is empty", "without a rule and a default nothing is decided",
            "`lineagegate init` writes a policy to start from; `default: deny` says that only the defaults hold",
        )  # fmt: skip
    return Source(name, path, hashlib.sha256(data).hexdigest(), _checked(document, name), document, data.decode())


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
    raise invalid(name, at, problem, cause, hint)


def _fault(document: yaml12.Document, error: ErrorDetails) -> tuple[yaml12.Position, str, str, str]:
    """A pydantic error as position, problem, cause and hint."""
    path, given, context = tuple(error["loc"]), error["input"], error.get("ctx", {})
    at, key = document.position(path), path[-1] if path else ""
    match error["type"]:
        case "extra_forbidden":
            known = _keys(path[:-1])
            return at, f"unknown key `{key}`", f"known here: {', '.join(known)}", meant(str(key), known)
        case "missing":
            inside = document.position(path[:-1])
            return inside, f"`{key}` is missing", _purpose(path), _example(path)
        case "unknown_word":
            words = list(context["words"])
            return at, error["msg"], f"known: {', '.join(words)}", meant(context["word"], words)
        case "literal_error":
            words = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
            hint = meant(given, words) if isinstance(given, str) else ""
            return at, f"`{key}` cannot be {_shown(given)}", f"it is one of: {', '.join(words)}", hint
        case "string_type" | "list_type" | "model_type" | "model_attributes_type" | "dict_type" | "bool_type":
            lists = "a list" if key in _LISTS else "text or a list of texts"
            wanted = {"string_type": "text", "list_type": lists, "bool_type": "true or false"}.get(
                error["type"], "a mapping"
            )
            quote = _example(path)
            if given is None:
                quote = "write a value, or leave the key out"
            elif "text" in wanted and isinstance(given, int | float) and key not in _EXAMPLES:
                quote = f'as in "{str(given).lower()}"'
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


def meant(word: str, words: Sequence[str]) -> str:
    """A hint at the word that is nearest to what was written, or nothing."""
    close = get_close_matches(normal(word), words, 1, 0.6)
    return f"did you mean `{close[0]}`?" if close else ""


def _block(path: Sequence[Any]) -> Any:
    """The pydantic model at a path, where there is one."""
    from pydantic import BaseModel

    from lineage.policy import file

    steps: dict[str, type[BaseModel]] = {
        "rules": file.RuleBlock, "match": file.Match, "unless": file.Match, "origin": file.OriginMatch,
        "terms": file.TermsReference, "models": file.ModelBlock, "model": file.ModelMatch, "tests": file.CaseBlock,
        "labels": file.LabelBlock, "grants": file.GrantBlock, "content": file.ContentBlock,
        "threshold": file.ThresholdBlock,
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


_LISTS = ("rules", "models", "tests", "labels", "grants", "terms")

_EXAMPLES = {
    "from": "as in  from: 2023-04-30",
    "until": "as in  until: 2023-04-30",
    "at": "as in  at: 2023-04-30",
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
    "content": "as in  content: {check: clean}",
    "threshold": "as in  threshold: {share: 0.001, records: 3}",
    "share": "as in  share: 0.001",
    "records": "as in  records: 3",
}


def _example(path: Sequence[Any]) -> str:
    words = [part for part in path if isinstance(part, str)]
    return _EXAMPLES.get(words[-1], "") if words else "as in  rules: []"
