"""What files that come with data say of it: dataset cards, Croissant, ``dataset_info.json`` of Hugging Face, licences.

Bytes in, statements out. They are statements of others, who need not be right. Formats: metadata of Hugging Face's
dataset cards (YAML between ``---`` lines at the top of README.md; keys ``license``, ``license_name``,
``source_datasets``, ``annotations_creators``, ``language_creators``, ``tags``), Croissant 1.0 with its RAI vocabulary
(JSON-LD), ``datasets.DatasetInfo``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lineage import yaml12
from lineage.policy.catalogue import catalogue
from lineage.policy.sources import sources
from lineage.vocabulary import Kind, Origin

LARGEST = 4 << 20
"""Bytes of a file that is read; no card is as large."""

MOST = 200
"""Items of one list that are looked at."""

NAMES = (
    "README.md", "croissant.json", "dataset_info.json", "dataset_infos.json",
    "LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "LICENCE.md", "COPYING",
)  # fmt: skip
"""Names of files that are read, where they lie beside data or in its directory."""


class Stated(NamedTuple):
    """One statement."""

    origin: Origin
    words: str
    """What the file says, as it says it (``license: cc-by-4.0``)."""


class Unreadable(Exception):  # noqa: N818 - a state of a file, reported; it never frees anything
    """A file that cannot be understood. Args: why, one line."""


def stated(name: str, data: bytes) -> tuple[Stated, ...]:
    """What a file states of the data that it comes with.

    Args:
        name: of the file; one of `NAMES`.
        data: its bytes.

    Raises:
        Unreadable: it is no such file, or cut short.
    """
    if len(data) > LARGEST:
        raise Unreadable(f"it has more than {LARGEST >> 20} MiB")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        if name == "README.md":
            found = _card(text)
        elif name.endswith(".json"):
            value = json.loads(text)
            if not isinstance(value, dict):
                raise Unreadable("it is not a JSON object")
            found = _croissant(value) if name == "croissant.json" else _information(value, name)
        else:
            found = _licence_text(text)
        return tuple(dict.fromkeys(found))
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8 text ({error.reason} at byte {error.start})") from None
    except (ValueError, RecursionError, yaml12.YamlError) as error:
        raise Unreadable(" ".join(str(error).split())[:300]) from None


# -- licences ----------------------------------------------------------------------------------------------------------

_SPDX = {
    name.lower(): name
    for name in (
        "Apache-2.0", "MIT", "MIT-0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "BSL-1.0", "MPL-2.0", "Zlib",
        "Artistic-2.0", "GPL-2.0", "GPL-3.0", "AGPL-3.0", "LGPL-2.1", "LGPL-3.0", "EPL-1.0", "EPL-2.0", "EUPL-1.1",
        "EUPL-1.2", "GFDL-1.3", "ODbL-1.0", "ODC-By-1.0", "PDDL-1.0", "CC0-1.0", "Unlicense", "WTFPL", "OFL-1.1",
        "ECL-2.0", "AFL-3.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0", "C-UDA-1.0",
        "LPPL-1.3c", "MS-PL", "NCSA", "PostgreSQL", "OSL-3.0",
        *(f"CC-BY{part}-{version}" for part in ("", "-SA", "-ND", "-NC", "-NC-SA", "-NC-ND")
          for version in ("1.0", "2.0", "2.5", "3.0", "4.0")),
    )
}  # fmt: skip
_ALIASES = {
    "apache 2.0": "Apache-2.0", "apache2": "Apache-2.0", "odbl": "ODbL-1.0", "odc-by": "ODC-By-1.0", "pddl": "PDDL-1.0",
    "cc0": "CC0-1.0", "gfdl": "GFDL-1.3", "c-uda": "C-UDA-1.0", "cc-by": "CC-BY-4.0",
}  # fmt: skip
_PUBLIC = ("CC0-1.0", "PDDL-1.0", "Unlicense")
_NOT_SAID = ("", "unknown", "none", "more information needed", "[more information needed]", "tbd", "n/a")


def licensed(text: str) -> Origin | None:
    """The origin that a licence makes, by its SPDX id, its URL or its name; None where none is said.

    One that forbids commercial use or changes, or is not known here, is ``licensed``, never ``open-licence``.
    """
    said = " ".join(text.split())[:200]
    if said.lower() in _NOT_SAID:
        return None
    known = _from_url(said) or _SPDX.get(said.lower()) or _ALIASES.get(said.lower())
    if known is None:
        return Origin(Kind.LICENSED, licence=said)
    restricted = re.search(r"-(NC|ND)\b", known) is not None
    kind = Kind.PUBLIC_DOMAIN if known in _PUBLIC else Kind.LICENSED if restricted else Kind.OPEN_LICENCE
    return Origin(kind, licence=known)


def _from_url(text: str) -> str | None:
    if (found := re.search(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)", text, re.I)) is not None:
        return _SPDX.get(f"cc-{found[1]}-{found[2]}".lower())
    if re.search(r"creativecommons\.org/publicdomain/zero/1\.0", text, re.I):
        return "CC0-1.0"
    found = re.search(r"(?:spdx\.org/licenses|opensource\.org/licenses?)/([\w.+-]+?)(?:\.html|/)?$", text, re.I)
    if found is not None:
        return _SPDX.get(found[1].lower())
    return "Apache-2.0" if re.search(r"apache\.org/licenses/LICENSE-2\.0", text, re.I) else None


_HEADINGS = (
    (r"Apache License\s+Version 2\.0", "Apache-2.0"),
    (r"MIT License\b|Permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
    (r"CC0 1\.0 Universal", "CC0-1.0"),
    (r"Attribution-NonCommercial-ShareAlike 4\.0 International", "CC-BY-NC-SA-4.0"),
    (r"Attribution-NonCommercial-NoDerivatives 4\.0 International", "CC-BY-NC-ND-4.0"),
    (r"Attribution-NonCommercial 4\.0 International", "CC-BY-NC-4.0"),
    (r"Attribution-NoDerivatives 4\.0 International", "CC-BY-ND-4.0"),
    (r"Attribution-ShareAlike 4\.0 International", "CC-BY-SA-4.0"),
    (r"Attribution 4\.0 International", "CC-BY-4.0"),
    (r"Open Data Commons Open Database License|Open Database License \(ODbL\)", "ODbL-1.0"),
    (r"Open Data Commons Attribution License", "ODC-By-1.0"),
    (r"Community Data License Agreement\s+[-–]\s+Permissive\s+[-–]\s+Version 2\.0", "CDLA-Permissive-2.0"),
)
"""How texts of licences begin; the longer name before the one that is a part of it."""


def _licence_text(text: str) -> Iterator[Stated]:
    head = text[:3000]
    for pattern, licence in _HEADINGS:
        if (found := re.search(pattern, head)) is not None and (origin := licensed(licence)) is not None:
            yield Stated(origin, " ".join(found[0].split()))
            return


# -- dataset cards -----------------------------------------------------------------------------------------------------

_PEOPLE = ("crowdsourced", "expert-generated")
_SYNTHETIC = ("synthetic", "synthetic-data", "distilabel", "model-generated", "llm-generated", "ai-generated")


def _card(text: str) -> Iterator[Stated]:
    if not text.startswith("---\n"):
        return
    head, mark, _ = text[3:].partition("\n---")
    if not mark:
        raise Unreadable("its metadata has no end")
    value = yaml12.load(head)
    if value is None:
        return
    if not isinstance(value, dict):
        raise Unreadable("its metadata is not a mapping")
    yield from _licences(value.get("license"), value.get("license_name"), "license")
    for word in _texts(value.get("annotations_creators")):
        if word.lower() in _PEOPLE:
            yield Stated(Origin(Kind.HUMAN_ANNOTATION), f"annotations_creators: {word}")
    for word in _texts(value.get("source_datasets")):
        name = word.removeprefix("extended|").removeprefix("other-")
        yield from _at(f"hf://datasets/{name}" if "://" not in name else name, f"source_datasets: {word}")
    yield from _generated(value)


def _generated(value: Mapping[str, Any]) -> Iterator[Stated]:
    """What says that a model wrote it. The name of a model alone does not: it may be what the data is meant for."""
    signs = [
        f"{key}: {word}"
        for key in ("annotations_creators", "language_creators", "tags")
        for word in _texts(value.get(key))
        if word.lower() in (_SYNTHETIC if key == "tags" else ("machine-generated",))
    ]
    if not signs:
        return
    named = [(owner, word) for word in _texts(value.get("tags")) for owner in catalogue().owners(word)]
    for owner, word in named:
        yield Stated(Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, owner, word.lower()), f"{signs[0]}, tags: {word}"[:200])
    if not named:
        yield Stated(Origin(Kind.THIRD_PARTY_MODEL_OUTPUT), "; ".join(signs)[:200])


def _licences(value: Any, name: Any, key: str) -> Iterator[Stated]:
    for word in _texts(value):
        said = str(name) if word.lower() == "other" and isinstance(name, str) and name.strip() else word
        if (origin := licensed(said)) is not None:
            yield Stated(origin, f"{key}: {said}"[:200])


def _at(url: str, words: str) -> Iterator[Stated]:
    known = sources().by_url(url)
    if known is not None and known.origin is not None:
        yield Stated(known.origin, f"{words} ({known.name})"[:200])


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value that is a text, a list of them, or a mapping with lists of them by configuration."""
    items: Iterable[Any] = (value,)
    if isinstance(value, list):
        items = value[:MOST]
    elif isinstance(value, dict):
        items = [
            item for inner in list(value.values())[:MOST] for item in (inner if isinstance(inner, list) else [inner])
        ]
    for item in list(items)[:MOST]:
        if isinstance(item, str) and item.strip():
            yield item.strip()[:200]


# -- JSON --------------------------------------------------------------------------------------------------------------


def _croissant(value: Mapping[str, Any]) -> Iterator[Stated]:
    if "conformsTo" not in value and "dct:conformsTo" not in value and "distribution" not in value:
        raise Unreadable("it is no Croissant description of a dataset")
    yield from _licences([*_named(value.get("license")), *_named(value.get("sdLicense"))], None, "license")
    for key in ("url", "sameAs", "isBasedOn", "prov:wasDerivedFrom", "citeAs"):
        for url in _named(value.get(key)):
            yield from _at(url, f"{key}: {url}")
    for part in _items(value.get("distribution")):
        for url in _named(part.get("contentUrl")):
            yield from _at(url, f"contentUrl: {url}")
    for tool in (*_named(value.get("rai:machineAnnotationTools")), *_named(value.get("machineAnnotationTools"))):
        owners = catalogue().owners(tool) or ("",)
        service = tool.lower() if owners != ("",) else ""
        for owner in owners:
            yield Stated(
                Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, owner, service), f"rai:machineAnnotationTools: {tool}"[:200]
            )


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in (value if isinstance(value, list) else [value])[:MOST] if isinstance(item, dict)]


def _named(value: Any) -> list[str]:
    """Texts, and of objects their ``url``, ``@id`` or ``name``."""
    found = []
    for item in (value if isinstance(value, list) else [value])[:MOST]:
        if isinstance(item, dict):
            item = item.get("url") or item.get("@id") or item.get("name")
        if isinstance(item, str) and item.strip():
            found.append(item.strip())
    return found


def _information(value: Mapping[str, Any], name: str) -> Iterator[Stated]:
    for info in _items(list(value.values())) if name == "dataset_infos.json" else [value]:
        yield from _licences(info.get("license"), None, "license")
        for url in _named(info.get("homepage")):
            yield from _at(url, f"homepage: {url}")
        checksums = info.get("download_checksums")
        for url in list(checksums)[:MOST] if isinstance(checksums, dict) else ():
            yield from _at(str(url), f"download_checksums: {url}")
