"""What a question about another time costs, beside the same question about now and beside a replay of the whole ledger.

    python -m benchmarks.asof [--shape layered] [--size 100000] [--questions 50] [--whole]

Each question makes a view of the past for one model, and asks it for labels and paths (`why`), or for what is
downstream of one source (`impact`). Times are of one warm process. Every answer about "everything recorded" is compared
with the answer about now, and with the right labels.
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
from lineage.graph import Graph
from lineage.store import create_store, open_store
from lineage.vocabulary import Artifact, Content


def load(work: w.Workload, path: Path) -> None:
    """Record everything, in batches of 1,000."""
    with create_store(str(path)) as store:
        graph, batch = Graph(store), list[bytes]()
        for event in w.events(work):
            batch.append(event)
            if len(batch) == 1000:
                graph.record(batch)
                batch = []
        graph.record(batch)


def timed(ask: Callable[[Artifact], object], artifacts: list[Artifact]) -> str:
    """Median and slowest of some questions, in milliseconds."""
    times = []
    for artifact in artifacts:
        began = time.perf_counter()
        ask(artifact)
        times.append((time.perf_counter() - began) * 1e3)
    return f"{statistics.median(times):,.1f} | {max(times):,.1f}"


def main() -> None:
    """Run and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", default="layered")
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=50)
    parser.add_argument("--whole", action="store_true", help="replay the whole ledger once, too (slow)")
    options = parser.parse_args()
    work = w.make(options.shape, options.size)
    right = w.origins_above(work)
    name_of = {dataset: w.name(dataset, step) for step in work.steps for dataset in step.outputs}
    sources = [step.outputs[0] for step in work.steps if step.origin is not None]
    pick = random.Random(3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lineage.db"
        load(work, path)
        with open_store(str(path)) as store:
            graph = Graph(store)

            def artifact(dataset: int) -> Artifact:
                return Artifact("dvc://bench", name_of[dataset], Content(w.key(dataset), 1000 + dataset % 100_000))

            tops = pick.choices(work.tops, k=options.questions)
            models = [artifact(dataset) for dataset in tops]
            origins = [artifact(dataset) for dataset in pick.choices(sources, k=options.questions)]
            now, middle = datetime.now(timezone.utc), datetime(2026, 1, 15, tzinfo=timezone.utc)
            entries: list[int] = []

            def why(subject: Artifact, **times: datetime) -> object:
                past = graph.as_of(about=[subject], **times)  # type: ignore[arg-type]
                labels = past.labels(subject).labels
                paths = past.paths(subject)
                past.close()
                return labels, paths.keys()

            def ahead(subject: Artifact, **times: datetime) -> object:
                past = graph.as_of(about=[subject], downstream=True, **times)  # type: ignore[arg-type]
                found = past.impact(subject)
                past.close()
                return {(i.artifact, i.distance) for i in found.items}

            for dataset, subject in zip(tops, models, strict=True):
                entries.append(len(graph.entries(subject)))
                labels, _ = why(subject, recorded=now)  # type: ignore[misc]
                assert labels == graph.labels(subject).labels
                assert {int(x.origin.provider.removeprefix("provider-")) for x in labels} == right[dataset]
            assert all(
                ahead(s, recorded=now) == {(i.artifact, i.distance) for i in graph.impact(s).items} for s in origins
            )
            print(f"{options.shape}, {options.size:,} executions; a lineage rests on {statistics.median(entries):,.0f} "
                  f"entries (most {max(entries):,})\n")  # fmt: skip
            print("| question | median ms | slowest ms |\n|---|---|---|")
            print(f"| why, now | {timed(lambda s: (graph.labels(s), graph.paths(s)), models)} |")
            print(f"| why, --known-at | {timed(lambda s: why(s, recorded=now), models)} |")
            past = [m for m in models if _known(graph, m, middle)]
            if past:
                print(f"| why, --as-of halfway | {timed(lambda s: why(s, happened=middle), past)} |")
            print(f"| impact, now | {timed(graph.impact, origins)} |")
            print(f"| impact, --known-at | {timed(lambda s: ahead(s, recorded=now), origins)} |")
            if options.whole:
                began = time.perf_counter()
                graph.as_of(recorded=now).close()
                print(f"| the whole ledger, replayed | {(time.perf_counter() - began) * 1e3:,.0f} | |")


def _known(graph: Graph, subject: Artifact, moment: datetime) -> bool:
    past = graph.as_of(happened=moment, about=[subject])
    known = subject.content in [version.content for version in past.versions(subject.namespace, subject.name)]
    past.close()
    return known


if __name__ == "__main__":
    main()
