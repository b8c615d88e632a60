"""placeholder"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lineage.config import Config
from lineage.pipeline import Notice


def notices(config: Config, root: Path) -> Sequence[Notice]:
    """What a person should look at."""
    return []
