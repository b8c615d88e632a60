"""What DVC outputs, MLflow runs and models are called in OpenLineage. Written down here and nowhere else.

OpenLineage has no convention for DVC, MLflow or models (website/docs/spec/naming.md), so these are ours:

=====================  ========================  ==========================================
what                   namespace                 name
=====================  ========================  ==========================================
DVC output, `.dvc`     ``dvc://<project>``       path from the repository root, POSIX
DVC stage (job)        ``dvc://<project>``       ``<dvc.yaml path>:<stage>``
MLflow run (job)       ``mlflow://<server>``     ``experiments/<experiment id>``
MLflow run artifact    ``mlflow://<server>``     ``runs/<run id>/<artifact path>``
logged model           ``mlflow://<server>``     ``logged-models/<model id>``
registered version     ``mlflow://<server>``     ``models/<name>/<version>``
GX validation (job)    ``gx://<project>``        ``<checkpoint>/<validation definition>``
observed command (job) ``exec://<project>``      the program (``train.py``)
answers of a provider  ``exec://<project>``      ``calls/<execution>/<host>``
what people say or     ``lineagegate``           ``declare``, ``grant``, ``decide`` … (jobs)
decide
anything with a URI    ``scheme://authority``    the path, without its first slash
a local file           ``file``                  absolute path
=====================  ========================  ==========================================

``<project>`` is ``project`` in lineage.toml; it stays the same in every clone. ``<server>`` is the host of the tracking
server, or ``local``. A version is the content hash in the ``lineage_content`` facet, repeated in OpenLineage's
``version``.
"""

from __future__ import annotations

import re
import uuid
from urllib.parse import unquote, urlsplit

OUR_NAMESPACE = "lineagegate"
MOST_NAME = 2000
"""Bytes of a namespace and a name; an index of PostgreSQL holds 2,704."""
_RUNS = uuid.UUID("6f0e6c0e-5d9c-5c65-9b8c-6f2f0b8f3d21")


def dvc_namespace(project: str) -> str:
    """Namespace of everything DVC tracks in a project."""
    return f"dvc://{project}"


def gx_namespace(project: str) -> str:
    """Namespace of what Great Expectations validates in a project, and of batches that have no place of their own."""
    return f"gx://{project}"


def exec_namespace(project: str) -> str:
    """Namespace of commands that ``lineagegate exec`` saw and that are no stage of a pipeline."""
    return f"exec://{project}"


def mlflow_namespace(tracking_uri: str) -> str:
    """Namespace of an MLflow server: its host and port, or ``local`` for a database or directory.

    Args:
        tracking_uri: MLflow tracking or registry URI; user names and passwords in it are left out.
    """
    parts = urlsplit(tracking_uri)
    if parts.scheme in ("http", "https") and parts.hostname:
        return f"mlflow://{parts.hostname}:{parts.port}" if parts.port else f"mlflow://{parts.hostname}"
    return "mlflow://local"


def model_name(name: str, version: str | int = "") -> str:
    """Dataset name of a registered model, or of one version of it."""
    return f"models/{name}/{version}" if version != "" else f"models/{name}"


def from_uri(uri: str) -> tuple[str, str]:
    """OpenLineage (namespace, name) of a URI or a local path.

    ``s3://bucket/key`` is ``("s3://bucket", "key")``; a path or ``file:`` URI is ``("file", path)``.
    User names, passwords and queries are left out: they are secrets or noise, not identity.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("", "file") or len(parts.scheme) == 1:  # one letter: a Windows drive
        return "file", unquote(parts.path) if parts.scheme == "file" else uri
    host = parts.hostname or ""
    if parts.port:
        host = f"{host}:{parts.port}"
    return f"{parts.scheme}://{host}", parts.path.lstrip("/")


_OURS = ("dvc://", "mlflow://", "gx://", OUR_NAMESPACE)
_URI = re.compile(r"([A-Za-z][A-Za-z0-9.+-]*)://([^/]*)(.*)", re.S)
_LOCAL = re.compile(r"file(?::/(?!/[^/])|:///|//|://localhost/)[/]*", re.I)
_SAME_SCHEME = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "wasb": "wasbs", "abfs": "abfss", "postgresql": "postgres"}
_STORES = frozenset({"s3", "gs", "wasbs", "abfss", "adl", "hdfs", "webhdfs", "viewfs", "dbfs", "oss", "cos", "obs"})
"""Schemes whose names are paths: a slash before or behind one says nothing."""
_HOSTS = frozenset({
    "abfss", "awsathena", "cassandra", "clickhouse", "couchbase", "crate", "databricks", "db2", "ftp", "hbase", "hdfs",
    "hive", "http", "https", "kafka", "mariadb", "mongodb", "mssql", "mysql", "opensearch", "oracle", "postgres",
    "presto", "redshift", "sftp", "snowflake", "spark", "teradata", "trino", "vertica", "wasbs", "webhdfs",
})  # fmt: skip
"""Schemes whose authority is a host, in which case says nothing. A bucket of S3 may differ from another by case."""


def canonical(uri: str) -> str:
    """The one spelling of ``namespace/name`` under which a dataset is found whatever way it was written (law 7).

    OpenLineage's naming page says what identifies a dataset; producers differ in what says nothing: ``s3a`` and ``s3n``
    for ``s3``, the case of scheme and host, slashes around a path, the many forms of a local file. Names of ours, and
    namespaces that are no URI, stay as they are.

    Args:
        uri: namespace, a slash, name.
    """
    if uri.startswith(_OURS):
        return uri
    if local := _LOCAL.match(uri):
        return f"file//{uri[local.end() :].rstrip('/')}"
    match = _URI.match(uri)
    if match is None:
        return uri
    scheme, authority, path = match.groups()
    scheme = scheme.lower()
    scheme = _SAME_SCHEME.get(scheme, scheme)
    if scheme in _HOSTS:
        user, at, host = authority.rpartition("@")
        authority = f"{user}{at}{host.lower()}"
    if scheme in _STORES:
        path = "/" + path.strip("/")
    return f"{scheme}://{authority}{path}"


def run_id(*identity: str) -> str:
    """UUID of a run whose identity is known, so that reading it twice names the same run (law 3)."""
    return str(uuid.uuid5(_RUNS, "\0".join(identity)))


def display(namespace: str, name: str) -> str:
    """A short name for people: the path of a DVC output, ``models:/name/3`` of a model, else the URI."""
    if namespace.startswith("dvc://") or namespace == "file":
        return name
    if namespace.startswith("mlflow://"):
        if name.startswith("models/"):
            return f"models:/{name[len('models/') :]}"
        if name.startswith("runs/"):
            return f"runs:/{name[len('runs/') :]}"
        if name.startswith("logged-models/"):
            return f"models:/{name[len('logged-models/') :]}"
    return f"{namespace}/{name}"
