"""What people and runs said, with the entries that hold it: acts, claims and what became of them, steps of a path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lineage.events.event import act_of
from lineage.events.naming import display
from lineage.graph import rows
from lineage.graph.closure import Closure
from lineage.graph.executions import Telling, earliest, evidence, together
from lineage.graph.keys import key_of_text, key_text, node_key, run_key
from lineage.graph.names import any_artifact, hop_listing, stage_of, tag_entries
from lineage.graph.project import claim_of, event_at
from lineage.graph.questions import ClaimState, CorrectionRecord, Executions, Maker, RemovalRecord, Said
from lineage.graph.rows import BASES, Act, Run
from lineage.graph.walk import Hop
from lineage.graph.working import Working, contradicts, matches
from lineage.ledger import happened
from lineage.ledger.clock import moment_of
from lineage.vocabulary import Basis, Correction, Label, Origin, Removal


def said(working: Working, kinds: Sequence[Act], key: str | None) -> list[Said]:
    """Acts of some kinds, in the order of recording."""
    marks = ", ".join("?" * len(kinds))
    sql = f"SELECT DISTINCT entry FROM act WHERE kind IN ({marks})"  # noqa: S608 - question marks
    arguments: list[int | str] = [int(kind) for kind in kinds]
    if key is not None:
        sql += " AND key = ?"
        arguments.append(key)
    out = []
    for (position,) in working.store.rows(f"{sql} ORDER BY entry", arguments):
        event = event_at(working, position)
        act = act_of(event)
        if act is not None:
            out.append(Said(position, moment_of(working.entry(position)[1]).isoformat(), event.time, act))
    return out


def claims(working: Working, kind: Act) -> list[RemovalRecord | CorrectionRecord]:
    """Every claim of a kind with what became of it. Sayings that differ in anything but the approval are two claims."""
    together: dict[object, list[Said]] = {}
    for item in said(working, (kind,), None):
        assert isinstance(item.act, (Removal, Correction))
        together.setdefault((item.act.id, claim_of(item.act)), []).append(item)
    return [_record(working, items) for items in together.values()]


def _record(working: Working, items: Sequence[Said]) -> RemovalRecord | CorrectionRecord:
    acts = [item.act for item in items if isinstance(item.act, (Removal, Correction))]
    claimed = next((i for i, a in zip(items, acts, strict=True) if not a.approved_by), None)
    second = next(((i, a) for i, a in zip(items, acts, strict=True) if a.in_force), None)
    own = any(a.approved_by for a in acts)
    act, void = acts[0], ""
    if isinstance(act, Removal):
        void = _contradiction(working, act)
    state = ClaimState.OWN_APPROVAL if own else ClaimState.WAITING
    if second is not None:
        act = second[1]
        state = ClaimState.VOID if void else ClaimState.IN_FORCE if claimed else ClaimState.UNCLAIMED
    positions = tuple(item.position for item in items)
    times = claimed.happened if claimed else "", second[0].happened if second else ""
    if isinstance(act, Removal):
        return RemovalRecord(act, state, *times, void, positions)
    return CorrectionRecord(act, state, *times, positions)


def _contradiction(working: Working, removal: Removal) -> str:
    """The match that says that the origin is still there, in words; empty when there is none."""
    key = key_of_text(removal.content)
    node = working.find_node(key)
    if node is None:
        return ""
    for at in working.inside(node):
        codes = working.tags(at.source) - working.taken(at) if at.source else set()
        for _, origin, basis, position in working.store.lookup(rows.TAGS, (at.source,) if at.source else ()):
            value = working.origin(origin)
            if origin << 3 | basis in codes and BASES[basis] is Basis.MATCHED and contradicts(removal.origin, value):
                artifact = any_artifact(working, at)
                where = display(artifact.namespace, artifact.name) if artifact else removal.content
                when = moment_of(working.entry(position)[1]).isoformat()
                return f"{where} was matched with {_words(value)}, recorded {when}"
    return ""


def _words(origin: Origin) -> str:
    return "/".join(part for part in (origin.kind.value, origin.provider, origin.service) if part)


def speaks_of(working: Working, record: RemovalRecord | CorrectionRecord, nodes: Iterable[int]) -> bool:
    """Whether a claim is about one of some nodes."""
    act = record.removal if isinstance(record, RemovalRecord) else record.correction
    node = working.find_node(key_of_text(act.content))
    return node is not None and node.id in nodes


def removed_from(
    working: Working, lineage: Iterable[int], sources: set[int], wanted: Label, found: Iterable[RemovalRecord]
) -> tuple[str, ...]:
    """Ids of the removals in force that took a label of some sources out of a lineage; it may take several together."""
    nodes = set(lineage)
    ids: dict[str, None] = {}
    for record in found:
        removal = record.removal
        if record.state is ClaimState.IN_FORCE and matches(removal.origin, wanted.origin):
            covered = (working.find_node(key_of_text(text)) for text in removal.sources)
            if speaks_of(working, record, nodes) and any(node and node.id in sources for node in covered):
                ids[removal.id] = None
    return tuple(ids)


def maker(working: Working, run: Run) -> Maker:
    """A run, by what its events say."""
    again = [position for _, position in working.store.lookup(rows.AGAIN, (run.id,))]
    events = [event_at(working, position) for position in (run.entry, *again)]
    inputs = [key_text(node_key(d.namespace, d.name, d.artifact.content)) for event in events for d in event.inputs]
    named = next((e for e in events if e.run), events[0])
    stages = [stage for event in events if (stage := stage_of(event))]
    run_id = named.run.run_id if named.run else ""
    return Maker(run_id, stages[0] if stages else "", tuple(dict.fromkeys(inputs)), named.time, run.entry)


def first_entry(working: Working, run_id: str) -> int | None:
    """The first entry that tells of a run; None where none does."""
    return next(
        (working.run(number).entry for _, number in working.store.lookup(rows.RUN_BY_KEY, [run_key(run_id)])), None
    )


def watched(working: Working, run_id: str) -> frozenset[str]:
    """The executions of which the events of a run say what was seen."""
    found: set[str] = set()
    for _, number in working.store.lookup(rows.RUN_BY_KEY, [run_key(run_id)]):
        again = [position for _, position in working.store.lookup(rows.AGAIN, (number,))]
        for position in (working.run(number).entry, *again):
            run = event_at(working, position).run
            facet = run.facets.observation if run and run.facets else None
            found.update(facet.observation.executions if facet else ())
    return frozenset(found)


def executions(working: Working, closure: Closure) -> Executions:
    """How many executions there are, when they happened, and how they are known."""
    return counted(tellings(working, closure))


def tellings(working: Working, closure: Closure) -> list[list[Telling]]:
    """The executions, each with the events that tell of it."""
    positions = {position for found in closure.runs.values() for position in found}
    return together(
        Telling(p, moment_of(working.entry(p)[1]).isoformat(), event_at(working, p)) for p in sorted(positions)
    )


def counted(found: Sequence[Sequence[Telling]]) -> Executions:
    """Executions from `tellings`, summed up."""
    times = sorted((happened(time).microseconds, time) for time in map(earliest, found))
    levels = Counter(map(evidence, found))
    return Executions(len(found), times[0][1] if times else "", times[-1][1] if times else "", dict(levels))


def step_entries(working: Working, hops: Sequence[Hop], wanted: Label) -> tuple[tuple[int, ...], ...]:
    """For each step of a path the entries that say so."""
    out = []
    for i, hop in enumerate(hops):
        if hop.run:
            again = [position for _, position in working.store.lookup(rows.AGAIN, (hop.run,))]
            out.append((working.run(hop.run).entry, *again))
        elif i == 0:
            out.append(tuple(tag_entries(working, working.node(hop.node), wanted)))
        else:
            out.append((hop_listing(working, hops, i)[0],))
    return tuple(out)
