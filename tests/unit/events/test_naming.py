"""Names: the table in docs/reference/events.md, case by case."""

from __future__ import annotations

import uuid

import pytest

from lineage.events import naming


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("s3://bucket/a/b.csv", "s3://bucket", "a/b.csv"),
        ("https://user:secret@example.com:8443/a?token=x#y", "https://example.com:8443", "a"),
        ("gs://bucket", "gs://bucket", ""),
        ("file:///data/a%20b.csv", "file", "/data/a b.csv"),
        ("/data/a b.csv", "file", "/data/a b.csv"),
        ("C:\\data\\a.csv", "file", "C:\\data\\a.csv"),
    ],
)
def test_a_uri_is_named_without_secrets(uri: str, namespace: str, name: str) -> None:
    assert naming.from_uri(uri) == (namespace, name)


@pytest.mark.parametrize(
    ("uri", "namespace"),
    [
        ("http://mlflow.example:5000", "mlflow://mlflow.example:5000"),
        ("https://me:secret@mlflow.example/path", "mlflow://mlflow.example"),
        ("sqlite:///mlflow.db", "mlflow://local"),
        ("mlruns", "mlflow://local"),
        ("postgresql://me:secret@db/x", "mlflow://local"),
    ],
)
def test_an_mlflow_server_is_its_host(uri: str, namespace: str) -> None:
    assert naming.mlflow_namespace(uri) == namespace


@pytest.mark.parametrize(
    ("namespace", "name", "shown"),
    [
        ("dvc://seed", "data/raw/gpt4", "data/raw/gpt4"),
        ("mlflow://local", naming.model_name("seed-chat", 3), "models:/seed-chat/3"),
        ("mlflow://local", naming.model_name("seed-chat"), "models:/seed-chat"),
        ("mlflow://local", "logged-models/m-1", "models:/m-1"),
        ("mlflow://local", "runs/abc/model", "runs:/abc/model"),
        ("mlflow://local", "experiments/1", "mlflow://local/experiments/1"),
        ("file", "/data/a", "/data/a"),
        ("s3://bucket", "a", "s3://bucket/a"),
    ],
)
def test_people_see_short_names(namespace: str, name: str, shown: str) -> None:
    assert naming.display(namespace, name) == shown


def test_a_run_that_is_known_has_one_identity() -> None:
    one = naming.run_id("dvc", "seed", "dvc.yaml:train", "k", "v")
    assert one == naming.run_id("dvc", "seed", "dvc.yaml:train", "k", "v")
    assert one != naming.run_id("dvc", "seed", "dvc.yaml:train", "k", "w")
    assert naming.run_id("ab", "c") != naming.run_id("a", "bc")
    uuid.UUID(one)
