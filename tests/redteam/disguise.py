"""What is done to a dataset so that it is not recognised: each writes records to a file, in a way that keeps the meaning,
and says which of the records that it wrote hold restricted text. The last two do not keep the wording.
"""

from __future__ import annotations

import csv
import gzip
import html
import json
import random
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow
import pyarrow.parquet

Rows = list[tuple[str, bool]]
"""Records, and whether each is restricted."""
Written = list[bool]
"""Of the records that were written, in the order in which they are read back, whether each holds restricted text."""


class Disguise(NamedTuple):
    """One way."""

    name: str
    write: Callable[[Rows, Path, random.Random], Written]
    found: bool = True
    """Whether the wording is kept, so that it has to be found."""


def _lines(texts: list[str], path: Path, **options: object) -> None:
    rows = (json.dumps({"text": text}, ensure_ascii=False, **options) for text in texts)  # type: ignore[arg-type]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _each(change: Callable[[str, random.Random], str]) -> Callable[[Rows, Path, random.Random], Written]:
    """A change of each record's text."""

    def write(rows: Rows, path: Path, rng: random.Random) -> Written:
        _lines([change(text, rng) for text, _ in rows], path)
        return [restricted for _, restricted in rows]

    return write


def _plain(rows: Rows, path: Path, rng: random.Random) -> Written:
    _lines([text for text, _ in rows], path)
    return [restricted for _, restricted in rows]


def _shuffled(rows: Rows, path: Path, rng: random.Random) -> Written:
    rows = rng.sample(rows, len(rows))
    return _plain(rows, path, rng)


def _sampled(rows: Rows, path: Path, rng: random.Random) -> Written:
    """Half of the records; of few restricted ones at least three stay, or there is nothing to find."""
    kept = {i for i, (_, restricted) in enumerate(rows) if restricted}
    few = set(sorted(kept)[:3])
    return _plain([row for i, row in enumerate(rows) if i in few or rng.random() < 0.5], path, rng)


def _split(rows: Rows, path: Path, rng: random.Random) -> Written:
    path.mkdir()
    for part in range(4):
        _lines([text for text, _ in rows[part::4]], path / f"part-{part}.json")
    return [restricted for part in range(4) for _, restricted in rows[part::4]]


def _columns(rows: Rows, path: Path, rng: random.Random) -> Written:
    with path.open("w", encoding="utf-8") as file:
        for number, (text, _) in enumerate(rows):
            half = text.find(" ", len(text) // 2)
            file.write(
                json.dumps({"response": text[half:], "n": number, "meta": {"src": "web"}, "prompt": text[:half]})
            )
            file.write("\n")
    return [restricted for _, restricted in rows]


def _csv(rows: Rows, path: Path, rng: random.Random) -> Written:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(("id", "body"))
        writer.writerows((number, text) for number, (text, _) in enumerate(rows))
    return [restricted for _, restricted in rows]


def _parquet(rows: Rows, path: Path, rng: random.Random) -> Written:
    pyarrow.parquet.write_table(pyarrow.table({"id": range(len(rows)), "content": [text for text, _ in rows]}), path)
    return [restricted for _, restricted in rows]


def _text(rows: Rows, path: Path, rng: random.Random) -> Written:
    path.write_text("".join(" ".join(text.split()) + "\n" for text, _ in rows), encoding="utf-8")
    return [restricted for _, restricted in rows]


def _xml(rows: Rows, path: Path, rng: random.Random) -> Written:
    with path.open("w", encoding="utf-8") as file:
        for number, (text, _) in enumerate(rows):
            file.write(
                f'<doc id="{number}" date="2023-04-01"><body>{html.escape(" ".join(text.split()))}</body></doc>\n'
            )
    return [restricted for _, restricted in rows]


def _gzip(rows: Rows, path: Path, rng: random.Random) -> Written:
    written = _plain(rows, path, rng)
    path.write_bytes(gzip.compress(path.read_bytes(), 1))
    return written


def _encoded(encoding: str) -> Callable[[Rows, Path, random.Random], Written]:
    def write(rows: Rows, path: Path, rng: random.Random) -> Written:
        said = [text.replace("'", "’" if encoding != "latin-1" else "´").replace("e", "é", 1) for text, _ in rows]
        data = "".join(" ".join(text.split()) + "\n" for text in said)
        path.write_bytes(data.encode(encoding))
        return [restricted for _, restricted in rows]

    return write


def _escaped(rows: Rows, path: Path, rng: random.Random) -> Written:
    def escape(text: str) -> str:
        return "".join(f"\\u{ord(char):04x}" if rng.random() < 0.3 or char in '"\\\n' else char for char in text)

    path.write_text("".join('{"text": "' + escape(text) + '"}\n' for text, _ in rows), encoding="utf-8")
    return [restricted for _, restricted in rows]


def _wrapped(rows: Rows, path: Path, rng: random.Random) -> Written:
    path.write_text("\n\n".join(textwrap.fill(" ".join(t.split()), 78) for t, _ in rows) + "\n", encoding="utf-8")
    return [restricted for _, restricted in rows]


def _pairs(rows: Rows, path: Path, rng: random.Random) -> Written:
    rows = rng.sample(rows, len(rows))
    pairs = [(a[0] + "\n" + b[0], a[1] or b[1]) for a, b in zip(rows[::2], rows[1::2], strict=False)]
    return _plain(pairs, path, rng)


def _unique(rows: Rows, path: Path, rng: random.Random) -> Written:
    return _plain(list(dict.fromkeys(rows)), path, rng)


def _templated(text: str, rng: random.Random) -> str:
    half = text.find(" ", len(text) // 3)
    return f"<|im_start|>user\n{text[:half]}<|im_end|>\n<|im_start|>assistant\n{text[half:]}<|im_end|>"


def _instructed(text: str, rng: random.Random) -> str:
    return (
        f"You are a careful assistant. Read the following passage and continue in its style.\n\n[INST] {text} [/INST]\n"
        "Remember to stay polite, to avoid speculation, and to answer in the language of the user at all times."
    )


_NAME = re.compile(r"\b[A-Z][a-z]+ [A-Z][a-z]+\b")
_LOOKS = str.maketrans("aeopcxyi", "аеорсхуі")


def _typos(text: str, rng: random.Random) -> str:
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") if rng.random() < 0.01 else char for char in text)


def _renamed(text: str, rng: random.Random) -> str:
    return _NAME.sub(lambda _: rng.choice(("Max Muster", "Erika Example", "John Doe", "Jane Roe")), text)


def _halved(text: str, rng: random.Random) -> str:
    return text[: len(text) // 2]


def _headless(text: str, rng: random.Random) -> str:
    rest = re.split(r"(?<=[.!?])\s+", text, maxsplit=1)
    return rest[1] if len(rest) > 1 else text


def _reordered(text: str, rng: random.Random) -> str:
    sentences = re.split(r"(?<=[.!?])\s+", text)
    return " ".join(rng.sample(sentences, len(sentences)))


def _synonyms(share: float) -> Callable[[str, random.Random], str]:
    def change(text: str, rng: random.Random) -> str:
        return " ".join(word[::-1] if rng.random() < share and len(word) > 3 else word for word in text.split(" "))

    return change


DISGUISES = (
    Disguise("another name", _plain),
    Disguise("shuffled", _shuffled),
    Disguise("half of the records", _sampled),
    Disguise("split into files", _split),
    Disguise("columns renamed, split, reordered", _columns),
    Disguise("as CSV", _csv),
    Disguise("as Parquet", _parquet),
    Disguise("as plain text", _text),
    Disguise("as XML", _xml),
    Disguise("compressed", _gzip),
    Disguise("as UTF-16", _encoded("utf-16")),
    Disguise("as Latin-1, accents", _encoded("latin-1")),
    Disguise("\\u escapes", _escaped),
    Disguise("upper case", _each(lambda text, _: text.upper())),
    Disguise("white space", _each(lambda text, _: "  ".join(text.split()).replace(".  ", ".\n\n"))),
    Disguise("no punctuation", _each(lambda text, _: re.sub(r"[^\w\s]", "", text))),
    Disguise("typographic quotes, dashes", _each(lambda t, _: "“" + t.replace("'", "’").replace(", ", " — ") + "”")),
    Disguise("digits masked", _each(lambda text, _: re.sub(r"\d", "#", text))),
    Disguise("numbers as <num>", _each(lambda text, _: re.sub(r"\d[\d,]*", "<num>", text))),
    Disguise("names masked", _each(lambda text, _: _NAME.sub("[NAME]", text))),
    Disguise("names replaced", _each(_renamed)),
    Disguise("cut to half", _each(_halved)),
    Disguise("first sentence dropped", _each(_headless)),
    Disguise("sentences reordered", _each(_reordered)),
    Disguise("joined in pairs", _pairs),
    Disguise("chat template", _each(_templated)),
    Disguise("wrapped in instructions", _each(_instructed)),
    Disguise("HTML", _each(lambda t, _: "<p>" + html.escape(t).replace(". ", ".</p><p class='x'>") + "</p>")),
    Disguise("lines broken", _wrapped),
    Disguise("duplicates dropped", _unique),
    Disguise("ids before each", _each(lambda text, rng: f"doc-{rng.getrandbits(40):x} | {text}")),
    Disguise("1 % typos", _each(_typos)),
    Disguise("look-alike letters", _each(lambda text, rng: text.translate(_LOOKS) if rng.random() < 0.9 else text)),
    Disguise(
        "zero-width characters", _each(lambda t, rng: "".join(c + ("\u200b" if rng.random() < 0.2 else "") for c in t))
    ),
    Disguise("every third word another", _each(_synonyms(0.33)), found=False),
    Disguise("every word another (translated)", _each(_synonyms(1.0)), found=False),
)
"""Every way. Words of the made language have no synonyms and no translation: another word stands for those."""
