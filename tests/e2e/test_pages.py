"""The pages in a real browser, against a real `lineagegate serve`: what people do, by mouse and by keyboard alone, with
and without scripts; and what assistive technology needs, checked in code. Screenshots: docs/how-to/server-pages.md.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from lineage.events.event import dataset_event, run_event
from lineage.gate import Gate
from lineage.gate.removal import claim_removal
from lineage.gate.tokens import make_token
from lineage.vocabulary import Artifact, ArtifactType, Content, Input, Kind, Origin, Role, Tag

SHOTS = Path(os.environ.get("LINEAGE_SCREENSHOTS", Path(__file__).parents[2] / ".screenshots"))
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
TIME = "2023-03-02T09:30:00+00:00"
GPT = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4", "azure-openai", "openai-business-terms@2023-03-14")
POLICY = """
mode: enforce
default: allow
rules:
  - {id: no-gpt, match: {origin: {provider: openai}}, effect: deny, reason: the terms forbid training a competing model}
"""


def _data(name: str, digit: str, *tags: Tag, model: bool = False) -> Artifact:
    return Artifact(
        "mlflow://tracking.example" if model else "s3://lake", name, Content("md5:" + digit * 32, 48_000_000),
        ArtifactType.MODEL if model else ArtifactType.DATASET, tags,
    )  # fmt: skip


class Site(NamedTuple):
    """A running server."""

    url: str
    root: Path
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server over a small history: a model of three sources, one of a provider, one that nobody spoke for."""
    root = tmp_path_factory.mktemp("pages")
    (root / "lineage.policy.yaml").write_text(POLICY)
    raw = _data("raw/gpt4_dialogues.jsonl", "a", Tag(GPT, by="Lin Seed <lin@seed.example>"))
    own = _data("raw/own_dialogues.jsonl", "b", Tag(Origin(Kind.FIRST_PARTY), by="Lin Seed <lin@seed.example>"))
    forum = _data("raw/forum.jsonl", "c")
    clean, mix, model = _data("clean.jsonl", "d"), _data("mix.jsonl", "e"), _data("models/seed-chat/1", "f", model=True)

    def ran(name: str, inputs: list[Artifact], output: Artifact) -> bytes:
        return run_event(
            run_id=str(uuid.uuid5(uuid.NAMESPACE_URL, name)), job=("airflow", name), time=TIME,
            inputs=[Input(item) for item in inputs], outputs=[output],
        )  # fmt: skip

    gate, _ = Gate.init(root, project="project-seed")
    with gate:
        gate.record([
            *(dataset_event(item, time=TIME) for item in (raw, own)), ran("clean", [raw], clean),
            ran("mix", [clean, own, forum], mix), ran("train", [mix], model),
        ])  # fmt: skip
        gate.judge(model, model="seed-chat", subject="models:/seed-chat/1", action="register")
        people = {"steward": "Ada Park <ada@seed.example>", "other": "Bo Lund <bo@seed.example>", "reader": "Cy Rae"}
        tokens = {
            key: make_token(gate.graph, name=name, role=Role.READER if key == "reader" else Role.STEWARD, by="t")[1]
            for key, name in people.items()
        }
    with Gate.open(replace(gate.config, user=people["steward"])) as gate:
        claim_removal(
            gate, "s3://lake/clean.jsonl", GPT, checked="every record against the source", result="0 of 41,200 found",
            evidence="TICKET-112",
        )  # fmt: skip
        gate.seal.checkpoint()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    log = (root / "server.log").open("wb")
    server = subprocess.Popen(
        [Path(sys.executable).with_name("lineagegate"), "serve", "--port", str(port)], cwd=root, stdout=log, stderr=log
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            assert server.poll() is None, (root / "server.log").read_text()
            try:
                urllib.request.urlopen(f"{url}/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield Site(url, root, tokens)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(40)
        log.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as the set-up installed it."""
    assert CHROMIUM, "no Chromium is installed; `make setup` says how"
    SHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


def come_in(browser: Browser, site: Site, who: str = "steward", **more: Any) -> Page:
    """A window of somebody who came in; whatever the browser refuses to run or load fails the test."""
    context: BrowserContext = browser.new_context(base_url=site.url, viewport={"width": 1100, "height": 800}, **more)
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.on("console", lambda said: _said(said.text) if said.type == "error" else None)
    page.goto("/login")
    page.get_by_label("Token").fill(site.tokens[who])
    page.get_by_role("button", name="Come in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What is in this model, and may it be used?")
    return page


def _said(text: str) -> None:
    if "Content Security Policy" in text:
        pytest.fail(text)


def shot(page: Page, name: str) -> None:
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def test_from_the_search_to_the_paths_and_one_hop_more(browser: Browser, site: Site) -> None:
    page = come_in(browser, site, "reader")
    shot(page, "first")
    page.get_by_role("searchbox").fill("seed-chat")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="models:/seed-chat/1").click()
    expect(page.get_by_text("Refused", exact=True)).to_be_visible()
    expect(page.locator(".findings > li")).to_have_count(2)  # what a rule refuses, and what nobody spoke for
    expect(page.locator(".path").first.get_by_role("listitem")).to_have_count(4)
    expect(page.get_by_role("img", name="The paths that decide")).to_be_visible()
    up = page.get_by_role("link", name="one hop up from s3://lake/mix.jsonl")
    up.click()
    expect(page.get_by_role("link", name="one hop up from s3://lake/clean.jsonl")).to_be_visible()
    assert "/artifact" in page.url  # it came into the same page
    page.get_by_role("link", name="one hop up from s3://lake/clean.jsonl").click()
    expect(page.locator(".hops")).to_have_count(2)
    assert page.evaluate(CHECK) == []
    shot(page, "artifact")
    page.goto("/source?target=s3://lake/raw/gpt4_dialogues.jsonl")
    first = page.locator("tbody tr").first
    expect(first).to_contain_text("models:/seed-chat/1")
    shot(page, "source")
    with page.expect_download() as dossier:
        page.goto("/artifact?target=models:/seed-chat/1")
        page.get_by_role("link", name="HTML").click()
    assert b"Provenance dossier" in Path(dossier.value.path()).read_bytes()
    page.context.close()


def test_a_lawyer_asks_and_takes_the_case_along(browser: Browser, site: Site) -> None:
    page = come_in(browser, site, "reader")
    page.goto("/artifact?target=models:/seed-chat/1")
    page.get_by_label("Origin").fill("openai")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Does models:/seed-chat/1 contain anything of the origin “openai”?"
    )
    expect(page.get_by_text("Yes", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="The data by origin")).to_be_visible()
    assert page.evaluate(CHECK) == []
    shot(page, "question")
    with page.expect_download() as taken:
        page.get_by_role("link", name="without the names").click()
    with zipfile.ZipFile(taken.value.path()) as both:
        assert both.namelist() == ["case.zip", "openings.json"]
    page.goto("/nothing/at/all")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing at this address")
    expect(page.get_by_role("searchbox")).to_be_visible()
    page.context.close()


def test_a_removal_is_approved_by_the_second_person(browser: Browser, site: Site) -> None:
    page = come_in(browser, site, "steward")
    page.get_by_role("link", name="1 removal that a second person has to approve").click()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_contain_text("APPROVER_IS_CLAIMANT")
    shot(page, "own-claim")
    page.context.close()
    page = come_in(browser, site, "other")
    page.goto("/removals")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_contain_text("Approved")
    expect(page.get_by_text("in force", exact=True)).to_be_visible()
    shot(page, "removals")
    page.goto("/artifact?target=models:/seed-chat/1")
    expect(page.get_by_text("taken out by removal")).to_be_visible()
    page.context.close()


def test_a_source_is_declared_without_any_script(browser: Browser, site: Site) -> None:
    page = come_in(browser, site, "steward", java_script_enabled=False)
    page.get_by_role("link", name="To declare").click()
    shot(page, "undeclared")
    page.get_by_role("link", name="Declare s3://lake/raw/forum.jsonl").click()
    page.get_by_label("Kind of origin").select_option("web-crawl")
    page.get_by_label("How you know").fill("the crawler's own log")
    shot(page, "declare")
    page.get_by_role("button", name="Declare").click()
    expect(page.get_by_role("status")).to_contain_text("It is on record")
    expect(page.get_by_text("Every source on record has somebody who spoke for it.")).to_be_visible()
    page.goto("/artifact?target=models:/seed-chat/1")
    page.get_by_role("link", name="one hop up from s3://lake/mix.jsonl").click()  # a page of its own, then
    expect(page.get_by_role("heading", level=1)).to_have_text("What made s3://lake/mix.jsonl")
    page.context.close()


def test_a_policy_is_tried(browser: Browser, site: Site) -> None:
    page = come_in(browser, site, "reader")
    page.goto("/policy")
    page.get_by_label("Policy (YAML)").fill("mode: enforce\nundeclared: allow\ndefault: allow\nrules: []\n")
    page.get_by_role("button", name="What would change?").click()
    expect(page.get_by_role("heading", name="would have changed")).to_be_visible()
    expect(page.locator("tbody tr").first).to_contain_text("models:/seed-chat/1")
    shot(page, "policy")
    page.context.close()


def test_by_keyboard_alone(browser: Browser, site: Site) -> None:
    page = come_in(browser, site, "reader")
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("To the content")
    expect(page.locator(":focus")).to_be_in_viewport()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("models:/seed-chat/1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search**")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        focus = page.locator(":focus")
        seen.append(focus.inner_text())
        style = focus.evaluate(
            "e => { const s = getComputedStyle(e); return [s.outlineStyle, parseFloat(s.outlineWidth)] }"
        )
        assert style[0] != "none" and style[1] >= 1, seen[-1]  # where one is can be seen
        if seen[-1] == "models:/seed-chat/1":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_text("What the policy says")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.context.close()


PAGES = (
    "/", "/search?q=lake", "/question", "/question?model=models:/seed-chat/1&origin=openai", "/recall", "/nothing", "/artifact?target=models:/seed-chat/1", "/hop?target=models:/seed-chat/1",
    "/source?target=s3://lake/raw/own_dialogues.jsonl", "/decisions", "/grants", "/removals", "/corrections", "/undeclared",
    "/declare?target=s3://lake/raw/own_dialogues.jsonl", "/policy", "/history", "/ledger", "/artifact?target=nothing",
)  # fmt: skip
CHECK = """() => {
  const wrong = [], seen = e => e.getClientRects().length > 0;
  if (!document.documentElement.lang) wrong.push('no language');
  if (!document.title.trim()) wrong.push('no title');
  for (const tag of ['main', 'header']) if (document.querySelectorAll(tag).length !== 1) wrong.push('not one ' + tag);
  const headings = [...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1]);
  if (headings.filter(h => h === 1).length !== 1) wrong.push('not one h1');
  headings.reduce((before, now) => { if (now > before + 1) wrong.push(`h${before} then h${now}`); return now; }, 0);
  for (const e of document.querySelectorAll('input:not([type=hidden]),select,textarea'))
    if (!e.labels.length || !e.labels[0].textContent.trim()) wrong.push('no label: ' + e.outerHTML);
  for (const e of document.querySelectorAll('a,button')) if (!e.textContent.trim()) wrong.push('no name: ' + e.outerHTML);
  for (const e of document.querySelectorAll('nav,[role=region]'))
    if (!e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby')) wrong.push('no name: ' + e.outerHTML.slice(0, 80));
  for (const e of document.querySelectorAll('[aria-labelledby],[aria-describedby]'))
    for (const key of ['aria-labelledby', 'aria-describedby'])
      for (const id of (e.getAttribute(key) || '').split(' ').filter(Boolean))
        if (!document.getElementById(id)) wrong.push('nothing is called ' + id);
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach(id => wrong.push('twice: ' + id));
  for (const table of document.querySelectorAll('table')) {
    if (!table.caption) wrong.push('a table without a caption');
    for (const th of table.querySelectorAll('th')) if (!th.scope) wrong.push('th without a scope');
  }
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 });
    return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  for (const e of document.querySelectorAll('body *')) {
    if (!seen(e) || e.closest('svg') || ![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) wrong.push(`contrast ${((a + .05) / (b + .05)).toFixed(1)}: ${e.textContent.slice(0, 40)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('scrolls sideways');
  return wrong;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_assistive_technology_needs(browser: Browser, site: Site, scheme: Any) -> None:
    page = come_in(browser, site, "steward", color_scheme=scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is (scheme == "light")
    for path in PAGES:
        for width in (1100, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(path)
            assert page.evaluate(CHECK) == [], (path, width)
            if "seed-chat" in path and "artifact" in path:
                shot(page, f"artifact-{scheme}-{width}")
    page.context.close()


def test_on_paper(browser: Browser, site: Site) -> None:
    page = come_in(browser, site, "reader")
    page.goto("/artifact?target=models:/seed-chat/1")
    page.emulate_media(media="print")
    expect(page.get_by_role("searchbox")).to_be_hidden()
    expect(page.locator("nav.site")).to_be_hidden()
    expect(page.get_by_label("Origin")).to_be_hidden()  # nobody fills in a form on paper
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    (SHOTS / "artifact.pdf").write_bytes(page.pdf(format="A4"))
    page.context.close()
