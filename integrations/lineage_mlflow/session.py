"""The project's gate as MLflow's processes use it: opened once, used by one thread at a time, opened again when stale.

A training process, a stage of `dvc repro` and each worker of an MLflow server come here. Where the team's server
judges, each thread has its own. What is open is thrown away
when the settings change, after a fork, and when the store's file was replaced or deleted: writing on into a deleted
file would acknowledge what nobody can read.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from lineage.config import Config, load
from lineage.gate import Gate
from lineage.gate.inquiry import judged_elsewhere
from lineage.pipeline import Running

_lock = threading.RLock()


class _Open(NamedTuple):
    process: int
    config: Config
    file: tuple[int, int] | None
    gate: Gate


_open: _Open | None = None
_own = threading.local()
_given: ContextVar[Config | None] = ContextVar("_given", default=None)
_stage: dict[tuple[str, ...], Running | None] = {}


@contextmanager
def session() -> Iterator[Gate]:
    """The gate of the project around this process, for one thread at a time.

    Settings are looked for from ``LINEAGE_ROOT``, else from the repository of the running stage (an experiment runs in
    a copy, whose store would be empty: facts/dvc.md), else from the current directory.

    Raises:
        LineageError: there are no settings, or the store cannot be used.
    """
    global _open
    config = _given.get() or load(project())
    if judged_elsewhere(config):
        yield _asking(config)
        return
    with _lock:
        file = _identity(config.store_url)
        if _open is not None and (_open.process, _open.config, _open.file) != (os.getpid(), config, file):
            if _open.process == os.getpid():
                _open.gate.close()
            _open = None
        if _open is None:
            gate = Gate.open(config)
            # the store's file may have come into being just now
            _open = _Open(os.getpid(), config, _identity(config.store_url), gate)
        yield _open.gate


def _asking(config: Config) -> Gate:
    """A gate that asks a server, one for each thread: nobody waits for an answer that another one waits for."""
    key = (os.getpid(), config, _identity(config.store_url), os.environ.get("LINEAGE_TOKEN"))
    if getattr(_own, "key", None) != key:
        if getattr(_own, "key", (0,))[0] == os.getpid():
            _own.gate.close()
        _own.key = None
        from lineage.gate.remote import gate_of

        _own.gate = gate_of(config)
        _own.key = (*key[:2], _identity(config.store_url), key[3])
    gate: Gate = _own.gate
    return gate


@contextmanager
def using(config: Config) -> Iterator[None]:
    """Let sessions use these settings: of a project that the current directory need not be in."""
    token = _given.set(config)
    try:
        yield
    finally:
        _given.reset(token)


def project() -> Path:
    """The directory to look for settings from."""
    return Path(os.environ.get("LINEAGE_ROOT") or os.environ.get("DVC_ROOT") or Path.cwd())


def running(gate: Gate) -> Running | None:
    """The stage around this process, with its data inputs as they were when this process first asked.

    Asked once: hashing a stage's inputs again for every run in it costs more, and a stage that overwrites its own
    inputs would then be recorded with what it wrote.
    """
    stage = os.environ.get("DVC_STAGE")
    if not stage:
        return None
    key = (str(os.getpid()), stage, os.environ.get("DVC_ROOT", ""), str(gate.config.root))
    if key not in _stage:
        _stage[key] = gate.running(Path.cwd(), os.environ)
    return _stage[key]


def is_server(store: Any) -> bool:
    """Whether a store is the one that an MLflow server in this process answers from.

    A server runs in no stage, and what its clients send is not known from its own environment.
    """
    handlers = sys.modules.get("mlflow.server.handlers")
    return handlers is not None and store in (
        getattr(handlers, "_tracking_store", None),
        getattr(handlers, "_model_registry_store", None),
    )


def _identity(url: str) -> tuple[int, int] | None:
    if "://" in url:
        return None
    try:
        stat = Path(url).stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
