"""Small worlds of what other producers send: names without contents, other names for one thing, columns, facets that are
sent again or deleted, runs told in pieces, jobs and datasets told alone. A few of them say where data come from."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

SPACES = ("s3://lake", "S3://lake/", "postgres://db:5432")
NAMES = ("a", "b", "c", "d", "d/", "A")
KNOWN = tuple((space, name) for space in SPACES for name in NAMES)
"""Every name that is spoken of."""
TIMES = (
    "2024-05-01T10:00:00Z",
    "2024-05-01T10:00:00.123+02:00",
    "2024-05-01 10:00:00.5",
    "2023-01-01T00:00:00.123456789Z",
)
ORIGINS = (
    {"kind": "third-party-model-output", "provider": "openai", "service": "gpt-4"},
    {"kind": "first-party"},
    {"kind": "licensed", "provider": "acme"},
)

Json = dict[str, Any]
spaces = st.sampled_from(SPACES[:1] * 6 + SPACES)
names = st.builds(
    lambda space, name: {"namespace": space, "name": name}, spaces, st.sampled_from(NAMES[:4] * 2 + NAMES)
)


def _facet(**said: Any) -> Json:
    return {"_producer": "https://example.com/p", "_schemaURL": "https://example.com/s.json", **said}


@st.composite
def _facets(draw: Any) -> Json:
    found: Json = {}
    chosen = draw(st.integers(0, 19))
    if chosen < 2:
        found["symlinks"] = _facet(identifiers=[{**draw(names), "type": "TABLE"}])
    elif chosen < 4:
        inputs = [{**name, "field": "x"} for name in draw(st.lists(names, max_size=2))]
        found["columnLineage"] = _facet(fields={"y": {"inputFields": inputs}})
    elif chosen < 5:
        found["lifecycleStateChange"] = _facet(lifecycleStateChange="RENAME", previousIdentifier=draw(names))
    elif chosen < 7:
        found["schema"] = _facet(fields=[{"name": "x", "type": "int"}])
    elif chosen < 9:
        found["lineage_origin"] = _facet(tags=[{"origin": draw(st.sampled_from(ORIGINS))}])
    elif chosen < 11:  # what was said is to be taken back: nothing is
        for name in ("symlinks", "lineage_origin", "columnLineage"):
            found[name] = _facet(_deleted=True)
    return found


@st.composite
def _datasets(draw: Any) -> Json:
    return {**draw(names), **({"facets": facets} if (facets := draw(_facets())) else {})}


@st.composite
def events(draw: Any) -> bytes:
    """One event."""
    said: Json = {"eventTime": draw(st.sampled_from(TIMES)), "producer": "https://example.com/p"}
    if draw(st.booleans()):
        said["schemaURL"] = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return json.dumps({**said, "dataset": draw(_datasets())}).encode()
    said["job"] = {"namespace": "airflow", "name": draw(st.sampled_from(("load", "clean")))}
    for key in ("inputs", "outputs"):
        found = draw(st.lists(_datasets(), max_size=2))
        if found or draw(st.booleans()):
            said[key] = found
    if kind > 1:
        said["run"] = {"runId": draw(st.sampled_from(("0192f0c1-7d8e-7000-8000-00000000000a", "fake_run_id", "r2")))}
        said["eventType"] = draw(st.sampled_from(("START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER")))
    return json.dumps(said, indent=draw(st.sampled_from((None, 1)))).encode()


worlds = st.lists(events(), max_size=10)
