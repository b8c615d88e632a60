"""A question's answer as a page for people, or at the same address as its document for programs; failures alike.

Whatever stands in a page goes through `_shown`: invisible and direction-changing characters are written out, and Jinja
escapes what HTML would obey. Templates have no other way to text than `exact`, which escapes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.concurrency import run_in_threadpool

from lineage.errors import LineageError, UsageError, printable
from lineage.evidence.document import ArtifactRef, encode
from lineage.evidence.dossier import words
from lineage.evidence.dossier.blocks import Block, Picture
from lineage.evidence.layout import count
from lineage.evidence.text import label_text, origin_text
from lineage.gate.tokens import Unauthenticated
from lineage.graph.near import Page
from lineage.server.identity import Identity
from lineage.server.pages.door import COOKIE, csrf, sessions
from lineage.server.problem import problem, status_of
from lineage.server.room import room_of
from lineage.vocabulary import Artifact, Role

SIZE = 50
"""Rows of a page."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing that stands in a page runs, and nothing is loaded from elsewhere."""
HTML = "text/html; charset=utf-8"
MOST_SEARCHED = 200
"""Characters of what was not found that a search is offered for."""


def for_programs(request: Request) -> bool:
    """Whether a document is asked for: by the address, or by the header."""
    accept = request.headers.get("accept", "")
    return request.url.path.endswith(".json") or ("application/json" in accept and "text/html" not in accept)


def show(
    request: Request, template: str, document: Any, more: Callable[[], Mapping[str, Any]] = dict, status: int = 200
) -> Response:
    """Answer with a page, or with its document.

    Args:
        request: that asks.
        template: of the page; it gets the document as ``it``.
        document: what programs get.
        more: what the page alone needs; not worked out for programs.
        status: of the answer.
    """
    if for_programs(request):
        return Response(encode(document), status, media_type="application/json")
    return page(request, template, {"it": document, **more()}, status)


def page(request: Request, template: str, about: Mapping[str, Any], status: int = 200) -> Response:
    """Answer with a page that has no document."""
    identity: Identity | None = getattr(request.state, "identity", None)
    text = _templates().get_template(template).render(
        {"fault": None, "form": {}, "done": "", "searched": "", **about},
        path=request.url.path, project=room_of(request).config.project, who=identity.name if identity else "",
        steward=bool(identity and Role.STEWARD in identity.roles), csrf=csrf(request),
    )  # fmt: skip
    return Response(text, status, {"Content-Security-Policy": POLICY}, media_type=HTML)


def fault(request: Request, error: LineageError) -> Response:
    """A failure as a page; for programs as everywhere."""
    if for_programs(request) or "text/html" not in request.headers.get("accept", ""):
        return problem(error)
    status = status_of(error)
    if isinstance(error, Unauthenticated):
        where = str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
        shown = None if error.code == "TOKEN_MISSING" else error
        return page(request, "login.html", {"fault": shown, "next": where if request.method == "GET" else "/"}, 401)
    asked = request.query_params.get("model") or request.query_params.get("target") or ""
    searched = asked[:MOST_SEARCHED] if error.code in ("ARTIFACT_UNKNOWN", "MODEL_AMBIGUOUS") else ""
    return page(request, "fault.html", {"fault": error, "status": status, "searched": searched}, status)


async def missing(request: Request, error: LineageError) -> Response | None:
    """A failure of an address that no route has, as a page of whoever looks; None: a program asks.

    No route means that nobody was asked who they are. Who cannot be told is shown the page of a stranger.
    """
    if for_programs(request) or "text/html" not in request.headers.get("accept", ""):
        return None
    if token := sessions(request).token(request.cookies.get(COOKIE, "")):
        with suppress(LineageError):
            known = {"authorization": f"Bearer {token}"}
            request.state.identity = await run_in_threadpool(room_of(request).vouchers.identify, known)
    hint = "search for a name, or start at the first page"
    return fault(request, UsageError(error.message, code=error.code, hint=hint))


def part(number: int) -> Page:
    """The rows of a page, counted from 1."""
    return Page((number - 1) * SIZE, SIZE)


def address(path: str, **query: Any) -> str:
    """A path with a query, of what is not empty. ASCII alone."""
    told = {name.rstrip("_"): value for name, value in query.items() if value not in ("", None, 1)}
    return f"{path}?{urlencode(told)}" if told else path


def artifact_address(value: Artifact | ArtifactRef) -> str:
    """The page of an artifact, this version of it and no other."""
    content = value.content if isinstance(value, ArtifactRef) else value.content and value.content.hash
    return address("/artifact", namespace=value.namespace, name=value.name, content=content)


@cache
def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader("lineage.server.pages"), autoescape=True, undefined=StrictUndefined, finalize=_shown,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters |= {
        "exact": _exact,
        "when": words.when,
        "day": words.day,
        "opening": _opening,
        "kind": _kind,
        "drawing": _drawing,
    }
    found.globals |= {
        "address": address, "at": artifact_address, "count": count, "origin_text": origin_text, "size": SIZE,
        "label_text": label_text, "words": words,
    }  # fmt: skip
    return found


def _shown(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _opening(value: str) -> str:
    """A sentence as it begins: with a capital letter, unless it begins with a name."""
    first = value.partition(" ")[0]
    return value if not first.isalpha() else value[:1].upper() + value[1:]


def _kind(block: Block) -> str:
    return type(block).__name__


def _drawing(picture: Picture) -> Markup:
    """A drawing of ours: what draws it escapes every text."""
    return Markup(picture.svg)  # noqa: S704


def _exact(value: str) -> Markup:
    """Text that is sent back, or has lines: escaped for HTML and otherwise as it is."""
    return escape(value)
