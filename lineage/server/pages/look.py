"""The pages: search, an artifact, one hop, what follows from a source, what was said, what waits, the policy, the
timeline, the ledger; and what is handed over.

Each answers at its address with ``.json`` as well, with the document of the command line, where a list is long a page
of it; the whole is at ``/api/v1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from msgspec.structs import replace

from lineage.errors import LineageError, UsageError
from lineage.events.naming import display
from lineage.evidence import document
from lineage.evidence import removal as removal_documents
from lineage.evidence.document import PolicyDocument, RuleDocument, SearchedDocument
from lineage.evidence.dossier.seen import ABSENCE, call, levels
from lineage.evidence.ledger import CheckpointRef, LedgerLogDocument
from lineage.evidence.questions import HistoryDocument
from lineage.evidence.recall import ReplayDocument
from lineage.evidence.text import decision_text
from lineage.gate import impact, questions
from lineage.gate.removal import removal_notices
from lineage.gate.wanted import Wanted
from lineage.graph import ClaimState
from lineage.ledger.clock import moment_of
from lineage.policy import Policy
from lineage.policy import show as rules_of
from lineage.server import questions as asked
from lineage.server.access import identity_of
from lineage.server.pages import found
from lineage.server.pages.router import Number, both, router
from lineage.server.pages.show import SIZE, for_programs, part, show
from lineage.server.questions import DecisionsDocument, When, Word
from lineage.server.room import Desk, room_of
from lineage.vocabulary import Decision, Kind, Outcome, Use

NEWEST = 8
"""Decisions that the first page names."""


def _about(target: Word = "", namespace: Word = "", name: Word = "", content: Word = "") -> found.About:
    return found.About(target, namespace, name, content)


About = Annotated[found.About, Depends(_about)]


@both("/index")
@router.get("/")
def index(request: Request) -> Response:
    """Where to begin: the search, what waits for somebody, what was decided last."""
    with room_of(request).reading(identity_of(request)) as desk:
        waiting, _ = desk.graph.waiting(part(1)._replace(limit=0))
        status = document.StatusDocument(document.counts(desk.status(), None), ())
        return show(
            request, "index.html", status,
            lambda: {
                "waiting": waiting, "removals": [r.state for r in desk.graph.removals()].count(ClaimState.WAITING),
                "corrections": [c.state for c in desk.graph.corrections()].count(ClaimState.WAITING),
                "decisions": desk.graph.decisions(None, NEWEST),
                "newest": _checkpoint(desk),
            },
        )  # fmt: skip


@both("/search")
def search(request: Request, q: Word = "", number: Number = 1) -> Response:
    """What a word may mean."""
    query = q.strip()
    with room_of(request).reading(identity_of(request)) as desk:
        hits = found.search(desk, query, number, part(number)) if query else found.SearchDocument("", 1, (), False)
    return show(request, "search.html", hits, lambda: {"searched": query})


@both("/artifact")
def artifact(request: Request, about: About, when: When, number: Number = 1) -> Response:
    """What the gate says of an artifact, why, and what it carries."""
    with room_of(request).reading(identity_of(request)) as desk, when.of(desk) as inquiry:
        try:
            meant = about.of(inquiry)
        except LineageError:
            if (model := found.model(inquiry.graph, about.target)) is not None:
                rows = part(number)
                return show(
                    request, "model.html", model,
                    lambda: {"number": number, "versions": model.versions[rows.offset : rows.offset + SIZE]},
                )  # fmt: skip
            before = found.refused_before(inquiry, about.target)
            if before is None:
                raise
            return _decision(request, before, desk)
        verdict = found.judged(inquiry, meant)
        check = document.check(verdict, inquiry.times)
        why = found.why(inquiry, meant) if for_programs(request) else None

        def more() -> Mapping[str, Any]:
            graph, here = inquiry.over(meant), not any(inquiry.times)
            labels = found.carried(graph, meant)
            rows = part(number)
            cuts = graph.cuts(meant) if graph.removals() else []
            said = _paths(verdict)
            if cuts and verdict.outcome is Outcome.ALLOW:  # what rests on a claim says so
                said |= {"word": "Allowed, after a removal", "tone": "open"}
            return {
                **said, "labels": labels[rows.offset : rows.offset + SIZE], "total": len(labels),
                "number": number, "cuts": cuts, "about": about,
                "text": found.text_of(meant), "life": found.life(graph, meant) if here else None,
                "made": found.hop(inquiry, meant, 1, part(1), made=True) if here else None,
                "read": found.hop(inquiry, meant, 1, part(1), made=False) if here else None,
                "own": graph.tags(meant), "times": inquiry.times,
            }  # fmt: skip

        said = found.ArtifactDocument(document.artifact(meant), check, why)
        return show(request, "artifact.html", said, more)


def _paths(decision: Decision) -> dict[str, Any]:
    """The parts of a page that show a decision with what it rests on."""
    every = found.ordered(decision.findings)
    word, tone = found.verdict(decision)
    return {
        "word": word, "tone": tone, "sentence": decision_text(decision).partition("\n")[0],
        "findings": every[: found.PATHS], "left": len(every) - found.PATHS, "picture": found.picture(every),
    }  # fmt: skip


@both("/hop")
def hop(request: Request, about: About, made: bool = True, number: Number = 1) -> Response:
    """The runs that made an artifact, or that read it."""
    with room_of(request).reading(identity_of(request)) as desk:
        return show(request, "hop.html", found.hop(desk, about.of(desk), number, part(number), made=made))


@both("/observed")
def observed(request: Request, about: About, when: When, number: Number = 1) -> Response:
    """What was seen of the executions behind an artifact while they ran."""
    with room_of(request).reading(identity_of(request)) as desk, when.of(desk) as inquiry:
        said = found.observed(inquiry, about.of(inquiry), number, part(number))
    return show(request, "observed.html", said, lambda: {"levels": levels, "call": call, "absence": ABSENCE})


@both("/source")
def source(request: Request, about: About, when: When, origin: Word = "", number: Number = 1) -> Response:
    """Everything that was made from a source, or that an origin touches: models first."""
    with room_of(request).reading(identity_of(request)) as desk, when.of(desk) as inquiry:
        said = (
            impact.of_origin(inquiry, Wanted(origin)) if origin else impact.of_source(inquiry, about.of(inquiry))
        )  # fmt: skip
        rows = part(number)
        every = [*said.models, *said.datasets]
        return show(
            request, "source.html", said,
            lambda: {
                "number": number, "total": len(every), "rows": every[rows.offset : rows.offset + SIZE], "about": about,
                "doubtful": said.doubtful[:SIZE], "origin": origin,
            },
        )  # fmt: skip


@both("/decisions")
def decisions(request: Request, model: Word = "", number: Number = 1) -> Response:
    """What was decided, newest first."""
    rows = part(number)
    with room_of(request).reading(identity_of(request)) as desk:
        known = desk.graph.decisions(model or None, rows.offset + SIZE + 1)[rows.offset :]
    return show(
        request, "decisions.html", DecisionsDocument(tuple(known[:SIZE])),
        lambda: {"number": number, "more": len(known) > SIZE, "model": model},
    )  # fmt: skip


@both("/decision")
def decision(request: Request, id: Word) -> Response:  # noqa: A002 - as it is called everywhere
    """A decision as it was recorded: what the description of a model version links to."""
    with room_of(request).reading(identity_of(request)) as desk:
        said = desk.graph.decision(id.strip().upper())
        if said is None:
            raise UsageError("no decision has this id", code="NOT_FOUND", hint="search for the model")
        return _decision(request, said, desk)


def _decision(request: Request, said: Decision, desk: Desk) -> Response:
    return show(
        request, "decision.html", document.recorded(said),
        lambda: {**_paths(said), "decision": said, "version": found.let_in(desk.graph, said)},
    )  # fmt: skip


@both("/grants")
def grants(request: Request, number: Number = 1, done: Word = "") -> Response:
    """Every permission, newest first."""
    return grants_page(request, {"number": number, "done": done})


def grants_page(request: Request, more: Mapping[str, Any], status: int = 200) -> Response:
    """The page of grants, with what became of a form."""
    with room_of(request).reading(identity_of(request)) as desk:
        every = desk.graph.grants()[::-1]
    rows = part(more.get("number", 1))
    shown = tuple(every[rows.offset : rows.offset + SIZE])
    return show(
        request, "grants.html", document.GrantsDocument(shown),
        lambda: {"number": 1, "total": len(every), "uses": list(Use), "kinds": _kinds(), **more}, status,
    )  # fmt: skip


@both("/removals")
def removals(request: Request, number: Number = 1, done: Word = "") -> Response:
    """Every claim that an origin was taken out, newest first, and what became of it."""
    return removals_page(request, {"number": number, "done": done})


def removals_page(request: Request, more: Mapping[str, Any], status: int = 200) -> Response:
    """The page of removals, with what became of a form."""
    rows = part(more.get("number", 1))
    with room_of(request).reading(identity_of(request)) as desk:
        every = desk.graph.removals()[::-1]
        shown = every[rows.offset : rows.offset + SIZE]
        said = removal_documents.removals(shown, removal_notices(desk.graph, shown))
    return show(
        request, "removals.html", said, lambda: {"number": 1, "total": len(every), "kinds": _kinds(), **more}, status
    )


@both("/corrections")
def corrections(request: Request, number: Number = 1, done: Word = "") -> Response:
    """Every claim that a declaration was a mistake, newest first, and what became of it."""
    return corrections_page(request, {"number": number, "done": done})


def corrections_page(request: Request, more: Mapping[str, Any], status: int = 200) -> Response:
    """The page of corrections, with what became of a form."""
    rows = part(more.get("number", 1))
    with room_of(request).reading(identity_of(request)) as desk:
        every = desk.graph.corrections()[::-1]
    said = removal_documents.corrections(every[rows.offset : rows.offset + SIZE])
    return show(
        request, "corrections.html", said, lambda: {"number": 1, "total": len(every), "kinds": _kinds(), **more}, status
    )


@both("/undeclared")
def undeclared(request: Request, number: Number = 1, done: Word = "") -> Response:
    """The sources that nobody spoke for: models' sources first."""
    with room_of(request).reading(identity_of(request)) as desk:
        total, sources = desk.graph.waiting(part(number))
        todo = [(s.artifact, display(s.artifact.namespace, s.artifact.name)) for s in sources]
        said = document.StatusDocument(document.counts(desk.status(), None), document.todo(todo))
    return show(
        request, "undeclared.html", said,
        lambda: {"number": number, "total": total, "sources": sources, "done": done},
    )  # fmt: skip


@router.get("/declare")
def declare(request: Request, about: About) -> Response:
    """The form that says where a source comes from."""
    return declare_page(request, about, {})


def declare_page(request: Request, about: found.About, more: Mapping[str, Any], status: int = 200) -> Response:
    """The form of a declaration, with what became of it."""
    with room_of(request).reading(identity_of(request)) as desk:
        meant = about.of(desk)
        tags = desk.graph.tags(meant)
    return show(
        request, "declare.html", document.artifact(meant),
        lambda: {"tags": tags, "kinds": _kinds(), "about": about, **more}, status,
    )  # fmt: skip


def _kinds() -> list[str]:
    return [kind.value for kind in Kind if kind is not Kind.UNDECLARED]


@both("/policy")
def policy(request: Request) -> Response:
    """The rules in force."""
    return policy_page(request, {})


def policy_page(request: Request, more: Mapping[str, Any], status: int = 200, said: Any = None) -> Response:
    """The page of the policy, with what another one would have changed."""
    with room_of(request).reading(identity_of(request)) as desk:
        shown = policy_document(desk.policy())
    replayed: ReplayDocument | None = said
    return show(
        request, "policy.html", replayed or shown,
        lambda: {"shown": shown, "replayed": replayed, "text": "", **more}, status,
    )  # fmt: skip


def policy_document(loaded: Policy) -> PolicyDocument:
    """A policy as ``policy show`` has it, today."""
    rules = tuple(
        RuleDocument(
            *(r.id, r.effect, r.match, r.unless, r.reason, r.from_, r.until, r.in_force),
            tuple(map(str, r.terms)), r.location,
        )
        for r in rules_of(loaded, datetime.now(timezone.utc))
    )  # fmt: skip
    return PolicyDocument(
        loaded.name, loaded.mode, loaded.undeclared, loaded.default, rules, SearchedDocument(*loaded.content)
    )


@both("/history")
def history(
    request: Request, model: Word = "", origin: Word = "", since: Word = "", until: Word = "", number: Number = 1
) -> Response:
    """What happened: to a model, or on record at all, newest first."""
    rows = part(number)
    with room_of(request).reading(identity_of(request)) as desk:
        if model or origin or since or until:
            whole = questions.history(desk, model, Wanted(origin), since, until)
            items, late = whole.items[::-1], len(whole.recorded_after)
            total, shown = len(items), items[rows.offset : rows.offset + SIZE]
            said = _replaced(whole, shown, number)
        else:
            shown, total = found.lately(desk.graph, rows)
            said, late = HistoryDocument("", "", "", "", "", "", shown, (), total), 0
    about = {"model": model, "origin": origin, "since": since, "until": until}
    return show(request, "history.html", said, lambda: {"number": number, "total": total, "late": late, "about": about})


def _replaced(whole: HistoryDocument, shown: tuple[Any, ...], number: int) -> HistoryDocument:
    return replace(whole, items=shown, recorded_after=whole.recorded_after[:SIZE] if number == 1 else ())


@both("/ledger")
def ledger(request: Request) -> Response:
    """How much is on record, and the newest checkpoint, to be kept elsewhere."""
    with room_of(request).reading(identity_of(request)) as desk:
        newest = _checkpoint(desk)
        entries = desk.graph.position()
    origin = newest.note.partition("\n")[0] if newest else ""
    return show(request, "ledger.html", LedgerLogDocument(origin, entries, (newest,) if newest else ()))


def _checkpoint(desk: Desk) -> CheckpointRef | None:
    seal = desk.graph.seals.newest()
    if seal is None:
        return None
    return CheckpointRef(seal.position, moment_of(seal.recorded).isoformat(), seal.note, bool(seal.timestamp))


router.add_api_route("/dossier", asked.report, methods=["GET"], response_model=None)
router.add_api_route("/bundle", asked.bundle, methods=["GET"], response_model=None)
