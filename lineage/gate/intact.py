"""Whether bytes are what a content key says.

An object of a cache may be damaged or exchanged, and a pipeline remembers hashes by a file's size and time, which
anybody can set. An emptied one would find nothing anywhere: what decides something is hashed when it is read.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from lineage.errors import CannotDecide
from lineage.vocabulary import Content


def check_intact(path: Path, content: Content, name: str) -> None:
    """See that a file, a directory, or a directory's list in DVC's cache holds a content.

    Args:
        path: what was found under the content's key.
        content: with the members of a directory, where they are known.
        name: what people call it.

    Raises:
        CannotDecide: ``CONTENT_DAMAGED``, ``CONTENT_ABSENT``.
    """
    if not content.hash.startswith("md5:"):
        return
    wanted = content.hash.removeprefix("md5:")
    if path.is_dir():
        for known in content.members:
            _is(path / known.path, known.hash.removeprefix("md5:"))
        return
    _is(path, wanted.removesuffix(".dir"))
    if wanted.endswith(".dir"):
        for member in json.loads(path.read_bytes()):
            file = path.parent.parent / member["md5"][:2] / member["md5"][2:]
            if not file.is_file():
                raise CannotDecide(f"{member['relpath']} of {name} is not here", code="CONTENT_ABSENT", hint="dvc pull")
            _is(file, member["md5"])


def _is(path: Path, md5: str) -> None:
    own, unix = (hashlib.md5(usedforsecurity=False) for _ in range(2))
    held = b""
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                own.update(block)
                block = held + block  # DVC before 3.0 took the ends of lines for one: md5-dos2unix
                held = block[-1:] if block[-1:] == b"\r" else b""
                unix.update(block[: len(block) - len(held)].replace(b"\r\n", b"\n"))
    except OSError as error:
        raise CannotDecide(f"{path} cannot be read", code="CONTENT_ABSENT", cause=str(error)) from None
    unix.update(held)
    if md5 not in (own.hexdigest(), unix.hexdigest()):
        raise CannotDecide(
            f"{path} is damaged", code="CONTENT_DAMAGED", cause=f"its md5 is {own.hexdigest()}, not {md5}",
            hint="have DVC bring it again (remove it from the cache, dvc pull), or record it again as it is (dvc add)",
        )  # fmt: skip
