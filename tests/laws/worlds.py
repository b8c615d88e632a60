"""Small worlds for the laws: few names and contents, so that cycles, shared files and equal contents abound."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from lineage.events import dataset_event, run_event
from lineage.events.event import act_event
from lineage.vocabulary import (
    Artifact,
    ArtifactType,
    Basis,
    Content,
    Correction,
    Input,
    Kind,
    Member,
    Origin,
    Removal,
    Tag,
    Use,
)

SPACE = "dvc://p"
NAMES = ("a", "b", "c", "d", "dir", "m")
FILES = tuple(f"md5:{c * 32}" for c in "12345678")
DIRECTORIES = tuple(f"md5:{c * 32}.dir" for c in "ef")
EMPTY = "md5:d41d8cd98f00b204e9800998ecf8427e"
ORIGINS = (
    Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4", "azure-openai"),
    Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-3"),
    Origin(Kind.FIRST_PARTY),
    Origin(Kind.UNDECLARED),
)
USES = (Use.CONTENT, Use.CONTENT, Use.CONTENT, Use.EVALUATION, Use.FINE_TUNING, Use.ANNOTATION, Use.BASE_MODEL)
TIMES = tuple(f"2023-0{i}-01T00:00:00Z" for i in range(1, 10))

bases = st.sampled_from([Basis.DECLARED, Basis.OBSERVED, Basis.MATCHED, Basis.IMPORTED])
tags = st.builds(Tag, st.sampled_from(ORIGINS), bases, st.sampled_from("xy"))


@st.composite
def artifacts(draw: Any, tagged: int = 15) -> Artifact:
    kind = draw(st.integers(0, 19))
    if kind < 14:
        content = Content(draw(st.sampled_from(FILES)))
    elif kind == 14:
        content = Content(EMPTY)
    elif kind == 15:
        content = Content(draw(st.sampled_from(FILES)), size=3)
    elif kind == 16:
        content = None
    else:
        files = draw(st.lists(st.sampled_from((*FILES, EMPTY, *DIRECTORIES)), max_size=3))
        content = Content(
            draw(st.sampled_from(DIRECTORIES)), members=tuple(Member(f"f{i}", h) for i, h in enumerate(files))
        )
    return Artifact(
        SPACE,
        draw(st.sampled_from(NAMES)),
        content,
        ArtifactType.MODEL if draw(st.integers(0, 3)) == 0 else ArtifactType.DATASET,
        (draw(tags),) if draw(st.integers(0, 99)) < tagged else (),
    )


@st.composite
def runs(draw: Any) -> bytes:
    return run_event(
        run_id=f"r{draw(st.integers(0, 5))}",
        job=(SPACE, "stage"),
        time=draw(st.sampled_from(TIMES)),
        inputs=draw(st.lists(st.builds(Input, artifacts(), st.sampled_from(USES)), max_size=3)),
        outputs=draw(st.lists(artifacts(), max_size=2)),
    )


@st.composite
def declarations(draw: Any) -> bytes:
    return dataset_event(draw(artifacts(tagged=80)), time=draw(st.sampled_from(TIMES)))


@st.composite
def removals(draw: Any) -> bytes:
    removal = Removal(
        id=draw(st.sampled_from(["1", "2"])),
        origin=draw(st.sampled_from([*ORIGINS, Origin(Kind.THIRD_PARTY_MODEL_OUTPUT)])),
        content=draw(st.sampled_from([*FILES[:4], DIRECTORIES[0], f"{SPACE}/a"])),
        sources=tuple(draw(st.sampled_from([FILES[:3], FILES[3:6], (*DIRECTORIES, FILES[0]), (f"{SPACE}/m",)]))),
        claimed_by=draw(st.sampled_from(["Alice <a@x.org>", "Alice <a@x.org>", "Ann <a@x.org>"])),
        approved_by=draw(st.sampled_from(["", "", "bob", "bob", " ALICE ", "A <A@x.org>"])),
    )
    return act_event(removal, run_id="x", time=TIMES[0])


@st.composite
def corrections(draw: Any) -> bytes:
    correction = Correction(
        id=draw(st.sampled_from(["3", "4"])),
        origin=draw(st.sampled_from(ORIGINS[:2])),
        basis=draw(bases),
        content=draw(st.sampled_from([*FILES[:3], f"{SPACE}/a"])),
        claimed_by="alice",
        approved_by=draw(st.sampled_from(["", "bob", "alice"])),
    )
    return act_event(correction, run_id="x", time=TIMES[0])


other_names = st.lists(st.sampled_from(NAMES), max_size=2)


@st.composite
def foreign(draw: Any) -> bytes:
    """What other producers send: unknown facets, deletions, empty lists, job events, other names, no facets at all."""
    name = draw(st.sampled_from(NAMES))
    deleted = {"_producer": "x", "_schemaURL": "y", "_deleted": True}
    dataset: dict[str, Any] = {"namespace": SPACE, "name": name}
    if draw(st.booleans()):
        dataset["facets"] = {
            "schema": deleted,
            "lifecycleStateChange": {"lifecycleStateChange": "DROP"},
            "lineage_content": {"hash": draw(st.sampled_from(FILES))},
        }
    others = [{"namespace": SPACE, "name": n, "field": "f", "type": "DATASET"} for n in draw(other_names)]
    said = draw(st.integers(0, 9))
    facets = {
        0: {"symlinks": {"identifiers": others}},
        1: {"symlinks": {"identifiers": others}, "schema": None},
        2: {"lifecycleStateChange": {"lifecycleStateChange": "RENAME", "previousIdentifier": (*others, None)[0]}},
        3: {"columnLineage": {"fields": {"c": {"inputFields": others}}}},
        4: {"lineage": {"inputs": others}},
        5: {"symlinks": deleted, "columnLineage": deleted, "lineage": {"inputs": []}},
    }
    if said in facets:
        dataset["facets"] = {**dataset.get("facets", {}), **facets[said]}
    event: dict[str, Any] = {"eventTime": "2023-05-05T00:00:00", "producer": "other", "schemaURL": "z"}
    shape = draw(st.integers(0, 5))
    if shape == 0:
        event |= {"dataset": dataset}
    elif shape == 1:
        event |= {"job": {"namespace": SPACE, "name": "j", "facets": {"x": deleted}}}
    elif shape == 2:
        event |= {"job": {"namespace": SPACE, "name": "j"}, "inputs": [dataset], "outputs": []}
    else:
        kind = draw(st.sampled_from(["START", "RUNNING", "FAIL", "ABORT", "OTHER", "COMPLETE"]))
        run = {"runId": f"r{draw(st.integers(0, 5))}", "facets": {"parent": {"run": {"runId": "q"}}}}
        event |= {"eventType": kind, "run": run, "job": {"namespace": SPACE, "name": "j"}}
        event |= {"inputs": [dataset] if shape == 3 else [], "outputs": [dataset] if draw(st.booleans()) else []}
        event |= {"dataset": dataset} if shape == 5 else {}
    return json.dumps(event).encode()


facts = st.one_of(runs(), runs(), runs(), declarations(), foreign())
"""Everything but what people agree to take out or take back."""
events = st.one_of(runs(), runs(), runs(), runs(), declarations(), declarations(), removals(), corrections(), foreign())
plain_histories = st.lists(facts, min_size=1, max_size=14)
histories = st.lists(events, min_size=1, max_size=14)

UNIVERSE: list[Artifact] = [
    *(Artifact(SPACE, "a", Content(h)) for h in (*FILES, *DIRECTORIES)),
    *(Artifact(SPACE, n) for n in NAMES),
    *(Artifact(SPACE, n, Content(EMPTY)) for n in NAMES),
    *(Artifact(SPACE, n, Content(FILES[0], size=3)) for n in NAMES[:2]),
]
"""Every artifact a history may name, and some more."""


def asked(artifact: Artifact) -> dict[str, Any] | None:
    """An artifact's content as the reference wants it."""
    content = artifact.content
    return None if content is None else {"hash": content.hash, "size": content.size}
