"""What is downstream of a source agrees with what each model contains."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.config import Config
from lineage.events.event import dataset_event, run_event
from lineage.gate import Inquiry
from lineage.gate.impact import of_source
from lineage.graph import Graph
from lineage.store import scratch_store
from lineage.vocabulary import Artifact, ArtifactType, Content, Input, Kind, Member, Origin, Tag

TIME = "2023-03-02T09:30:00+00:00"
FILE, OTHER, DIRECTORY = "md5:" + "1" * 32, "md5:" + "2" * 32, "md5:" + "e" * 32 + ".dir"
GPT = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai")


def _data(name: str, content: str, files: tuple[str, ...] = (), tags: tuple[Tag, ...] = ()) -> Artifact:
    members = tuple(Member(f"f{number}", file) for number, file in enumerate(files))
    return Artifact("dvc://p", name, Content(content, members=members), tags=tags)


@pytest.mark.parametrize(
    ("source", "made", "registered"), [(OTHER, DIRECTORY, FILE), (DIRECTORY, "", FILE), (FILE, "", DIRECTORY)]
)
def test_a_model_that_is_a_file_of_a_directory_or_holds_one_is_found(
    tmp_path: Path, source: str, made: str, registered: str
) -> None:
    """No run made it under its name: it is reached as what lies in a directory, or as the directory."""
    listed = _data("models", DIRECTORY, (FILE,))
    bought = _data("bought", source, (FILE,) if source == DIRECTORY else (), (Tag(GPT),))
    version = Artifact("mlflow://local", "models/seed/1", Content(registered), ArtifactType.MODEL)
    events = [dataset_event(bought, time=TIME), dataset_event(version, time=TIME), dataset_event(listed, time=TIME)]
    if made:
        events.append(
            run_event(run_id="r", job=("dvc://p", "train"), time=TIME, inputs=[Input(bought)], outputs=[listed])
        )
    (tmp_path / "lineage.policy.yaml").write_text("mode: enforce\ndefault: allow\n", encoding="utf-8")
    graph = Graph(scratch_store())
    graph.record(events)
    inquiry = Inquiry(Config(root=tmp_path, project="p"), graph)
    assert inquiry.case("models:/seed/1", "openai").answer.contains.value == "yes"
    assert [item.artifact.display for item in of_source(inquiry, bought).models] == ["models:/seed/1"]
