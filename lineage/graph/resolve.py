"""What a set of pairs says now: each source's tags less approved corrections, or ``undeclared`` (laws 2, 8, 9).

A tag of basis ``imported`` is what somebody outside says: it stands, and ``undeclared`` stands beside it.

Sets hold sources, not labels: a tag, a correction or a late maker changes one source and nothing downstream is written.
A stored set keeps the labels it had at an epoch; they hold until one of its sources is retagged.
"""

from __future__ import annotations

import msgspec

from lineage.events.naming import display
from lineage.graph.pairs import MASK, USES
from lineage.graph.rows import BASES, BASIS_NUMBER, EXPLAINED, SourceKind
from lineage.graph.working import Codes, Working, matches, spoken_for
from lineage.vocabulary import Basis, Kind, Label, Origin

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[int]).decode


def generated_origin(working: Working, dataset: int) -> Origin:
    """The origin of what a model generates (law 6)."""
    row = working.dataset(dataset)
    name = display(working.namespace_text(row.namespace), row.name)
    return Origin(Kind.FIRST_PARTY_MODEL_OUTPUT, service=name)


def resolve(working: Working, source: int) -> tuple[bool, Codes]:
    """(whether it stands for anything, codes origin * 8 + basis) of a source now."""
    known = working.resolved.get(source)
    if known is None:
        known = working.resolved[source] = _resolve(working, source)
    return known


def _resolve(working: Working, source: int) -> tuple[bool, Codes]:
    row = working.source(source)
    if row.kind == SourceKind.NARROWED:
        live, codes = resolve(working, row.base)
        gone = [working.origin(o) for o in row.origins]
        return live, tuple(c for c in codes if not any(matches(g, working.origin(c >> 3)) for g in gone))
    if row.kind == SourceKind.GENERATED:
        return True, (working.origin_id(generated_origin(working, row.dataset)) << 3 | BASIS_NUMBER[Basis.OBSERVED],)
    node = working.node(row.node)
    codes = tuple(sorted(working.tags(source) - working.taken(node)))
    if node.flags & EXPLAINED:
        return bool(codes), codes
    return True, codes if spoken_for(codes) else (0, *codes)


def label_codes(working: Working, pairs: frozenset[int]) -> tuple[int, frozenset[int]]:
    """(number of sources, label codes) of pairs."""
    codes: set[int] = set()
    bottoms: set[int] = set()
    resolved = working.resolved
    for pair in pairs:
        source = pair >> 4
        live, own = resolved.get(source) or resolve(working, source)
        if live:
            bottoms.add(working.source(source).base or source)
            use = (pair & MASK) << 3
            for code in own:
                codes.add(code >> 3 << 7 | use | code & 7)
    return len(bottoms), frozenset(codes)


def label(working: Working, code: int) -> Label:
    """The label of a code."""
    return label_of(working.origin(code >> 7), code)


def label_of(origin: Origin, code: int) -> Label:
    """The label of a code whose origin is known."""
    return Label(origin, USES[code >> 3 & MASK], BASES[code & 7])


def pack_labels(sources: int, codes: frozenset[int]) -> bytes:
    """The stored form of what a set resolved to."""
    return _encode([sources, *sorted(codes)])


def unpack_labels(data: bytes) -> tuple[int, list[int]]:
    """(number of sources, label codes) of a stored form; raises msgspec.DecodeError."""
    sources, *codes = _decode(data) if data else [0]
    return sources, codes
