"""What a form sent: fields by name, and small text files, each within the limit of a body (`lineage.server.limits`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from fastapi import Request

from lineage.errors import UsageError
from lineage.server.limits import body_of

MOST_FIELDS = 100
_BOUNDARY = re.compile(r"""boundary="?([\w'()+,./:=?-]{1,70})"?\s*(?:;|$)""", re.I | re.A)  # RFC 2046 section 5.1.1
_DISPOSITION = re.compile(r"^content-disposition:(.*)$", re.I | re.M)
_SAID = re.compile(r';\s?(name|filename)="([^"]*)"')


class File(NamedTuple):
    """A file that was sent along."""

    name: str
    """Its last part alone."""
    text: str


class Form(NamedTuple):
    """What was sent; of a field that was sent twice, what came last."""

    fields: Mapping[str, str]
    files: Mapping[str, File]

    def __call__(self, name: str) -> str:
        """A field without blanks around it; empty when it was not sent."""
        return self.fields.get(name, "").strip()


async def form_of(request: Request, most: int) -> Form:
    """The form in the body of a request.

    Args:
        request: whose body it is.
        most: bytes that it may have.

    Raises:
        UsageError: ``FORM_INVALID``, ``BODY_TOO_LARGE``.
    """
    data = await body_of(request, most)
    kind = request.headers.get("content-type", "")
    try:
        if kind.lower().startswith("multipart/form-data"):
            return _parts(kind, data)
        fields = parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
        return Form({name: _lines(value) for name, value in fields}, {})
    except (ValueError, LookupError) as error:
        raise UsageError(
            "the form cannot be read", code="FORM_INVALID", cause=str(error), hint="send it again"
        ) from None


def _parts(kind: str, data: bytes) -> Form:
    """RFC 7578, as browsers write it (WHATWG HTML, multipart/form-data): in one pass, whatever somebody sends."""
    match = _BOUNDARY.search(kind)
    if match is None:
        raise ValueError("it does not say what is between its parts")
    between = b"\r\n--" + match[1].encode("latin-1")
    if data.count(between) > MOST_FIELDS:
        raise ValueError(f"more than {MOST_FIELDS} fields")
    _, *parts, end = (b"\r\n" + data).split(between)
    if not end.startswith(b"--"):
        raise ValueError("it does not end")
    fields: dict[str, str] = {}
    files: dict[str, File] = {}
    for part in parts:
        head, _, body = part.partition(b"\r\n\r\n")
        line = _DISPOSITION.search(head.decode())
        said = dict(_SAID.findall(line[1])) if line else {}
        if "name" not in said:
            raise ValueError("a part without a name")
        name, file, text = unquote(said["name"]), said.get("filename"), body.decode()
        if file is None:
            fields[name] = _lines(text)
        elif file or text:  # what was left empty is sent as a file without a name
            files[name] = File(unquote(file).replace("\\", "/").rpartition("/")[2], text)
    return Form(fields, files)


def _lines(text: str) -> str:
    """Line ends as files have them; forms send both signs."""
    return text.replace("\r\n", "\n")
