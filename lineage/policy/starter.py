"""The policy that `lineagegate init` writes."""

from __future__ import annotations

from importlib.resources import files


def starter_policy(project: str) -> str:
    """A commented policy to start from, with tests that pass.

    Args:
        project: name of the project, for the heading.
    """
    text = files("lineage.policy").joinpath("starter.yaml").read_text(encoding="utf-8")
    return text.replace("PROJECT", " ".join(project.split()) or "this project")
