"""Who may ask for what: one table of routes and roles. A route that is not in it answers nobody.

`authorise` runs before every route: it establishes who asks (`lineage.server.identity`), holds them to their rate, and
refuses what is not for them. A refusal is recorded, but so that nobody can fill the disk with refusals
(`lineage.server.rates`).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from lineage.gate.tokens import Unauthenticated
from lineage.server.identity import Identity
from lineage.server.problem import Refused
from lineage.server.room import room_of
from lineage.vocabulary import Access, Passage, Role

Rule = frozenset[Role]

ANYONE: Rule = frozenset()
"""Also without a token. Only what tells nothing of the record."""
READERS: Rule = frozenset({Role.READER, Role.STEWARD, Role.ADMINISTRATOR})
STEWARDS: Rule = frozenset({Role.STEWARD})
ADMINISTRATORS: Rule = frozenset({Role.ADMINISTRATOR})

RULES: dict[str, Rule] = {
    "GET /health": ANYONE,
    "GET /ready": ANYONE,
    "GET /openapi.json": ANYONE,
    "GET /metrics": READERS,
    # events in
    "POST /api/v1/lineage": frozenset({Role.PRODUCER}),
    "POST /api/v1/lineage/batch": frozenset({Role.PRODUCER}),
    # leafing through, as clients of the reference server do
    "GET /api/v1/namespaces": READERS,
    "GET /api/v1/namespaces/{namespace}": READERS,
    "GET /api/v1/sources": READERS,
    "GET /api/v1/sources/{source}": READERS,
    "GET /api/v1/namespaces/{namespace}/datasets": READERS,
    "GET /api/v1/namespaces/{namespace}/datasets/{dataset}": READERS,
    "GET /api/v1/namespaces/{namespace}/datasets/{dataset}/versions": READERS,
    "GET /api/v1/namespaces/{namespace}/datasets/{dataset}/versions/{version}": READERS,
    "GET /api/v1/jobs": READERS,
    "GET /api/v1/namespaces/{namespace}/jobs": READERS,
    "GET /api/v1/namespaces/{namespace}/jobs/{job}": READERS,
    "GET /api/v1/namespaces/{namespace}/jobs/{job}/runs": READERS,
    "GET /api/v1/jobs/runs/{run}": READERS,
    "GET /api/v1/jobs/runs/{run}/facets": READERS,
    "GET /api/v1/lineage": READERS,
    "GET /api/v1/column-lineage": READERS,
    "GET /api/v1/search": READERS,
    "GET /api/v1/tags": READERS,
    "GET /api/v1/events/lineage": READERS,
    "GET /api/v1/stats/lineage-events": READERS,
    "GET /api/v1/stats/{things}": READERS,
    "GET /api/v2beta/search/jobs": READERS,
    "GET /api/v2beta/search/datasets": READERS,
    # the questions of the command line
    "GET /api/v1/why": READERS,
    "GET /api/v1/contains": READERS,
    "GET /api/v1/impact": READERS,
    "GET /api/v1/share": READERS,
    "GET /api/v1/history": READERS,
    "GET /api/v1/decisions": READERS,
    "GET /api/v1/status": READERS,
    "GET /api/v1/report": READERS,
    "GET /api/v1/bundle": READERS,
    "GET /api/v1/check": READERS | {Role.GATE},
    "GET /api/v1/grants": READERS,
    "GET /api/v1/removals": READERS,
    "GET /api/v1/corrections": READERS,
    # our other machines
    "POST /api/v1/acts": STEWARDS,
    "POST /api/v1/changes": frozenset({Role.GATE}),
    "POST /api/v1/known": READERS | {Role.GATE},
    "GET /api/v1/decisions/{identity}": READERS | {Role.GATE},
    # what people and gates do
    "POST /api/v1/decide": frozenset({Role.GATE}),
    "POST /api/v1/declare": STEWARDS,
    "POST /api/v1/grants": STEWARDS,
    "POST /api/v1/grants/{identity}/withdraw": STEWARDS,
    "POST /api/v1/removals": STEWARDS,
    "POST /api/v1/removals/{identity}/approve": STEWARDS,
    "POST /api/v1/corrections": STEWARDS,
    "POST /api/v1/corrections/{identity}/approve": STEWARDS,
    "GET /api/v1/me": frozenset(Role),
    "GET /api/v1/tokens": ADMINISTRATORS,
    "POST /api/v1/tokens": ADMINISTRATORS,
    "POST /api/v1/tokens/{identity}/revoke": ADMINISTRATORS,
    # pages for people who look
    "GET /static/{name}": ANYONE,
    "GET /login": ANYONE,
    "POST /login": ANYONE,
    "POST /logout": ANYONE,
    "GET /": READERS,
    "GET /index": READERS,
    "GET /index.json": READERS,
    "GET /search": READERS,
    "GET /search.json": READERS,
    "GET /artifact": READERS,
    "GET /artifact.json": READERS,
    "GET /question": READERS,
    "GET /question.json": READERS,
    "GET /recall": READERS,
    "GET /recall.json": READERS,
    "GET /hop": READERS,
    "GET /hop.json": READERS,
    "GET /observed": READERS,
    "GET /observed.json": READERS,
    "GET /source": READERS,
    "GET /source.json": READERS,
    "GET /decisions": READERS,
    "GET /decisions.json": READERS,
    "GET /decision": READERS,
    "GET /decision.json": READERS,
    "GET /history": READERS,
    "GET /history.json": READERS,
    "GET /ledger": READERS,
    "GET /ledger.json": READERS,
    "GET /policy": READERS,
    "GET /policy.json": READERS,
    "POST /policy": READERS,
    "GET /undeclared": READERS,
    "GET /undeclared.json": READERS,
    "GET /dossier": READERS,
    "GET /bundle": READERS,
    "GET /grants": READERS,
    "GET /grants.json": READERS,
    "GET /removals": READERS,
    "GET /removals.json": READERS,
    "GET /corrections": READERS,
    "GET /corrections.json": READERS,
    "GET /declare": STEWARDS,
    "POST /declare": STEWARDS,
    "POST /grants": STEWARDS,
    "POST /grants/{identity}/withdraw": STEWARDS,
    "POST /removals": STEWARDS,
    "POST /removals/{identity}/approve": STEWARDS,
    "POST /corrections": STEWARDS,
    "POST /corrections/{identity}/approve": STEWARDS,
}
"""``METHOD path`` -> the roles that may; a role that a rule does not name is refused, the administrator's too."""


def key_of(method: str, path: str) -> str:
    """A route as `RULES` calls it."""
    return f"{method} {path}"


def routes_of(routes: list[BaseRoute]) -> set[str]:
    """Every route of an application, as `RULES` calls them.

    Raises:
        AssertionError: something answers that is no route of ours, so no rule could hold for it.
    """
    found = set()
    for route in routes:
        assert isinstance(route, APIRoute), f"{route} is no route of ours"
        assert any(d.call is authorise for d in route.dependant.dependencies), f"{route} is not authorised"
        found |= {key_of(method, route.path) for method in route.methods or ()}
    return found


async def authorise(request: Request) -> None:
    """Let a request through, or not: the one dependency that every route has.

    Raises:
        Unauthenticated: nobody that is known here.
        Refused: it is not for them.
        LineageError: ``TOO_MANY_REQUESTS``.
    """
    room, route = room_of(request), request.scope["route"].path
    key = key_of(request.method, route)
    rule = RULES.get(key)
    if rule is None:
        raise Refused("this is for nobody", cause=f"no rule speaks of {key}")
    if rule is ANYONE:
        return
    try:
        identity = await room.shortly(room.vouchers.identify, request.headers)
    except Unauthenticated as error:
        room.metrics.refused.labels(error.code).inc()
        room.rates.strangers(request.client.host if request.client else "")
        raise
    if "authorization" not in request.headers and request.method != "GET" and _from_elsewhere(request.headers):
        raise Refused(
            "this was sent by another site", code="CROSS_SITE",
            cause="a proxy vouches for whoever sits at the browser, also when somebody else's page makes it ask",
            hint="open this server's own pages, or show a token",
        )  # fmt: skip
    request.state.identity = identity
    room.rates.spend(identity.key)
    if not identity.roles & rule:
        room.metrics.refused.labels("FORBIDDEN").inc()
        roles = ", ".join(sorted(role.value for role in identity.roles)) or "none"
        await room.refused(Access(Passage.DENIED, identity.name, key, role=roles, detail="FORBIDDEN"), identity)
        raise Refused(
            "this is not for you",
            cause=f"{key} is for {', '.join(sorted(role.value for role in rule))}; you are {identity.name}, {roles}",
            hint="ask an administrator for a token with that role",
        )


def _from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that another site's page asks (Fetch Metadata; of an older browser, RFC 6454)."""
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def identity_of(request: Request) -> Identity:
    """Who sent a request that `authorise` let through."""
    found = request.state.identity
    assert isinstance(found, Identity)
    return found


AUTHORISED = [Depends(authorise)]


def check_rules(routes: list[BaseRoute], rules: Mapping[str, Rule] = RULES) -> None:
    """Refuse an application with a route that no rule speaks of, or a rule that speaks of none.

    Raises:
        AssertionError: naming them.
    """
    there = routes_of(routes)
    assert there == set(rules), (
        f"routes without a rule: {there - set(rules)}; rules without a route: {set(rules) - there}"
    )
