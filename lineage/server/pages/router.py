"""Where the pages are registered: each at its address, and at the same with ``.json``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Response

from lineage.errors import UsageError
from lineage.server.access import AUTHORISED
from lineage.server.pages.door import PageRoute

router = APIRouter(dependencies=AUTHORISED, route_class=PageRoute, include_in_schema=False)

Number = Annotated[int, Query(ge=1, le=100_000, alias="page")]
"""Which part of a list, counted from 1."""
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

STATIC = {
    "dossier.css": ("lineage.evidence.dossier", "dossier.css", "text/css; charset=utf-8"),
    "pages.css": ("lineage.server.pages", "static/pages.css", "text/css; charset=utf-8"),
    "htmx.min.js": ("lineage.server.pages", "static/htmx.min.js", "text/javascript; charset=utf-8"),
}


def both(path: str) -> Callable[[Endpoint], Endpoint]:
    """Register a page at its address, and at the same with ``.json``."""

    def register(endpoint: Endpoint) -> Endpoint:
        router.add_api_route(f"{path}.json", endpoint, methods=["GET"], response_model=None)
        router.add_api_route(path, endpoint, methods=["GET"], response_model=None)
        return endpoint

    return register


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Style and script, as they are in the package."""
    if name not in STATIC:
        raise UsageError("there is nothing at this address", code="NOT_FOUND", hint="/")
    package, path, kind = STATIC[name]
    data = files(package).joinpath(path).read_bytes()
    return Response(data, headers={"Cache-Control": "public, max-age=3600"}, media_type=kind)
