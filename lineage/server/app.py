"""Puts the routers together: what answers over HTTP, with one rule for every route."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from lineage.config import Config
from lineage.server import acts, elsewhere, marquez, openlineage, operations, questions
from lineage.server.access import AUTHORISED, check_rules
from lineage.server.limits import Limits
from lineage.server.pages import router as pages
from lineage.server.pages.door import Sessions
from lineage.server.problem import handle
from lineage.server.room import Room
from lineage.server.settings import ServerSettings

ROUTERS: tuple[APIRouter, ...] = (
    operations.router,
    openlineage.router,
    *marquez.ROUTERS,
    questions.router,
    acts.router,
    elsewhere.router,
    pages,
)
"""Everything that answers. A router that is added here has its routes in `lineage.server.access.RULES`, or nothing
starts."""


def create_app(
    config: Config, settings: ServerSettings | None = None, routers: Sequence[APIRouter] = ROUTERS
) -> FastAPI:
    """The application.

    Args:
        config: the settings of a project whose store is made and up to date.
        settings: the table ``[server]``; default: what ``config`` says.
        routers: what answers.
    """
    settings = settings or ServerSettings.of(config)
    room = Room(config, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(room.start)
        try:
            yield
        finally:
            await run_in_threadpool(room.stop)

    app = FastAPI(
        title="lineagegate",
        version=version("lineagegate"),
        description="OpenLineage in, questions and decisions out. See docs/reference/server.md.",
        lifespan=lifespan,
        dependencies=AUTHORISED,
        openapi_url=None,  # ours below has a rule like every other route
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        default_response_class=Response,
    )
    app.state.room = room
    app.state.sessions = Sessions()
    for router in routers:  # as they are, each with its own dependencies: what answers is what the rules are held to
        app.router.routes.extend(router.routes)

    @app.get("/openapi.json", include_in_schema=False)
    def document() -> JSONResponse:
        """What can be asked, as OpenAPI."""
        return JSONResponse(app.openapi())

    handle(app)
    check_rules(list(app.routes))
    app.add_middleware(Limits, settings=settings, metrics=room.metrics)
    return app
