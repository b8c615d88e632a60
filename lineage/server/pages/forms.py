"""What a form sent: fields by name, and small text files, each within the limit of a body (`lineage.server.limits`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import NamedTuple
from urllib.parse import parse_qsl

from fastapi import Request

from lineage.errors import UsageError
from lineage.server.limits import body_of

MOST_FIELDS = 100


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
    """RFC 7578, by the standard library's reader of MIME."""
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + data)
    if not message.is_multipart():
        raise ValueError("it is not in parts")
    fields: dict[str, str] = {}
    files: dict[str, File] = {}
    for count, (name, file, text) in enumerate(_told(message), start=1):
        if count > MOST_FIELDS:
            raise ValueError(f"more than {MOST_FIELDS} fields")
        if file is None:
            fields[name] = _lines(text)
        elif file or text:  # what was left empty is sent as a file without a name
            files[name] = File(file.replace("\\", "/").rpartition("/")[2], text)
    return Form(fields, files)


def _told(message: object) -> Iterator[tuple[str, str | None, str]]:
    for part in message.iter_parts():  # type: ignore[attr-defined]
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise ValueError("a part without a name")
        yield name, part.get_filename(), (part.get_payload(decode=True) or b"").decode("utf-8")


def _lines(text: str) -> str:
    """Line ends as files have them; forms send both signs."""
    return text.replace("\r\n", "\n")
