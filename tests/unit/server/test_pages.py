"""Pages without a browser: who sees what, hostile names on every page, forms without any script, sessions."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode

import html5lib
import msgspec
import pytest

from lineage.config import Config
from lineage.events.event import dataset_event, run_event
from lineage.gate import Gate
from lineage.gate.removal import claim_correction, claim_removal
from lineage.server.access import ANYONE, RULES
from lineage.server.pages.door import COOKIE, KEPT, Sessions, local
from lineage.server.pages.show import SIZE, address
from lineage.vocabulary import (
    Artifact,
    ArtifactType,
    Basis,
    Call,
    Change,
    Content,
    Execution,
    Happening,
    Input,
    Kind,
    Observation,
    Origin,
    Scope,
    Tag,
)
from lineage.vocabulary.identifier import new_uuid
from tests.unit.server.conftest import GPT, GPT_DATA, MODEL, OWN_DATA, TIME, House

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
HOSTILE = (
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "x" * 1_950,
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}",
    "a\nb",
)
PAGES = (
    "/", "/index", "/search", "/artifact", "/hop", "/observed", "/source", "/decisions", "/decision", "/history", "/ledger",
    "/policy", "/undeclared", "/grants", "/removals", "/corrections", "/question", "/recall",
)  # fmt: skip


class Forms(HTMLParser):
    """The forms of a page, as a browser without script has them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._at = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._at = told["action"]
            self.found[self._at] = {}
        if tag == "input" and self._at and told.get("type") == "hidden":
            self.found[self._at][told["name"]] = told["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._at = ""


def look(house: House, path: str, who: str | None = "reader", **more: Any) -> Any:
    """Open a page as a browser does."""
    return house("GET", path, who, headers={**BROWSER, **more.pop("headers", {})}, **more)


def fill(house: House, page: str, action: str, who: str = "steward", **fields: str) -> Any:
    """Open a page, fill in one of its forms, send it; the answer before any redirect."""
    opened = look(house, page, who)
    assert opened.status_code == 200, opened.text
    form = Forms(opened.text).found[action]
    return house("POST", action, who, data={**form, **fields}, headers=BROWSER, follow_redirects=False)


def record(project: Config, *events: bytes) -> None:
    with Gate.open(project) as gate:
        gate.record(list(events))


def test_every_page_answers_people_and_programs(house: House) -> None:
    query = {
        "/search": "?q=seed", "/artifact": "?target=models:/seed-chat/1", "/hop": "?target=models:/seed-chat/1",
        "/source": "?target=s3://lake/raw/gpt.jsonl", "/observed": "?target=models:/seed-chat/1",
        "/decision": f"?id={house('GET', '/decisions.json').json()['decisions'][0]['id']}",
    }  # fmt: skip
    assert set(PAGES) == {route[4:] for route in RULES if route.startswith("GET /") and f"{route}.json" in RULES} | {
        "/"
    }
    for path in PAGES:
        answer = look(house, path + query.get(path, ""))
        assert answer.status_code == 200, (path, answer.text)
        assert answer.headers["content-type"].startswith("text/html")
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        html5lib.HTMLParser(strict=True).parse(answer.text)
        if path == "/":
            continue
        document = house("GET", f"{path}.json{query.get(path, '')}")
        assert document.headers["content-type"] == "application/json", path
        asked = house("GET", path + query.get(path, ""), headers={"Accept": "application/json"})
        told = [answer.json() for answer in (document, asked)]
        for one in told:  # a verdict that is not recorded has an id and a time of its own
            for version in one["versions"] if path == "/recall" else ():
                version["decision"] |= {"id": "", "time": ""}
            one["check"] = {k: v for k, v in one.get("check", {}).items() if k not in ("id", "time")}
        assert told[0] == told[1]


def test_the_artifact_page_begins_with_the_verdict(house: House) -> None:
    text = look(house, "/artifact?target=models:/seed-chat/1").text
    order = [
        '<p class="word bad">Refused</p>', "would be refused by lineagegate", "Refused by rule no-gpt", "s3://lake/raw/gpt.jsonl",
        "<svg", "What it carries", "What it was made from", "one hop up",
    ]  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    same = look(
        house,
        f"/artifact?{urlencode({'namespace': MODEL.namespace, 'name': MODEL.name, 'content': MODEL.content.hash})}",
    )  # type: ignore[union-attr]
    assert same.status_code == 200 and "Refused" in same.text
    # a link cannot put the name of one thing over the content of another
    forged = {"namespace": MODEL.namespace, "name": MODEL.name, "content": OWN_DATA.content.hash}  # type: ignore[union-attr]
    assert look(house, f"/artifact?{urlencode(forged)}").status_code == 404


def test_what_was_seen_of_the_runs_behind_a_model(house: House, project: Config) -> None:
    made = Artifact("dvc://p", "data/made.txt", Content("md5:" + "5" * 32, 900))
    seen = Tag(GPT, Basis.OBSERVED, "lineagegate exec", reason="1,204 calls to api.openai.com while it was made")
    own = Tag(Origin(Kind.HUMAN_ANNOTATION), by="Ada")
    model = Artifact("mlflow://m", "models/seen/1", Content("md5:" + "6" * 32, 900), ArtifactType.MODEL)
    calls = (Call("api.openai.com", 1204, "requests", "openai"), Call("own.openai.azure.com", 1, "requests", "azure-openai", "evaluation"))  # fmt: skip
    observation = Observation(
        ("1-2@3",), TIME, TIME, 0, "python", calls=calls, undeclared=(GPT_DATA.name, "code.txt"), libraries=("vllm",),
        notes=("data/own.txt, a dependency, was replaced after the command had begun",),
    )  # fmt: skip
    record(
        project,
        run_event(
            run_id=str(new_uuid()), job=("dvc://p", "dvc.yaml:make"), time=TIME,
            inputs=[Input(OWN_DATA), Input(GPT_DATA)], outputs=[msgspec.structs.replace(made, tags=(seen,))],
            execution=Execution("dvc", "dvc.yaml:make", "observed"), observation=observation,
        ),
        dataset_event(msgspec.structs.replace(made, tags=(own,)), time=TIME),
        run_event(
            run_id=str(new_uuid()), job=("dvc://p", "dvc.yaml:train"), time=TIME, inputs=[Input(made)], outputs=[model],
            execution=Execution("dvc", "dvc.yaml:train"),
        ),
    )  # fmt: skip
    assert 'hx-get="/observed?' in look(house, "/artifact?target=models:/seen/1").text
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", look(house, "/observed?target=models:/seen/1").text))
    said = house("GET", "/observed.json?target=models:/seen/1").json()
    for part in (
        "Of 2 executions behind it 1 was seen while it ran and 1 is stated by a record alone.",
        "That nothing was seen of an execution says nothing about it.",
        "declared as human-annotation; observed: 1,204 calls to api.openai.com while it was made",
        "1,204 calls to api.openai.com (openai)", "1 call to own.openai.azure.com (openai), declared as evaluation",
        "read raw/gpt.jsonl , which no stage declares: third-party-model-output, openai/gpt-4 via azure-openai",
        "read code.txt , which no stage declares", "vllm was loaded, which runs models on the machine itself",
        "was replaced after the command had begun", "nobody looked",
    ):  # fmt: skip
        assert part in text, (part, text)
    assert said["evidence"] == {"observed": 1, "asserted": 1} and said["total"] == 2
    assert [run["run"] for run in said["runs"]] == ["make", "train"]
    assert [read["labels"] is None for read in said["runs"][0]["seen"][0]["reads"]] == [False, True]
    assert said["contradictions"][0]["artifact"]["name"] == "data/made.txt"
    case = house("GET", "/dossier?model=models:/seen/1&format=json").json()
    assert (case["runs"], case["contradictions"]) == (said["runs"], said["contradictions"])
    (notice,) = house("GET", "/api/v1/contains?model=models:/seen/1&origin=openai").json()["notices"]
    assert notice.endswith("observed: 1,204 calls to api.openai.com while it was made")
    assert notice in look(house, "/question?model=models:/seen/1&origin=openai").text


def test_what_a_model_was_refused_for_before_it_had_a_version(house: House, project: Config) -> None:
    with Gate.open(project) as gate:
        gate.judge(None, model="ghost", subject="models:/ghost", action="register", missing="no run is known")
    assert "no run is known" in look(house, "/artifact?target=models:/ghost").text


def test_a_question_is_answered_in_the_words_of_the_dossier(house: House) -> None:
    text = look(house, "/question?model=models:/seed-chat/1&origin=openai").text
    assert "Does models:/seed-chat/1 contain anything of the origin “openai”?" in text and '"word bad">Yes<' in text
    for part in (
        "What the answer rests on",
        "The paths",
        "The data by origin",
        "Permissions (grants)",
        "raw/gpt.jsonl",
    ):
        assert part in text, part
    assert '<rect width="50%"' in text  # a bar without a style, which the page's policy forbids
    assert (
        "redact=people%2Cpaths" in text and 'format=pdf&amp;model=models%3A%2Fseed-chat%2F1&amp;origin=openai"' in text
    )
    assert "style=" not in re.sub(r"<svg.*?</svg>", "", text, flags=re.S)
    said = house("GET", "/question.json?model=models:/seed-chat/1&origin=openai").json()
    assert said["contains"]["answer"]["contains"] == "yes" and "openai" in said["share"]["sentence"]
    assert '"word bad">Refused<' in look(house, "/question?model=models:/seed-chat/1").text
    assert house("GET", "/question.json").json() == {"contains": None, "share": None}
    assert look(house, "/question?model=models:/seed-chat/1&origin=openia").status_code == 400
    assert look(house, "/question?model=nothing").status_code == 404
    unknown = look(house, "/question?model=seed-chat&origin=openai").text  # as people call it
    assert '<a href="/search?q=seed-chat">Search for' in unknown


def test_what_would_be_recalled(house: House, project: Config) -> None:
    with Gate.open(project) as gate:
        gate.changed(
            Change("seed-chat", Happening.CREATED, "1", "", "", "ann", MODEL.namespace),
            Change("seed-chat", Happening.ALIAS, "1", "production", "", "ann", MODEL.namespace),
        )
    text = look(house, "/recall").text
    assert "1 version is to be recalled" in text and "production" in text and "no-gpt: third-party" in text
    assert house("GET", "/recall.json").json()["versions"][0]["recall"] is True


def test_a_model_of_several_versions_is_a_list_of_them(house: House, project: Config) -> None:
    second = Artifact(MODEL.namespace, "models/seed-chat/2", Content("md5:" + "9" * 32, 5), ArtifactType.MODEL)
    record(project, dataset_event(second, time=TIME))
    with Gate.open(project) as gate:
        said = gate.judge(second, model="seed-chat", subject="models:/seed-chat", action="register")
        gate.changed(
            Change("seed-chat", Happening.CREATED, "1", "", "", "ann", MODEL.namespace),
            Change("seed-chat", Happening.CREATED, "2", "", said.id, "ann", MODEL.namespace),
        )
    text = look(house, "/artifact?target=models:/seed-chat").text
    assert "It has 2 versions" in text and text.index("seed-chat/2</bdi>") < text.index("seed-chat/1</bdi>")
    found = house("GET", "/artifact.json?target=models:/seed-chat").json()
    assert [version["number"] for version in found["versions"]] == ["2", "1"]
    assert "It let <a" in look(house, f"/decision?id={said.id}").text


def test_search(house: House) -> None:
    def hits(query: str) -> list[tuple[str, str]]:
        found = house("GET", f"/search.json?q={quote(query)}").json()
        return [(hit["kind"], hit["name"]) for hit in found["hits"]]

    assert hits("seed-chat") == [("model", "models:/seed-chat/1")]
    assert hits("models:/seed-chat/1") == [("model", "models:/seed-chat/1")]
    assert ("dataset", "s3://lake/raw/gpt.jsonl") in hits("GPT.json")
    assert hits("a" * 32) == [("dataset", "s3://lake/raw/gpt.jsonl")]
    assert hits("md5:" + "a" * 32) == [("dataset", "s3://lake/raw/gpt.jsonl")]
    assert ("provider", "openai") in hits("gpt-4")
    decision = house("GET", "/decisions.json").json()["decisions"][0]["id"]
    assert hits(decision.lower()) == [("decision", decision)]
    for text in ("%", "_", "!", "' OR 1=1 --", *HOSTILE):
        assert ("dataset", "s3://lake/raw/own.jsonl") not in hits(text) or text == "_"
        assert look(house, f"/search?q={quote(text)}").status_code == 200


def test_hostile_names_on_every_page(house: House, project: Config) -> None:
    for number, name in enumerate(HOSTILE, start=1):
        bad = Origin(Kind.LICENSED, name, name, name)
        data = Artifact(
            "s3://lake",
            f"{name}/d",
            Content("md5:" + f"{100 * number:032x}", 5000),
            tags=(Tag(bad, by=f"{name} <m@example.com>", reason=name, evidence=name),),
        )
        other = Artifact("s3://lake", f"{name}/o", Content("md5:" + f"{100 * number + 1:032x}", 5000))
        model = Artifact(
            "mlflow://m",
            f"models/{name}/1",
            Content("md5:" + f"{100 * number + 2:032x}", 5000),
            ArtifactType.MODEL,
        )
        run = run_event(
            run_id=str(new_uuid()),
            job=("airflow", name),
            time=TIME,
            inputs=[Input(GPT_DATA), Input(data), Input(other)],
            outputs=[model],
            execution=Execution("exec", name, "observed"),
            observation=Observation(
                ("1-2@3",),
                TIME,
                TIME,
                0,
                "python",
                calls=(Call(name, 3, "requests", model=name),),
                hosts=(name,),
                undeclared=(data.name, name),
                notes=(name,),
                faults=(name,),
            ),
        )
        with Gate.open(project) as gate:
            gate.record([dataset_event(data, time=TIME), run])
            gate.judge(
                model, model=name, subject=f"models:/{name}/1", action="register", attributes={"stage": name}, by=name
            )
            gate.grant(Scope(provider="openai", model=name), reference=name, approver=name, reason=name)
            claim_removal(gate, model.content.hash, bad, checked=name, result=name, evidence=f"T {name}", reason=name)  # type: ignore[union-attr]
            claim_correction(gate, data.content.hash, bad, reason=name)  # type: ignore[union-attr]
        place = urlencode({"namespace": model.namespace, "name": model.name, "content": model.content.hash})  # type: ignore[union-attr]
        below = urlencode({"namespace": data.namespace, "name": data.name, "content": data.content.hash})  # type: ignore[union-attr]
        id_ = house("GET", "/decisions.json").json()["decisions"][0]["id"]
        for path in (
            "/", f"/search?q={quote(name)}", f"/artifact?{place}", f"/artifact?{below}", f"/hop?{place}", f"/hop?{below}&made=false", f"/observed?{place}",
            f"/source?{below}", "/source?origin=openai", "/decisions", f"/decisions?model={quote(name)}", f"/decision?id={id_}",
            "/grants", "/removals", "/corrections", "/undeclared", f"/declare?{place}", "/history", f"/history?model={model.content.hash}",  # type: ignore[union-attr]
            "/policy", f"/artifact?target={quote(name)}", "/recall", f"/question?model={model.content.hash}",  # type: ignore[union-attr]
            f"/question?model={quote(name)}&origin={quote(name)}", f"/login?next={quote(name)}", f"/grants?done={quote(name)}",
        ):  # fmt: skip
            answer = look(house, path, "steward")
            assert answer.status_code in (200, 404), (path, answer.text[-600:])
            text = answer.text
            tree = html5lib.parse(text, namespaceHTMLElements=False)
            scripts = [element.attrib for element in tree.iter("script")]
            assert scripts == [{"src": "/static/htmx.min.js", "defer": ""}], path
            assert not list(tree.iter("img")), path
            assert not [e for e in tree.iter() if any(str(a).startswith("on") for a in e.attrib)], path
            links = [e.attrib["href"] for e in tree.iter("a")]
            assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in links), path
            shown = re.sub(r"(?s)<(input|textarea|option)[^>]*>", "", text)
            assert "\u202e" not in shown, path
    assert look(house, "/search?q=alert").text.count("&lt;script&gt;") >= 1


def test_what_is_long_comes_in_pages(house: House, project: Config) -> None:
    names = [Artifact("s3://lake", f"many/{n:03d}", Content(f"md5:{n:032x}", 5000)) for n in range(130)]
    run = run_event(
        run_id=str(new_uuid()),
        job=("airflow", "j"),
        time=TIME,
        inputs=[Input(OWN_DATA), *map(Input, names)],
        outputs=[Artifact("s3://lake", "made", Content("md5:" + "9" * 32, 5000))],
    )
    reads = [
        run_event(run_id=str(new_uuid()), job=("airflow", f"r{n}"), time=TIME, inputs=[Input(OWN_DATA)], outputs=[Artifact("s3://lake", f"out/{n}", Content(f"md5:{n + 500:032x}", 5000))])
        for n in range(60)
    ]  # fmt: skip
    record(project, run, *reads)
    pages = [house("GET", f"/undeclared.json?page={n}").json()["undeclared"] for n in (1, 2, 3, 4)]
    assert [len(found) for found in pages] == [50, 50, 30, 0]
    assert len({todo["artifact"]["name"] for found in pages for todo in found}) == 130
    assert "/undeclared?page=2" in look(house, "/undeclared").text
    assert "/undeclared?page=4" not in look(house, "/undeclared?page=3").text
    found = house("GET", "/search.json?q=many").json()
    assert (len(found["hits"]), found["more"]) == (SIZE, True)
    hop = house("GET", "/hop.json?target=s3://lake/raw/own.jsonl&made=false").json()
    assert (hop["total"], len(hop["runs"])) == (62, SIZE)
    assert len(house("GET", "/hop.json?target=s3://lake/raw/own.jsonl&made=false&page=2").json()["runs"]) == 12
    assert look(house, "/source?target=s3://lake/raw/own.jsonl").text.count('<th scope="row">') == SIZE
    assert len(house("GET", "/history.json").json()["items"]) == SIZE
    for wrong in ("0", "-1", "x", "99999999999"):
        assert look(house, f"/undeclared?page={wrong}").status_code == 400


def test_forms_without_script(house: House, project: Config) -> None:
    new = Artifact("s3://lake", "raw/ new\u202e", Content("md5:" + "e" * 32, 5))
    record(
        project,
        run_event(
            run_id=str(new_uuid()),
            job=("airflow", "j"),
            time=TIME,
            inputs=[Input(new)],
            outputs=[Artifact("s3://lake", "z", Content("md5:" + "f" * 32, 5))],
        ),
    )
    todo = look(house, "/undeclared", "steward").text
    page = re.search(r'href="(/declare\?[^"]+)"', todo)
    assert page and "/declare" not in look(house, "/undeclared", "reader").text
    answer = fill(house, page[1].replace("&amp;", "&"), "/declare", kind="licensed", provider="acme", reason="contract")
    assert (answer.status_code, answer.headers["location"]) == (303, "/undeclared?done=declared")
    assert "It is on record" in look(house, answer.headers["location"]).text
    assert "acme" in look(house, page[1].replace("&amp;", "&").replace("/declare", "/artifact")).text
    with Gate.open(project) as gate:
        (said,) = gate.graph.tags(new)
        assert said.tag.by == "steward <steward@example.com>"

    answer = fill(
        house, "/grants", "/grants", reference="MSA-1", provider="openai", use="evaluation", until="2030-01-31"
    )
    assert answer.status_code == 303
    (grant,) = house("GET", "/grants.json").json()["grants"]
    assert (grant["reference"], grant["until"], grant["approver"]) == (
        "MSA-1",
        "2030-01-31",
        "steward <steward@example.com>",
    )
    assert fill(house, "/grants", f"/grants/{grant['id']}/withdraw").status_code == 303
    assert house("GET", "/grants.json").json()["grants"][0]["withdrawn"] is True
    # what cannot be given is said, and what was filled in is still there
    answer = fill(house, "/grants", "/grants", reference="MSA-2")
    assert answer.status_code == 400 and 'role="alert"' in answer.text and 'value="MSA-2"' in answer.text


def test_a_removal_is_approved_by_somebody_else(house: House) -> None:
    fields = {"output": "s3://lake/clean.jsonl", "kind": GPT.kind.value, "provider": "openai"}
    wrong = fill(house, "/removals", "/removals", **fields)
    assert wrong.status_code == 400 and "it does not say" in wrong.text and "s3://lake/clean.jsonl" in wrong.text
    right = fields | {"checked": "every record", "result": "0 found", "reason": "asked for"}
    form = Forms(look(house, "/removals", "steward").text).found["/removals"]
    sent = house(
        "POST",
        "/removals",
        "steward",
        data={**form, **right},
        files={"file": ("e.txt", b"what was found")},
        follow_redirects=False,
    )
    assert (sent.status_code, sent.headers.get("location")) == (303, "/removals?done=claimed"), sent.text
    (view,) = house("GET", "/removals.json").json()["removals"]
    assert view["removal"]["evidenceHash"].startswith("sha256:") and view["state"] == "waiting for approval"
    approve = f"/removals/{view['removal']['id']}/approve"
    assert approve not in look(house, "/removals", "reader").text
    own = fill(house, "/removals", approve)
    assert own.status_code == 403 and "APPROVER_IS_CLAIMANT" in own.text and 'role="alert"' in own.text
    assert house("GET", "/removals.json").json()["removals"][0]["state"] == "waiting for approval"
    assert fill(house, "/removals", approve, "other").status_code == 303
    assert house("GET", "/removals.json").json()["removals"][0]["state"] == "in force"
    text = look(house, "/artifact?target=models:/seed-chat/1").text
    assert "taken out by removal" in text and "Allowed, after a removal" in text
    asked = "?model=models:/seed-chat/1&origin=openai"
    (notice,) = house("GET", f"/api/v1/contains{asked}").json()["notices"]
    assert "it was claimed after models were made of that content" in notice
    answered = look(house, f"/question{asked}").text
    assert '"word open">No, after a removal<' in answered and notice in answered


def test_a_correction_is_approved_by_somebody_else(house: House) -> None:
    fields = {"source": "s3://lake/raw/gpt.jsonl", "kind": GPT.kind.value, "provider": "openai", "reason": "a mix-up"}
    assert fill(house, "/corrections", "/corrections", **fields).status_code == 303
    (view,) = house("GET", "/corrections.json").json()["corrections"]
    approve = f"/corrections/{view['correction']['id']}/approve"
    assert fill(house, "/corrections", approve).status_code == 403
    assert fill(house, "/corrections", approve, "other").status_code == 303
    assert house("GET", "/corrections.json").json()["corrections"][0]["state"] == "in force"


def test_a_policy_is_tried(house: House, project: Config) -> None:
    before = (project.root / "lineage.policy.yaml").read_text()
    entries = house("GET", "/ledger.json").json()["entries"]
    answer = fill(house, "/policy", "/policy", "reader", text="mode: enforce\ndefault: allow\nrules: []\n")
    assert (
        answer.status_code == 200
        and "would have ended otherwise" in answer.text
        and "models:/seed-chat/1" in answer.text
    )
    assert fill(house, "/policy", "/policy", "reader", text=before).text.count("models:/seed-chat/1") == 0
    for wrong in ("", "rules: [", "extends: ../../etc/passwd.yaml\n", "extends: /etc/passwd\n", "<script>: 1"):
        answer = fill(house, "/policy", "/policy", "reader", text=wrong)
        assert answer.status_code == 400 and 'role="alert"' in answer.text and "root:" not in answer.text, wrong
        assert "<script>:" not in answer.text
    assert house("GET", "/ledger.json").json()["entries"] == entries
    assert (project.root / "lineage.policy.yaml").read_text() == before


def test_who_may_do_what(house: House) -> None:
    for role in ("reader", "administrator", "gate", "producer"):
        answer = look(house, "/grants", role)
        assert answer.status_code == (200 if role in ("reader", "administrator") else 403)
        assert "Give a permission" not in answer.text
        assert house("POST", "/grants", role, data={"reference": "x"}).status_code == 403
    refused = look(house, "/grants", "producer")
    assert "<h1>This is not for you</h1>" in refused.text
    assert {route for route, rule in RULES.items() if rule is ANYONE and "/api" not in route} >= {
        "GET /login",
        "POST /login",
    }


def test_come_in_and_go(house: House) -> None:
    client = house.client
    first = client.get("/artifact?target=models:/seed-chat/1", headers=BROWSER)
    assert first.status_code == 401 and "seed-chat" not in re.sub(r'value="[^"]*"', "", first.text)
    form = Forms(first.text).found["/login"]
    assert form["next"] == "/artifact?target=models:/seed-chat/1"

    def come(token: str, **more: str) -> Any:
        return client.post("/login", data={**form, "token": token, **more}, headers=BROWSER, follow_redirects=False)

    wrong = come("lgt_nobody")
    assert wrong.status_code == 401 and "set-cookie" not in wrong.headers and "lgt_nobody" not in wrong.text
    answer = come(house.tokens["steward"])
    assert (answer.status_code, answer.headers["location"]) == (303, form["next"])
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and house.tokens["steward"] not in cookie
    assert "Refused" in client.get(form["next"], headers=BROWSER).text
    assert client.get("/artifact.json?target=models:/seed-chat/1").status_code == 200
    # the cookie opens pages alone
    assert client.get("/api/v1/me").status_code == 401
    assert client.post("/api/v1/grants", content=b"{}").status_code == 401
    # a form needs the word of this very session, and comes from here
    page = Forms(client.get("/grants", headers=BROWSER).text).found["/grants"]
    fields = {"reference": "M", "provider": "openai"}
    assert client.post("/grants", data=fields).status_code == 400
    assert client.post("/grants", data={**fields, "csrf": form["csrf"]}).status_code == 400
    away = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/grants", data={**fields, **page}, headers=away).status_code == 400
    assert house("GET", "/grants.json").json()["grants"] == []
    assert client.post("/grants", data={**fields, **page}, follow_redirects=False).status_code == 303
    stolen = client.cookies[COOKIE]
    assert client.post("/logout", follow_redirects=False).headers["location"] == "/login"
    assert client.get("/", headers={**BROWSER, "Cookie": f"{COOKIE}={stolen}"}).status_code == 401
    for path in ("//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"):
        assert come(house.tokens["reader"], next=path).headers["location"] == "/"
        client.cookies.clear()


def test_a_revoked_token_ends_its_session(house: House) -> None:
    client = house.client
    form = Forms(client.get("/login", headers=BROWSER).text).found["/login"]
    client.post("/login", data={**form, "token": house.tokens["other"]}, follow_redirects=False)
    assert client.get("/", headers=BROWSER).status_code == 200
    identity = house.tokens["other"].split("_")[1]
    house("POST", f"/api/v1/tokens/{identity}/revoke", "administrator")
    answer = client.get("/", headers=BROWSER)
    assert answer.status_code == 401 and "revoked" in answer.text
    client.cookies.clear()


def test_what_is_handed_over_is_recorded(house: House) -> None:
    for form in ("html", "json"):
        assert house("GET", f"/dossier?model=models:/seed-chat/1&format={form}").status_code == 200
    assert house("GET", "/bundle?model=models:/seed-chat/1").content.startswith(b"PK")
    assert [(a.by, a.detail) for a in house.accesses() if a.passage.value == "read"] == [
        ("reader <reader@example.com>", form) for form in ("html", "json", "bundle")
    ]


def test_failures_are_pages_for_people(house: House) -> None:
    answer = look(house, "/artifact?target=nothing-of-that-name")
    assert answer.status_code == 404 and "ARTIFACT_UNKNOWN" in answer.text and "<h1>Nothing is recorded" in answer.text
    assert house("GET", "/artifact.json?target=nothing").json()["code"] == "ARTIFACT_UNKNOWN"
    assert look(house, "/decision?id=x").status_code == 404
    assert look(house, "/decision").status_code == 400
    assert look(house, "/artifact?target=models:/seed-chat/1&as_of=2024-01-01").status_code == 409  # no policy of then
    broken = {**BROWSER, "Content-Type": "multipart/form-data; boundary=x"}
    for data in (b"", b"--x\r\n\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--", b"\xff" * 100):
        assert house("POST", "/removals", "steward", content=data, headers=broken).status_code == 400
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    for data in (
        part * 50_000 + b"--x--",
        b"--x\r\n" + b"A: b\r\n" * 200_000 + b"\r\n\r\n--x--",
        b"--x\r\nContent-Disposition: form-data; "
        + b"; ".join(b"a%d*0=x" % n for n in range(20_000))
        + b"\r\n\r\n--x--",
        b"".join(b"--x%d\r\nContent-Type: multipart/mixed; boundary=x%d\r\n\r\n" % (n, n + 1) for n in range(3_000)),
    ):
        began = time.monotonic()
        assert house("POST", "/removals", "steward", content=data, headers=broken).status_code == 400
        assert time.monotonic() - began < 2
    many = urlencode([("a", "b")] * 200)
    assert (
        house(
            "POST", "/grants", "steward", content=many, headers={"Content-Type": "application/x-www-form-urlencoded"}
        ).status_code
        == 400
    )
    assert house("GET", "/static/../look.py").status_code == 404
    assert house("GET", "/static/pages.css", None).headers["content-type"].startswith("text/css")


def test_an_address_without_a_page_answers_people_with_a_page(house: House) -> None:
    for path in ("/nothing", "/artifacts", "/static/../look.py", "/artifact/x"):
        answer = look(house, path, None)
        assert answer.status_code == 404 and answer.headers["content-type"].startswith("text/html"), path
        assert "<h1>There is nothing at this address</h1>" in answer.text and "openapi" not in answer.text
        assert "You are" not in answer.text
        assert house("GET", path, None).json()["code"] == "NOT_FOUND"
    session = house("POST", "/login", None, data={**Forms(look(house, "/login", None).text).found["/login"],
                    "token": house.tokens["reader"]}, headers=BROWSER, follow_redirects=False)  # fmt: skip
    assert session.status_code == 303
    assert 'role="search"' in look(house, "/nothing", None).text and "You are" in look(house, "/nothing", None).text
    assert look(house, "/nothing.json", None).json()["code"] == "NOT_FOUND"
    assert look(house, "/api/v1/nothing", None).json()["code"] == "NOT_FOUND"


def test_another_time(house: House) -> None:
    day = datetime.now(timezone.utc).isoformat()
    text = look(house, f"/artifact?target=models:/seed-chat/1&known_at={quote(day)}").text
    assert "What the policy said" in text and "Refused by rule no-gpt" in text and "By what had been recorded" in text
    assert "No recorded run" not in text and "one hop up" not in text  # hops are of the present


def test_pages_are_no_part_of_the_api(house: House) -> None:
    paths = house("GET", "/openapi.json", None).json()["paths"]
    assert "/api/v1/why" in paths and not [path for path in paths if path in PAGES or path.startswith("/static")]


def test_sessions_end() -> None:
    now = 0.0
    kept = Sessions(lambda: now)
    name = kept.open("lgt_x")
    assert kept.token(name) == "lgt_x" and kept.token("other") == "" and kept.token("") == ""
    now = KEPT
    assert kept.token(name) == ""


@pytest.mark.parametrize(("path", "to"), [("/a?b=1", "/a?b=1"), ("", "/"), ("//x", "/"), ("/\r\nSet-Cookie: a", "/")])
def test_addresses(path: str, to: str) -> None:
    assert local(path) == to
    assert address("/a", b="ü &", c="", d=None, from_=2, page=1) == "/a?b=%C3%BC+%26&from=2"


def test_what_ships_is_what_the_notice_says() -> None:
    import hashlib
    from importlib.resources import files

    static = files("lineage.server.pages") / "static"
    digest = hashlib.sha256((static / "htmx.min.js").read_bytes()).hexdigest()
    assert f"sha256 {digest}" in (static / "NOTICE").read_text(encoding="utf-8")
