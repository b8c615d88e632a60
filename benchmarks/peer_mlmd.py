"""ML Metadata's answer to the question of a registration. Runs in an environment of its own (it pins old libraries).

python -m benchmarks.peer_mlmd SHAPE EXECUTIONS QUESTIONS      prints one JSON line
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time

from benchmarks import workload as w


def main() -> None:
    """Load, ask, compare every answer with the right one."""
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2 as pb

    shape, executions, questions = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    work = w.make(shape, executions)
    right = w.origins_above(work)
    with tempfile.TemporaryDirectory() as folder:
        config = pb.ConnectionConfig()
        config.sqlite.filename_uri = f"{folder}/mlmd.db"
        store = metadata_store.MetadataStore(config)
        dataset = store.put_artifact_type(pb.ArtifactType(name="Dataset", properties={"origin": pb.INT}))
        stage = store.put_execution_type(pb.ExecutionType(name="Stage"))
        origin = {step.outputs[0]: step.origin for step in work.steps if step.origin is not None}
        ids: list[int] = []
        for start in range(0, work.datasets, 5000):
            batch = []
            for number in range(start, min(start + 5000, work.datasets)):
                artifact = pb.Artifact(type_id=dataset, uri=w.key(number))
                if number in origin:
                    artifact.properties["origin"].int_value = origin[number]
                batch.append(artifact)
            ids.extend(store.put_artifacts(batch))
        runs = [step for step in work.steps if step.origin is None]
        for start in range(0, len(runs), 2000):
            part = runs[start : start + 2000]
            made = store.put_executions([pb.Execution(type_id=stage) for _ in part])
            found = []
            for run, step in zip(made, part, strict=True):
                found += [pb.Event(artifact_id=ids[d], execution_id=run, type=pb.Event.INPUT) for d in step.inputs]
                found += [pb.Event(artifact_id=ids[d], execution_id=run, type=pb.Event.OUTPUT) for d in step.outputs]
            store.put_events(found)
        times, wrong = [], 0
        for target in random.Random(5).sample(work.tops, questions):
            options = pb.LineageSubgraphQueryOptions(
                starting_artifacts=pb.LineageSubgraphQueryOptions.StartingNodes(filter_query=f"id = {ids[target]}"),
                max_num_hops=1_000_000,
                direction=pb.LineageSubgraphQueryOptions.UPSTREAM,
            )
            began = time.perf_counter()
            graph = store.get_lineage_subgraph(options)
            answer = {a.properties["origin"].int_value for a in graph.artifacts if "origin" in a.properties}
            times.append(time.perf_counter() - began)
            wrong += frozenset(answer) != right[target]
    times.sort()
    p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
    print(
        json.dumps(
            {"p50_us": statistics.median(times) * 1e6, "p99_us": p99 * 1e6, "wrong": wrong, "questions": questions}
        )
    )


if __name__ == "__main__":
    main()
