"""Which tellings are one execution."""

from __future__ import annotations

import pytest

from lineage.events.event import read, run_event
from lineage.graph.executions import Telling, earliest, evidence, together
from lineage.vocabulary import Artifact, Content, Execution, Input

RUNS = {name: f"{index:08d}-0000-4000-8000-000000000000" for index, name in enumerate("abcdef")}


def telling(
    position: int, tool: str, run: str, *, stage: str = "dvc.yaml:train", read_: str = "1", time: str = "10:00:00"
) -> Telling:
    inputs = [Input(Artifact("dvc://seed", "data/x", Content("md5:" + digit * 32))) for digit in read_]
    data = run_event(
        run_id=RUNS[run],
        job=("dvc://seed" if tool == "dvc" else "mlflow://local", stage),
        time=f"2023-03-02T{time}Z",
        inputs=inputs,
        outputs=[],
        execution=Execution(tool, stage, "observed" if tool == "mlflow" else "asserted"),
    )
    return Telling(position, "2023-03-02T12:00:00+00:00", read(data))


def runs(*tellings: Telling) -> list[list[int]]:
    return [[t.position for t in told] for told in together(tellings)]


def test_one_run_told_again_is_one() -> None:
    told = [telling(1, "mlflow", "a"), telling(5, "mlflow", "a", time="09:00:00"), telling(3, "mlflow", "a")]
    assert runs(*told) == [[1, 3, 5]]
    assert earliest(told) == "2023-03-02T09:00:00Z"


def test_the_stage_is_the_newest_run_before_it_that_read_the_same() -> None:
    first, second = telling(1, "mlflow", "a"), telling(2, "mlflow", "b", time="10:00:00.900")
    lock = telling(3, "dvc", "c", time="10:00:00")  # whole seconds
    assert runs(first, second, lock, telling(4, "dvc", "c", time="11:00:00")) == [[1], [2, 3, 4]]
    assert [evidence(told) for told in together([first, second, lock])] == ["asserted", "asserted"]


@pytest.mark.parametrize(
    "lock",
    [
        telling(3, "dvc", "c", stage="dvc.yaml:other"),
        telling(3, "dvc", "c", read_="2"),
        telling(3, "dvc", "c", read_="12"),
        telling(3, "dvc", "c", time="09:00:00"),
        telling(0, "dvc", "c"),
    ],
    ids=["another stage", "other content", "more content", "before the run", "recorded before"],
)
def test_what_the_record_does_not_link_is_two(lock: Telling) -> None:
    assert len(runs(telling(1, "mlflow", "a"), lock)) == 2


def test_a_run_is_linked_once() -> None:
    assert runs(telling(1, "mlflow", "a"), telling(2, "dvc", "c"), telling(3, "dvc", "d")) == [[1, 2], [3]]
