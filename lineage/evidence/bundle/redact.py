"""Redaction: what names people or paths is replaced by pseudonyms, the same in every file of a bundle.

Events and the case are redacted as text, literal by literal: who has the opened values of an entry gets its exact bytes
back, and with them its hash. What a value means is known from the types that the JSON was written from (`Event`,
`Case`): some fields are a person or a path, the rest is searched for what those fields hold. What other producers put
into an event beside that is withheld whole: nobody here can say what it names. Each pseudonym has a commitment, SHA-256
over a salt and the value.

A pseudonym is ``[person-1]``; another spelling of the same person or path (the name without the address, the last part
of a path) is ``[person-1.2]``.
"""

from __future__ import annotations

import hmac
import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple
from unicodedata import combining, normalize

import msgspec

from lineage.policy.catalogue import Channel, Provider, catalogue
from lineage.policy.load import PACKS
from lineage.vocabulary.identity import spellings

TOKEN = re.compile(r'"\[withheld-[0-9]+\]"|\[(?:person|path|commit|text)-[0-9]+(?:\.[0-9]+)?\]')
"""A pseudonym. Text of others that looks like one is redacted itself, so that no two things are called the same."""


class Redact(str, Enum):
    """What may be redacted."""

    PEOPLE = "people"
    PATHS = "paths"


_PEOPLE = frozenset({"by", "author", "approver", "claimed_by", "approved_by", "declared_by"})
_STAGES = frozenset({"stage", "run"})
_PROSE = frozenset(
    {"reason", "evidence", "text", "sentence", "more", "checked", "result", "reference", "hint", "remedy", "unknown",
     "notes", "faults"}
)  # fmt: skip
"""Fields in people's words: single words (a first name, a file's name) are looked for here only."""
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.S)
_WORD = re.compile(r"\w")
_JOINED = re.compile(r"[\w/:@-]|\.\w")
"""What makes a word a part of something longer: ``seed`` in ``seed-chat`` is not Mr Seed."""
_ABBREVIATED = (7, 8, 10, 12, 16)
"""Lengths to which commits are shortened."""
_START = 4
"""Values are found by so many first characters."""


def folded(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """A text in the form in which values are looked for (NFKC, case folded), and where each character of it comes from.

    Returns:
        The form; for each of its characters the place in ``text`` where what it stands for starts, and where that ends.
    """
    if text.isascii():
        return text.lower(), range(len(text)), range(1, len(text) + 1)
    form, starts, ends = [], [], []
    at = 0
    while at < len(text):
        end = at + 1
        while end < len(text) and (combining(text[end]) or "\u1160" <= text[end] <= "\u11ff"):  # accents; Hangul vowels
            end += 1
        new = normalize("NFKC", normalize("NFKC", text[at:end]).casefold())
        form.append(new)
        starts += [at] * len(new)
        ends += [end] * len(new)
        at = end
    return "".join(form), starts, ends


@cache
def _public() -> frozenset[str]:
    """Names of providers, resellers and channels that the catalogue knows: they name nobody's files, also where one is
    called so, and a case without them says nothing."""
    known = catalogue()
    entries: tuple[Provider | Channel, ...] = (
        *known.providers.values(),
        *known.resellers.values(),
        *known.channels.values(),
    )
    return frozenset(folded(name)[0] for e in entries for name in (e.id, e.name, *e.aliases))


class _Value(NamedTuple):
    """Something to look for in text."""

    group: str
    """``person-1``."""
    word: bool
    """A single word: looked for in prose alone, and only where it stands by itself."""


class Redaction:
    """What is redacted in one bundle: first every document is shown to `learn`, then `apply` redacts each.

    Args:
        kinds: what to redact.
        secret: bytes that nobody else can know; salts are made from them, so that the same case gives the same bytes.
    """

    def __init__(self, kinds: frozenset[Redact], secret: bytes) -> None:
        self.kinds = kinds
        self._secret = secret
        self._values: dict[str, _Value] = {}  # by text, `folded`
        self._starts: dict[str, list[str]] = {}  # by their first characters, longest first
        self._whole: dict[tuple[str, str], str] = {}  # group by kind and all that a field holds
        self._people: dict[str, str] = {}  # group by name and by address
        self._chief: dict[str, str] = {}  # of each group, the text that has the pseudonym without a spelling
        self._groups: dict[str, int] = {}  # how many of each kind
        self._spellings: dict[str, int] = {}  # how many of each group
        self._tokens: dict[tuple[str, str], str] = {}  # (group, exact characters) -> pseudonym

    # what is looked for

    def learn(self, text: str, kind: type) -> None:
        """Note what a document holds that will be redacted.

        Args:
            text: JSON.
            kind: the type that it was written from.
        """
        for item in scan(text, kind):
            plain, _ = decoded(text[item.start : item.end])
            for role, first, last in item.parts(plain):
                value = plain[first:last]
                if role == "person" and Redact.PEOPLE in self.kinds:
                    self._person(value)
                elif role == "commit" and value and Redact.PEOPLE in self.kinds:
                    self._commit(value)
                elif role == "path" and item.role != "named" and Redact.PATHS in self.kinds:
                    self._path(value)

    def _person(self, identity: str) -> None:
        if not identity.strip():
            return
        name, _, rest = identity.partition("<")
        mail = rest.partition(">")[0].strip()
        own = sorted(spellings(identity))  # who could be one person has one number
        group = next((self._people[part] for part in own if part in self._people), "")
        group = self._keep("person", identity, group, whole=True)
        self._people |= dict.fromkeys(own, group)
        for part in (name.strip(), mail, *name.split(), mail.partition("@")[0]):
            if len(part) > 2:
                self._keep("person", part, group)

    def _commit(self, commit: str) -> None:
        group = self._keep("commit", commit, whole=True)
        for length in _ABBREVIATED:
            if length < len(commit):
                self._keep("commit", commit[:length], group)

    def _path(self, path: str) -> None:
        if not path.strip("./") or path.startswith(PACKS):
            return
        group = self._keep("path", path, whole=True)
        parts = path.split("/")
        if len(parts[-1]) > 2:
            self._keep("path", parts[-1], group)
        for end in range(2, len(parts)):
            if "".join(parts[:end]).strip(".") and parts[end - 1]:
                self._keep("path", "/".join(parts[:end]), whole=True)

    def _keep(self, kind: str, text: str, group: str = "", *, whole: bool = False) -> str:
        """Look for a text from now on.

        Args:
            kind: ``person``, ``path`` or ``commit``.
            text: what to look for.
            group: what it is another spelling of; empty: nothing else.
            whole: whether it is all that a field holds, not a part of it.
        """
        key = folded(text)[0]
        if whole and (kind, key) in self._whole:
            return self._whole[kind, key]
        if not group:
            self._groups[kind] = number = self._groups.get(kind, 0) + 1
            group = f"{kind}-{number}"
            self._chief[group] = text
        if whole:
            self._whole[kind, key] = group
        if key not in self._values and not (kind == "path" and key in _public()):
            self._values[key] = _Value(group, text.isalnum() and kind != "commit")
            starting = self._starts.setdefault(key[:_START], [])
            starting.append(key)
            starting.sort(key=len, reverse=True)
        return group

    # what comes of it

    def apply(self, text: str, kind: type) -> str:
        """A document with pseudonyms; unchanged when it holds nothing that is redacted.

        Args:
            text: JSON.
            kind: the type that it was written from.
        """
        out, at = [], 0
        for item in scan(text, kind):
            for start, end, new in self._edits(item, text[item.start : item.end]):
                out += [text[at : item.start + start], new]
                at = item.start + end
        return "".join([*out, text[at:]])

    def _edits(self, item: Literal, raw: str) -> Iterator[tuple[int, int, str]]:
        """What to put where in one literal."""
        if item.role == "withheld":
            self._groups["withheld"] = number = self._groups.get("withheld", 0) + 1
            self._tokens["withheld", raw] = token = f'"[withheld-{number}]"'
            yield 0, len(raw), token
            return
        plain, places = decoded(raw)
        at, prose = 0, item.role in ("prose", "named")
        for role, first, last in (*item.parts(plain), ("", len(plain), len(plain))):
            yield from self._search(plain, places, raw, at, first, prose)
            group = self._whole.get((role, folded(plain[first:last])[0]), "")
            if group:
                yield places[first], places[last], self._token(group, raw[places[first] : places[last]])
            else:
                yield from self._search(plain, places, raw, first, last, prose)
            at = last

    def _search(
        self, plain: str, places: list[int], raw: str, at: int, end: int, prose: bool
    ) -> Iterator[tuple[int, int, str]]:
        """The values that stand in a stretch of text, and what looks like a pseudonym."""
        lower, starts, ends = folded(plain)
        looks = {match.start(): match.end() for match in TOKEN.finditer(plain, at, end)}
        here, last = bisect_left(starts, at), bisect_left(starts, end)
        while here < last:
            first, stop, group = starts[here], looks.get(starts[here], 0), "text-1"
            if not stop:
                found = next((v for v in self._starting(lower, here, last) if self._fits(lower, here, v, prose)), "")
                stop, group = (ends[here + len(found) - 1], self._values[found].group) if found else (0, "")
            if stop:
                yield places[first], places[stop], self._token(group, raw[places[first] : places[stop]])
            here = bisect_left(starts, stop) if stop else here + 1

    def _starting(self, lower: str, at: int, end: int) -> Iterator[str]:
        for size in range(_START, 0, -1):
            for value in self._starts.get(lower[at : at + size], ()):
                if (size == _START or len(value) == size) and lower.startswith(value, at) and at + len(value) <= end:
                    yield value

    def _fits(self, lower: str, at: int, value: str, prose: bool) -> bool:
        before, after = lower[at - 1 : at] if at else "", lower[at + len(value) : at + len(value) + 2]
        if self._values[value].word:
            return prose and not _JOINED.match(before) and not _JOINED.match(after)
        if len(value) > 7:
            return True
        return not (_WORD.match(before) and _WORD.match(value)) and not (_WORD.match(after) and _WORD.match(value[-1]))

    def _token(self, group: str, exact: str) -> str:
        token = self._tokens.get((group, exact))
        if token is None:
            token = f"[{group}]"
            if exact != self._chief.get(group):
                self._spellings[group] = spelling = self._spellings.get(group, 1) + 1
                token = f"[{group}.{spelling}]"
            self._tokens[group, exact] = token
        return token

    # commitments

    def openings(self) -> Mapping[str, tuple[str, str]]:
        """(salt in hex, exact characters as they stand in the JSON) of every pseudonym that was used."""
        out = {}
        for (_, exact), token in self._tokens.items():
            name = token.strip('"')
            out[name] = hmac.new(self._secret, f"{name}\0{exact}".encode(), sha256).hexdigest(), exact
        return out

    def left(self, text: str) -> str:
        """A value that still stands somewhere in a text, single words left aside; empty when none does."""
        lower = folded(text)[0]
        for at in range(len(lower)):
            for value in self._starting(lower, at, len(lower)):
                if not self._values[value].word and self._fits(lower, at, value, True):
                    return value
        return ""


def commitment(salt: str, exact: str) -> str:
    """SHA-256 over a salt and the characters that a pseudonym stands for, hex."""
    return sha256(bytes.fromhex(salt) + exact.encode()).hexdigest()


# -- where the strings of a document are, and what they mean ----------------------------------------------------------


class Literal(NamedTuple):
    """A stretch of JSON text: the characters between the quotes of a string, or a whole value to be withheld."""

    start: int
    end: int
    role: str
    """``person``, ``commit``, ``path``, ``stage``, ``place`` (of a dataset), ``named`` (one of these, perhaps),
    ``location``, ``prose``, ``withheld``, or empty."""
    namespace: str = ""
    """Of the dataset or job whose name it is."""

    def parts(self, plain: str) -> list[tuple[str, int, int]]:
        """What is redacted as a whole: (``person``, ``commit`` or ``path``, start, end)."""
        whole = (0, len(plain))
        if not plain:
            return []
        if self.role in ("person", "commit", "path"):
            return [(self.role, *whole)]
        if self.role == "named":
            return [("path", *whole)]
        if self.role == "location":
            return [("path", 0, plain.rfind(":") if ":" in plain else len(plain))]
        if self.role == "stage":
            head = plain.rpartition(":")[0]
            return [("path", 0, len(head))] if head else [("path", *whole)] if "/" in plain else []
        if self.role == "place":
            return self._place(plain)
        return []

    def _place(self, plain: str) -> list[tuple[str, int, int]]:
        space = self.namespace
        if plain.startswith(f"{space}/") and "://" in space:  # a display that names the namespace too
            return [("path", 0, len(space)), ("path", len(space) + 1, len(plain))]
        model = ("models/", "logged-models/", "experiments/") if space else ()
        if plain.startswith("models:/") or (space.startswith("mlflow://") and plain.startswith(model)):
            return []
        if plain.startswith("runs:/") or (space.startswith("mlflow://") and plain.startswith("runs/")):
            at = plain.find("/", plain.index("/") + 1) + 1
            return [("path", at, len(plain))] if at else []
        return [("path", 0, len(plain))]


def decoded(raw: str) -> tuple[str, list[int]]:
    """The characters of a JSON string, and where each begins in the literal; one place more for its end."""
    if "\\" not in raw:
        return raw, list(range(len(raw) + 1))
    plain, places = [], []
    for match in _ESCAPE.finditer(raw):
        part = match.group()
        char = part if len(part) == 1 else str(json.loads(f'"{part}"'))
        plain.append(char)
        places.append(match.start())
    return "".join(plain), [*places, len(raw)]


def scan(text: str, kind: type) -> Iterator[Literal]:
    """Every string of a JSON document with what it means, and every value that its type does not know.

    Args:
        text: JSON that was read as ``kind`` before.
        kind: a msgspec struct.
    """
    yield from _Scan(text).value(msgspec.inspect.type_info(kind), "", {})


@cache
def _fields(cls: type) -> Mapping[str, tuple[str, Any]]:
    info = msgspec.inspect.type_info(cls)
    assert isinstance(info, msgspec.inspect.StructType)
    return {field.encode_name: (field.name, field.type) for field in info.fields}


class _Scan:
    """One pass over a JSON text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def value(self, info: Any, role: str, siblings: Mapping[str, str]) -> Iterator[Literal]:
        """One value of a type; ``at`` stands before it and is moved behind it."""
        self._space()
        if isinstance(info, msgspec.inspect.UnionType):
            info = next(t for t in info.types if not isinstance(t, msgspec.inspect.NoneType))
        char = self.text[self.at]
        if char == "{" and isinstance(info, msgspec.inspect.StructType):
            yield from self._struct(info)
        elif char == "{" and isinstance(info, msgspec.inspect.DictType):
            yield from self._members(lambda _: (info.value_type, role), siblings)
        elif char == "[" and isinstance(info, (msgspec.inspect.VarTupleType, msgspec.inspect.ListType)):
            yield from self._items(info.item_type, role, siblings)
        elif char == '"' and isinstance(info, msgspec.inspect.StrType):
            yield self._string(role, siblings.get("namespace", ""))
        else:
            start = self.at
            self._skip()
            known = isinstance(info, (msgspec.inspect.EnumType, msgspec.inspect.IntType, msgspec.inspect.BoolType))
            if not known and char in '{["':
                yield Literal(start, self.at, "withheld")

    def _struct(self, info: msgspec.inspect.StructType) -> Iterator[Literal]:
        fields, name = _fields(info.cls), info.cls.__name__
        siblings = {"namespace": self._peek("namespace")} if "namespace" in fields else {}

        def typed(key: str) -> tuple[Any, str]:
            field, type_ = fields.get(key, ("", None))
            return type_, _role(name, field, siblings.get("namespace", ""))

        yield from self._members(typed, siblings)

    def _members(self, typed: Any, siblings: Mapping[str, str]) -> Iterator[Literal]:
        self.at += 1
        while self._next("}"):
            key = self._string("", "")
            yield key
            self._space()
            self.at += 1  # the colon
            type_, role = typed(decoded(self.text[key.start : key.end])[0])
            yield from self.value(type_, role, siblings)

    def _items(self, item: Any, role: str, siblings: Mapping[str, str]) -> Iterator[Literal]:
        self.at += 1
        while self._next("]"):
            yield from self.value(item, role, siblings)

    def _next(self, end: str) -> bool:
        """Whether another item follows; moves to it, or behind the end."""
        self._space()
        if self.text[self.at] == ",":
            self.at += 1
            self._space()
        if self.text[self.at] == end:
            self.at += 1
            return False
        return True

    def _string(self, role: str, namespace: str) -> Literal:
        start = self.at + 1
        self._skip()
        return Literal(start, self.at - 1, role, namespace)

    def _space(self) -> None:
        while self.text[self.at] in " \t\r\n":
            self.at += 1

    def _skip(self) -> None:
        """Move behind the value that begins here."""
        _, self.at = _json.raw_decode(self.text, self.at)

    def _peek(self, key: str) -> str:
        """A text of the object that begins here."""
        value, _ = _json.raw_decode(self.text, self.at)
        found = value.get(key, "")
        return found if isinstance(found, str) else ""


_json = json.JSONDecoder()


def _role(cls: str, field: str, namespace: str) -> str:
    """What a text in a field is."""
    if field in _PEOPLE:
        return "person"
    if field == "commit":
        return "commit"
    if cls in ("Dataset", "ArtifactRef") and field in ("name", "display"):
        return "place"
    if cls in ("Dataset", "ArtifactRef") and field == "namespace":
        known = namespace.startswith(("dvc://", "mlflow://")) or namespace in ("file", "lineagegate")
        return "" if known else "path"
    if cls == "Job" and field == "name":
        return "stage" if namespace.startswith("dvc://") else ""
    if cls in ("Step", "CaseStep") and field == "artifact":
        return "place"
    if field in _STAGES:
        return "stage"
    if (cls, field) in (
        ("Member", "path"),
        ("PolicyFile", "name"),
        ("Observation", "undeclared"),
        ("ReadView", "path"),
    ):
        return "path"
    if cls == "Finding" and field == "location":
        return "location"
    if (cls, field) == ("HistoryItem", "subject"):
        return "named"
    return "prose" if field in _PROSE else ""
