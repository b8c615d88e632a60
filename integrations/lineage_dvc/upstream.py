"""Other repositories, from which ``dvc import`` or a ``ds://`` dependency took something.

One that lies on this machine is known by the name that its own settings give it, so that both projects speak of the
same dataset; the rest of the world is known by its URL.
"""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache
from pathlib import Path

from lineage.config import FILE, Config, load
from lineage.errors import CannotDecide, UsageError
from lineage.events import naming
from lineage.vocabulary import Content
from lineage_dvc.git import Repository
from lineage_dvc.tree import Files, Tree


def upstream_uri(url: str) -> str:
    """The URL of a repository, ``git@host:path`` written as the ssh URL that it means."""
    if "://" not in url and re.match(r"[^/]+@[^/]+:", url):
        host, _, rest = url.partition(":")
        return f"ssh://{host}/{rest}"
    return url


def project_of(config: Config, root: Path, url: str) -> tuple[str, Path | None]:
    """The project name of an upstream repository, and where it lies on this machine.

    Args:
        config: settings; ``[dvc] projects`` names the projects of repositories elsewhere by their URL.
        root: the DVC root that relative paths start from.
        url: as ``dvc import`` was given it.

    Returns:
        Empty and None where nothing is known.
    """
    named = config.extra.get("dvc", {}).get("projects", {})
    where = _on_this_machine(root, url)
    if isinstance(named, dict) and url in named:
        return str(named[url]), where
    return (settings_of(where).project, where) if where else ("", None)


def settings_of(where: Path) -> Config:
    """The settings of a repository on this machine; without any, its directory is its name."""
    try:
        if (where / FILE).is_file():
            return load(where)
    except UsageError:
        pass  # broken settings of another project: its name is all that is needed
    return Config(root=where, project=where.name)


def _on_this_machine(root: Path, url: str) -> Path | None:
    if "://" in upstream_uri(url) and not url.startswith("file://"):
        return None
    path = Path(naming.from_uri(url)[1])
    for candidate in (path,) if path.is_absolute() else (root / path, root.parent / path):
        if (candidate / ".git").exists():
            return candidate.resolve()
    return None


@lru_cache(maxsize=256)
def content_at(where: Path, rev: str, path: str) -> Content | None:
    """What a repository on this machine recorded at a path in a commit; None when it did not or is gone."""
    git = Repository(where, where)
    try:
        tree = Tree(Files(git.blob), git.tree(rev))
        return tree.content(posixpath.normpath(path))
    except CannotDecide:
        return None
    finally:
        git.close()
