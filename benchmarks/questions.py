"""What the lawyer's questions cost in one warm process: contains, case, impact, as-of, recall of many models.

    python -m benchmarks.questions [--size 100000] [--models 1000] [--questions 50] [--store PATH]

Registered models are outputs of the last layer of a layered workload, each with a recorded decision, a creation and an
alias. Every answer of `contains` is compared with the origins computed by the plainest means.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from benchmarks import workload as w
from lineage.config import load as settings
from lineage.events.event import act_event, dataset_event
from lineage.evidence.case import Contains
from lineage.gate import Gate
from lineage.gate.impact import of_origin, of_source
from lineage.gate.questions import contains, share
from lineage.gate.recall import rejudge, replay
from lineage.gate.wanted import Wanted
from lineage.vocabulary import Artifact, ArtifactType, Change, Content, Happening
from lineage.vocabulary.identifier import from_short, new_uuid

NAMESPACE = "mlflow://bench"
POLICY = """
mode: enforce
default: allow
providers: [provider-7, provider-8]
models: [{name: "*", competes-with: provider-7}]
rules:
  - {id: no-seven, match: {origin: {provider: provider-7}}, effect: deny, reason: it is forbidden}
  - {id: look, match: {origin: {provider: provider-8}, model: {competes-with: provider-7}}, effect: warn, reason: look}
"""


def build(root: Path, work: w.Workload, models: int) -> dict[str, int]:
    """A project with the workload and registered models; the dataset of each by its name."""
    (root / "lineage.policy.yaml").write_text(POLICY, encoding="utf-8")
    Gate.init(root, project="bench")[0].close()
    name_of = {dataset: w.name(dataset, step) for step in work.steps for dataset in step.outputs}
    tops = random.Random(5).sample(work.tops, models)
    time_, registered = "2026-02-01T00:00:00Z", dict[str, int]()
    with Gate.open(settings(root)) as gate:
        batch = list[bytes]()
        for event in w.events(work):
            batch.append(event)
            if len(batch) == 1000:
                gate.record(batch)
                batch = []
        gate.record(batch)
        for number, dataset in enumerate(tops):
            model = f"model-{number}"
            content = Content(w.key(dataset), 1000 + dataset % 100_000)
            artifact = Artifact(NAMESPACE, f"models/{model}/1", content, ArtifactType.MODEL)
            gate.record([dataset_event(artifact, time=time_)])
            subject = Artifact("dvc://bench", name_of[dataset], content)
            decision = gate.decide(subject, model, f"models:/{model}", "register", {}, "", "")
            changes = (
                Change(model, Happening.CREATED, "1", decision=decision.id, by="Jo", registry=NAMESPACE),
                Change(model, Happening.ALIAS, "1", "champion", by="Jo", registry=NAMESPACE),
            )
            said = [act_event(decision, run_id=str(from_short(decision.id)), time=time_, subject=artifact)]
            gate.record([*said, *(act_event(c, run_id=str(new_uuid()), time=time_) for c in changes)])
            registered[f"models:/{model}/1"] = dataset
        gate.seal.checkpoint()
    return registered


def timed(ask: Callable[[str], object], names: list[str]) -> str:
    """Median, slowest, and median of processor time, in milliseconds, after one question to warm up."""
    ask(names[0])
    times, busy = [], []
    for name in names:
        began, used = time.perf_counter(), time.process_time()
        ask(name)
        times.append((time.perf_counter() - began) * 1e3)
        busy.append((time.process_time() - used) * 1e3)
    return f"{statistics.median(times):,.1f} | {max(times):,.1f} | {statistics.median(busy):,.1f}"


def main() -> None:
    """Run and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=50)
    options = parser.parse_args()
    work = w.make("layered", options.size)
    right = w.origins_above(work)
    sources = [(step.outputs[0], step) for step in work.steps if step.origin is not None]
    pick = random.Random(3)
    with tempfile.TemporaryDirectory() as folder:
        registered = build(Path(folder), work, options.models)
        names = pick.choices(list(registered), k=options.questions)
        data = [w.name(*source) for source in pick.choices(sources, k=options.questions)]
        with Gate.open(settings(Path(folder))) as gate:
            for name in names:
                there = pick.randrange(w.ORIGINS)
                wanted = Wanted(provider=f"provider-{there}")
                expected = Contains.YES if there in right[registered[name]] else Contains.NO
                assert contains(gate, name, wanted).answer.contains is expected, name
            origin_of = {name: min(right[registered[name]]) for name in names}

            def yes(name: str) -> Wanted:
                return Wanted(provider=f"provider-{origin_of[name]}")

            when = datetime.now(timezone.utc).isoformat()

            def past(name: str) -> None:
                with gate.at(known_at=when) as then:
                    contains(then, name, yes(name))

            print("| question | median ms | slowest ms | processor, median ms |\n|---|---:|---:|---:|")
            for what, ask in (
                ("contains: yes", lambda name: contains(gate, name, yes(name))),
                ("contains: no", lambda name: contains(gate, name, Wanted("cohere"))),
                ("contains, as known at a time", past),
                ("share", lambda name: share(gate, name, Wanted())),
                ("case, one origin", lambda name: gate.case(name, f"provider-{origin_of[name]}")),
                ("case, every origin", lambda name: gate.case(name)),
            ):
                print(f"| {what} | {timed(ask, names)} |", flush=True)
            print(
                f"| impact of a source | {timed(lambda name: of_source(gate, gate.resolve(name)), data)} |", flush=True
            )
            origins = [f"provider-{number}" for number in pick.choices(range(w.ORIGINS), k=10)]
            print(
                f"| impact of an origin | {timed(lambda name: of_origin(gate, Wanted(provider=name)), origins)} |",
                flush=True,
            )
            print(f"| recall, {options.models:,} models | {timed(lambda _: rejudge(gate), ['', '', ''])} |", flush=True)
            print(f"| policy replay | {timed(lambda _: replay(gate), ['', '', ''])} |")


if __name__ == "__main__":
    main()
