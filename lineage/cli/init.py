"""``lineagegate init``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from lineage.cli.settings import Settings, verb
from lineage.cli.sync import show
from lineage.errors import printable


@verb
@click.option("--project", default="", help="Name in every record, the same in every clone; default: the directory's.")
@click.option(
    "--git-hooks/--no-git-hooks", default=None, help="Sync after each commit and merge, beside hooks that are there."
)
@click.option(
    "--hooks/--no-hooks",
    default=None,
    help="See what stages do in plain `dvc repro`, by a .pth file in DVC's environment; or no longer.",
)
def init(settings: Settings, project: str, git_hooks: bool | None, hooks: bool | None) -> None:
    """Set up a repository: settings, policy, store, and what its history tells.

    Writes lineage.toml and lineage.policy.yaml where they are missing, creates the store, and reads the whole history.
    Files that exist are kept, so it can be run again. Nothing in the pipeline is changed.
    """
    from lineage.gate import Gate

    gate, written = Gate.init(_root(settings.start), project=project, store=settings.store or "")
    with gate:
        if git_hooks is not None:
            written += [path for pipeline in gate.pipelines for path in pipeline.hooks(git_hooks)]
        if hooks is not None:
            from lineage.capture import install

            _hooked(settings, install.install(gate.config.root) if hooks else install.remove(gate.config.root))
        names = tuple(path.relative_to(gate.config.root).as_posix() for path in written)
        with settings.progress() as progress:
            report = gate.sync(progress)
        if names and settings.format == "text":
            shown = (os.path.relpath(path, settings.start) for path in written)
            click.echo(f"Wrote {' and '.join(shown)}; commit them.")
        show(settings, gate, report, written=names)


def _hooked(settings: Settings, changed: Sequence[Path]) -> None:
    """Name what was changed outside of the repository's own files."""
    if settings.format == "text":
        for path in changed:
            click.echo(f"{'Wrote' if path.exists() else 'Removed'} {printable(str(path))}")


def _root(start: Path) -> Path:
    """The DVC repository around a directory, else the git repository, else the directory itself."""
    for mark in (".dvc", ".git"):
        for directory in (start, *start.parents):
            if (directory / mark).exists():
                return directory
    return start
