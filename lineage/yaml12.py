"""Reading YAML as version 1.2 means it, with the line of every value; for the policy and for DVC's files alike.

PyYAML resolves YAML 1.1: `no` becomes False, `12:30:45` becomes 45045 (facts/dvc.md). Here the core schema of YAML
1.2.2 (chapter 10.3) holds, plus the merge key ``<<`` that DVC reads too. Keys that come twice are refused: which of the
two counts would be a guess. What the values mean is left to the caller. Only PyYAML is imported: this is a start-up
path.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import yaml

_Base: Any = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # libyaml where PyYAML was built with it, about 10 times faster

MAX_DEPTH = 100
"""Nesting that is read; more is no file a person or a tool wrote."""

MAX_VALUES = 1_000_000
"""Values after aliases are followed; of a short text less, against aliases of aliases that unfold without end."""

_OPENERS = 5_000


class Position(NamedTuple):
    """Where something stands, both from 1."""

    line: int
    column: int


Path = tuple[Hashable, ...]
"""Keys and indexes from the top of a document to a value."""


class YamlError(Exception):
    """The text is no YAML 1.2 that can be read without a guess.

    Args:
        problem: what is wrong, one sentence without a position.
        position: where.
        hint: how to mend it, when that is known.
    """

    def __init__(self, problem: str, position: Position | None = None, hint: str = "") -> None:
        super().__init__(f"line {position.line}, column {position.column}: {problem}" if position else problem)
        self.problem = problem
        self.position = position or Position(1, 1)
        self.hint = hint


class Document(NamedTuple):
    """A value and the places it was read from."""

    value: Any
    keys: Mapping[Path, Position]
    """Where the key of a mapping entry, or an item of a list, begins."""
    values: Mapping[Path, Position]
    """Where a value begins."""

    def position(self, path: Path) -> Position:
        """Where the entry at a path begins; of a path that does not exist, its nearest parent."""
        while path and path not in self.keys:
            path = path[:-1]
        return self.keys.get(path, Position(1, 1))


class _Loader(_Base):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def load(text: str) -> Any:
    """The value of one document: dicts, lists, text, int, float, bool, None. An empty text is None.

    Raises:
        YamlError: it cannot be read, a key comes twice, it nests or unfolds without end, or it holds a tag.
    """
    return _Reader(positions=False).document(text).value


def read(text: str) -> Document:
    """The same as `load`, with the position of everything."""
    return _Reader(positions=True).document(text)


class _Reader:
    def __init__(self, *, positions: bool) -> None:
        self._positions = positions
        self._keys: dict[Path, Position] = {}
        self._values: dict[Path, Position] = {}
        self._open: set[int] = set()
        self._left = MAX_VALUES

    def document(self, text: str) -> Document:
        self._left = min(MAX_VALUES, 10_000 + 10 * len(text))
        try:
            _check_depth(text)
            node = yaml.compose(text, Loader=_Loader)
        except yaml.reader.ReaderError as error:
            # libyaml counts bytes, PyYAML characters: look for the character itself
            code = error.character if isinstance(error.character, int) else ord(str(error.character)[0])
            before = text[: max(text.find(chr(code)), 0)]
            raise YamlError(
                f"the character U+{code:04X} is not allowed in YAML",
                Position(before.count("\n") + 1, len(before) - before.rfind("\n")),
                "remove it; the file may not be text",
            ) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = Position(mark.line + 1, mark.column + 1) if mark else None
            problem = " ".join(part for part in (error.problem, error.context and f"({error.context})") if part)
            raise YamlError(problem, where, _mending(problem, text, where)) from None
        value = None if node is None else self._value(node, ())
        return Document(value, self._keys, self._values)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._left -= 1
        if len(self._open) > MAX_DEPTH or self._left < 0:
            raise YamlError("it nests or unfolds without end", _at(node))
        if self._positions:
            self._values[path] = _at(node)
            self._keys.setdefault(path, _at(node))
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self._open:
            raise YamlError("an alias contains itself", _at(node))
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                _plain(node, "seq")
                return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
            assert isinstance(node, yaml.MappingNode)
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[Any, Any]:
        _plain(node, "map")
        own: dict[Any, Any] = {}
        seen: dict[Any, Position] = {}
        merged: list[tuple[yaml.Node, Position]] = []
        for key_node, value_node in node.value:
            at = _at(key_node)
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged.append((value_node, at))
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlError("a key must be a word, not a list or mapping", at)
            key = _scalar(key_node)
            if key in seen:
                raise YamlError(
                    f"`{key}` stands here again; the first is on line {seen[key].line}",
                    at,
                    "keep one of the two: which one counts would be a guess",
                )
            seen[key] = at
            entry = (*path, key)
            if self._positions:
                self._keys[entry] = at
            own[key] = self._value(value_node, entry)
        for source, at in merged:
            for key, value in self._merge(source, at, path):
                own.setdefault(key, value)  # what stands here itself wins, then the earlier source
        return own

    def _merge(self, source: yaml.Node, at: Position, path: Path) -> list[tuple[Any, Any]]:
        if isinstance(source, yaml.SequenceNode):
            return [pair for item in source.value for pair in self._merge(item, at, path)]
        if not isinstance(source, yaml.MappingNode):
            raise YamlError("`<<` merges a mapping or a list of mappings", at)
        if id(source) in self._open:
            raise YamlError("an alias contains itself", at)
        keep = dict(self._keys), dict(self._values)
        self._open.add(id(source))
        value = self._mapping(source, path)
        self._open.discard(id(source))
        # what stood here before keeps its own position
        self._keys.update(keep[0])
        self._values.update(keep[1])
        return list(value.items())


def _at(part: yaml.Node | yaml.Event) -> Position:
    mark = part.start_mark
    assert mark is not None  # composing and parsing text marks everything
    return Position(mark.line + 1, mark.column + 1)


def _plain(node: yaml.Node, kind: str) -> None:
    if node.tag != f"tag:yaml.org,2002:{kind}":
        raise YamlError(f"the tag {node.tag} means nothing here", _at(node), "remove it")


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    match node.tag:
        case "tag:yaml.org,2002:str":
            return text
        case "tag:yaml.org,2002:null":
            return None
        case "tag:yaml.org,2002:bool" if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case "tag:yaml.org,2002:int" | "tag:yaml.org,2002:float":
            try:
                return _number(text)
            except ValueError:
                raise YamlError(f"{text!r} is no number", _at(node)) from None
    if node.tag == "tag:yaml.org,2002:merge":
        return text
    raise YamlError(f"the tag {node.tag} means nothing here", _at(node), "remove it")


def _number(text: str) -> int | float:
    if text[:2] in ("0o", "0x"):
        return int(text, 0)
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    return float(
        text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").lower().replace(".nan", "nan")
    )


def _check_depth(text: str) -> None:
    """Refuse what would exhaust the C stack: libyaml's composer recurses once for each level and crashes the process.

    Block mappings need growing indentation, so only these openers can nest cheaply; few of them cannot nest deep.
    """
    if text.count("[") + text.count("{") + text.count("- ") + text.count("-\t") + text.count("? ") < _OPENERS:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise YamlError("it nests or unfolds without end", _at(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _mending(problem: str, text: str, where: Position | None) -> str:
    if "\n<<<<<<<" in "\n" + text or "\n>>>>>>>" in text:
        return "the file holds conflict markers of a merge: resolve them"
    if where and "\t" in [*text.split("\n"), ""][where.line - 1][: where.column]:
        return "indent with spaces; YAML does not allow tabs"
    if "another document" in problem:
        return "one document is read; remove what follows `---`"
    if "mapping values are not allowed" in problem:
        return "put text that holds a colon between quotes, or check the indentation above"
    return "check the indentation and the quotes on this line and the one above"
