"""What things are: origins, uses, labels, tags, artifacts, runs, grants, decisions. Frozen values, no input or output.

The words are the field's own: dataset, job, run (OpenLineage), derivation (W3C PROV), trainedOn (SPDX 3).
"""

from lineage.vocabulary.artifact import Artifact, ArtifactType, Content, Execution, Input, Member
from lineage.vocabulary.decision import Decision, Finding, Grant, Outcome, Scope, Step
from lineage.vocabulary.origin import CLEAN_KINDS, UNDECLARED, Basis, Correction, Kind, Label, Origin, Removal, Tag, Use

__all__ = [
    "CLEAN_KINDS",
    "UNDECLARED",
    "Artifact",
    "ArtifactType",
    "Basis",
    "Content",
    "Correction",
    "Decision",
    "Execution",
    "Finding",
    "Grant",
    "Input",
    "Kind",
    "Label",
    "Member",
    "Origin",
    "Outcome",
    "Removal",
    "Scope",
    "Step",
    "Tag",
    "Use",
]
