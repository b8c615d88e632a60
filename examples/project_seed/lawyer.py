"""Project Seed, second part: months later a lawyer asks. Each statement of the company is held against the record.

Plays S6 to S10, S13 and S14 on the repository that `run.py` built, each with its answer asserted.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

STAGES = """
  # added when somebody was told to take the dialogues out again
  scrub:
    cmd: python src/scrub.py data/scrubbed.txt reports/scrub.json data/mix.jsonl data/raw/gpt4_dialogues.jsonl
    deps: [src/scrub.py, data/mix.jsonl, data/raw/gpt4_dialogues.jsonl]
    outs: [data/scrubbed.txt, {reports/scrub.json: {cache: false}}]
  train-lite:
    cmd: python src/train.py seed-lite models/seed-lite.json data/scrubbed.txt
    deps: [src/train.py, src/language_model.py, data/scrubbed.txt]
    outs: [models/seed-lite.json]

  # somebody went on
  mix-late:
    cmd: python src/mix.py data/late.jsonl data/raw/gpt4_direct.jsonl data/raw/tickets.jsonl
    deps: [src/mix.py, data/raw/gpt4_direct.jsonl, data/raw/tickets.jsonl]
    outs: [data/late.jsonl]
"""


def ask(story: Any) -> None:
    """The questions, in the order in which a lawyer would put them."""
    share(story)
    after_the_stop(story)
    licensed(story)
    removed(story)
    never_released(story)
    recalled(story)
    hidden(story)
    hand_over(story)


def share(story: Any) -> None:
    """S14."""
    story.chapter("S14", "To a very limited extent", "What part of what went into seed-chat is text of that provider?")
    story.must("lineagegate", "share", "models:/seed-chat/1", quiet=False)
    found = story.json("share", "models:/seed-chat/1")["shares"]
    theirs = sum(item["bytes"] for item in found if item["origin"].get("provider") == "openai")
    part = theirs / sum(item["bytes"] for item in found)
    size = (story.root / "data/raw/gpt4_dialogues.jsonl").stat().st_size
    story.verdict("S14", theirs == size and part > 0.4, f"{part:.0%} of the bytes are OpenAI output")


def after_the_stop(story: Any) -> None:
    """S8."""
    story.chapter("S8", "Staff were told to stop in April", "What read text of that provider after they were told?")
    told = datetime.now(timezone.utc).isoformat(timespec="seconds")
    file = story.root / "dvc.yaml"
    file.write_text(file.read_text() + STAGES)
    shutil.copy(Path(__file__).parent / "scrub.py", story.root / "src" / "scrub.py")
    story.must("dvc", "repro", "-q", "mix-late")
    story.commit("Try the other dialogues again")
    story.must("lineagegate", "sync")
    story.must("lineagegate", "history", "--since", told, "--origin", "openai", quiet=False)
    items = story.json("history", "--since", told, "--origin", "openai")["items"]
    runs = [item["subject"] for item in items if item["kind"] == "executed"]
    story.verdict("S8", runs == ["mix-late"], "one execution read it after the stop; it is named, with who and when")


def licensed(story: Any) -> None:
    """S7."""
    story.chapter(
        "S7", "Licensed by Microsoft; products outside China",
        "A permission holds in its scope and dates: text bought directly is free in another market, and was in 2023.",
    )  # fmt: skip
    direct = ("lineagegate", "grant", "--provider", "openai", "--channel", "openai-api")
    story.must(*direct, "--market", "us", "--reference", "Side letter 4", "--until", "2099-12-31", quiet=False)
    story.must(*direct, "--model", "seed-direct", "--reference", "Trial 2023", "--until", "2023-12-31")
    refused = story.stage("train-direct")
    story.run("lineagegate", "contains", "models:/seed-chat/1", "openai")
    case = story.json("report", "models:/seed-chat/1", "--origin", "openai")
    used = [grant for grant in case["grants"] if grant["frees"]]
    story.verdict(
        "S7",
        "openai-api" in refused
        and story.versions("seed-direct") == 0
        and [grant["grant"]["reference"] for grant in used] == ["Contract MS-2023-117"]
        and used[0]["without"] == "deny",
        "outside its market or its dates a grant frees nothing; what freed seed-chat is named",
    )


def removed(story: Any) -> None:
    """S6."""
    story.chapter(
        "S6", "Removed from the training data in mid-2023",
        "A removal is a claim on one content, with evidence, and somebody else approves it.",
    )  # fmt: skip
    before = story.stage("train-lite")
    report = json.loads((story.root / "reports/scrub.json").read_text())
    claim = story.must(
        "lineagegate", "--format", "json", "removal", "claim", "data/scrubbed.txt", "--run", "scrub",
        "--kind", "third-party-model-output", "--provider", "openai",
        "--checked", f"{report['read']} records against the dialogues, exact",
        "--result", f"{report['removed']} taken out, {report['left']} left", "--evidence", "reports/scrub.json",
    )  # fmt: skip
    identity = json.loads(claim)["removals"][0]["removal"]["id"]
    claimed = story.stage("train-lite")
    own = story.run("lineagegate", "removal", "approve", identity)
    counsel = {"LINEAGE_USER": "Ada Counsel <ada@counsel.example>"}
    story.must("lineagegate", "removal", "approve", identity, quiet=False, more=counsel)
    after = story.stage("train-lite")
    later = story.json("contains", "models:/seed-lite/1", "openai")["answer"]["contains"]
    earlier = story.json("contains", "models:/seed-chat/1", "openai")["answer"]["contains"]
    story.verdict(
        "S6",
        "gpt4_dialogues" in before
        and "gpt4_dialogues" in claimed
        and own.returncode == 2
        and after == ""
        and (later, earlier) == ("no", "yes"),
        "a claim alone frees nothing; approved by another, the later model passes and the earlier one stays flagged",
    )


def never_released(story: Any) -> None:
    """S10."""
    story.chapter("S10", "A trial version, never released", "The life of the model, from the record.")
    story.mlflow("c.set_registered_model_alias('seed-chat', 'production', '1')")
    story.must("lineagegate", "history", "models:/seed-chat", quiet=False)
    items = story.json("history", "models:/seed-chat")["items"]
    kinds = [(item["kind"], "production" in item["text"]) for item in items]
    story.verdict(
        "S10",
        ("alias", True) in kinds and "registered" in dict(kinds),
        "it was in production: who put it there, and when",
    )


def recalled(story: Any) -> None:
    """S9."""
    story.chapter(
        "S9", "The provider suspends the account", "The contract ends. Which models stand on it, and who uses them?"
    )
    grant = next(g for g in story.json("grant", "--list")["grants"] if g["reference"] == "Contract MS-2023-117")
    story.must("lineagegate", "grant", "--withdraw", grant["id"])
    dry = story.run("lineagegate", "recall")
    found = [item["version"] for item in story.json("recall")["versions"] if item["recall"]]
    story.run("lineagegate", "recall", "--apply")
    aliases = story.mlflow("print(dict(c.get_registered_model('seed-chat').aliases))")
    again = story.mlflow("c.set_registered_model_alias('seed-chat', 'production', '1')", fails=True)
    story.verdict(
        "S9",
        dry.returncode == 1
        and [(item["model"], item["aliases"]) for item in found] == [("seed-chat", ["production"])]
        and aliases.strip().endswith("{}")
        and "refused by lineagegate" in again,
        "seed-chat is called back: its alias is gone, and it cannot be given one again",
    )


def hidden(story: Any) -> None:
    """S13."""
    story.chapter(
        "S13", "Evidence was to be hidden",
        "Counsel keeps a checkpoint, a few lines of text. Then one edits the database, another goes around the gate.",
    )  # fmt: skip
    kept = story.root.parent / f"{story.root.name}-kept-by-counsel"
    kept.mkdir(exist_ok=True)
    note = story.must("lineagegate", "ledger", "checkpoint", quiet=False)
    (kept / "checkpoint.txt").write_text(note)
    story.must("lineagegate", "ledger", "verify", "--checkpoint", str(kept / "checkpoint.txt"), quiet=False)

    edited = kept / "edited.db"
    with sqlite3.connect(story.root / ".lineage/lineage.db") as source, sqlite3.connect(edited) as copy:
        source.backup(copy)
    forge(edited)
    caught = story.run(
        "lineagegate", "--store", str(edited), "ledger", "verify", "--checkpoint", str(kept / "checkpoint.txt")
    )

    with sqlite3.connect(story.root / "mlflow.db") as registry:
        columns = [row[1] for row in registry.execute("PRAGMA table_info(model_versions)")]
        chosen = ", ".join("2" if name == "version" else name for name in columns)
        registry.execute(f"INSERT INTO model_versions SELECT {chosen} FROM model_versions WHERE name = 'seed-chat'")
    around = story.run("lineagegate", "audit")
    with sqlite3.connect(story.root / "mlflow.db") as registry:
        registry.execute("DELETE FROM model_versions WHERE name = 'seed-chat' AND version = 2")
    shutil.rmtree(kept)
    story.verdict(
        "S13",
        caught.returncode == 1
        and "entry" in caught.stdout
        and around.returncode == 1
        and "seed-chat/2" in around.stdout,
        "the edit is found against a note of three lines, and the version that came around the gate is named",
    )


def forge(store: Path) -> None:
    """What an insider would do: make the dialogues' declaration say that they are the company's own."""
    code = (
        "import sys, sqlite3; from lineage.ledger import pack, unpack\n"
        "db = sqlite3.connect(sys.argv[1])\n"
        "for position, body in db.execute('SELECT position, body FROM entry').fetchall():\n"
        "    events = [e.replace(b'azure-openai', b'own-writings') for e in unpack(body)]\n"
        "    db.execute('UPDATE entry SET body = ? WHERE position = ?', (pack(events), position))\n"
        "db.commit()\n"
    )
    subprocess.run([sys.executable, "-c", code, str(store)], check=True)


def hand_over(story: Any) -> None:
    """The dossier, and the bundle that a stranger checks without this program."""
    story.chapter(
        "And then",
        "the court gets a file",
        "The dossier, and a bundle that checks itself with Python and openssl alone.",
    )
    with tempfile.TemporaryDirectory(prefix="stranger-") as desk:
        here = Path(desk)
        story.must(
            "lineagegate",
            "report",
            "models:/seed-chat/1",
            "--origin",
            "openai",
            "-o",
            str(here / "dossier.html"),
            quiet=False,
        )
        story.must(
            "lineagegate",
            "bundle",
            "models:/seed-chat/1",
            "--origin",
            "openai",
            "-o",
            str(here / "case.zip"),
            quiet=False,
        )
        with zipfile.ZipFile(here / "case.zip") as bundle:
            (here / "verify.py").write_bytes(bundle.read("verify.py"))
        key = story.json("ledger", "key")["key"]  # what the company gave counsel in a letter
        # a stranger: no package of ours, no site-packages, nothing of this environment
        base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}"
        checked = subprocess.run(
            [str(base if base.exists() else sys.executable), "-I", "-S", "verify.py", "case.zip", "--key", key],
            cwd=here, env={"PATH": "/usr/local/bin:/usr/bin:/bin"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        story.show(f"python3 -I verify.py case.zip --key {key}", checked.stdout + checked.stderr, most=60)
        story.verdict(
            "",
            checked.returncode == 0 and checked.stdout.rstrip().endswith("\nVERIFIED"),
            "the bundle verifies on a desk that has never seen us",
        )
