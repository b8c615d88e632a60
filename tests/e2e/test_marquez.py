"""The reference server's clients, for looking: its Python client itself, and every request that its web pages make.

The pages were built from Marquez' source (commit a89b89c) and looked at over this server; `PAGES` lists what they ask
for and what they read of the answers, so that it stays there. The client's wheel also brings a package `tests`, so it
lies in a directory of its own (`make setup`) and runs in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx2
import pytest

from lineage.events import dataset_event
from lineage.vocabulary import Artifact, Kind, Origin, Tag
from tests.e2e.test_server import served

CLIENT = Path(sys.prefix) / "marquez"
NOW = datetime.now(timezone.utc)
TIME = NOW.isoformat()
LAKE, RAW, CLEAN, MIX = "s3://lake", "raw/dialogues 1:2#3.jsonl", "clean.jsonl", "mix.jsonl"
LAKE_PATH, RAW_PATH = quote(LAKE, safe=""), quote(RAW, safe="")


class Site(NamedTuple):
    """A running server over a small project."""

    url: str
    reader: str
    runs: dict[str, list[str]]
    """Ids of runs by job, the oldest first."""

    def get(self, path: str, *, status: int = 200, method: str = "GET", **params: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.reader}"}
        answer = httpx2.request(method, f"{self.url}/api/{path}", headers=headers, params=params or None)
        assert answer.status_code == status, (path, answer.text)
        return answer.json() if answer.content else None

    def entries(self) -> int:
        return int(self.get("v1/status")["status"]["entries"])


def _facet(**said: Any) -> dict[str, Any]:
    return {"_producer": "https://example.com/p", "_schemaURL": "https://example.com/s.json", **said}


def _dataset(name: str, *fields: str, made_of: dict[str, list[tuple[str, str]]] | None = None, **more: Any) -> Any:
    facets = {}
    if fields:
        facets["schema"] = _facet(fields=[{"name": field, "type": "VARCHAR"} for field in fields])
    if made_of:
        facets["columnLineage"] = _facet(fields={
            column: {"inputFields": [
                {"namespace": LAKE, "name": name, "field": field, "transformations": [{"type": "DIRECT", "description": "f"}]}
                for name, field in inputs
            ]} for column, inputs in made_of.items()
        })  # fmt: skip
    return {"namespace": LAKE, "name": name, "facets": facets, **more}


def _events() -> tuple[list[Any], dict[str, list[str]]]:
    raw = _dataset(RAW, "id", "text", "who")
    clean = _dataset(CLEAN, "id", "text", made_of={"id": [(RAW, "id")], "text": [(RAW, "text"), (RAW, "who")]})
    mix = _dataset(MIX, "text", made_of={"text": [(CLEAN, "text")]})
    checked = _dataset(MIX, inputFacets={"dataQualityAssertions": _facet(
        assertions=[{"assertion": "not_null", "success": False, "column": "text"}]
    )})  # fmt: skip
    events: list[Any] = []
    runs: dict[str, list[str]] = {}

    def ran(job: str, minutes: int, inputs: list[Any], outputs: list[Any], end: str) -> None:
        run = str(uuid.uuid4())
        runs.setdefault(job, []).append(run)
        for kind, ago in (("START", minutes), (end, minutes - 3)):
            events.append({
                "eventType": kind, "eventTime": (NOW - timedelta(minutes=ago)).isoformat(),
                "producer": "https://example.com/p", "schemaURL": "https://example.com/s.json",
                "run": {"runId": run, "facets": {"processing_engine": _facet(version="3.5", name="spark")}},
                "job": {"namespace": "airflow", "name": job, "facets": {"documentation": _facet(description="what it does")}},
                "inputs": inputs, "outputs": outputs,
            })  # fmt: skip

    for i in range(12):
        ran("dag.clean", 700 - 40 * i, [raw], [clean], "COMPLETE")
    ran("dag.mix", 90, [clean], [mix], "COMPLETE")
    ran("dag.check", 60, [checked], [], "FAIL")
    alone = {"eventTime": NOW.isoformat(), "producer": "https://example.com/p"}
    events.append({**alone, "dataset": _dataset("alone.csv", "a")})
    events.append(
        json.loads(dataset_event(Artifact(LAKE, "alone.csv", tags=(Tag(Origin(Kind.FIRST_PARTY)),)), time=TIME))
    )
    events.append({**alone, "job": {"namespace": "airflow", "name": "static"}, "inputs": [_dataset("alone.csv")],
                   "outputs": [_dataset("copy.csv")]})  # fmt: skip
    return events, runs


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """See `Site`."""
    with served(tmp_path_factory.mktemp("marquez")) as server:
        events, runs = _events()
        producer = server.headers(server.token("producer", "Airflow", "airflow", f"{LAKE}*"))
        answer = httpx2.post(f"{server.url}/api/v1/lineage/batch", json=events, headers=producer)
        assert answer.status_code == 200, answer.text
        yield Site(server.url, server.token("reader", "Marquez' pages"), runs)
        server.stop()


ASKED = """
import json, sys
from marquez_client import MarquezClient
from marquez_client.errors import APIError
from marquez_client.models import DatasetType

url, token, lake, raw, run = sys.argv[1:]
client = MarquezClient(url, timeout_ms=30_000, api_key=token)
(version,) = client.list_dataset_versions(lake, raw)["versions"]
found = {
    "namespaces": client.list_namespaces(limit=1, offset=1),
    "namespace": client.get_namespace(lake),
    "sources": client.list_sources(),
    "source": client.get_source(lake),
    "datasets": client.list_datasets(lake, limit=2, offset=1),
    "dataset": client.get_dataset(lake, raw),
    "version": client.get_dataset_version(lake, raw, version["version"]),
    "jobs": client.list_jobs("airflow"),
    "job": client.get_job("airflow", "dag.clean"),
    "runs": client.list_job_runs("airflow", "dag.clean", limit=5, offset=10),
    "run": client.get_job_run(run),
    "columns": client.get_column_lineage_by_dataset(lake, "mix.jsonl", depth=1),
    "column": client.get_column_lineage_by_dataset_field(lake, raw, "who", with_downstream=True),
    "job columns": client.get_column_lineage_by_job("airflow", "dag.mix", depth=1),
    "tags": client.list_tags(),
}
refused = []
for act in (
    lambda: client.get_dataset(lake, "nothing"),
    lambda: client.create_namespace("mine", "me"),
    lambda: client.tag_dataset(lake, raw, "fine"),
    lambda: client.tag_dataset_field(lake, raw, "who", "fine"),
    lambda: client.create_tag("fine", "said so"),
    lambda: client.create_dataset(lake, "more", DatasetType.DB_TABLE, "more", lake),
):
    try:
        refused.append(act())
    except APIError as error:
        refused.append(error.__cause__.response.status_code)
print(json.dumps({"found": found, "refused": refused}))
"""


def test_the_python_client_looks_and_changes_nothing(site: Site) -> None:
    assert (CLIENT / "marquez_client").is_dir(), f"{CLIENT}: `make setup` installs Marquez' client there"
    run = site.runs["dag.clean"][0]
    before = site.entries()
    asked = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASKED, site.url, site.reader, LAKE, RAW, run],
        env={"PYTHONPATH": str(CLIENT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    answers = json.loads(asked.stdout)
    found = answers["found"]
    assert [space["name"] for space in found["namespaces"]["namespaces"]] == [LAKE]
    assert found["namespace"]["name"] == found["source"]["name"] == LAKE and found["source"]["type"] == "S3"
    assert [source["name"] for source in found["sources"]["sources"]] == [LAKE]  # where jobs run, nothing lies
    assert [dataset["name"] for dataset in found["datasets"]["datasets"]] == [CLEAN, "copy.csv"]
    assert found["datasets"]["totalCount"] == 5
    assert found["dataset"]["name"] == found["version"]["name"] == RAW
    assert [field["name"] for field in found["version"]["fields"]] == ["id", "text", "who"]
    assert [job["name"] for job in found["jobs"]["jobs"]] == ["static", "dag.check", "dag.mix", "dag.clean"]
    assert len(found["job"]["latestRuns"]) == 10 and found["job"]["latestRun"]["id"] == site.runs["dag.clean"][-1]
    assert [told["id"] for told in found["runs"]["runs"]] == site.runs["dag.clean"][1::-1]
    assert found["runs"]["totalCount"] == 12 and found["run"]["state"] == "COMPLETED"

    def cells(graph: str) -> set[str]:
        return {f"{node['data']['dataset']}.{node['data']['field']}" for node in found[graph]["graph"]}

    assert cells("columns") == cells("job columns") == {f"{MIX}.text", f"{CLEAN}.text"}
    assert cells("column") == {f"{RAW}.who", f"{RAW}.text", f"{CLEAN}.text", f"{MIX}.text"}
    assert [tag["name"] for tag in found["tags"]["tags"]] == ["first-party"]
    assert answers["refused"] == [404, 405, 404, 404, 404, 405]
    assert site.entries() == before


# What the pages read of an answer: `[]` each of a list, `?` absent or null is handled, `{}` an object of whatever.
RUN = ("id", "state", "createdAt", "startedAt?", "endedAt?", "durationMs?", "facets{}")
FACETS = ("facets{}", "facets.dataQualityAssertions?.assertions[].success")
FIELDS = ("fields[].name", "fields[].type?", "fields[].description?", "fields[].tags[]")
DATASET = (
    "id.namespace", "id.name", "name", "namespace", "sourceName", "type=DB_TABLE", "createdAt", "updatedAt", "tags[]",
    "description?", "deleted", "columnLineage?[].name", *FACETS, *FIELDS,
)  # fmt: skip
JOB = (
    "id.namespace", "id.name", "name", "namespace", "type=BATCH", "createdAt", "updatedAt", "tags[]", "description?",
    "location?", "parentJobName?", *(f"latestRun?.{field}" for field in RUN), *(f"latestRuns?[].{field}" for field in RUN),
)  # fmt: skip
EDGES = ("inEdges[].origin", "inEdges[].destination", "outEdges[].origin", "outEdges[].destination")
INTERVAL = ("[].startInterval", "[].endInterval")


def _of(prefix: str, *fields: str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{field}" for field in fields)


CLEAN_PATH = f"v1/namespaces/{LAKE_PATH}/datasets/{CLEAN}"
PAGES: dict[str, tuple[str, ...]] = {
    # on every page
    "v1/namespaces": _of("namespaces[]", "name", "isHidden"),
    "v1/tags": _of("tags[]", "name", "description"),
    # the first page
    "v1/stats/lineage-events?period=DAY&timezone=America/New_York": (*INTERVAL, *_of("[]", "fail", "start", "complete", "abort")),
    "v1/stats/lineage-events?period=WEEK&timezone=Asia/Kolkata": (*INTERVAL, *_of("[]", "fail", "start", "complete", "abort")),
    **{f"v1/stats/{things}?period={period}&timezone=Europe/Paris": (*INTERVAL, "[].count")
       for things in ("jobs", "datasets", "sources") for period in ("DAY", "WEEK")},
    "v1/jobs?limit=10&offset=0": ("totalCount", *_of("jobs[]", *JOB)),
    "v1/jobs?limit=10&offset=0&lastRunStates=FAILED": ("totalCount", *_of("jobs[]", *JOB)),
    # lists
    "v1/namespaces/airflow/jobs?limit=20&offset=0": ("totalCount", *_of("jobs[]", *JOB)),
    f"v1/namespaces/{LAKE_PATH}/datasets?limit=20&offset=0": ("totalCount", *_of("datasets[]", *DATASET)),
    f"v1/events/lineage?limit=50&before={NOW:%Y-%m-%dT%H:%M:%S}.000Z&after=2020-01-01T00:00:00.000Z&offset=0&sortDirection=desc":
        ("totalCount", *_of("events[]", "run.runId", "eventType", "eventTime", "job.name", "job.namespace")),
    # a dataset
    CLEAN_PATH: DATASET,
    f"v1/namespaces/{LAKE_PATH}/datasets/{RAW_PATH}": DATASET,
    f"{CLEAN_PATH}/versions?limit=1&offset=0":
        ("totalCount", *_of("versions[]", "version", "createdAt", "createdByRun?.id", "lifecycleState", "facets{}", *FIELDS)),
    # a job
    "v1/namespaces/airflow/jobs/dag.clean": JOB,
    "v1/namespaces/airflow/jobs/static": JOB,
    "v1/namespaces/airflow/jobs/dag.clean/runs?limit=14&offset=0": ("totalCount", *_of("runs[]", *RUN)),
    "v1/jobs/runs/{run}/facets?type=job": ("facets.documentation.description",),
    "v1/jobs/runs/{run}/facets?type=run": ("facets.processing_engine.name",),
    # graphs
    f"v1/lineage?nodeId=dataset:{LAKE_PATH}:{CLEAN}&depth=2": _of("graph[]", "id", "type", "data.id.name", *EDGES),
    f"v1/lineage?nodeId=dataset:{LAKE_PATH}:{RAW_PATH}&depth=5": _of("graph[]", "id", "type", "data.id.name", *EDGES),
    "v1/lineage?nodeId=job:airflow:static&depth=2": _of("graph[]", "id", "type", "data.id.name", *EDGES),
    f"v1/column-lineage?nodeId=dataset:{LAKE_PATH}:{CLEAN}&depth=2&withDownstream=true":
        _of("graph[]", "id", "data.namespace", "data.dataset", "data.field", *EDGES),
    # finding, and finding where they were built with advanced search
    "v1/search?q=clean&sort=UPDATE_AT&limit=100": _of("results[]", "name", "namespace", "nodeId", "type", "updatedAt"),
    "v1/search?q=clean&sort=NAME&limit=100&filter=JOB": _of("results[]", "name", "namespace", "nodeId", "type", "updatedAt"),
    "v2beta/search/jobs?q=clean":
        (*_of("hits[]", "run_id", "name", "namespace", "eventType", "runFacets.processing_engine?.name"), "highlights[].name[]"),
    "v2beta/search/datasets?q=clean":
        (*_of("hits[]", "run_id", "name", "namespace", "facets.schema?.fields[].name"), "highlights[].name[]"),
}  # fmt: skip
ACTS = {  # changes that the pages offer: there is one way to say something here, and it has a name under it
    f"DELETE {CLEAN_PATH}": 405, f"POST {CLEAN_PATH}/tags/x": 404, f"DELETE {CLEAN_PATH}/tags/x": 404,
    f"POST {CLEAN_PATH}/fields/id/tags/x": 404, f"DELETE {CLEAN_PATH}/fields/id/tags/x": 404,
    "DELETE v1/namespaces/airflow/jobs/dag.mix": 405, "POST v1/namespaces/airflow/jobs/dag.mix/tags/x": 404,
    "DELETE v1/namespaces/airflow/jobs/dag.mix/tags/x": 404, "PUT v1/tags/x": 404,
    "POST v1/jobs?runState=FAILED&limit=1&offset=0": 405,
}  # fmt: skip


def there(document: Any, path: str) -> None:
    """Hold a document to what the pages read of it."""
    part, _, rest = path.partition(".")
    part, equal, value = part.partition("=")
    each, may_lack, mapping = part.endswith("[]"), "?" in part, part.endswith("{}")
    name = part.rstrip("[]{}?")
    if name:
        assert isinstance(document, dict) and (may_lack or name in document), (name, document)
        document = document.get(name)
    if may_lack and document is None:
        return
    assert document is not None, path
    if equal:
        assert document == value
    if mapping:
        assert isinstance(document, dict)
    if each:
        assert isinstance(document, list), (path, document)
        assert document or not rest or name in ("inEdges", "outEdges", "fields"), f"{path}: an empty list shows nothing"
    for item in document if each else [document]:
        if rest:
            there(item, rest)


@pytest.mark.parametrize("path", PAGES)
def test_what_the_web_pages_ask_for_is_answered_as_they_read_it(site: Site, path: str) -> None:
    answer = site.get(path.replace("{run}", site.runs["dag.mix"][0]))
    for field in PAGES[path]:
        there(answer, field)
    if "graph" in answer:  # the layout fails on an edge into nothing, on a list where a node's fields are missing
        known = {node["id"] for node in answer["graph"]}
        for node in answer["graph"]:
            for edge in (*node["inEdges"], *node["outEdges"]):
                assert {edge["origin"], edge["destination"]} <= known
            for field in {"DATASET": DATASET, "JOB": JOB}.get(node["type"], ()):
                there(node["data"], field)
        if path.startswith("v1/lineage"):  # the pages look their node up by what stands in their own address
            kind, space, name = path.partition("nodeId=")[2].partition("&")[0].split(":")
            assert httpx2.URL(f"http://x/?q={kind}:{space}:{name}").params["q"] in known


@pytest.mark.parametrize("act", ACTS)
def test_the_web_pages_change_nothing(site: Site, act: str) -> None:
    before = site.entries()
    method, _, path = act.partition(" ")
    assert site.get(path, method=method, status=ACTS[act])["status"] == ACTS[act]
    assert site.entries() == before


def test_pages_totals_and_order(site: Site) -> None:
    def names(path: str, key: str, **params: Any) -> list[str]:
        return [item["name"] for item in site.get(path, **params)[key]]

    jobs = names("v1/jobs", "jobs")
    assert names("v1/jobs", "jobs", limit=2) + names("v1/jobs", "jobs", limit=9, offset=2) == jobs
    assert site.get("v1/jobs", limit=0) == {"totalCount": 4, "jobs": []}
    assert names("v1/jobs", "jobs", lastRunStates="FAILED") == ["static", "dag.check"]  # and what never ran, as there
    both = site.get("v1/jobs", lastRunStates=["FAILED", "COMPLETED"], offset=1, limit=2)
    assert [job["name"] for job in both["jobs"]] == ["dag.check", "dag.mix"] and both["totalCount"] == 4
    site.get("v1/jobs", lastRunStates="LATE", status=400)

    every = site.get("v1/events/lineage", limit=1_000)
    assert every["totalCount"] == len(every["events"]) == 28  # those of runs: the pages read a run of each
    times = [event["eventTime"] for event in every["events"]]
    assert times == sorted(times, reverse=True)
    assert [e["eventTime"] for e in site.get("v1/events/lineage", sortDirection="asc")["events"]] == times[::-1]
    page = site.get("v1/events/lineage", after=times[9], before=times[4], limit=2, offset=1)
    assert page["totalCount"] == 5 and [e["eventTime"] for e in page["events"]] == times[6:8]
    site.get("v1/events/lineage", before="tomorrow", status=400)

    newest = [hit["name"] for hit in site.get("v1/search", q=".", sort="UPDATE_AT", limit=1)["results"]]
    assert newest != [hit["name"] for hit in site.get("v1/search", q=".", limit=1)["results"]] == ["alone.csv"]

    (hours, days) = (site.get("v1/stats/lineage-events", period=p, timezone="Asia/Kolkata") for p in ("DAY", "WEEK"))
    assert (len(hours), len(days)) == (24, 7)
    for intervals in (hours, days):
        assert [sum(i[kind] for i in intervals) for kind in ("start", "complete", "fail", "abort")] == [14, 13, 1, 0]
        assert [i["endInterval"] for i in intervals][:-1] == [i["startInterval"] for i in intervals][1:]
    assert all(day["startInterval"].endswith("T00:00:00+00:00") for day in days)
    assert [i["count"] for i in site.get("v1/stats/jobs", period="DAY")][-1] == 4
    assert [i["count"] for i in site.get("v1/stats/sources", period="WEEK", timezone="UTC")][::6] == [0, 1]
    for wrong in ("../../etc/passwd", "Nowhere/Else", "a" * 99, ""):
        assert site.get("v1/stats/jobs", period="DAY", timezone=wrong, status=400)["code"] == "TIME_ZONE_UNKNOWN"
    site.get("v1/stats/jobs", period="YEAR", status=400)
    site.get("v1/stats/people", period="DAY", status=400)
    site.get("v1/column-lineage", nodeId=f"datasetField:{LAKE}:nothing:x", status=404)
    site.get("v1/column-lineage", nodeId="column:x", status=400)
    assert site.get("v1/column-lineage", nodeId=f"dataset:{LAKE}:alone.csv") == {"graph": []}
