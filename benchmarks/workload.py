"""Random pipelines, the same for every system that is measured.

N stage executions of 1 to 4 inputs and 1 to 3 outputs; one dataset in a hundred is a source with one of 200 origins.

- layered: eight layers, inputs from near neighbours of the layer before, recorded pipeline by pipeline.
- dense: inputs from the 200 datasets before, so that the closure of a late dataset is more than half of the graph.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from hashlib import md5
from typing import NamedTuple

ORIGINS = 200
LAYERS = 8
_NEAR = 2
_WINDOW = 200


class Step(NamedTuple):
    """One stage execution, or a source (no inputs, one output, an origin)."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    origin: int | None
    layer: int
    place: int


class Workload(NamedTuple):
    """Steps in the order of recording; datasets are numbered from 0."""

    shape: str
    executions: int
    steps: list[Step]
    datasets: int
    tops: list[int]
    """Datasets that a registration would ask about: outputs of the last layer (dense: of the last tenth)."""


def make(shape: str, executions: int, seed: int = 1) -> Workload:
    """Build a workload; the same arguments give the same one."""
    pick = random.Random(f"{shape}/{executions}/{seed}")
    return _layered(executions, pick) if shape == "layered" else _dense(executions, pick)


def _layered(executions: int, pick: random.Random) -> Workload:
    width = max(1, executions // LAYERS)
    steps: list[Step] = []
    count = 0
    outputs: dict[tuple[int, int], tuple[int, ...]] = {}
    sources = max(1, executions // 50)  # one in a hundred of two datasets an execution
    source_of: list[int] = []
    for number in range(sources):
        source_of.append(count)
        steps.append(Step((), (count,), pick.randrange(ORIGINS), 0, number))
        count += 1
    tops: list[int] = []
    block = 64
    for start in range(0, width, block):
        for layer in range(1, LAYERS + 1):
            for place in range(start, min(start + block, width)):
                inputs: set[int] = set()
                for _ in range(pick.randint(1, 4)):
                    near = min(max(place + pick.randint(-_NEAR, _NEAR), 0), width - 1)
                    if layer == 1:
                        inputs.add(source_of[(near * sources // width + pick.randint(0, 11)) % sources])
                    else:
                        before = outputs.get((layer - 1, near)) or outputs[(layer - 1, place)]
                        inputs.add(pick.choice(before))
                made = tuple(range(count, count + pick.randint(1, 3)))
                count += len(made)
                outputs[(layer, place)] = made
                steps.append(Step(tuple(inputs), made, None, layer, place))
                if layer == LAYERS:
                    tops.extend(made)
    return Workload("layered", executions, steps, count, tops)


def _dense(executions: int, pick: random.Random) -> Workload:
    steps: list[Step] = []
    count = 0
    for number in range(executions):
        if number % 50 == 0:
            steps.append(Step((), (count,), pick.randrange(ORIGINS), 0, number))
            count += 1
        inputs = tuple({pick.randrange(max(0, count - _WINDOW), count) for _ in range(pick.randint(1, 4))})
        made = tuple(range(count, count + pick.randint(1, 3)))
        count += len(made)
        steps.append(Step(inputs, made, None, 1, number))
    return Workload("dense", executions, steps, count, list(range(count - max(1, count // 10), count)))


def name(dataset: int, step: Step) -> str:
    """A path as pipelines have it; the same path in every run of a pipeline."""
    return f"data/team{step.place // 640}/layer{step.layer}/part-{dataset % 997:03d}.parquet"


def key(dataset: int) -> str:
    """The content of a dataset."""
    return "md5:" + md5(b"%d" % dataset, usedforsecurity=False).hexdigest()


def events(workload: Workload) -> Iterator[bytes]:
    """The workload as our events, in order."""
    from lineage.events import dataset_event, run_event
    from lineage.vocabulary import Artifact, Content, Execution, Input, Kind, Origin, Tag

    artifacts: dict[int, Artifact] = {}
    for number, step in enumerate(workload.steps):
        time = f"2026-01-{1 + number * 27 // len(workload.steps):02d}T00:{number // 60 % 60:02d}:{number % 60:02d}Z"
        for dataset in step.outputs:
            artifacts[dataset] = Artifact(
                "dvc://bench", name(dataset, step), Content(key(dataset), 1000 + dataset % 100_000)
            )
        if step.origin is not None:
            origin = Origin(Kind.LICENSED, provider=f"provider-{step.origin}")
            tagged = artifacts[step.outputs[0]]
            yield dataset_event(
                Artifact(tagged.namespace, tagged.name, tagged.content, tags=(Tag(origin, by="Jane"),)), time=time
            )
            continue
        yield run_event(
            run_id=str(_uuid(number)),
            job=("dvc://bench", f"dvc.yaml:stage-{step.layer}-{step.place % 64}"),
            time=time,
            inputs=[Input(artifacts[dataset]) for dataset in step.inputs],
            outputs=[artifacts[dataset] for dataset in step.outputs],
            execution=Execution("dvc", f"dvc.yaml:stage-{step.layer}-{step.place % 64}", commit=key(number // 40)[4:]),
        )


def _uuid(number: int) -> object:
    import uuid

    return uuid.UUID(bytes=md5(b"run %d" % number, usedforsecurity=False).digest())


def origins_above(workload: Workload) -> list[frozenset[int]]:
    """The right answer for every dataset, computed by the plainest means: origins as bit masks, in order."""
    masks = [0] * workload.datasets
    for step in workload.steps:
        mask = 1 << step.origin if step.origin is not None else 0
        for dataset in step.inputs:
            mask |= masks[dataset]
        for dataset in step.outputs:
            masks[dataset] = mask
    return (
        [frozenset(i for i in range(ORIGINS) if mask >> i & 1) for mask in masks]
        if workload.executions <= 10_000
        else _Lazy(masks)
    )  # type: ignore[return-value]


class _Lazy:
    def __init__(self, masks: list[int]) -> None:
        self._masks = masks

    def __getitem__(self, dataset: int) -> frozenset[int]:
        return frozenset(i for i in range(ORIGINS) if self._masks[dataset] >> i & 1)
