"""``meta.lineage`` on `.dvc` files, outputs and stages, as people write it by hand; and patterns in lineage.toml."""

from __future__ import annotations

import pytest

from lineage.errors import UsageError
from lineage.vocabulary import Use
from tests.integrations.dvc.repository import GPT4, TICKETS, WEB, Repo, nothing, rule

OPENAI = "{kind: third-party-model-output, provider: openai, service: gpt-4, channel: azure-openai}"
OWN = "{kind: first-party}"


def md5_of(repo: Repo, path: str) -> str:
    artifact = repo.pipeline().locate(path)
    assert artifact and artifact.content
    return artifact.content.hash


def claim(origin: str, content: str = "", **fields: str) -> str:
    """A ``meta`` block at the top of a file."""
    lines = [f"    origin: {origin}", *([f"    content: {content}"] if content else [])]
    lines += [f"    {key}: {value}" for key, value in fields.items()]
    return "meta:\n  lineage:\n" + "\n".join(lines) + "\n"


def append(repo: Repo, path: str, text: str) -> None:
    repo.write(path, repo.read_text(path) + text)


def test_on_a_dvc_file(chained: Repo) -> None:
    content = md5_of(chained, "data/raw/gpt4.txt")
    append(chained, "data/raw/gpt4.txt.dvc", claim(OPENAI, content, by="Jane", at="2023-03-02", reason="bought"))
    reading = chained.read()
    (tag,) = reading.tags("data/raw/gpt4.txt", content)
    assert (tag.origin.provider, tag.origin.channel, tag.by, tag.reason) == ("openai", "azure-openai", "Jane", "bought")
    event = next(e for e in reading.sets if e.dataset and e.dataset.artifact.tags)
    assert not event.time.startswith("2023-03-02")  # what `at` says is no proof
    assert reading.labels("models/chat.pkl") == {"third-party-model-output", "undeclared"}


def test_who_committed_it_speaks_when_nobody_is_named(chained: Repo) -> None:
    append(chained, "data/raw/gpt4.txt.dvc", claim(OPENAI))
    chained.commit()
    assert {tag.by for tag in chained.read().tags("data/raw/gpt4.txt")} == {"Jane Roe <jane@example.com>"}


def test_a_restricted_claim_stays_when_the_content_changes(chained: Repo) -> None:
    old = md5_of(chained, "data/raw/gpt4.txt")
    append(chained, "data/raw/gpt4.txt.dvc", claim(OPENAI, old))
    chained.commit()
    chained.write("data/raw/gpt4.txt", "all other words, and yet from the same place\n")
    chained.dvc("add", "-q", "data/raw/gpt4.txt")
    chained.commit()
    new = md5_of(chained, "data/raw/gpt4.txt")
    reading = chained.read()
    assert (
        reading.kinds("data/raw/gpt4.txt", old)
        == reading.kinds("data/raw/gpt4.txt", new)
        == {"third-party-model-output"}
    )
    assert any("stays with the path" in tag.reason for tag in reading.tags("data/raw/gpt4.txt", new))


def test_a_clean_claim_expires_when_the_content_changes(chained: Repo) -> None:
    old = md5_of(chained, "data/raw/tickets.txt")
    append(chained, "data/raw/tickets.txt.dvc", claim(OWN, old))
    chained.commit()
    chained.write("data/raw/tickets.txt", GPT4 + "pasted over the tickets\n")
    chained.dvc("add", "-q", "data/raw/tickets.txt")
    chained.commit()
    new = md5_of(chained, "data/raw/tickets.txt")
    reading = chained.read()
    assert reading.kinds("data/raw/tickets.txt", old) == {"first-party"}
    assert reading.kinds("data/raw/tickets.txt", new) == set()
    assert reading.labels("data/raw/tickets.txt", new) == {"undeclared"}
    (notice,) = [n for n in chained.pipeline().notices() if n.code == "CLAIM_EXPIRED"]
    assert notice.where == "data/raw/tickets.txt.dvc"
    assert notice.hint == "lineagegate declare data/raw/tickets.txt.dvc --kind first-party"


@pytest.mark.parametrize("incremental", [False, True])
def test_a_claim_without_content_speaks_for_what_it_was_first_seen_with(chained: Repo, incremental: bool) -> None:
    append(chained, "data/raw/tickets.txt.dvc", claim(OWN))
    chained.commit()
    old = md5_of(chained, "data/raw/tickets.txt")
    first = chained.read()
    chained.write("data/raw/tickets.txt", GPT4 + "pasted over the tickets\n")
    chained.dvc("add", "-q", "data/raw/tickets.txt")
    chained.commit()
    new = md5_of(chained, "data/raw/tickets.txt")
    reading = chained.read(first.cursor, known=first.ids) if incremental else chained.read()
    assert (first if incremental else reading).kinds("data/raw/tickets.txt", old) == {"first-party"}
    assert reading.kinds("data/raw/tickets.txt", new) == set()
    assert "CLAIM_EXPIRED" in [n.code for n in chained.pipeline().notices()]


def test_on_a_stage_that_downloads(empty: Repo) -> None:
    empty.write("download.py", "# code\n")
    empty.write(
        "dvc.yaml",
        f"stages:\n  download:\n    cmd: echo '{WEB.splitlines()[0]}' > raw.txt\n    deps: [download.py]\n    outs: [raw.txt]\n"
        f"    meta:\n      lineage:\n        origin: {OPENAI}\n",
    )
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.read()
    assert reading.labels("raw.txt") == {"third-party-model-output"}
    # declared later, without running it again
    empty.write("dvc.yaml", empty.read_text("dvc.yaml").replace("azure-openai", "api.openai.com"))
    later = empty.read(reading.cursor, known=reading.ids)
    assert later.runs == []
    assert {tag.origin.channel for tag in later.tags("raw.txt")} == {"api.openai.com"}


def test_on_one_output_of_a_stage_and_of_a_dvc_file(empty: Repo) -> None:
    empty.write("download.py", "# code\n")
    empty.write(
        "dvc.yaml",
        "stages:\n  download:\n    cmd: cat download.py > a.txt && echo something longer > b.txt\n    deps: [download.py]\n"
        f"    outs:\n      - a.txt:\n          meta:\n            lineage:\n              origin: {OPENAI}\n      - b.txt\n",
    )
    empty.dvc("repro", "-q")
    empty.add("c.txt", TICKETS)
    text = empty.read_text("c.txt.dvc").replace(
        "  path: c.txt\n", f"  path: c.txt\n  meta:\n    lineage:\n      origin: {OPENAI}\n"
    )
    empty.write("c.txt.dvc", text)
    reading = empty.read()
    assert reading.kinds("a.txt") == reading.kinds("c.txt") == {"third-party-model-output"}
    assert reading.kinds("b.txt") == set()


def test_several_claims_all_count(chained: Repo) -> None:
    content = md5_of(chained, "data/raw/gpt4.txt")
    append(
        chained,
        "data/raw/gpt4.txt.dvc",
        f"meta:\n  lineage:\n  - origin: {OPENAI}\n    content: {content}\n  - origin: {OWN}\n    content: {content}\n",
    )
    assert chained.read().kinds("data/raw/gpt4.txt") == {"third-party-model-output", "first-party"}


def test_a_claim_for_one_output_by_path(empty: Repo) -> None:
    empty.write("download.py", "# code\n")
    empty.write(
        "dvc.yaml",
        "stages:\n  download:\n    cmd: cat download.py > a.txt && echo something longer > b.txt\n    deps: [download.py]\n"
        "    outs: [a.txt, b.txt]\n",
    )
    empty.dvc("repro", "-q")
    append(
        empty,
        "dvc.yaml",
        f"    meta:\n      lineage:\n        origin: {OPENAI}\n        content:\n          b.txt: {md5_of(empty, 'b.txt')}\n",
    )
    reading = empty.read()
    assert reading.kinds("b.txt") == {"third-party-model-output"}
    assert reading.kinds("a.txt") == set()


def test_uses_of_inputs(chained: Repo) -> None:
    text = chained.read_text("dvc.yaml")
    first = chained.read()
    meta = "    meta:\n      lineage:\n        uses:\n          data/raw/gpt4.txt: evaluation\n          data/raw/t*: annotation\n"
    chained.write("dvc.yaml", text.replace("    outs: [data/clean.txt]\n", "    outs: [data/clean.txt]\n" + meta))
    chained.commit()
    second = chained.read(first.cursor, known=first.ids)
    uses = {d.name: d.use for d in second.run("dvc.yaml:clean").inputs}
    assert uses == {"data/raw/gpt4.txt": Use.CONTENT, "data/raw/tickets.txt": Use.ANNOTATION}  # there is no model
    assert second.addresses == ["dvc.yaml:clean"]  # said again because its meaning changed
    assert {d.use for d in first.run("dvc.yaml:clean").inputs} == {Use.CONTENT}  # as of that commit


def test_patterns_apply_to_sources_only(chained: Repo) -> None:
    rules = (rule("data/*", kind="web-crawl", provider="commoncrawl"), rule("s3://bucket/*", kind="customer"))
    reading = chained.read(origins=rules)
    assert reading.kinds("data/raw/gpt4.txt") == {"web-crawl"}
    assert reading.kinds("data/clean.txt") == set()
    assert reading.labels("models/chat.pkl") == {"web-crawl"}
    # another pattern tomorrow: everything is read again, runs are not told twice
    again = chained.read(reading.cursor, known=reading.ids, origins=(rule("data/raw/gpt4*", kind="licensed"),))
    assert again.runs == [] and again.kinds("data/raw/gpt4.txt") == {"licensed"}


def test_an_unknown_kind_in_a_pattern(chained: Repo) -> None:
    with pytest.raises(UsageError) as caught:
        chained.read(origins=(rule("data/*", kind="mine"),))
    assert caught.value.code == "CONFIG_INVALID" and "first-party" in caught.value.cause


@pytest.mark.parametrize(
    ("block", "word", "line"),
    [
        ("meta:\n  lineage:\n    origin: {kind: first-partyy}\n", "kind", 3),
        ("meta:\n  lineage:\n    origin:\n      kind: first-party\n      vendor: me\n", "vendor", 5),
        ("meta:\n  lineage:\n    orgin: {kind: first-party}\n", "orgin", 3),
        ("meta:\n  lineage: first-party\n", "mapping", 2),
        ("meta:\n  lineage: []\n", "mapping", 2),
        ("meta:\n  lineage:\n    origin: {kind: undeclared}\n", "undeclared", 3),
        ("meta:\n  lineage:\n    origin: {kind: first-party}\n    content: hello world\n", "content", 4),
        ("meta:\n  lineage:\n    origin: {kind: first-party, provider: [a]}\n", "provider", 3),
        ("meta:\n  lineage:\n    uses: {a: evaluation}\n", "uses", 3),
    ],
)
def test_what_cannot_be_understood_frees_nothing(chained: Repo, block: str, word: str, line: int) -> None:
    before = chained.read_text("data/raw/tickets.txt.dvc")
    append(chained, "data/raw/tickets.txt.dvc", block)
    reading = chained.read()
    assert reading.kinds("data/raw/tickets.txt") == set()
    (notice,) = [n for n in chained.pipeline().notices() if n.code == "CLAIM_MALFORMED"]
    assert notice.where == f"data/raw/tickets.txt.dvc:{before.count(chr(10)) + line}"
    assert word in notice.message and "undeclared" in notice.message


EXAM = """\
stages:
  t:
    cmd: cat exam.pkl | rev > {out}
    deps: [exam.pkl{dep}]
    outs: [{out}]
    meta:
      lineage:
        uses:
          exam.pkl: evaluation
"""


@pytest.mark.parametrize(
    ("dep", "out", "use", "code"),
    [
        ("", "clean.txt", Use.CONTENT, "USE_WITHOUT_MODEL"),
        ("", "m.pt", Use.EVALUATION, "USE_IN_TRAINING"),
        (", own.pt", "scores.txt", Use.EVALUATION, ""),
    ],
)
def test_evaluation_needs_a_model(empty: Repo, dep: str, out: str, use: Use, code: str) -> None:
    empty.add("exam.pkl", GPT4)  # a pickle may be data: what is evaluated with is not the model
    empty.add("own.pt", WEB)
    empty.write("dvc.yaml", EXAM.format(dep=dep, out=out))
    empty.dvc("repro", "-q")
    empty.commit()
    assert {d.name: d.use for d in empty.read().run("dvc.yaml:t").inputs}["exam.pkl"] is use
    inputs = empty.pipeline().stage("t", empty.root, nothing)
    assert inputs and {i.artifact.name: i.use for i in inputs}["exam.pkl"] is use
    notices = {n.code: n for n in empty.pipeline().notices() if n.code.startswith("USE_")}
    assert set(notices) == ({code} if code else set())
    if code == "USE_IN_TRAINING":
        assert "Jane Roe <jane@example.com>" in notices[code].message


@pytest.mark.parametrize("incremental", [False, True])
def test_a_name_in_a_file_is_no_signature(chained: Repo, incremental: bool) -> None:
    content = md5_of(chained, "data/raw/tickets.txt")
    append(chained, "data/raw/tickets.txt.dvc", claim(OWN, content, by="Chief Counsel <cc@x.example>", at="2020-01-01"))
    chained.git("add", "-A")
    chained.git(
        "-c", "user.name=Eve", "commit", "-q", "-m", "x", "--author", "Eve <eve@x.example>", date="2023-05-04T00:00:00Z"
    )
    first = chained.read()
    append(chained, "data/raw/tickets.txt.dvc", "# a later commit by somebody else\n")
    chained.commit()
    reading = chained.read(first.cursor, known=first.ids) if incremental else chained.read()
    said = "Chief Counsel <cc@x.example>, 2020-01-01 (written by Eve <eve@x.example>, 2023-05-04)"
    assert {tag.by for tag in (*first.tags("data/raw/tickets.txt"), *reading.tags("data/raw/tickets.txt"))} == {said}
    times = {e.time for e in (*first.sets, *reading.sets) if e.dataset and e.dataset.artifact.tags}
    assert times == {"2023-05-04T00:00:00+00:00"}
