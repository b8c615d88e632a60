"""Dataset versions, models included, and the runs that made them."""

from __future__ import annotations

from enum import Enum

from lineage.vocabulary.origin import Tag, Use
from lineage.vocabulary.value import Value

TRIVIAL_BYTES = 16
"""Content smaller than this means nothing by itself (empty files, ``{}``, ``[]``) and joins nothing (law 7)."""

TRIVIAL_HASHES = frozenset(
    {
        "md5:d41d8cd98f00b204e9800998ecf8427e",  # empty
        "md5:68b329da9893e34099c7d8ad5cb9c940",  # "\n"
        "md5:99914b932bd37a50b983c5e7c90ae93b",  # {}
        "md5:8a80554c91d9fca8acb82f023de02f11",  # {}\n
        "md5:d751713988987e9331980363e24189ce",  # []
        "md5:58e0494c51d30eb3494f7c9198986bb9",  # []\n
        "md5:37a6259cc0c1dae299a7866489dff0bd",  # null
        "md5:d751713988987e9331980363e24189ce.dir",  # empty directory
    }
)
"""The same where a producer gave no size."""


class ArtifactType(str, Enum):
    """A model version is a dataset version of type MODEL (SEMANTICS.md)."""

    DATASET = "DATASET"
    MODEL = "MODEL"


class Member(Value, frozen=True):
    """One file of a directory."""

    path: str
    """Relative to the directory, POSIX."""
    hash: str
    """Content key, ``md5:…``."""
    size: int | None = None
    """Bytes."""


class Content(Value, frozen=True):
    """What identifies bytes wherever they lie."""

    hash: str
    """Content key: algorithm, colon, lower-case hex; a DVC directory keeps its suffix (``md5:….dir``)."""
    size: int | None = None
    """Bytes; of a directory, the sum over its files."""
    files: int | None = None
    """Number of files, for a directory."""
    members: tuple[Member, ...] = ()
    """The files of a directory, where known."""

    @property
    def trivial(self) -> bool:
        """Whether it is too small to mean anything, so that equal bytes say nothing about a common origin (law 7)."""
        if self.hash in TRIVIAL_HASHES:
            return True
        return self.size is not None and self.size < TRIVIAL_BYTES and not self.hash.endswith(".dir")


class Artifact(Value, frozen=True):
    """A dataset version: (namespace, name, content). `lineage.events.naming` makes the names.

    Without ``content`` it is "whatever has that name": versions cannot be told apart.
    """

    namespace: str
    name: str
    content: Content | None = None
    type: ArtifactType = ArtifactType.DATASET
    tags: tuple[Tag, ...] = ()
    """What the one who speaks says about its origin."""


class Input(Value, frozen=True):
    """An artifact read by a run, and in which role."""

    artifact: Artifact
    use: Use = Use.CONTENT


class Execution(Value, frozen=True):
    """What is known of how a run came about, beside its inputs and outputs.

    ``tool`` ``dvc`` or ``mlflow``; ``stage`` the address (``sub/dvc.yaml:train@a``); ``evidence`` one of
    ``observed`` (seen while it ran), ``restored`` (from a run cache), ``asserted`` (a record says so).
    """

    tool: str = ""
    stage: str = ""
    evidence: str = "asserted"
    commit: str = ""
    key: str = ""
    """The tool's own identity of this execution (DVC run cache: ``<key>/<value>``)."""
    author: str = ""
    """Who made the commit that first carried it."""
